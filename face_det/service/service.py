"""The service behind every verb: recognises, enrols, forgets and trains. It knows no transport."""

from __future__ import annotations

import logging
import os
import threading
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from face_det import __version__
from face_det.budget import Budget
from face_det.embedders import configurable_embedder
from face_det.engine import Engines
from face_det.enrolment import Enroller, count_photos, require_model, retraining_as_json
from face_det.errors import BadImage
from face_det.media import LoadedImage, load_image, load_perhaps_partial, read_image_bytes, resolve_image_path
from face_det.recognition import ORIGINAL_KIND, ModelFileState, ModelWatcher, Recognizer
from face_det.service import wire
from face_det.service.access import Access
from face_det.service.ascii_names import warn_of_names, with_ascii_names
from face_det.service.batch import Batch
from face_det.service.corrections import Corrections
from face_det.service.explainer import Explainer
from face_det.service.explanation import explain_faces
from face_det.service.following import Following, whole_picture
from face_det.service.limits import Limits
from face_det.service.memory import Memory, WholePicture
from face_det.service.models import Models
from face_det.service.person_data import export_person, forget_person, require_known_name
from face_det.service.photos import Photos
from face_det.service.progress import TrainingProgress
from face_det.service.renamings import Renamings
from face_det.service.searching import searching_from
from face_det.service.sighting_arguments import require_recognize_options
from face_det.service.unreadable import UnreadableLog
from face_det.service.verification import Verification
from face_det.service.videos import VideoLimits, Videos
from face_det.service.voices import Voices
from face_det.sightings import ENROLLED, TRAINED
from face_det.training import load_libraries
from face_det.types import UNKNOWN, Match, Reason

if TYPE_CHECKING:
    from face_det.service.bodies import Bodies

log = logging.getLogger(__name__)

CallNotes = dict[str, Any]
"""Fields for the log line of a call: counts and milliseconds, never names or pixels."""


