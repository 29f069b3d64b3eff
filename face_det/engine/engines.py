"""Which embedder answers and which enrols; and the engines that have them, on one detector.

What answers computes only what its model takes. What enrols computes all encodings that there are,
so that the next training may choose among them.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from face_det.embedders import DLIB_RESNET, DLIB_VIEWS, JOINED_EMBEDDERS
from face_det.engine.engine import Engine, EngineOptions, build_engine


class Engines:
    """One detector, and an engine for each embedder that was asked for. One caller at a time.

    The embedder in `options` does not count. `build` makes the first one, instead of engine.build.
    """

    def __init__(
        self, options: EngineOptions, build: Callable[[EngineOptions], Engine] | None = None
    ) -> None:
        self._build = build
        self.options = replace(options, embedder=DLIB_RESNET)
        self._loaded: dict[str, Engine] = {}

    def of(self, embedder: str) -> Engine:
        """The engine with that embedder, loaded if need be; raises what engine.build raises."""
        if embedder not in self._loaded:
            # The engine with most of the networks: they are not loaded again.
            other = max(
                self._loaded, key=lambda name: len(_networks_of(name) & _networks_of(embedder)), default=None
            )
            self._loaded[embedder] = (
                (self._build or build_engine)(replace(self.options, embedder=embedder))
                if other is None
                else self._loaded[other].with_embedder(embedder)
            )
        return self._loaded[embedder]

    def keep_only(self, *embedders: str) -> None:
        """Let go of the engines with other embedders."""
        self._loaded = {name: engine for name, engine in self._loaded.items() if name in embedders}


def _networks_of(embedder: str) -> set[str]:
    """Whose networks an embedder has; the views are of dlib's."""
    parts = {*JOINED_EMBEDDERS.get(embedder, (embedder,))}
    return parts | {DLIB_RESNET} if DLIB_VIEWS in parts else parts
