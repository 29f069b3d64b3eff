"""Enrols, forgets and retrains. Each saves all its files or none, and returns the recognizer to swap in."""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from contextlib import ExitStack, suppress
from dataclasses import replace
from pathlib import Path

from face_det.embedders import DLIB_RESNET, configurable_embedder
from face_det.engine import Engines, FaceEngine
from face_det.enrolment import forget as forgetting
from face_det.enrolment import retrain, safeguards
from face_det.enrolment.history import ModelHistory
from face_det.enrolment.model_change import (
    dump_model_in_use,
    keep_originals,
    known_labels,
    model_file_candidates,
)
from face_det.enrolment.photo_journal import PhotoChange, note_added_photo, open_photo_journal
from face_det.enrolment.photo_plans import PhotoPlan
from face_det.enrolment.recipe_choice import RecipeChoice, choose_recipe, place_model
from face_det.enrolment.results import (
    EnrolResult,
    ForgetResult,
    ModelOptions,
    Paths,
    RetrainResult,
    SeveralResult,
)
from face_det.errors import (
    BadImage,
    Busy,
    ModelMismatch,
    ModelMissing,
    NoFace,
    SeveralFaces,
    UnknownPerson,
)
from face_det.gallery import (
    Gallery,
    check_person_name,
    cut_out_face,
    find_one_face,
    list_photos,
    list_recordings,
)
from face_det.media import load_image
from face_det.recognition import (
    AUTO_EMBEDDER,
    Model,
    Recognizer,
    choose_enrolment_embedder,
    choose_recognition_embedder,
    load_model_in_use,
)
from face_det.storage import lock_for_update, replace_files
from face_det.training import choose_training_embedder, refit_model, train_classifiers
from face_det.types import Box, Rgb

Files = Mapping[Path, "bytes | None"]


