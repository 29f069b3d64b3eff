"""Which embedder answers and which enrols; and the engines that have them, on one detector.

What answers computes only what its model takes. What enrols computes all encodings that there are,
so that the next training may choose among them.
"""

from __future__ import annotations

import functools
import logging
from collections.abc import Callable, Collection
from dataclasses import replace

from face_det import registry
from face_det.engine import Engine, EngineOptions, build
from face_det.errors import ModelMismatch
from face_det.identity.fingerprints import ALL, ALL_DLIB, DLIB, SFACE, VIEWS, asked_for, embedder_of
from face_det.identity.model import Model
from face_det.nets import catalogue

log = logging.getLogger(__name__)

AUTO = "auto"
"""An embedder's name in the configuration: what the model was trained on."""


def answering(wanted: str, model: Model | None, place: object = "model") -> str:
    """The embedder whose encodings a model takes; without one, the one to be trained on.

    ModelMismatch if another is asked for, or the model's is not on the menu.
    """
    if model is None:
        return wanted if wanted != AUTO else SFACE if catalogue.available(SFACE) else DLIB
    made = embedder_of(model.card.fingerprint)
    if asked_for(made) not in registry.ASKED_FOR:
        menu = ", ".join(registry.ASKED_FOR)
        raise ModelMismatch(
            f"{place}: must be trained on encodings of one of {menu}, got {made}; run 'face-det train'"
        )
    if wanted not in (AUTO, asked_for(made)):
        raise ModelMismatch(
            f"{place}: must be trained on encodings of {wanted} (embedder in config.json), "
            f"got {asked_for(made)}; run 'face-det train', or set embedder to {asked_for(made)} or {AUTO}"
        )
    return made


def enrolling(wanted: str, kept: Collection[str] | None = None) -> str:
    """The embedder that photos are enrolled with: all there are, unless dlib's alone is asked for; of
    these, only those that are `kept`, if it is given.

    Where sface's weights are missing, and it was not asked for by name, dlib's, and that is said once.
    """
    most = ALL_DLIB if wanted == DLIB else ALL
    if wanted == AUTO and (kept is None or SFACE in kept) and not catalogue.available(SFACE):
        _tell_missing()
        most = ALL_DLIB
    parts = tuple(part for part in registry.JOINED[most] if kept is None or part in kept)
    return next((name for name, joined in registry.JOINED.items() if joined == parts), DLIB)


@functools.cache
def _tell_missing() -> None:
    log.warning(
        "%s's weights are not installed: faces are encoded by %s alone; to have both: %s",
        *(SFACE, DLIB, catalogue.CATALOGUE[SFACE].install),
    )


class Engines:
    """One detector, and an engine for each embedder that was asked for. One caller at a time.

    The embedder in `options` does not count. `build` makes the first one, instead of engine.build.
    """

    def __init__(
        self, options: EngineOptions, build: Callable[[EngineOptions], Engine] | None = None
    ) -> None:
        self._build = build
        self.options = replace(options, embedder=DLIB)
        self._loaded: dict[str, Engine] = {}

    def of(self, embedder: str) -> Engine:
        """The engine with that embedder, loaded if need be; raises what engine.build raises."""
        if embedder not in self._loaded:
            # The engine with most of the networks: they are not loaded again.
            other = max(self._loaded, key=lambda name: len(_parts(name) & _parts(embedder)), default=None)
            self._loaded[embedder] = (
                (self._build or build)(replace(self.options, embedder=embedder))
                if other is None
                else self._loaded[other].with_embedder(embedder)
            )
        return self._loaded[embedder]

    def keep_only(self, *embedders: str) -> None:
        """Let go of the engines with other embedders."""
        self._loaded = {name: engine for name, engine in self._loaded.items() if name in embedders}


def _parts(embedder: str) -> set[str]:
    """Whose networks an embedder has; the views are of dlib's."""
    parts = {*registry.JOINED.get(embedder, (embedder,))}
    return parts | {DLIB} if VIEWS in parts else parts
