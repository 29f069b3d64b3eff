"""The service behind every verb: recognises, enrols, forgets and trains. It knows no transport."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Hashable, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from face_det import __version__
from face_det.embedders import configurable_embedder
from face_det.engine import Budget, Engines, Timings
from face_det.enrolment import Enroller, require_model, retraining_as_json
from face_det.errors import CannotWrite
from face_det.gallery import list_photos
from face_det.media import load_image, read_image_bytes, resolve_image_path
from face_det.recognition import DecisionRule, Model, ModelWatcher, Recognizer, decide_names
from face_det.service import wire
from face_det.service.batch import Batch
from face_det.types import UNKNOWN, Face, Match, Rgb

CallNotes = dict[str, Any]
"""Fields for the log line of a call: counts and milliseconds, never names or pixels."""


@dataclass(frozen=True, slots=True)
class Limits:
    """Limits on what a caller may ask for, and the rule by which faces are named."""

    rule: DecisionRule = field(default_factory=DecisionRule)
    max_images: int = 1000
    max_pixels: int = 100_000_000
    max_bytes: int = 100_000_000
    mount_point: str = ""
    roots: tuple[Path, ...] = ()


class Service:
    """Implements the verbs.

    Thread-safe: each call reads the recogniser once, and learning swaps in a new one.
    """

    def __init__(self, learner: Enroller, limits: Limits) -> None:
        self._learner = learner
        self._limits = limits
        self._learning = threading.Lock()
        self._counting = threading.Lock()
        self._counters: Counter[str] = Counter()
        self._started = time.monotonic()
        self._on_disk = ModelWatcher(learner.places.model, learner.places.labels)
        self._live: Recognizer = learner.load()

    @property
    def engines(self) -> Engines:
        """The engines, which a successor with the same options can share."""
        return self._learner.engines

    @property
    def trained(self) -> bool:
        """True if there is a model. Without one every face is `unrecognised`."""
        return self._live.model is not None

    def detect_faces(
        self, images: object, notes: CallNotes | None = None, budget: Budget | None = None
    ) -> str:
        """Name the people in the given boxes; return the request as JSON text, with an answer at each person.

        Whatever has not been analysed when `budget` runs out is answered `timeout`. Raises BadRequest.
        """
        start = time.perf_counter()
        budget = budget if budget is not None else Budget()
        requests = wire.parse_images(images, self._limits.max_images)
        batch, timings, live, broken = Batch(requests), Timings(), self._live, set[int]()
        views = batch.views(self._load, budget)
        found = live.engine.faces(views, timings, budget=budget, broken=broken)
        flat = [face for faces in found for face in faces]
        batch.answer(found, self._matches(live.model, flat, batch.frames(found)), broken)
        with self._counting:
            self._counters["timeout"] += batch.late
        assert isinstance(images, (list, tuple))
        reply = wire.render_reply(images, batch.answers)
        self._note(
            notes,
            images=len(requests),
            persons=len(batch.answers),
            faces=len(flat),
            detect_ms=timings.detect_s * 1000,
            **({"timeout": batch.late} if batch.late else {}),
            embed_ms=timings.embed_s * 1000,
            compute_ms=(time.perf_counter() - start) * 1000,
        )
        return reply

    def recognize(
        self, image: object, options: object = None, notes: CallNotes | None = None
    ) -> list[CallNotes]:
        """Return the faces of a whole image (a path or bytes), best first.

        Raises BadImage if it cannot be read.
        """
        wire.require_options(options, known=())
        timings, live = Timings(), self._live
        (faces,) = live.engine.faces([(self._load(wire.require_picture(image)), None)], timings)
        self._note(
            notes, faces=len(faces), detect_ms=timings.detect_s * 1000, embed_ms=timings.embed_s * 1000
        )
        matches = self._matches(live.model, list(faces), [0] * len(faces))
        return [wire.face_as_json(face, match) for face, match in zip(faces, matches, strict=True)]

    def add_face(self, name: object, image: object, notes: CallNotes | None = None) -> dict[str, Any]:
        """Store the one face of the image under `name` and learn it; the next call recognises it."""
        source, limits = wire.require_picture(image), self._limits
        data, place = self._read(source), source if isinstance(source, str) else "bytes"
        rgb = load_image(data, max_pixels=limits.max_pixels, max_bytes=limits.max_bytes, place=place)
        with self._learning:
            learnt = self._learner.enrol(wire.require_text(name, "name"), data, rgb)
            self._live = learnt.live
        self._note(notes, images=learnt.images)
        return {
            "name": learnt.name,
            "images": learnt.images,
            "faceBox": wire.box_as_json(learnt.face.box),
        }

    def people(self) -> list[dict[str, Any]]:
        """List everybody enrolled with the number of photos, without the folder of strangers."""
        counts = {name: len(paths) for name, paths in list_photos(self._learner.places.dataset).items()}
        model = self._live.model
        for name in model.labels if model is not None else ():
            counts.setdefault(name, 0)
        return [{"name": name, "images": counts[name]} for name in sorted(counts) if name != UNKNOWN]

    def forget(self, name: object, notes: CallNotes | None = None) -> dict[str, Any]:
        """Remove a person's photos and encodings and unlearn them.

        Raises UnknownPerson if nobody has the name.
        """
        with self._learning:
            try:
                forgotten = self._learner.forget(wire.require_text(name, "name"))
            except CannotWrite:
                # Part of it may be done already, and people who are gone must no longer be named.
                self._live = self._learner.load()
                raise
            self._live = forgotten.live
        self._note(notes, images=forgotten.images, encodings=forgotten.encodings)
        return {
            "name": wire.require_text(name, "name"),
            "images": forgotten.images,
            "encodings": forgotten.encodings,
        }

    def train(self, options: object = None, notes: CallNotes | None = None) -> dict[str, Any]:
        """Retrain from the dataset and swap in the new model. Options: classifier, embedder, quick."""
        wanted = wire.require_options(options, known=("classifier", "embedder", "quick"))
        kind, embedder = (
            None if key not in wanted else wire.require_text(wanted[key], f"options.{key}")
            for key in ("classifier", "embedder")
        )
        with self._learning:
            retrained = self._learner.train(
                kind=kind,
                embedder=embedder,
                thorough=not wanted.get("quick", False),
                on_progress=lambda *_: None,
            )
            self._live = retrained.live
        self._note(notes, encoded=retrained.report.encoded, reused=retrained.report.reused)
        return {**retraining_as_json(retrained), "model": _model_as_json(self._live.model)}

    def reload(self) -> dict[str, Any]:
        """Read the model from disk again; if it does not fit, raise the error and keep the one in use."""
        with self._learning:
            live = self._learner.load()
            if live.model is None and self._live.model is not None:
                if live.stale is None:
                    places = self._learner.places
                    require_model(places.model, places.encodings)
                else:
                    live = replace(self._live, stale=live.stale)
            self._live = live
        return {"model": _model_as_json(self._live.model)}

    def mend(self, notes: CallNotes | None = None) -> dict[str, Any]:
        """Retrain because the model is stale, and swap in the new one; everybody stays enrolled."""
        with self._learning:
            self._live = self._learner.mend(lambda *_: None)
        self._note(notes, people=len(self.people()))
        return {"model": _model_as_json(self._live.model)}

    def status(self) -> dict[str, Any]:
        """Return version, uptime, model, networks and counters."""
        with self._counting:
            counters = dict(self._counters)
        live = self._live
        return {
            "version": __version__,
            "uptime_s": round(time.monotonic() - self._started, 3),
            "model": _model_as_json(live.model),
            "trained": live.model is not None,
            "model_file": asdict(self._on_disk.compared(live.model)),
            "stale": live.stale,
            "detector": live.engine.options.detector,
            "embedder": configurable_embedder(live.engine.options.embedder),
            "runtime": live.engine.runtime,
            "isolation": live.engine.isolation(),
            "counters": counters,
        }

    def _matches(self, model: Model | None, faces: list[Face], frames: Sequence[Hashable]) -> list[Match]:
        """One decision per face; those that a gate turned away keep its reason. `frames` tells which
        faces were seen together."""
        seen = [index for index, face in enumerate(faces) if face.encoding is not None]
        matches = [Match(None, None, face.reason) for face in faces]
        if seen:
            decided = decide_names(
                model,
                np.array([faces[index].encoding for index in seen]),
                self._limits.rule,
                [frames[index] for index in seen],
                [faces[index].box for index in seen],
            )
            for index, match in zip(seen, decided, strict=True):
                matches[index] = match
        with self._counting:
            self._counters["faces"] += len(matches)
            self._counters["named"] += sum(1 for match in matches if match.name is not None)
            self._counters.update(match.reason.value for match in matches if match.reason is not None)
        return matches

    def _note(self, notes: CallNotes | None, **fields: Any) -> None:
        if notes is not None:
            notes.update({k: round(v, 1) if isinstance(v, float) else v for k, v in fields.items()})

    def _load(self, source: str | bytes) -> Rgb:
        with self._counting:
            self._counters["images"] += 1
        limits = self._limits
        place = self._resolve(source) if isinstance(source, str) else source
        return load_image(place, max_pixels=limits.max_pixels, max_bytes=limits.max_bytes, roots=limits.roots)

    def _read(self, source: str | bytes) -> bytes:
        if isinstance(source, bytes):
            return source
        limits = self._limits
        return read_image_bytes(self._resolve(source), max_bytes=limits.max_bytes, roots=limits.roots)

    def _resolve(self, path: str) -> Path:
        return resolve_image_path(path, mount_point=self._limits.mount_point, roots=self._limits.roots)


def _model_as_json(model: Model | None) -> dict[str, Any] | None:
    if model is None:
        return None
    return {
        "fingerprint": model.fingerprint,
        "classifier": model.card.kind,
        "classes": list(model.labels),
        "trained_at": model.card.trained_at,
    }