class Enroller:
    """The only writer of the dataset, the encodings, the model, the labels and the cache.

    Callers must make sure that only one call runs at a time.
    """

    def __init__(
        self,
        paths: Paths,
        engines: Engines,
        options: ModelOptions | None = None,
        history: ModelHistory | None = None,
    ) -> None:
        """`history` keeps the models that are replaced."""
        self.history = history
        self.paths = paths
        self.engines = engines
        self.options = options or ModelOptions()

    def load(self) -> Recognizer:
        """Return the recognizer for the files on disk; its model is None if nothing was trained yet.

        Raises ModelMismatch, ModelMissing or UnsafePickle if the files do not fit this installation. With
        `auto_retrain`, the recognizer has no model instead, and `stale` says why; `retrain_stale` fixes it.
        """
        return retrain.load_or_mark_stale(
            lambda: self.make_recognizer(self.model()),
            self._recognizer_without_model,
            auto_retrain=self.options.auto_retrain,
        )

    def require_same_embedder(self, model: Model, current: Recognizer) -> None:
        """Raise ModelMismatch unless this model takes the encodings that the current recognizer computes."""
        embedder = configurable_embedder(
            choose_recognition_embedder(self.options.embedder, model, model.place)
        )
        used = configurable_embedder(current.engine.options.embedder)
        if current.model is not None and embedder != used:
            raise ModelMismatch(
                f"{model.place}: must be trained on encodings of {used}, like "
                f"the model in use, got {embedder}; to switch, reload (SIGHUP)"
            )

    def retrain_stale(self, on_progress: Callable[[str, int, int], None]) -> Recognizer:
        """Train again, so that the files fit this installation, without losing anybody.

        If the encodings fit, it trains on them, in seconds; otherwise it encodes the dataset again. Raises
        DataError if the dataset lacks photos of somebody.
        """
        with lock_for_update(self.paths.encodings):
            gallery = retrain.load_gallery_if_usable(
                self.paths.encodings, self.options.embedder, self.options.kind, self.engines
            )
            if gallery is not None:
                current = retrain.load_model_if_usable(self.model)
                kind, wanted = self._choose_recipe(None, current).recipe, self.options.embedder
                return self._save(gallery, current, choose_training_embedder(gallery, wanted, kind))
        return self.train(
            kind=None, embedder=None, thorough=False, on_progress=on_progress, lose_nobody=True
        ).recognizer

    def _recognizer_without_model(self) -> Recognizer:
        embedder = choose_recognition_embedder(self.options.embedder, None)
        return Recognizer(self.engines.of(embedder), None, rule=self.options.rule)

    def enrol(self, name: str, data: bytes, rgb: Rgb, near: Box | None = None) -> EnrolResult:
        """Store a picture of one face as a photo of `name`, and train on it.

        `data` holds the bytes of the picture, `rgb` its pixels. Of several faces, the one at `near` is
        cut out, if that is given. Raises NoFace, SeveralFaces, PhotoOfAnother or BadName.
        """
        name = check_person_name(name)
        with lock_for_update(self.paths.encodings):
            gallery, current, embedder, engine = self._begin_enrolment()
            chosen = None if near is None else cut_out_face(engine, data, rgb, near)
            data, rgb = (data, rgb) if chosen is None else (chosen.data, chosen.rgb)
            face = find_one_face(engine, rgb)
            safeguards.require_own_photo(self.paths.dataset, name, data)
            safeguards.warn_if_dataset_missing(self.paths.dataset, len(gallery.names))
            assert face.encoding is not None
            learnt = Gallery.empty().plus(name, face.encoding, engine.fingerprint)
            if not gallery.holds(name, face.encoding):
                gallery = gallery.plus(name, face.encoding, engine.fingerprint)
            before = list_photos(self.paths.dataset).get(name, [])
            with safeguards.storing_photo(self.paths.dataset, name, data) as photo:
                noted = (None, {}) if photo in before else note_added_photo(self.paths, name, photo)
                recognizer = self._save(gallery, current, embedder, also=noted[1])
        images = len({*before, photo})
        face = face if chosen is None else chosen.face
        (encoding,) = learnt.of(configurable_embedder(embedder))
        return EnrolResult(recognizer, name, photo, images, face, encoding, noted[0])

    def enrol_several(self, name: str, pictures: Sequence[tuple[bytes, Rgb]]) -> SeveralResult:
        """Store pictures, each of one face, as photos of `name`, and train on them all at once.

        Pictures that do not show exactly one face are left out, with the reason. Raises NoFace if that is
        true of all of them, or BadName.
        """
        name = check_person_name(name)
        with lock_for_update(self.paths.encodings), ExitStack() as storing:
            gallery, current, embedder, engine = self._begin_enrolment()
            before = {*list_photos(self.paths.dataset).get(name, [])}
            photos: dict[int, Path] = {}
            left_out: list[str] = []
            for place, (data, rgb) in enumerate(pictures):
                try:
                    face = find_one_face(engine, rgb)
                except (NoFace, SeveralFaces) as error:
                    left_out.append(str(error))
                    continue
                assert face.encoding is not None
                if not gallery.holds(name, face.encoding):
                    gallery = gallery.plus(name, face.encoding, engine.fingerprint)
                photos[place] = storing.enter_context(
                    safeguards.storing_photo(self.paths.dataset, name, data)
                )
            if not photos:
                found = left_out[0] if left_out else "none"
                raise NoFace(f"none of {len(pictures)} photos can be enrolled: {found}")
            photos = {place: photo for place, photo in photos.items() if photo not in before}
            recognizer = self._save(gallery, current, embedder)
        return SeveralResult(recognizer, name, photos, tuple(left_out))

    def change_photos(self, plan: Callable[[Gallery], PhotoPlan]) -> tuple[Recognizer | None, PhotoChange]:
        """Carry out what `plan` makes of the gallery, and note it in the journal of changes: all or nothing.

        The recognizer is None if nobody's encodings change.
        """
        journal = open_photo_journal(self.paths)
        with lock_for_update(self.paths.encodings):
            journal.recover()
            gallery, current, embedder, _ = self._begin_enrolment()
            planned = plan(gallery)
            with journal.recording(planned.change, planned.rows) as files:
                files |= planned.files
                if planned.gallery is gallery:
                    replace_files(files)
                    return None, planned.change
                return self._save(planned.gallery, current, embedder, also=files), planned.change

    def recover_photos(self) -> None:
        """Put back a change to photos that a kill left half done; the next change does so, too."""
        if self.paths.changes is not None and open_photo_journal(self.paths).has_unfinished():
            # Whoever holds the lock for long is training, or making the very change.
            with suppress(Busy), lock_for_update(self.paths.encodings, timeout_s=1):
                open_photo_journal(self.paths).recover()

    def _begin_enrolment(self) -> tuple[Gallery, Model | None, str, FaceEngine]:
        """Return the gallery and model to add to, the embedder to train on, and the engine to encode with."""
        gallery, current = Gallery.load(self.paths.encodings), self.model()
        embedder = self._choose_embedder(current, gallery)
        if gallery.names:
            gallery.require(configurable_embedder(embedder))
        safeguards.require_encodings(gallery, known_labels(current), self.paths.encodings)
        return gallery, current, embedder, self._enrolment_engine(gallery)

    def withdraw(self, name: str, files: Collection[str]) -> Recognizer:
        """Remove photos of a person, named by their files, and unlearn them; the others stay.

        Files that are gone are no error; a missing dataset is. Without any other photo they are forgotten.
        """
        with lock_for_update(self.paths.encodings):
            gallery, current = Gallery.load(self.paths.encodings), self.model()
            safeguards.require_dataset(self.paths.dataset, len(gallery.names))
            photos = list_photos(self.paths.dataset).get(name, [])
            leaving = [photo for photo in photos if photo.name in files]
            if not leaving:
                return self.make_recognizer(current)
            alone = name not in list_recordings(self.paths.dataset, warn=False)
            if alone and len(leaving) == len(photos) and name in gallery.names:
                return self._forget_locked(name, gallery, current, {}).recognizer
            engine = self._enrolment_engine(gallery)
            for photo in leaving:
                with suppress(NoFace, SeveralFaces, BadImage):
                    face = find_one_face(engine, load_image(photo))
                    assert face.encoding is not None
                    gallery = gallery.without_photo(name, face.encoding)
            recognizer = self._save(gallery, current, self._choose_embedder(current, gallery))
            safeguards.remove_photos(leaving)
        return recognizer

    def forget(self, name: str, also: Callable[[], Files] = dict) -> ForgetResult:
        """Remove a person's encodings and photos, and every other trace (see forget.py).

        `also` returns other files without the person, which are written in the same transaction.
        This also works for a folder that somebody made by hand, with a name that enrolment would reject.
        After a kill or an error, another call continues. Raises UnknownPerson if there is no such person.
        """
        name = unicodedata.normalize("NFC", name)
        with lock_for_update(self.paths.encodings):
            return self._forget_locked(name, Gallery.load(self.paths.encodings), self.model(), also())

    def check_forget(self, name: str) -> None:
        """Raise what `forget` raises before it changes anything, but for UnknownPerson."""
        with lock_for_update(self.paths.encodings):
            self._check_forget(name, Gallery.load(self.paths.encodings), self.model())

    def _check_forget(self, name: str, gallery: Gallery, current: Model | None) -> None:
        safeguards.require_dataset(self.paths.dataset, len(gallery.names))
        others = known_labels(current) - {unicodedata.normalize("NFC", name)}
        safeguards.require_encodings(gallery, others, self.paths.encodings)

    def _forget_locked(self, name: str, gallery: Gallery, current: Model | None, also: Files) -> ForgetResult:
        paths = self.paths
        self._check_forget(name, gallery, current)
        known = gallery.names.count(name)
        if not (forgetting.has_traces(paths, name) or known or also or name in known_labels(current)):
            raise UnknownPerson(f"nobody is called {name!r}; people() lists who is enrolled")
        gallery = gallery.without(name)
        embedder = self._choose_embedder(current, gallery)
        forgetting.remove_traces(paths, name)
        recognizer = self._save(gallery, current, embedder, forgetting.find_other_models(paths), also)
        removed = forgetting.remove_person_photos(paths, name)
        return ForgetResult(recognizer, removed, known)

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
        chosen = retrain.check_embedder(self.options.embedder, embedder)
        with lock_for_update(self.paths.encodings):
            current = retrain.load_model_if_usable(self.model)
            choice = self._choose_recipe(kind, current)
            chosen = retrain.embedder_for_kind(choice.recipe, chosen)
            # Encode with all embedders, so that the next training may choose another one.
            wanted = choose_enrolment_embedder(self.options.embedder if chosen == DLIB_RESNET else chosen)
            report = retrain.encode_photos(self.paths, self.engines.of(wanted), on_progress)
            people, paths = report.gallery.people, self.paths
            known = known_labels(current)
            safeguards.require_most_people(
                paths.dataset, people, paths.encodings, known, everybody=lose_nobody
            )
            result = train_classifiers(
                report.gallery,
                [choice.recipe],
                embedder=chosen,
                false_accept_rate=self.options.false_accept_rate,
                jobs=1,
                thorough=thorough,
                on_progress=on_progress,
            )
            recognizer = self.make_recognizer(place_model(result.models[0], choice, current, paths.model))
            self._write(report.gallery, recognizer.model, current, trained=True)
        return RetrainResult(recognizer, report, result)

    def _choose_recipe(self, kind: str | None, current: Model | None) -> RecipeChoice:
        asked = [] if kind in (None, AUTO_EMBEDDER) else [str(kind)]
        return choose_recipe(self.options.kind, current, asked)

    def model(self) -> Model | None:
        """Return the model on disk, or None if there is no model file; raise ModelError if it is unfit."""
        try:
            return load_model_in_use(self.paths.model, self.paths.labels)
        except ModelMissing:
            if self.paths.model.exists():
                # A model without labels is damage, not a fresh start.
                raise
            return None

    def make_recognizer(self, current: Model | None) -> Recognizer:
        """Return the recognizer for a model, and release engines that are no longer needed."""
        embedder = choose_recognition_embedder(self.options.embedder, current, self.paths.model)
        engine = self.engines.of(embedder)
        if current is not None:
            current.require_fingerprint(engine.fingerprint)
        self.engines.keep_only(embedder)
        return Recognizer(engine, current, rule=self.options.rule)

    def _choose_embedder(self, current: Model | None, gallery: Gallery) -> str:
        kind = self._choose_recipe(None, current).recipe
        return retrain.embedder_to_train_on(kind, self.options.embedder, current, gallery, self.paths.model)

    def _enrolment_engine(self, gallery: Gallery) -> FaceEngine:
        """Return the engine to enrol with; it computes only encodings that the other photos have too."""
        kept = gallery.embedders if gallery.names else None
        wanted = retrain.embedder_for_kind(self.options.kind, self.options.embedder)
        engine = self.engines.of(choose_enrolment_embedder(wanted, kept))
        # The user chose this photo, so the focus gate must not reject it.
        return engine.with_options(replace(engine.options, focus_threshold=0.0))

    def _save(
        self,
        gallery: Gallery,
        current: Model | None,
        embedder: str,
        stale: Iterable[Path] | None = None,
        also: Files | None = None,
    ) -> Recognizer:
        choice, rate = self._choose_recipe(None, current), self.options.false_accept_rate
        model = refit_model(current, gallery, kind=choice.recipe, embedder=embedder, false_accept_rate=rate)
        if model is not None:
            model = place_model(model, choice, current, self.paths.model)
        recognizer = self.make_recognizer(model)
        self._write(gallery, model, current, stale, also)
        return recognizer

    def _write(
        self,
        gallery: Gallery,
        model: Model | None,
        current: Model | None,
        stale: Iterable[Path] | None = None,
        also: Files | None = None,
        trained: bool = False,
    ) -> None:
        """Write all files or none, with those in `also`, and delete the stale ones.

        The original's files that are replaced are kept as copies, unless somebody is being forgotten, whom
        they may name (`stale` is not None).
        """
        paths = self.paths
        files: dict[Path, bytes | None] = {**dict.fromkeys(stale or ()), **(also or {})}
        files[paths.encodings] = gallery.dumps()
        if model is None:
            # Whichever of them was in use: a classifier without labels would be damage.
            files |= dict.fromkeys([*model_file_candidates(paths.model), paths.labels])
        else:
            files |= dump_model_in_use(model, paths.model, paths.labels)
        if self.history is not None:
            forgets = stale is not None
            files |= self.history.replacing(current, model, paths.labels, trained=trained, forgetting=forgets)
        if stale is None:
            files = keep_originals(files, paths)
        replace_files(files)
