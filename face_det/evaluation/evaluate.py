"""The whole evaluation: from photos to every figure in the tables and the report."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from face_det.embedders import DLIB_RESNET, configurable_embedder, embedder_from_fingerprint
from face_det.engine import EngineOptions, FaceEngine
from face_det.evaluation.comparison import BaselineComparison, compare_with_baselines
from face_det.evaluation.end_to_end import EndToEnd, answer_photos, join_answers
from face_det.evaluation.metrics import (
    OpenSetCounts,
    PersonResult,
    Predictions,
    ReliabilityDiagram,
    count_per_person,
    measure_reliability,
)
from face_det.evaluation.open_set import (
    EncodedSplit,
    RecognitionSettings,
    collect_encodings,
    count_same_burst_photos,
    embedding_columns,
    train_and_decide,
)
from face_det.evaluation.pairs import VerificationResult, measure_verification
from face_det.evaluation.protocol import DatasetSplit, LabelledPhoto
from face_det.gallery import (
    UNCHANGED_PHOTO,
    EncodingCache,
    EncodingResult,
    FaceChoice,
    PhotoChange,
    PhotoFaces,
    PortraitKey,
    choose_portrait,
    encode_portraits,
    find_faces,
)
from face_det.media import DEGRADATIONS, Degradation
from face_det.recognition import Model
from face_det.training import MASKED_CHANGE, FaceMasker
from face_det.types import UNKNOWN

FALSE_ACCEPT_RATES = (0.0002, 0.0005, 0.001, 0.002, 0.005, 0.01, 0.02)
"""Requested false accept rates, to be compared with the rates that result."""


@dataclass(frozen=True, slots=True)
class ExtraMeasurements:
    """What to measure besides the main table.

    `photos` repeats it with that many photos enrolled per person, `compare` adds other systems' rules, and
    `degrade` adds degraded pictures.
    """

    photos: tuple[int, ...] = ()
    compare: bool = False
    degrade: bool = False


@dataclass(frozen=True, eq=False)
class EncodedPhotos:
    """What the networks made of the photos.

    `portraits` holds the face of each photo to enrol, or to test the decision alone on; `faces` holds all
    faces of each photo to test, blurry ones included. `fingerprint` is the embedder's, and the limits on the
    size and the sharpness of a face are those in `options`.
    """

    portraits: Mapping[PortraitKey, EncodingResult]
    faces: Mapping[PortraitKey, PhotoFaces]
    fingerprint: str
    options: EngineOptions


@dataclass(frozen=True, slots=True)
class DegradedResult:
    """The counts on degraded pictures, and the same for a model also trained on masked copies.

    Each is counted for the decision alone, and end to end.
    """

    name: str
    counts: OpenSetCounts
    trained_masked: OpenSetCounts
    end_to_end: EndToEnd
    trained_masked_end_to_end: EndToEnd


@dataclass(frozen=True, eq=False)
class Evaluation:
    """All results of an evaluation. `model` is ours, trained on the photos that the split enrols."""

    split: DatasetSplit
    encoded: EncodedSplit
    model: Model
    embedder: str
    predictions: Predictions
    end_to_end: EndToEnd
    """The answers that callers would get."""
    counts: OpenSetCounts
    """The counts of the decision alone."""
    people: list[PersonResult]
    calibration: ReliabilityDiagram
    """Calibration over every face that has a faceProba."""
    calibration_named: ReliabilityDiagram
    """Calibration over the faces that were named."""
    verification: Mapping[str, VerificationResult]
    """Verification accuracy by embedder."""
    by_rate: Mapping[float, OpenSetCounts]
    """Counts by falseAcceptRate; empty if the model has no threshold of its own."""
    same_burst: int = 0
    """The number of tested photos from the same burst as an enrolled one."""
    by_photos: Mapping[int, OpenSetCounts] = field(default_factory=dict)
    """Counts by the number of photos enrolled per person."""
    comparisons: Mapping[str, Sequence[BaselineComparison]] = field(default_factory=dict)
    """Comparisons with other systems' rules, by the embedder whose encodings all of them used."""
    ours_compared: Mapping[str, OpenSetCounts] = field(default_factory=dict)
    """Our own counts on the same encodings, by embedder."""
    degraded: Sequence[DegradedResult] = ()

    @property
    def answers_to_all(self) -> EndToEnd:
        """The answers for the tested photos, as they are and degraded in every way that was tested."""
        if not self.degraded:
            return self.end_to_end
        return join_answers(result.end_to_end for result in self.degraded)

    @property
    def mistakes(self) -> Iterator[tuple[LabelledPhoto, str, float]]:
        """Yield each photo that the decision alone names wrongly, that name, and the claimed probability."""
        predictions = self.predictions
        claimed = predictions.score if predictions.probability is None else predictions.probability
        for row, photo in enumerate(self.encoded.photos):
            name = predictions.likeliest[row]
            if predictions.named[row] and name is not None and name != photo.name:
                yield photo, name, float(claimed[row])


