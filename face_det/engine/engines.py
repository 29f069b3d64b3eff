"""One detector with several embedders: an engine for each embedder, sharing all networks they can."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from face_det.embedders import DLIB_RESNET, EMBEDDERS, embedder_parts, is_joined
from face_det.engine.engine import build_engine
from face_det.engine.interface import EngineOptions, FaceEngine


class Engines:
    """One detector, and an engine for each embedder requested so far. Only one caller at a time.

    The embedder in `options` does not matter. `build` makes the first engine, in place of build_engine.
    """

    def __init__(
        self, options: EngineOptions, build: Callable[[EngineOptions], FaceEngine] | None = None
    ) -> None:
        self._build = build
        self.options = replace(options, embedder=DLIB_RESNET)
        self._loaded: dict[str, FaceEngine] = {}

    def of(self, embedder: str) -> FaceEngine:
        """Return the engine with that embedder, loading it if need be; raises as `build_engine` does."""
        if embedder not in self._loaded:
            # Start from the engine that shares most networks: these are not loaded again.
            wanted = _networks_of(embedder)
            other = max(self._loaded, key=lambda name: len(_networks_of(name) & wanted), default=None)
            self._loaded[embedder] = (
                (self._build or build_engine)(replace(self.options, embedder=embedder))
                if other is None
                else self._loaded[other].with_embedder(embedder)
            )
        return self._loaded[embedder]

    def keep_only(self, embedder: str) -> None:
        """Release the engines with other embedders, unless they join several, as enrolment does."""
        kept = {name: engine for name, engine in self._loaded.items() if name == embedder or is_joined(name)}
        self._loaded = kept


def _networks_of(embedder: str) -> set[str]:
    """Return the embedders whose networks an embedder needs."""
    parts = {*embedder_parts(embedder)}
    return parts | {spec.base for part in parts if (spec := EMBEDDERS.get(part)) and spec.base is not None}
