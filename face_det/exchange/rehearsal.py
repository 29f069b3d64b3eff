"""Checks photos as an enrolment does, and stores none."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import replace
from pathlib import Path

from face_det.engine import FaceEngine
from face_det.errors import PhotoOfAnother
from face_det.exchange.source import Picture
from face_det.gallery import (
    cut_out_face,
    find_one_face,
    find_other_owner,
    find_photo_of,
    list_photos,
    photo_file_name,
)
from face_det.media import load_image


class Rehearsal:
    """An enrolment that only says what would be enrolled in a dataset."""

    def __init__(self, dataset: Path, build: Callable[[], FaceEngine]) -> None:
        """`build` builds the engine, which is needed for the first photo."""
        self._dataset, self._build = dataset, build
        self._engine: FaceEngine | None = None
        self._seen: dict[str, str] = {}

    def enrolled(self, name: str) -> Collection[str]:
        """Return the names of the files of a person's photos."""
        return {path.name for path in list_photos(self._dataset, warn=False).get(name, ())}

    def add(self, name: str, picture: Picture, place: str) -> bool:
        """Check a picture. Raises NoFace, SeveralFaces, PhotoOfAnother and BadImage."""
        engine = self._ready()
        rgb, data = load_image(picture.data, place=place), picture.data
        if picture.box is not None:
            chosen = cut_out_face(engine, data, rgb, picture.box)
            data, rgb = chosen.data, chosen.rgb
        find_one_face(engine, rgb)
        file = photo_file_name(data)
        other = find_other_owner(self._dataset, name, data)
        again = file in self._seen
        owner = other.parent.name if other is not None else self._seen.setdefault(file, name)
        if owner != name:
            raise PhotoOfAnother(
                f"image: must be a photo of {name} only, got the very file that is {owner}'s photo"
            )
        return not again and find_photo_of(self._dataset, name, data) is None

    def _ready(self) -> FaceEngine:
        if self._engine is None:
            engine = self._build()
            self._engine = engine.with_options(replace(engine.options, focus_threshold=0.0))
        return self._engine
