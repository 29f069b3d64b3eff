"""Compares recognisers, each an embedder and a classifier, on an open set: known people and strangers."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from face_det import __version__
from face_det.classifiers import CLASSIFIERS, required_embedder
from face_det.comparison.journal import Journal
from face_det.embedders import (
    DLIB_RESNET,
    EMBEDDERS,
    GREY,
    configurable_embedders,
    create_embedder,
    embedder_parts,
    know_file,
)
from face_det.engine import EngineOptions, build_engine
from face_det.errors import FaceDetError
from face_det.evaluation import (
    DatasetSplit,
    EncodedSplit,
    OpenSetCounts,
    RecognitionSettings,
    collect_encodings,
    train_and_decide,
)
from face_det.gallery import EncodingCache, EncodingResult, FaceChoice, PortraitKey, encode_portraits
from face_det.media import load_image
from face_det.nets import Compute
from face_det.recognition import DecisionRule, dump_model
from face_det.training import MASKED_CHANGE, FaceMasker
from face_det.types import Detection

RESULT_FORMAT = 1
"""Raise this when the meaning of a result changes, so that kept results are no longer used."""
TIMED_FACES = 30
ONE_THREAD = Compute(threads=1)
JITTER = "fast"


@dataclass(frozen=True, slots=True)
class RecogniserSettings:
    """Which embedders and classifiers to compare, at which rate of strangers named.

    With `masks`, faces are also encoded with a drawn mask. `jobs` threads encode.
    """

    embedders: tuple[str, ...]
    classifiers: tuple[str, ...]
    false_accept_rate: float
    masks: bool = True
    jobs: int = 1


@dataclass(frozen=True, slots=True)
class RecogniserResult:
    """A recogniser's outcomes, or why there are none: `missing` says so.

    `enrolment_s` is the time to encode the enrolled faces and to train, `ms` the time to encode a face and to
    decide, both of one processor core; `model_bytes` is the size of the model's file.
    """

    classifier: str
    embedder: str
    counts: OpenSetCounts | None = None
    enrolment_s: float = 0.0
    ms: float = 0.0
    model_bytes: int = 0
    missing: str | None = None


@dataclass(frozen=True, eq=False)
class EncodedDataset:
    """The photos of a dataset, encoded by every embedder that can be used; `missing` are the others.

    `outcomes` holds each photo as it is and, if that was asked for, with a mask.
    """

    split: DatasetSplit
    outcomes: dict[PortraitKey, EncodingResult]
    fingerprint: str
    embedders: tuple[str, ...]
    missing: dict[str, str]

    def encoded(self, *, probes: str = "", enrolled: Sequence[str] = ("",)) -> EncodedSplit:
        """Return the encodings, tested and enrolled after these changes."""
        return collect_encodings(
            self.split, self.outcomes, self.fingerprint, change=probes, enrolled_changes=enrolled
        )


def encode_all(
    split: DatasetSplit,
    settings: RecogniserSettings,
    cache: EncodingCache,
    on_progress: Callable[[str, int, int], None],
) -> EncodedDataset:
    """Encode all photos, and copies of them with masks if that is asked for. Finished ones are in the cache.

    Raises what encoding raises.
    """
    missing: dict[str, str] = {}
    wanted = dict.fromkeys(part for name in settings.embedders for part in embedder_parts(name))
    for part in dict.fromkeys((DLIB_RESNET, *wanted)):
        try:
            create_embedder(part, ONE_THREAD, JITTER)
        except (FaceDetError, ImportError) as error:
            missing[part] = str(error)
    # Every gallery has dlib's encodings, whatever else it has.
    needs = {name: (DLIB_RESNET, *embedder_parts(name)) for name in settings.embedders}
    usable = tuple(name for name, parts in needs.items() if not missing.keys() & {*parts})
    lacking = {
        name: "; ".join(dict.fromkeys(missing[part] for part in parts if part in missing))
        for name, parts in needs.items()
        if name not in usable
    }
    parts = dict.fromkeys(part for name in usable for part in needs[name])
    if not parts:
        return EncodedDataset(split, {}, "", (), lacking)
    # A file comes last, as its path may hold anything.
    joined = "+".join(sorted(parts, key=lambda part: part not in EMBEDDERS or ":" in part))
    engine = build_engine(
        EngineOptions(detector="auto", embedder=joined, focus_threshold=0, compute=ONE_THREAD)
    )
    outcomes = encode_portraits(
        [photo.path for photo in split.photos],
        engine,
        cache,
        changes={MASKED_CHANGE: FaceMasker(ONE_THREAD)} if settings.masks else {},
        choice=FaceChoice.ENROLLED,
        jobs=settings.jobs,
        on_progress=lambda done, total: on_progress("encoding", done, total),
    )
    return EncodedDataset(split, outcomes, engine.fingerprint, usable, lacking)


def compare_recognisers(
    dataset: EncodedDataset,
    settings: RecogniserSettings,
    journal: Journal,
    on_progress: Callable[[str, int, int], None],
) -> Iterator[RecogniserResult]:
    """Yield each recogniser's result; `journal` keeps them. Raises DataError if nobody has a face."""
    for name, why in dataset.missing.items():
        yield RecogniserResult("", name, missing=why)
    if not dataset.embedders:
        return
    encoded = dataset.encoded()
    times = {name: _embedding_ms(name, dataset, journal) for name in dataset.embedders}
    pairs = [
        (classifier, embedder)
        for embedder in dataset.embedders
        for classifier in settings.classifiers
        if fits(classifier, embedder)
    ]
    for done, (classifier, embedder) in enumerate(pairs):
        on_progress("recognisers", done, len(pairs))
        asked = RecognitionSettings(
            classifier, embedder, DecisionRule(), settings.false_accept_rate, thorough=False
        )
        measured = measure_kept(encoded, asked, journal)
        if "missing" in measured:
            yield RecogniserResult(classifier, embedder, missing=measured["missing"])
            continue
        yield RecogniserResult(
            classifier,
            embedder,
            OpenSetCounts(**measured["counts"]),
            measured["training_s"] + times[embedder] * len(encoded.names) / 1000,
            times[embedder] + measured["deciding_ms"],
            measured["model_bytes"],
        )
    on_progress("recognisers", len(pairs), len(pairs))