def evaluate_split(
    split: DatasetSplit,
    engine: FaceEngine,
    cache: EncodingCache,
    settings: RecognitionSettings,
    extra: ExtraMeasurements,
    *,
    jobs: int = 1,
    on_progress: Callable[[str, int, int], None] = lambda what, done, total: None,
) -> Evaluation:
    """Encode the photos that are not cached, train, test, and count.

    `jobs` threads encode. `on_progress` gets (what, done, total). Raises what encoding and training raise,
    and DataError if nothing is left to enrol.
    """
    photos = _encode(split, engine, cache, extra, jobs, on_progress)
    return evaluate_photos(split, photos, settings, extra, on_progress)


def evaluate_photos(
    split: DatasetSplit,
    photos: EncodedPhotos,
    settings: RecognitionSettings,
    extra: ExtraMeasurements,
    on_progress: Callable[[str, int, int], None] = lambda what, done, total: None,
) -> Evaluation:
    """Evaluate encoded photos.

    `on_progress` gets (what, done, total) of the training. Raises what training raises, and DataError if
    nothing is left to enrol.
    """
    outcomes, fingerprint = photos.portraits, photos.fingerprint
    encoded = collect_encodings(split, outcomes, fingerprint)
    model, predictions = train_and_decide(encoded, settings, on_progress)
    embedder = embedder_from_fingerprint(model.card.fingerprint)
    right = np.array(
        [name == truth for name, truth in zip(predictions.answer, encoded.truth, strict=True)], dtype=np.bool_
    )
    probability, named = predictions.probability, predictions.named
    assert probability is not None
    no_face = {name: count for name, count in encoded.no_face.items() if name}
    evaluation = Evaluation(
        split,
        encoded,
        model,
        embedder,
        predictions,
        _answer(split, photos, encoded, settings, model),
        encoded.count(predictions),
        count_per_person(encoded.truth, predictions, no_face),
        measure_reliability(probability, right),
        measure_reliability(probability[named], right[named]),
        dict(_verification(encoded)),
        dict(_by_rate(encoded, settings, model)),
        count_same_burst_photos(encoded, embedder),
    )
    by_photos = {
        photos: _count_with(split.with_photos(photos), outcomes, fingerprint, settings)
        for photos in extra.photos
    }
    if extra.compare:
        comparisons, counts = _compared(encoded, settings, embedder, predictions)
        evaluation = replace(evaluation, comparisons=comparisons, ours_compared=counts)
    if extra.degrade:
        evaluation = replace(evaluation, degraded=tuple(_degraded(split, photos, encoded, settings, model)))
    return replace(evaluation, by_photos=by_photos)


def _encode(
    split: DatasetSplit,
    engine: FaceEngine,
    cache: EncodingCache,
    extra: ExtraMeasurements,
    jobs: int,
    on_progress: Callable[[str, int, int], None],
) -> EncodedPhotos:
    """Encode what `face-det encode` would enrol, and all faces of the photos to test."""
    learnt = [photo.path for photo in (*split.enrolled, *split.strangers)]
    tested = [photo.path for photo in split.tested]

    def enrol(what: str, changes: Mapping[str, PhotoChange]) -> dict[PortraitKey, EncodingResult]:
        told = functools.partial(on_progress, what)
        choice = FaceChoice.ENROLLED
        return encode_portraits(
            learnt, engine, cache, changes=changes, choice=choice, jobs=jobs, on_progress=told
        )

    def test(what: str, changes: Mapping[str, PhotoChange]) -> dict[PortraitKey, PhotoFaces]:
        told = functools.partial(on_progress, what)
        return find_faces(tested, engine, cache, changes=changes, jobs=jobs, on_progress=told)

    portraits, faces = enrol("encoding", {}), test("testing", {})
    if extra.degrade:
        masks: dict[str, PhotoChange] = {MASKED_CHANGE: FaceMasker(engine.options.compute)}
        worse = {name: _on_face(degradation) for name, degradation in DEGRADATIONS.items()}
        faces |= test("worse", {**worse, **masks})
        portraits |= enrol("masks", masks)
    portraits |= {key: choose_portrait(found) for key, found in faces.items()}
    return EncodedPhotos(portraits, faces, engine.fingerprint, engine.options)