class Service:
    """Implements the verbs.

    Thread-safe: each call reads the recogniser once, and learning swaps in a new one.
    """

    def __init__(
        self,
        enroller: Enroller,
        limits: Limits,
        *,
        ascii_names: bool = False,
        memory: Memory | None = None,
        state: Path | None = None,
        bodies: Bodies | None = None,
    ) -> None:
        """`state` is the folder that may hold sightings from before, to be forgotten with their people."""
        self._enroller, self.bodies = enroller, bodies
        self._state = state
        self.memory = memory
        self._ascii_names = ascii_names
        self._limits = limits
        self._learning = threading.Lock()
        self._counting = threading.Lock()
        self._counters: Counter[str] = Counter()
        self._unreadable = UnreadableLog()
        self._started = time.monotonic()
        self._on_disk = ModelWatcher(enroller.paths.model, enroller.paths.labels)
        self._settling = ""
        self._recognizer: Recognizer = enroller.load()
        self.access = Access(
            enroller, self._learning, lambda: self._recognizer, self._use, self._load, memory, state
        )
        self.explainer, self.models = Explainer(self.access), Models(self.access)
        self.verification, self.following = Verification(self.access), Following(self.access, self._count)
        self.videos = Videos(self.access, VideoLimits(limits.mount_point, limits.roots, limits.max_pixels))
        self.training = TrainingProgress()
        renamings = Renamings(enroller.paths, memory)
        self.photos = Photos(enroller, self._learning, lambda: self._recognizer, self._use, renamings)
        self.voices = Voices(self.access, limits, self.photos, ascii_names=ascii_names)
        self.corrections: Corrections | None = None
        if memory is not None:
            self.corrections = Corrections(
                memory, enroller, self._learning, self._use, lambda: self._use(self._recognizer)
            )
            # First: past sightings are decided again by what is in use.
            self.corrections.finish()
        self._use(self._recognizer)

    @property
    def engines(self) -> Engines:
        """The engines, which a successor with the same options can share."""
        return self._enroller.engines

    @property
    def trained(self) -> bool:
        """True if there is a model. Without one every face is `unrecognised`."""
        return self._recognizer.model is not None

    def detect_faces(
        self,
        images: object,
        notes: CallNotes | None = None,
        budget: Budget | None = None,
        caller: str = "",
    ) -> str:
        """Name the people in the given boxes; return the request as JSON text, with an answer for each.

        Whatever has not been analysed when `budget` runs out is answered `timeout`. Raises BadRequest.
        """
        start = time.perf_counter()
        budget = budget if budget is not None else Budget()
        requests = wire.parse_images(images, self._limits.max_images)
        assert isinstance(images, (list, tuple))
        bodies = None if self.bodies is None else self.bodies.begin(requests)
        batch, recognizer = Batch(requests, None if bodies is None else bodies.keep), self._recognizer
        pictures: dict[str, WholePicture] = {}
        views = batch.views(lambda path: self._load(path, pictures), budget, self._unreadable.add)
        result = recognizer.engine.run(views, budget)
        flat = [face for faces in result.faces for face in faces]
        matches = recognizer.match(flat, batch.frames(result.faces))
        shown = [with_ascii_names(match) for match in matches] if self._ascii_names else matches
        told = explain_faces(flat, shown, recognizer.engine.options)
        if self.memory is not None or bodies is not None:
            # With the names as they are enrolled, which `told` may spell in ASCII.
            batch.answer(result.faces, matches, result.crashed, result.late)
        if bodies is not None:
            bodies.decide(batch.answers, recognizer, budget)
        if self.memory is not None:
            self.memory.remember_batch(images, batch.answers, recognizer.engine.fingerprint, caller, pictures)
        batch.answer(result.faces, told, result.crashed, result.late)
        outcomes = self._count(matches, batch.reasons())
        if bodies is not None:
            outcomes["by_body"] = bodies.add_to(batch, ascii_names=self._ascii_names)
            with self._counting:
                self._counters["by_body"] += outcomes["by_body"]
        reply = wire.render_reply(images, batch.answers)
        self._note(
            notes,
            images=len(requests),
            persons=len(batch.answers),
            faces=len(flat),
            **outcomes,
            detect_ms=result.detect_s * 1000,
            embed_ms=result.embed_s * 1000,
            compute_ms=(time.perf_counter() - start) * 1000,
        )
        return reply

    def recognize(
        self,
        image: object,
        options: object = None,
        notes: CallNotes | None = None,
        caller: str = "",
    ) -> list[CallNotes]:
        """Return the faces of a whole image (a path or bytes), best first.

        Faces from a picture that is cut off are marked `partial`. Raises BadImage if it cannot be read.
        """
        given = require_recognize_options(options)
        recognizer, pictures = self._recognizer, dict[str, WholePicture]()
        loaded = self._load(wire.require_picture(image), pictures)
        engine, coarse = searching_from(recognizer.engine, given)
        result = engine.run([(loaded.rgb, None)])
        result.raise_if_crashed()
        (faces,) = result.faces
        if loaded.partial and not faces:
            size = f" of {engine.options.search_from_px:g} px" if coarse else ""
            raise BadImage(f"image: must be a whole picture, got one that is cut off and shows no face{size}")
        matches = recognizer.match(list(faces), [0] * len(faces))
        # Where smaller faces were not searched for, nobody knows that there is none.
        outcomes = self._count(matches, {} if faces or coarse else {Reason.NO_FACE.value: 1})
        told = explain_faces(faces, matches, recognizer.engine.options)
        if self.memory is not None:
            frame, picture = image if isinstance(image, str) else None, next(iter(pictures.values()), None)
            pairs = list(zip(faces, matches, strict=True))
            fingerprint = recognizer.engine.fingerprint
            self.memory.remember_faces(pairs, given, frame, fingerprint, caller, picture)
        self._note(
            notes,
            faces=len(faces),
            **outcomes,
            detect_ms=result.detect_s * 1000,
            embed_ms=result.embed_s * 1000,
        )
        return [
            {**wire.face_as_json(face, match, partial=loaded.partial), **wire.measures_as_json(face)}
            for face, match in zip(faces, told, strict=True)
        ]

    def add_face(
        self, name: object, image: object, notes: CallNotes | None = None, options: object = None
    ) -> dict[str, Any]:
        """Store the image under `name` and learn its one face; the next call recognises it."""
        source, limits = wire.require_picture(image), self._limits
        data, place = self._read(source), source if isinstance(source, str) else "bytes"
        rgb = load_image(data, max_pixels=limits.max_pixels, max_bytes=limits.max_bytes, place=place)
        answer = self.photos.add_face(name, data, rgb, options)
        if not self._ascii_names and (warning := warn_of_names([answer["name"]])):
            log.warning("%s", warning)
        self._append_event(ENROLLED, answer["name"], {"images": answer["images"]})
        self._note(notes, images=answer["images"])
        return answer

    def prepare(self) -> None:
        """Import what the first enrolment would wait for; call it while nobody waits."""
        load_libraries()

    def people(self) -> list[dict[str, Any]]:
        """List everybody enrolled and their numbers of photos, leaving out the folder of strangers."""
        counts = count_photos(self._enroller.paths.dataset, self._recognizer.model)
        return [{"name": name, "images": images} for name, images in counts.items()]

    def forget(self, name: object, notes: CallNotes | None = None) -> dict[str, Any]:
        """Remove a person's photos and encodings and unlearn them.

        What was seen of them goes too. Raises UnknownPerson if nobody has the name, and DataError if it
        cannot be done; nothing was changed then.
        """
        known = wire.require_text(name, "name")
        with self._learning:
            removed = forget_person(
                self._enroller, self.memory, self._state, known, self._recognizer, self._use
            )
            if self.bodies is not None:
                self.bodies.reload()
        self._note(notes, images=removed["images"], encodings=removed["encodings"])
        return {"name": name, **removed}

    def export(self, name: object) -> bytes:
        """Return a zip of all that is known about a person or an unknown one; raises UnknownPerson."""
        return export_person(self._enroller.paths, self.memory, require_known_name(name))

    def train(self, options: object = None, notes: CallNotes | None = None) -> dict[str, Any]:
        """Retrain from the dataset and swap in the new model. Options: classifier, embedder, quick."""
        kind, embedder, thorough = wire.parse_training(options)
        with self._learning, self.training.running() as training:
            retrained = self._enroller.train(
                kind=kind, embedder=embedder, thorough=thorough, on_progress=training.note
            )
            self._use(retrained.recognizer)
            training.done(
                {**retraining_as_json(retrained), "model": wire.model_as_json(self._recognizer.model)}
            )
        self._append_event(TRAINED, None, {"people": len(retrained.report.gallery.people)})
        self._note(notes, encoded=retrained.report.encoded, reused=retrained.report.reused)
        return training.report

    def reload(self) -> dict[str, Any]:
        """Read model and bodies again; if the model does not fit, raise the error and keep the one in use."""
        with self._learning:
            recognizer = self._enroller.load()
            if recognizer.model is None and self._recognizer.model is not None:
                if recognizer.stale is None:
                    paths = self._enroller.paths
                    require_model(paths.model, paths.encodings)
                else:
                    recognizer = replace(self._recognizer, stale=recognizer.stale)
            self._use(recognizer)
            if self.bodies is not None:
                self.bodies.reload()
        return {"model": wire.model_as_json(self._recognizer.model)}

    def take_over_model(self) -> dict[str, Any] | None:
        """Switch to the model on disk if it was replaced by one that fits; return what `status` says of it.

        Returns None if there is nothing to take over. Raises ModelMismatch if the new model takes another
        embedder's encodings, or whatever loading it raises; the one in use then stays. A model without a card
        is taken over when it is found unchanged a second time: nothing in its two files says that they belong
        together, and somebody may just be copying them.
        """
        with self._learning:
            if self._on_disk.compare(self._recognizer.model).state is not ModelFileState.OTHER:
                return None
            found = self._enroller.model()
            if found is None:
                return None
            self._enroller.require_same_embedder(found, self._recognizer)
            if found.card.kind == ORIGINAL_KIND and found.fingerprint != self._settling:
                self._settling = found.fingerprint
                return None
            self._use(self._enroller.load())
        return wire.model_as_json(self._recognizer.model)

    def retrain_stale(self, notes: CallNotes | None = None) -> dict[str, Any]:
        """Retrain because the model is stale, and swap in the new one; everybody stays enrolled."""
        with self._learning, self.training.running() as training:
            self._use(self._enroller.retrain_stale(training.note))
            training.done({"model": wire.model_as_json(self._recognizer.model)})
        self._note(notes, people=len(self.people()))
        return {"model": wire.model_as_json(self._recognizer.model)}

    def take_over_streams(self, following: Following) -> None:
        """Go on following what the service before this one follows."""
        following.use(self.access, self._count)
        self.following = following

    def status(self) -> dict[str, Any]:
        """Return version, uptime, model, networks and counters."""
        with self._counting:
            counters = dict(self._counters)
        recognizer = self._recognizer
        return {
            "version": __version__,
            "uptime_s": round(time.monotonic() - self._started, 3),
            "model": wire.model_as_json(recognizer.model),
            "trained": recognizer.model is not None,
            "model_file": asdict(self._on_disk.compare(recognizer.model)),
            "stale": recognizer.stale,
            "detector": recognizer.engine.options.detector,
            "embedder": configurable_embedder(recognizer.engine.options.embedder),
            "runtime": recognizer.engine.runtime,
            "isolation": recognizer.engine.isolation(),
            "model_path": os.path.realpath(self._enroller.paths.model),
            "dataset": os.path.realpath(self._enroller.paths.dataset),
            "counters": counters,
            "training": self.training.as_json(),
            "body": None if self.bodies is None else self.bodies.status(),
            "voice": self.voices.networks.status(),
            "sightings": None if self.memory is None else self.memory.consumers.status(),
        }

    def _use(self, recognizer: Recognizer) -> None:
        """Switch to a recognizer, from the next call on."""
        if self.memory is not None:
            recognizer = replace(recognizer, negatives=self.memory.negatives(recognizer.engine.fingerprint))
            self.memory.follow(recognizer, self._enroller.paths.encodings)
        self._recognizer = recognizer
        self.voices.networks.drop_model()

    def _append_event(self, kind: str, name: str | None, data: dict[str, Any]) -> None:
        """Write an event, if there is a log of them."""
        if self.memory is not None:
            self.memory.note(kind, name, data)

    def _count(self, matches: Sequence[Match], without_face: Mapping[str, int]) -> dict[str, int]:
        """Count what was answered, for `status`, and return it for the call's log line.

        `without_face` says how many people were answered with which reason because no face was found.
        """
        outcomes = Counter(without_face)
        for match in matches:
            if match.reason is not None:
                outcomes[match.reason.value] += 1
            else:
                outcomes["unknown" if match.name == UNKNOWN else "named"] += 1
        with self._counting:
            self._counters["faces"] += len(matches)
            self._counters.update(outcomes)
        return dict(outcomes)

    def _note(self, notes: CallNotes | None, **fields: Any) -> None:
        if notes is not None:
            notes.update({k: round(v, 1) if isinstance(v, float) else v for k, v in fields.items()})

    def _load(self, source: str | bytes, pictures: dict[str, WholePicture] | None = None) -> LoadedImage:
        """Load a picture; this may wait for one that is being written, so call it on a worker's thread.

        `pictures` gains a copy of it to remember, by its path, if such are kept.
        """
        with self._counting:
            self._counters["images"] += 1
        limits = self._limits
        place = self._resolve(source) if isinstance(source, str) else source
        loaded = load_perhaps_partial(
            place, max_pixels=limits.max_pixels, max_bytes=limits.max_bytes, roots=limits.roots
        )
        if pictures is not None and (picture := whole_picture(loaded, self.memory)) is not None:
            pictures[source if isinstance(source, str) else ""] = picture
        return loaded

    def _read(self, source: str | bytes) -> bytes:
        if isinstance(source, bytes):
            return source
        limits = self._limits
        return read_image_bytes(self._resolve(source), max_bytes=limits.max_bytes, roots=limits.roots)

    def _resolve(self, path: str) -> Path:
        return resolve_image_path(path, mount_point=self._limits.mount_point, roots=self._limits.roots)