def fits(classifier: str, embedder: str) -> bool:
    """Tell whether a classifier is compared on an embedder: pixels only with what is made for pixels.

    >>> fits("lbph", "grey"), fits("lbph", "sface"), fits("template", "sface"), fits("template", "grey")
    (True, False, True, False)
    """
    needed = required_embedder(classifier)
    return embedder != GREY if needed is None else embedder == needed


def comparable_embedders() -> tuple[str, ...]:
    """Return the embedders of the menu."""
    return configurable_embedders()


def comparable_classifiers() -> tuple[str, ...]:
    """Return the classifiers of the menu."""
    return tuple(CLASSIFIERS)


def measure_kept(encoded: EncodedSplit, settings: RecognitionSettings, journal: Journal) -> dict[str, Any]:
    """Train and test, unless the journal has the result for the very same encodings."""
    part = encoded.select_embedder(settings.embedder)
    digest = hashlib.sha256()
    shown = (RESULT_FORMAT, __version__, settings.classifier, settings.embedder, settings.false_accept_rate)
    for piece in (shown, part.names, part.truth, sorted(part.no_face.items(), key=str)):
        digest.update(json.dumps(piece).encode() + b"\n")
    digest.update(part.enrolled.tobytes())
    digest.update(part.probes.tobytes())
    key = digest.hexdigest()
    known = journal.get(key)
    if known is None:
        known = _measure(encoded, settings)
        if "missing" not in known:
            journal.add(key, known)
    return known


def _measure(encoded: EncodedSplit, settings: RecognitionSettings) -> dict[str, Any]:
    start = time.process_time()
    try:
        model, predictions = train_and_decide(encoded, settings)
    except FaceDetError as error:
        return {"missing": str(error)}
    training_s = time.process_time() - start
    start = time.process_time()
    settings.predict(model, encoded)
    deciding_ms = 1000 * (time.process_time() - start) / max(1, len(encoded.photos))
    return {
        "counts": asdict(encoded.count(predictions)),
        "training_s": round(training_s, 3),
        "deciding_ms": round(deciding_ms, 3),
        "model_bytes": len(dump_model(model)[0]),
    }


def _embedding_ms(name: str, dataset: EncodedDataset, journal: Journal) -> float:
    """Return the milliseconds of one core to align and encode a face."""
    know_file(name)
    key = f"ms {name} {hashlib.sha256(dataset.fingerprint.encode()).hexdigest()}"
    known = journal.get(key)
    if known is None:
        known = {"ms": _time_embedder(name, [photo.path for photo in dataset.split.photos])}
        journal.add(key, known)
    return float(known["ms"])


def _time_embedder(name: str, paths: Sequence[Path]) -> float:
    embedder = create_embedder(name, ONE_THREAD, JITTER)
    finder = build_engine(EngineOptions(detector="auto", embedder=GREY, compute=ONE_THREAD))
    spent, faces = 0.0, 0
    for path in paths:
        try:
            rgb = load_image(path)
        except FaceDetError:
            continue
        for face in finder.find(rgb)[:1]:
            where = Detection(face.box, face.score, face.landmarks)
            if not faces:
                embedder.embed([embedder.align(rgb, where)])  # what is loaded only now is not counted
            start = time.process_time()
            embedder.embed([embedder.align(rgb, where)])
            spent, faces = spent + time.process_time() - start, faces + 1
        if faces == TIMED_FACES:
            break
    return round(1000 * spent / max(faces, 1), 2)
