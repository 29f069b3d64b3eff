"""The whole measurement: from photos to every figure that the tables and the report show."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from face_det.engine import Engine
from face_det.faces import UNKNOWN
from face_det.identity.cache import Cache, Outcome
from face_det.identity.evaluation import comparison, figures, pairs, portraits
from face_det.identity.evaluation.comparison import Line
from face_det.identity.evaluation.figures import Answers, OpenSet, Person, Reliability
from face_det.identity.evaluation.pairs import Verification
from face_det.identity.evaluation.portraits import PLAIN, Change, Key
from face_det.identity.evaluation.protocol import Photo, Split
from face_det.identity.evaluation.trial import Settings, Trial, columns, of_enrolled_moments, ours, trial
from face_det.identity.fingerprints import DLIB, asked_for, embedder_of
from face_det.identity.masked import MASKED, Masker
from face_det.identity.model import Model
from face_det.media.degrade import DEGRADATIONS, Degradation

RATES = (0.0002, 0.0005, 0.001, 0.002, 0.005, 0.01, 0.02)
"""Wanted rates of strangers named, to be compared with what comes of them."""


@dataclass(frozen=True, slots=True)
class Wishes:
    """What to measure besides the table: with fewer photos a person, against rivals, on worse pictures."""

    photos: tuple[int, ...] = ()
    compare: bool = False
    degrade: bool = False


@dataclass(frozen=True, slots=True)
class Degraded:
    """The table on pictures made worse, and the same had masked copies been trained on as well."""

    name: str
    table: OpenSet
    trained_masked: OpenSet


@dataclass(frozen=True, eq=False)
class Assessment:
    """Everything that was found out. `model` is ours, trained on what the split enrols."""

    split: Split
    trial: Trial
    model: Model
    embedder: str
    answers: Answers
    table: OpenSet
    people: list[Person]
    calibration: Reliability
    """Of every face that has a faceProba."""
    calibration_named: Reliability
    """Of the faces that were named."""
    verification: Mapping[str, Verification]
    """By embedder."""
    by_rate: Mapping[float, OpenSet]
    """By falseAcceptRate; empty if the model has no threshold of its own."""
    same_moments: int = 0
    """Photos tested that are of a moment that is enrolled."""
    by_photos: Mapping[int, OpenSet] = field(default_factory=dict)
    """By the number of photos of each person that are enrolled."""
    lines: Mapping[str, Sequence[Line]] = field(default_factory=dict)
    """Rivals, by the embedder whose encodings all were given."""
    rivals_ours: Mapping[str, OpenSet] = field(default_factory=dict)
    """Ours on the same encodings."""
    degraded: Sequence[Degraded] = ()

    @property
    def mistakes(self) -> Iterator[tuple[Photo, str, float]]:
        """Each photo that got a name that is not its own, the name, and the probability claimed."""
        claimed = self.answers.probability if self.answers.probability is not None else self.answers.score
        for row, photo in enumerate(self.trial.photos):
            name = self.answers.likeliest[row]
            if self.answers.named[row] and name is not None and name != photo.name:
                yield photo, name, float(claimed[row])


def assess(
    split: Split,
    engine: Engine,
    cache: Cache,
    settings: Settings,
    wishes: Wishes,
    *,
    jobs: int = 1,
    on_progress: Callable[[str, int, int], None] = lambda what, done, total: None,
) -> Assessment:
    """Encode what the cache does not know, train, ask and count.

    `on_progress` gets (what, done, total). Raises what encoding and training raise, and DataError
    where nothing is left to enrol.
    """
    outcomes = _encoded(split, engine, cache, wishes, jobs, on_progress)
    return judge(split, outcomes, engine.fingerprint, settings, wishes, on_progress)


def judge(
    split: Split,
    outcomes: Mapping[Key, Outcome],
    fingerprint: str,
    settings: Settings,
    wishes: Wishes,
    on_progress: Callable[[str, int, int], None] = lambda what, done, total: None,
) -> Assessment:
    """The assessment of photos that are encoded, by the embedder with that fingerprint."""
    given = trial(split, outcomes, fingerprint)
    model, answers = ours(given, settings, on_progress)
    embedder = embedder_of(model.card.fingerprint)
    right = [name == truth for name, truth in zip(answers.answer, given.truth, strict=True)]
    assert answers.probability is not None
    found = Assessment(
        split,
        given,
        model,
        embedder,
        answers,
        _table(given, answers),
        figures.per_person(given.truth, answers, {str(n): c for n, c in given.no_face.items() if n}),
        figures.reliability(answers.probability, np.array(right, dtype=np.bool_)),
        figures.reliability(
            answers.probability[answers.named], np.array(right, dtype=np.bool_)[answers.named]
        ),
        dict(_verification(given)),
        dict(_by_rate(given, settings, model)),
        of_enrolled_moments(given, embedder),
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
    split: Split,
    engine: Engine,
    cache: Cache,
    wishes: Wishes,
    jobs: int,
    on_progress: Callable[[str, int, int], None],
) -> dict[Key, Outcome]:
    def encode(what: str, photos: Sequence[Photo], changes: Mapping[str, Change]) -> dict[Key, Outcome]:
        return portraits.encode(
            [photo.path for photo in photos],
            engine,
            cache,
            changes=changes,
            jobs=jobs,
            on_progress=lambda done, total: on_progress(what, done, total),
        )

    outcomes = encode("encoding", split.photos, {})
    if wishes.degrade:
        masker = Masker(engine.options.compute)
        worse = {name: _on_face(degradation) for name, degradation in DEGRADATIONS.items()}
        outcomes |= encode("worse", split.tested, {**worse, MASKED: masker})
        outcomes |= encode("masks", [*split.enrolled, *split.strangers], {MASKED: masker})
    return outcomes


def _on_face(degradation: Degradation) -> Change:
    return lambda rgb, face: degradation(rgb, face.box)


def _table(given: Trial, answers: Answers) -> OpenSet:
    return figures.open_set(given.truth, answers, given.known_no_face, given.strangers_no_face)


def _by_rate(given: Trial, settings: Settings, model: Model) -> Iterator[tuple[float, OpenSet]]:
    if model.verifier is not None:
        for rate in sorted({*RATES, settings.false_accept_rate}):
            yield rate, _table(given, ours(given, replace(settings, false_accept_rate=rate))[1])


def _repeated(split: Split, outcomes: Mapping[Key, Outcome], given: Trial, settings: Settings) -> OpenSet:
    again = trial(split, outcomes, given.fingerprint)
    return _table(again, ours(again, settings)[1])


def _verification(given: Trial) -> Iterator[tuple[str, Verification]]:
    """On all photos that were encoded: the more pairs the better, and nothing is trained for this."""
    names = [*(None if name == UNKNOWN else name for name in given.names), *given.truth]
    everything = np.vstack([given.enrolled, given.asked])
    for embedder, part in columns(given.fingerprint).items():
        found = pairs.verify(everything[:, part], names)
        if found is not None:
            yield embedder, found


def _compared(
    given: Trial, settings: Settings, embedder: str, answers: Answers
) -> tuple[dict[str, list[Line]], dict[str, OpenSet]]:
    """On our embedder's encodings, and on dlib's, which most of the rules were made for."""
    beside = {embedder: answers}
    if asked_for(embedder) != DLIB:
        model, on_dlib = ours(given, replace(settings, embedder=DLIB))
        beside[embedder_of(model.card.fingerprint)] = on_dlib
    lines, tables = {}, {}
    for name, answered in beside.items():
        part = given.of(name)
        lines[name] = list(comparison.compare(part, answered, name))
        tables[name] = _table(part, answered)
    return lines, tables


def _degraded(
    split: Split, outcomes: Mapping[Key, Outcome], given: Trial, settings: Settings, model: Model
) -> Iterator[Degraded]:
    """Enrolled as they are, tested worse; and once more with a masked copy of each photo enrolled."""
    with_masks = trial(split, outcomes, given.fingerprint, taught=(PLAIN, MASKED))
    masked_model, _ = ours(with_masks, settings)
    for change in (PLAIN, *DEGRADATIONS, MASKED):
        part = trial(split, outcomes, given.fingerprint, change=change)
        yield Degraded(
            change or "as they are",
            _table(part, settings.asked(model, part)),
            _table(part, settings.asked(masked_model, part)),
        )
