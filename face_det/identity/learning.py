"""Enrol, forget, retrain: each ends in files saved all or nothing, and in a model to swap in."""

from __future__ import annotations

import unicodedata
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from face_det.engine import Engine
from face_det.errors import ModelMissing, NoFace, SeveralFaces, TooFewPeople, UnknownPerson
from face_det.faces import Face, Reason, Rgb
from face_det.identity import encode, enrol, model, storage, training
from face_det.identity.cache import Cache
from face_det.identity.gallery import Gallery
from face_det.identity.model import Model

AUTO = "auto"
"""Classifier kind: what the model file holds; SVM, as in the original, where there is none."""


@dataclass(frozen=True, slots=True)
class Places:
    """Where the photos, the encodings and the model lie."""

    dataset: Path
    encodings: Path
    model: Path
    labels: Path
    cache: Path


@dataclass(frozen=True, slots=True)
class Learnt:
    """What an enrolment did; `model` is to be swapped in."""

    model: Model | None
    name: str
    photo: Path
    images: int
    face: Face


@dataclass(frozen=True, slots=True)
class Forgotten:
    """What a forget removed; `model` is to be swapped in."""

    model: Model | None
    images: int
    encodings: int


@dataclass(frozen=True, slots=True)
class Retrained:
    """What a training did; `model` is to be swapped in."""

    model: Model | None
    report: encode.EncodeReport
    result: training.TrainingResult


class Learner:
    """The one writer of a set of files. Callers see to it that one call runs at a time."""

    def __init__(self, places: Places, engine: Engine, kind: str = AUTO) -> None:
        self.places = places
        self._kind = kind
        # A photo is enrolled for good, so blur is judged by its owner and not by the gate.
        self._engine = Engine.sharing(engine, replace(engine.options, focus_threshold=0.0))

    def load(self) -> Model | None:
        """The model on disk; None if nothing was trained yet; ModelMismatch if it does not fit."""
        try:
            loaded = model.load(self.places.model, self.places.labels)
        except ModelMissing:
            if self.places.model.exists():
                # The model is there and its labels are not: that is no fresh start.
                raise
            return None
        loaded.require_fingerprint(self._engine.fingerprint)
        return loaded

    def enrol(self, name: str, data: bytes, rgb: Rgb) -> Learnt:
        """Store the picture of one face under NAME and learn it; NoFace, SeveralFaces, BadName."""
        name = enrol.check_name(name)
        face = self._one_face(rgb)
        assert face.encoding is not None
        photo = enrol.store_photo(self.places.dataset, name, data)
        with storage.locked(self.places.encodings):
            gallery = Gallery.load(self.places.encodings)
            if not _holds(gallery, name, face.encoding):
                gallery = gallery.plus(name, face.encoding)
            swapped = self._save(gallery)
        images = len(enrol.photos(self.places.dataset).get(name, []))
        return Learnt(swapped, name, photo, images, face)

    def _one_face(self, rgb: Rgb) -> Face:
        (faces,) = self._engine.faces([(rgb, None)])
        usable = [face for face in faces if face.reason is None]
        if len(usable) > 1:
            raise SeveralFaces(f"image: must show exactly one face, got {len(usable)}; crop it to one person")
        if not usable and any(face.reason is Reason.TOO_SMALL for face in faces):
            largest = max(min(face.box.width, face.box.height) for face in faces)
            raise NoFace(
                f"image: its face must be at least {self._engine.options.min_face_px:g} px (minFace), "
                f"got {largest:g}; come closer"
            )
        if not usable:
            raise NoFace("image: must show one face, got none that the detector sees")
        return usable[0]

    def forget(self, name: str) -> Forgotten:
        """Remove a person's encodings and photos and unlearn them; UnknownPerson if there is nobody.

        Also of a folder that somebody made by hand, by a name that enrolment would refuse.
        """
        name = unicodedata.normalize("NFC", name)
        enrolled = enrol.photos(self.places.dataset)
        photos = enrolled.get(name, [])
        with storage.locked(self.places.encodings):
            gallery = Gallery.load(self.places.encodings)
            known = gallery.names.count(name)
            if not photos and not known:
                raise UnknownPerson(f"nobody is called {name!r}; people() lists who is enrolled")
            swapped = self._save(gallery.without(name))
        with Cache(self.places.cache) as cache:
            cache.forget(photos)
        removed = enrol.remove_person(self.places.dataset, name) if name in enrolled else 0
        return Forgotten(swapped, removed, known)

    def train(
        self, *, kind: str | None, thorough: bool, on_progress: Callable[[str, int, int], None]
    ) -> Retrained:
        """Encode the dataset again, search for the best classifier, save and return it."""
        with storage.locked(self.places.encodings):
            with Cache(self.places.cache) as cache:
                report = encode.encode_dataset(
                    self.places.dataset,
                    cache,
                    self._engine.options,
                    jobs=1,
                    engine=self._engine,
                    on_progress=lambda done, total: on_progress("encode", done, total),
                )
            if not report.gallery.names:
                # An empty dataset would wipe the encodings that are there: refuse instead.
                raise TooFewPeople(
                    f"{self.places.dataset}: must hold photos of people in folders of their names, "
                    "got not one usable photo; nothing was changed"
                )
            result = training.train(
                report.gallery,
                [self._kind_for(kind)],
                fingerprint=self._engine.fingerprint,
                jobs=1,
                thorough=thorough,
                on_progress=on_progress,
            )
            swapped = result.models[0]
            self._write(report.gallery, swapped)
        return Retrained(swapped, report, result)

    def _kind_for(self, kind: str | None) -> str:
        if kind is not None and kind != AUTO:
            return kind
        return self._kind if self._kind != AUTO else _recipe(self.load())

    def _save(self, gallery: Gallery) -> Model | None:
        current = self.load()
        kind = self._kind if self._kind != AUTO else _recipe(current)
        swapped = training.refit(current, gallery, kind=kind, fingerprint=self._engine.fingerprint)
        self._write(gallery, swapped)
        return swapped

    def _write(self, gallery: Gallery, swapped: Model | None) -> None:
        files: dict[Path, bytes | None] = {self.places.encodings: gallery.dumps()}
        classifier, labels = (None, None) if swapped is None else model.dumps(swapped)
        files[self.places.model] = classifier
        files[self.places.labels] = labels
        storage.replace_all(files)


def _recipe(current: Model | None) -> str:
    """The kind of the model there is; SVM, as in the original, where there is none."""
    return "svm" if current is None else current.recipe


def _holds(gallery: Gallery, name: str, encoding: Any) -> bool:
    mine = [row for row, owner in zip(gallery.encodings, gallery.names, strict=True) if owner == name]
    return any(np.allclose(row, encoding, atol=1e-9) for row in mine)


def summary(retrained: Retrained) -> Mapping[str, Any]:
    """A training's outcome as plain values."""
    return {
        "encoded": retrained.report.encoded,
        "reused": retrained.report.reused,
        "leftOut": dict(Counter(item.reason.value for item in retrained.report.left_out)),
        "people": list(retrained.report.gallery.people),
    }
