"""Enrol, forget and retrain. Each saves its files all or nothing, and returns the recognizer to swap in."""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from face_det.embedders import CONFIGURABLE_EMBEDDERS, DLIB_RESNET, JOINED_EMBEDDERS, configurable_embedder
from face_det.engine import Engine, Engines
from face_det.enrolment import forget as forgetting
from face_det.enrolment import retrain, safeguards
from face_det.enrolment.results import EnrolResult, ForgetResult, ModelOptions, Paths, RetrainResult
from face_det.errors import BadRequest, ModelMissing, TooFewPeople, UnknownPerson
from face_det.gallery import (
    ENCODING_DIMENSIONS,
    EncodeReport,
    EncodingCache,
    Gallery,
    check_person_name,
    encode_dataset,
    find_one_face,
    has_person_folder,
    list_photos,
    quarantine_mentions,
)
from face_det.recognition import (
    AUTO_EMBEDDER,
    Model,
    Recognizer,
    choose_enrolment_embedder,
    choose_recognition_embedder,
    dump_model,
    load_model,
)
from face_det.storage import lock_for_update, replace_files
from face_det.training import TEMPLATE_RECIPE, choose_training_embedder, refit_model, train_classifiers
from face_det.types import Rgb

FIRST_CLASSIFIER = TEMPLATE_RECIPE
"""The classifier to train if there is no model yet."""


