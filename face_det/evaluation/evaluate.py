"""The whole evaluation: from photos to every figure in the tables and the report."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from face_det.embedders import DLIB_RESNET, configurable_embedder, embedder_from_fingerprint
from face_det.engine import FaceEngine
from face_det.evaluation.comparison import BaselineComparison, compare_with_baselines
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
    PhotoChange,
    PortraitKey,
    encode_portraits,
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


@dataclass(frozen=True, slots=True)
class DegradedResult:
    """The counts on degraded pictures, and the same for a model also trained on masked copies."""

    name: str
    counts: OpenSetCounts
    trained_masked: OpenSetCounts


@dataclass(frozen=True, eq=False)
class Evaluation:
    """All results of an evaluation. `model` is ours, trained on the photos that the split enrols."""

    split: DatasetSplit
    encoded: EncodedSplit
    model: Model
    embedder: str
    predictions: Predictions
    counts: OpenSetCounts
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
    def mistakes(self) -> Iterator[tuple[LabelledPhoto, str, float]]:
        """Yield each wrongly named photo, the name it got, and the claimed probability."""
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
    outcomes = _encode(split, engine, cache, extra, jobs, on_progress)
    return evaluate_outcomes(split, outcomes, engine.fingerprint, settings, extra, on_progress)


def evaluate_outcomes(
    split: DatasetSplit,
    outcomes: Mapping[PortraitKey, EncodingResult],
    fingerprint: str,
    settings: RecognitionSettings,
    extra: ExtraMeasurements,
    on_progress: Callable[[str, int, int], None] = lambda what, done, total: None,
) -> Evaluation:
    """Evaluate encoded photos; `fingerprint` is the embedder's.

    `on_progress` gets (what, done, total) of the training. Raises what training raises, and DataError if
    nothing is left to enrol.
    """
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
        evaluation = replace(evaluation, degraded=tuple(_degraded(split, outcomes, encoded, settings, model)))
    return replace(evaluation, by_photos=by_photos)


def _encode(
    split: DatasetSplit,
    engine: FaceEngine,
    cache: EncodingCache,
    extra: ExtraMeasurements,
    jobs: int,
    on_progress: Callable[[str, int, int], None],
) -> dict[PortraitKey, EncodingResult]:
    def encode(
        what: str, photos: Sequence[LabelledPhoto], changes: Mapping[str, PhotoChange]
    ) -> dict[PortraitKey, EncodingResult]:
        return encode_portraits(
            [photo.path for photo in photos],
            engine,
            cache,
            changes=changes,
            jobs=jobs,
            on_progress=lambda done, total: on_progress(what, done, total),
        )

    outcomes = encode("encoding", split.photos, {})
    if extra.degrade:
        masker = FaceMasker(engine.options.compute)
        worse = {name: _on_face(degradation) for name, degradation in DEGRADATIONS.items()}
        outcomes |= encode("worse", split.tested, {**worse, MASKED_CHANGE: masker})
        outcomes |= encode("masks", [*split.enrolled, *split.strangers], {MASKED_CHANGE: masker})
    return outcomes


def _on_face(degradation: Degradation) -> PhotoChange:
    return lambda rgb, face: degradation(rgb, face.box)


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
    outcomes: Mapping[PortraitKey, EncodingResult],
    encoded: EncodedSplit,
    settings: RecognitionSettings,
    model: Model,
) -> Iterator[DegradedResult]:
    """Enrol unchanged photos and test degraded ones; repeat with a masked copy of each enrolled photo."""
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
        )