def _on_face(degradation: Degradation) -> PhotoChange:
    return lambda rgb, face: degradation(rgb, face.box)


def _answer(
    split: DatasetSplit,
    photos: EncodedPhotos,
    encoded: EncodedSplit,
    settings: RecognitionSettings,
    model: Model,
    change: str = UNCHANGED_PHOTO,
) -> EndToEnd:
    """Answer the tested photos that can be read, after `change`."""
    unreadable = set(encoded.unreadable)
    tested = [photo for photo in split.tested if photo not in unreadable]
    found = [photos.faces[photo.path, change] for photo in tested]
    return answer_photos(tested, found, photos.fingerprint, model, settings.rule, photos.options)


def _by_rate(
    encoded: EncodedSplit, settings: RecognitionSettings, model: Model
) -> Iterator[tuple[float, OpenSetCounts]]:
    if model.verifier is not None:
        for rate in sorted({*FALSE_ACCEPT_RATES, settings.false_accept_rate}):
            _, predictions = train_and_decide(encoded, replace(settings, false_accept_rate=rate))
            yield rate, encoded.count(predictions)


def _count_with(
    split: DatasetSplit,
    outcomes: Mapping[PortraitKey, EncodingResult],
    fingerprint: str,
    settings: RecognitionSettings,
) -> OpenSetCounts:
    encoded = collect_encodings(split, outcomes, fingerprint)
    _, predictions = train_and_decide(encoded, settings)
    return encoded.count(predictions)


def _verification(encoded: EncodedSplit) -> Iterator[tuple[str, VerificationResult]]:
    """Measure verification on all encoded photos; nothing is trained, so more pairs do no harm."""
    names = [*(None if name == UNKNOWN else name for name in encoded.names), *encoded.truth]
    everything = np.vstack([encoded.enrolled, encoded.probes])
    for embedder, part in embedding_columns(encoded.fingerprint).items():
        found = measure_verification(everything[:, part], names)
        if found is not None:
            yield embedder, found


def _compared(
    encoded: EncodedSplit, settings: RecognitionSettings, embedder: str, predictions: Predictions
) -> tuple[dict[str, list[BaselineComparison]], dict[str, OpenSetCounts]]:
    """Compare on our embedder's encodings, and on dlib's, which most of the rules were made for."""
    ours = {embedder: predictions}
    if configurable_embedder(embedder) != DLIB_RESNET:
        model, on_dlib = train_and_decide(encoded, replace(settings, embedder=DLIB_RESNET))
        ours[embedder_from_fingerprint(model.card.fingerprint)] = on_dlib
    comparisons, counts = {}, {}
    for name, ours_here in ours.items():
        part = encoded.select_embedder(name)
        comparisons[name] = list(compare_with_baselines(part, ours_here, name))
        counts[name] = part.count(ours_here)
    return comparisons, counts


def _degraded(
    split: DatasetSplit,
    photos: EncodedPhotos,
    encoded: EncodedSplit,
    settings: RecognitionSettings,
    model: Model,
) -> Iterator[DegradedResult]:
    """Enrol unchanged photos and test degraded ones; repeat with a masked copy of each enrolled photo."""
    outcomes = photos.portraits
    with_masks = collect_encodings(
        split, outcomes, encoded.fingerprint, enrolled_changes=(UNCHANGED_PHOTO, MASKED_CHANGE)
    )
    masked_model, _ = train_and_decide(with_masks, settings)
    for change in (UNCHANGED_PHOTO, *DEGRADATIONS, MASKED_CHANGE):
        part = collect_encodings(split, outcomes, encoded.fingerprint, change=change)
        yield DegradedResult(
            change or "as they are",
            part.count(settings.predict(model, part)),
            part.count(settings.predict(masked_model, part)),
            _answer(split, photos, encoded, settings, model, change),
            _answer(split, photos, encoded, settings, masked_model, change),
        )
