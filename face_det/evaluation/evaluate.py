"""The whole measurement: from photos to every figure that the tables and the report show."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from face_det.embedders import DLIB_RESNET, configurable_embedder, embedder_from_fingerprint
from face_det.engine import FaceEngine
from face_det.evaluation import comparison, metrics, pairs
from face_det.evaluation.comparison import BaselineComparison
from face_det.evaluation.metrics import OpenSetCounts, PersonResult, Predictions, ReliabilityDiagram
from face_det.evaluation.open_set import (
    EncodedSplit,
    RecognitionSettings,
    collect_encodings,
    count_same_burst_photos,
    embedding_columns,
    train_and_decide,
)
from face_det.evaluation.pairs import VerificationResult
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
"""Wanted rates of strangers named, to be compared with what comes of them."""


@dataclass(frozen=True, slots=True)
class ExtraMeasurements:
    """What to measure besides the table: with fewer photos a person, against rivals, on worse pictures."""

    photos: tuple[int, ...] = ()
    compare: bool = False
    degrade: bool = False


@dataclass(frozen=True, slots=True)
class DegradedResult:
    """The table on pictures made worse, and the same had masked copies been trained on as well."""

    name: str
    table: OpenSetCounts
    trained_masked: OpenSetCounts


@dataclass(frozen=True, eq=False)
class Evaluation:
    """Everything that was found out. `model` is ours, trained on what the split enrols."""

    split: DatasetSplit
    trial: EncodedSplit
    model: Model
    embedder: str
    answers: Predictions
    table: OpenSetCounts
    people: list[PersonResult]
    calibration: ReliabilityDiagram
    """Of every face that has a faceProba."""
    calibration_named: ReliabilityDiagram
    """Of the faces that were named."""
    verification: Mapping[str, VerificationResult]
    """By embedder."""
    by_rate: Mapping[float, OpenSetCounts]
    """By falseAcceptRate; empty if the model has no threshold of its own."""
    same_moments: int = 0
    """Photos tested that are of a moment that is enrolled."""
    by_photos: Mapping[int, OpenSetCounts] = field(default_factory=dict)
    """By the number of photos of each person that are enrolled."""
    lines: Mapping[str, Sequence[BaselineComparison]] = field(default_factory=dict)
    """Rivals, by the embedder whose encodings all were given."""
    rivals_ours: Mapping[str, OpenSetCounts] = field(default_factory=dict)
    """Ours on the same encodings."""
    degraded: Sequence[DegradedResult] = ()

    @property
    def mistakes(self) -> Iterator[tuple[LabelledPhoto, str, float]]:
        """Each photo that got a name that is not its own, the name, and the probability claimed."""
        claimed = self.answers.probability if self.answers.probability is not None else self.answers.score
        for row, photo in enumerate(self.trial.photos):
            name = self.answers.likeliest[row]
            if self.answers.named[row] and name is not None and name != photo.name:
                yield photo, name, float(claimed[row])


def evaluate_split(
    split: DatasetSplit,
    engine: FaceEngine,
    cache: EncodingCache,
    settings: RecognitionSettings,
    wishes: ExtraMeasurements,
    *,
    jobs: int = 1,
    on_progress: Callable[[str, int, int], None] = lambda what, done, total: None,
) -> Evaluation:
    """Encode what the cache does not know, train, ask and count.

    `on_progress` gets (what, done, total). Raises what encoding and training raise, and DataError
    where nothing is left to enrol.
    """
    outcomes = _encoded(split, engine, cache, wishes, jobs, on_progress)
    return evaluate_outcomes(split, outcomes, engine.fingerprint, settings, wishes, on_progress)


def evaluate_outcomes(
    split: DatasetSplit,
    outcomes: Mapping[PortraitKey, EncodingResult],
    fingerprint: str,
    settings: RecognitionSettings,
    wishes: ExtraMeasurements,
    on_progress: Callable[[str, int, int], None] = lambda what, done, total: None,
) -> Evaluation:
    """The assessment of photos that are encoded, by the embedder with that fingerprint."""
    given = collect_encodings(split, outcomes, fingerprint)
    model, answers = train_and_decide(given, settings, on_progress)
    embedder = embedder_from_fingerprint(model.card.fingerprint)
    right = [name == truth for name, truth in zip(answers.answer, given.truth, strict=True)]
    assert answers.probability is not None
    found = Evaluation(
        split,
        given,
        model,
        embedder,
        answers,
        _table(given, answers),
        metrics.count_per_person(given.truth, answers, {str(n): c for n, c in given.no_face.items() if n}),
        metrics.measure_reliability(answers.probability, np.array(right, dtype=np.bool_)),
        metrics.measure_reliability(
            answers.probability[answers.named], np.array(right, dtype=np.bool_)[answers.named]
        ),
        dict(_verification(given)),
        dict(_by_rate(given, settings, model)),
        count_same_burst_photos(given, embedder),
    )
    by_photos = {
        count: _repeated(split.with_photos(count), outcomes, given, settings) for count in wishes.photos
    }
    if wishes.compare:
        lines, tables = _compared(given, settings, embedder, answers)
        found = replace(found, lines=lines, rivals_ours=tables)
    if wishes.degrade:
        found = replace(found, degraded=tuple(_degraded(split, outcomes, given, settings, model)))
    return replace(found, by_photos=by_photos)


def _encoded(
    split: DatasetSplit,
    engine: FaceEngine,
    cache: EncodingCache,
    wishes: ExtraMeasurements,
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
    if wishes.degrade:
        masker = FaceMasker(engine.options.compute)
        worse = {name: _on_face(degradation) for name, degradation in DEGRADATIONS.items()}
        outcomes |= encode("worse", split.tested, {**worse, MASKED_CHANGE: masker})
        outcomes |= encode("masks", [*split.enrolled, *split.strangers], {MASKED_CHANGE: masker})
    return outcomes


def _on_face(degradation: Degradation) -> PhotoChange:
    return lambda rgb, face: degradation(rgb, face.box)


def _table(given: EncodedSplit, answers: Predictions) -> OpenSetCounts:
    return metrics.count_open_set(given.truth, answers, given.known_no_face, given.strangers_no_face)


def _by_rate(
    given: EncodedSplit, settings: RecognitionSettings, model: Model
) -> Iterator[tuple[float, OpenSetCounts]]:
    if model.verifier is not None:
        for rate in sorted({*FALSE_ACCEPT_RATES, settings.false_accept_rate}):
            yield rate, _table(given, train_and_decide(given, replace(settings, false_accept_rate=rate))[1])


def _repeated(
    split: DatasetSplit,
    outcomes: Mapping[PortraitKey, EncodingResult],
    given: EncodedSplit,
    settings: RecognitionSettings,
) -> OpenSetCounts:
    again = collect_encodings(split, outcomes, given.fingerprint)
    return _table(again, train_and_decide(again, settings)[1])


def _verification(given: EncodedSplit) -> Iterator[tuple[str, VerificationResult]]:
    """On all photos that were encoded: the more pairs the better, and nothing is trained for this."""
    names = [*(None if name == UNKNOWN else name for name in given.names), *given.truth]
    everything = np.vstack([given.enrolled, given.asked])
    for embedder, part in embedding_columns(given.fingerprint).items():
        found = pairs.measure_verification(everything[:, part], names)
        if found is not None:
            yield embedder, found


def _compared(
    given: EncodedSplit, settings: RecognitionSettings, embedder: str, answers: Predictions
) -> tuple[dict[str, list[BaselineComparison]], dict[str, OpenSetCounts]]:
    """On our embedder's encodings, and on dlib's, which most of the rules were made for."""
    beside = {embedder: answers}
    if configurable_embedder(embedder) != DLIB_RESNET:
        model, on_dlib = train_and_decide(given, replace(settings, embedder=DLIB_RESNET))
        beside[embedder_from_fingerprint(model.card.fingerprint)] = on_dlib
    lines, tables = {}, {}
    for name, answered in beside.items():
        part = given.of(name)
        lines[name] = list(comparison.compare_with_baselines(part, answered, name))
        tables[name] = _table(part, answered)
    return lines, tables


def _degraded(
    split: DatasetSplit,
    outcomes: Mapping[PortraitKey, EncodingResult],
    given: EncodedSplit,
    settings: RecognitionSettings,
    model: Model,
) -> Iterator[DegradedResult]:
    """Enrolled as they are, tested worse; and once more with a masked copy of each photo enrolled."""
    with_masks = collect_encodings(
        split, outcomes, given.fingerprint, taught=(UNCHANGED_PHOTO, MASKED_CHANGE)
    )
    masked_model, _ = train_and_decide(with_masks, settings)
    for change in (UNCHANGED_PHOTO, *DEGRADATIONS, MASKED_CHANGE):
        part = collect_encodings(split, outcomes, given.fingerprint, change=change)
        yield DegradedResult(
            change or "as they are",
            _table(part, settings.asked(model, part)),
            _table(part, settings.asked(masked_model, part)),
        )