class Enroller:
    """The only writer of a set of files: dataset, encodings, model, labels and cache.

    Callers must make sure that only one call runs at a time.
    """

    def __init__(self, places: Paths, engines: Engines, wanted: ModelOptions | None = None) -> None:
        self.places = places
        self.engines = engines
        self._wanted = wanted or ModelOptions()

    def load(self) -> Recognizer:
        """The recognizer for the files on disk; its model is None if nothing was trained yet.

        Raises ModelMismatch, ModelMissing or UnsafePickle if the files do not fit this installation. With
        `auto_retrain`, the recognizer has no model instead, and `stale` says why; `retrain_stale` fixes it.
        """
        return retrain.load_or_mark_stale(
            lambda: self._live(self.model()), self._unfit, self._wanted.auto_retrain
        )

    def mend(self, on_progress: Callable[[str, int, int], None]) -> Recognizer:
        """Train again, so that the files fit this installation, without losing anybody.

        If the encodings fit, it trains on them, in seconds; otherwise it encodes the dataset again. Raises
        DataError if the dataset lacks photos of somebody.
        """
        with lock_for_update(self.places.encodings):
            gallery = retrain.load_gallery_if_usable(
                self.places.encodings, self._wanted.embedder, self.engines
            )
            if gallery is not None:
                current = retrain.load_model_if_usable(self.model)
                return self._save(gallery, current, choose_training_embedder(gallery, self._wanted.embedder))
        return self.train(
            kind=None, embedder=None, thorough=False, on_progress=on_progress, lose_nobody=True
        ).live

    def _unfit(self) -> Engine:
        return self.engines.of(choose_recognition_embedder(self._wanted.embedder, None))

    def enrol(self, name: str, data: bytes, rgb: Rgb) -> EnrolResult:
        """Store a picture of one face as a photo of `name`, and train on it.

        `data` are the bytes of the picture, `rgb` its pixels. Raises NoFace, SeveralFaces or BadName.
        """
        name = check_person_name(name)
        with lock_for_update(self.places.encodings):
            gallery, current = Gallery.load(self.places.encodings), self.model()
            embedder = self._embedder(current, gallery)
            if gallery.names:
                gallery.require(configurable_embedder(embedder))
            safeguards.require_encodings(gallery, _known_labels(current), self.places.encodings)
            engine = self._enrolling(gallery)
            face = find_one_face(engine, rgb)
            safeguards.warn_if_dataset_missing(self.places.dataset, len(gallery.names))
            assert face.encoding is not None
            if not _holds_encoding(gallery, name, face.encoding):
                gallery = gallery.plus(name, face.encoding, engine.fingerprint)
            with safeguards.storing_photo(self.places.dataset, name, data) as photo:
                live = self._save(gallery, current, embedder)
        images = len(list_photos(self.places.dataset).get(name, []))
        return EnrolResult(live, name, photo, images, face)

    def forget(self, name: str) -> ForgetResult:
        """Remove a person's encodings and photos, and every other trace (see forget.py).

        This also works for a folder that somebody made by hand, with a name that enrolment would reject.
        After a kill or an error, another call continues. Raises UnknownPerson if there is no such person.
        """
        name = unicodedata.normalize("NFC", name)
        places = self.places
        with lock_for_update(places.encodings):
            gallery, current = Gallery.load(places.encodings), self.model()
            safeguards.require_dataset(places.dataset, len(gallery.names))
            known = gallery.names.count(name)
            somewhere = has_person_folder(places.dataset, name) or quarantine_mentions(places.dataset, name)
            if not somewhere and not known and name not in _known_labels(current):
                raise UnknownPerson(f"nobody is called {name!r}; people() lists who is enrolled")
            safeguards.require_encodings(gallery, _known_labels(current) - {name}, places.encodings)
            gallery = gallery.without(name)
            embedder = self._embedder(current, gallery)
            forgetting.remove_traces(places, name)
            live = self._save(gallery, current, embedder, forgetting.find_other_models(places))
            removed = forgetting.remove_person_photos(places, name)
        return ForgetResult(live, removed, known)

    def train(
        self,
        *,
        kind: str | None,
        embedder: str | None,
        thorough: bool,
        on_progress: Callable[[str, int, int], None],
        lose_nobody: bool = False,
    ) -> RetrainResult:
        """Encode the dataset again, search for the best classifier, and save and return it.

        `kind` and `embedder` default to the configuration's. With `lose_nobody`, everybody known must still
        have photos. Raises BadRequest for an embedder that the configuration rules out, TooFewPeople for a
        dataset without usable photos, and DataError if the dataset lacks known people.
        """
        chosen = self._checked(embedder)
        with lock_for_update(self.places.encodings):
            report = self._encoded(chosen, on_progress)
            people, places = report.gallery.people, self.places
            known = _known_labels(retrain.load_model_if_usable(self.model))
            safeguards.require_most_people(
                places.dataset, people, places.encodings, known, everybody=lose_nobody
            )
            result = train_classifiers(
                report.gallery,
                [self._kind_for(kind)],
                embedder=chosen,
                false_accept_rate=self._wanted.false_accept_rate,
                jobs=1,
                thorough=thorough,
                on_progress=on_progress,
            )
            live = self._live(result.models[0])
            self._write(report.gallery, live.model)
        return RetrainResult(live, report, result)

    def _checked(self, embedder: str | None) -> str:
        wanted = self._wanted.embedder
        if embedder in (None, AUTO_EMBEDDER, wanted):
            return wanted
        menu = [AUTO_EMBEDDER, *(CONFIGURABLE_EMBEDDERS if wanted == AUTO_EMBEDDER else [wanted])]
        if embedder not in menu:
            rule = "" if wanted == AUTO_EMBEDDER else ", as embedder in config.json says"
            raise BadRequest(
                f"options.embedder: must be one of {', '.join(menu)}{rule}, got {embedder!r:.40}"
            )
        return str(embedder)

    def _encoded(self, embedder: str, on_progress: Callable[[str, int, int], None]) -> EncodeReport:
        # Encode with all embedders, so that the next training may choose another one.
        engine = self.engines.of(
            choose_enrolment_embedder(self._wanted.embedder if embedder == DLIB_RESNET else embedder)
        )
        with EncodingCache(self.places.cache) as cache:
            report = encode_dataset(
                self.places.dataset,
                cache,
                engine.options,
                jobs=1,
                engine=engine,
                on_progress=lambda done, total: on_progress("encode", done, total),
            )
        if not report.gallery.names:
            # An empty dataset would wipe out the existing encodings.
            raise TooFewPeople(
                f"{self.places.dataset}: must hold photos of people in folders with their names, "
                "got no usable photo; nothing was changed"
            )
        return report

    def _kind_for(self, kind: str | None) -> str:
        if kind is not None and kind != AUTO_EMBEDDER:
            return kind
        return (
            self._wanted.kind
            if self._wanted.kind != AUTO_EMBEDDER
            else _classifier_kind(retrain.load_model_if_usable(self.model))
        )

    def model(self) -> Model | None:
        """The model on disk; None if nothing was trained yet. Raises ModelMissing if only its labels are."""
        try:
            return load_model(self.places.model, self.places.labels)
        except ModelMissing:
            if self.places.model.exists():
                # A model without labels is damage, not a fresh start.
                raise
            return None

    def _live(self, current: Model | None) -> Recognizer:
        """The recognizer for a model. Engines needed for neither recognition nor enrolment are released."""
        name = choose_recognition_embedder(self._wanted.embedder, current, self.places.model)
        engine = self.engines.of(name)
        if current is not None:
            current.require_fingerprint(engine.fingerprint)
        self.engines.keep_only(name, *JOINED_EMBEDDERS)
        return Recognizer(engine, current)

    def _embedder(self, current: Model | None, gallery: Gallery) -> str:
        """The embedder to train on: the model's, or for a first model the best one that all photos have."""
        if current is None and gallery.names:
            return choose_training_embedder(gallery, self._wanted.embedder)
        return choose_recognition_embedder(self._wanted.embedder, current, self.places.model)

    def _enrolling(self, gallery: Gallery) -> Engine:
        """The engine to enrol with; it computes only the encodings that the other photos have too."""
        kept = gallery.embedders if gallery.names else None
        engine = self.engines.of(choose_enrolment_embedder(self._wanted.embedder, kept))
        # The user chose this photo, so the focus gate must not reject it.
        return Engine.sharing(engine, replace(engine.options, focus_threshold=0.0))

    def _save(
        self, gallery: Gallery, current: Model | None, embedder: str, stale: Iterable[Path] = ()
    ) -> Recognizer:
        swapped = None
        if gallery.names:
            swapped = refit_model(
                current,
                gallery,
                kind=self._wanted.kind if self._wanted.kind != AUTO_EMBEDDER else _classifier_kind(current),
                embedder=embedder,
                false_accept_rate=self._wanted.false_accept_rate,
            )
        live = self._live(swapped)
        self._write(gallery, swapped, stale)
        return live

    def _write(self, gallery: Gallery, swapped: Model | None, stale: Iterable[Path] = ()) -> None:
        """Write all files or none, and delete the stale ones."""
        files: dict[Path, bytes | None] = dict.fromkeys(stale)
        files[self.places.encodings] = gallery.dumps()
        classifier, labels = (None, None) if swapped is None else dump_model(swapped)
        files[self.places.model] = classifier
        files[self.places.labels] = labels
        replace_files(files)


def _classifier_kind(current: Model | None) -> str:
    """The classifier kind of the current model, or of a first one."""
    return FIRST_CLASSIFIER if current is None else current.recipe


def _known_labels(current: Model | None) -> set[str]:
    """Everybody whom a model can name, and Unknown; empty without a model."""
    return set() if current is None else {*current.labels}


def _holds_encoding(gallery: Gallery, name: str, encoding: Any) -> bool:
    """True if the gallery already has this photo of the person, judged by dlib_resnet's encoding."""
    encoding = encoding[:ENCODING_DIMENSIONS]
    mine = [row for row, owner in zip(gallery.encodings, gallery.names, strict=True) if owner == name]
    return any(np.allclose(row, encoding, atol=1e-9) for row in mine)
