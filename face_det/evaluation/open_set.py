"""A split with its encodings, and what our own decision says about it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from face_det.classifiers import burst_distance, in_same_burst
from face_det.embedders import (
    DLIB_AND_SFACE,
    DLIB_RESNET,
    SFACE,
    distance_thresholds,
    embedder_from_fingerprint,
    split_fingerprint,
)
from face_det.errors import DataError
from face_det.evaluation.metrics import Predictions
from face_det.evaluation.protocol import DatasetSplit, LabelledPhoto
from face_det.gallery import (
    UNCHANGED_PHOTO,
    EncodingResult,
    Gallery,
    OmissionReason,
    PortraitKey,
    locate_columns,
)
from face_det.recognition import DecisionRule, Model, decide_names
from face_det.training import train_classifiers
from face_det.types import UNKNOWN, Encodings, Match, Outcome


@dataclass(frozen=True, eq=False)
class EncodedSplit:
    """Encodings to enrol and to ask about, with their names; Unknown's are in `enrolled` too.

    `photos` has an entry for each row of `asked`. `no_face` counts photos tested in which no face was
    found, by name, None for strangers; `left_out` are those not enrolled for that. `unreadable` are
    no pictures, and in neither. `fingerprint` is the embedder's.
    """

    enrolled: Encodings
    names: tuple[str, ...]
    asked: Encodings
    photos: tuple[LabelledPhoto, ...]
    no_face: Mapping[str | None, int]
    left_out: tuple[LabelledPhoto, ...]
    unreadable: tuple[LabelledPhoto, ...]
    fingerprint: str

    @property
    def truth(self) -> tuple[str | None, ...]:
        """Who is on each row of `asked`; None is a stranger."""
        return tuple(photo.name for photo in self.photos)

    def of(self, embedder: str) -> EncodedSplit:
        """The same with one embedder's encodings only."""
        part = embedding_columns(self.fingerprint)[embedder]
        return replace(self, enrolled=self.enrolled[:, part], asked=self.asked[:, part])

    @property
    def known_no_face(self) -> int:
        """Photos of people enrolled without a face."""
        return sum(count for name, count in self.no_face.items() if name is not None)

    @property
    def strangers_no_face(self) -> int:
        """Photos of strangers without a face."""
        return self.no_face.get(None, 0)


def collect_encodings(
    split: DatasetSplit,
    outcomes: Mapping[PortraitKey, EncodingResult],
    fingerprint: str,
    *,
    change: str = UNCHANGED_PHOTO,
    taught: Sequence[str] = (UNCHANGED_PHOTO,),
) -> EncodedSplit:
    """What a split came to, with what `change` made of the photos tested.

    Those enrolled are plain, or each is there as often as `taught` names a change. DataError if no
    photo to enrol has a face.
    """
    unreadable = dict.fromkeys(
        photo
        for photo in split.photos
        if outcomes[photo.path, UNCHANGED_PHOTO].reason is OmissionReason.BAD_IMAGE
    )
    learnt = [photo for photo in (*split.enrolled, *split.strangers) if photo not in unreadable]
    lessons = [(photo, name) for photo in learnt for name in taught]
    found = [(photo, outcomes[photo.path, name].encoding) for photo, name in lessons]
    kept = [(photo.name or UNKNOWN, encoding) for photo, encoding in found if encoding is not None]
    if all(name == UNKNOWN for name, _ in kept):
        raise DataError(f"{split.enrolled[0].path.parent}: must hold photos with a face, got none to enrol")
    tested = [photo for photo in split.tested if photo not in unreadable]
    asked = [(photo, outcomes[photo.path, change].encoding) for photo in tested]
    seen = [(photo, encoding) for photo, encoding in asked if encoding is not None]
    dimensions = len(kept[0][1])
    return EncodedSplit(
        np.array([encoding for _, encoding in kept]),
        tuple(name for name, _ in kept),
        np.array([encoding for _, encoding in seen]).reshape(-1, dimensions),
        tuple(photo for photo, _ in seen),
        Counter(photo.name for photo, encoding in asked if encoding is None),
        tuple(photo for photo, encoding in found if encoding is None),
        tuple(unreadable),
        fingerprint,
    )


@dataclass(frozen=True, slots=True)
class RecognitionSettings:
    """What our decision is trained and asked with."""

    classifier: str
    embedder: str
    rule: DecisionRule
    false_accept_rate: float = 0.002
    jobs: int = 1
    thorough: bool = True

    def asked(self, model: Model, given: EncodedSplit) -> Predictions:
        """What a model says about the faces of a trial."""
        encodings = given.of(embedder_from_fingerprint(model.card.fingerprint)).asked
        return predictions_from_matches(model, decide_names(model, encodings, self.rule), encodings)


def train_and_decide(
    given: EncodedSplit,
    settings: RecognitionSettings,
    on_progress: Callable[[str, int, int], None] = lambda name, done, total: None,
) -> tuple[Model, Predictions]:
    """Train as `face-det train` does and decide as the daemon does, on the encodings of a trial."""
    result = train_classifiers(
        Gallery.from_rows(list(given.enrolled), given.names, given.fingerprint),
        [settings.classifier],
        embedder=settings.embedder,
        false_accept_rate=settings.false_accept_rate,
        jobs=settings.jobs,
        thorough=settings.thorough,
        on_progress=on_progress,
    )
    model = result.models[0]
    return model, settings.asked(model, given)


def count_same_burst_photos(given: EncodedSplit, embedder: str) -> int:
    """How many photos tested are so near to an enrolled one of the same person that the two are likely of
    one moment: frames of one visit, in which nobody turns or the light changes. They prove little."""
    part = given.of(embedder)
    near = burst_distance(part.enrolled, distance_thresholds(embedder))
    known = np.flatnonzero([name is not None for name in part.truth])
    whose = np.array([part.truth[row] for row in known], dtype=str)
    seen = in_same_burst(part.asked[known], whose, part.enrolled, np.array(part.names), near)
    return int(seen.sum())


def predictions_from_matches(model: Model, matches: Sequence[Match], asked: Encodings) -> Predictions:
    """Matches as a rule's answers; the score is the verifier's where there is one, else the probability."""
    people = np.array([column for column, name in enumerate(model.labels) if name != UNKNOWN])
    if model.verifier is None:
        scores = likely = model.proba(asked)[:, people]
    else:
        all_scores = model.verifier.template.scores(asked)
        scores, likely = all_scores[:, people], model.verifier.template.likely(all_scores)[:, people]
    best = scores.argmax(axis=1)
    place = {model.labels[column]: at for at, column in enumerate(people)}
    for row, match in enumerate(matches):
        # Somebody else than the nearest may be named: a classifier that is no template has a say.
        best[row] = place.get(match.name or "", best[row])
    rows = np.arange(len(matches))
    likeliest = tuple(model.labels[column] for column in people[best])
    return Predictions(
        likeliest=likeliest,
        score=scores[rows, best],
        named=np.array([match.name not in (None, UNKNOWN) for match in matches], dtype=np.bool_),
        uncertain=np.array(
            [match.outcome is Outcome.UNCERTAIN and bool(match.candidates) for match in matches],
            dtype=np.bool_,
        ),
        likely=likely[rows, best],
        probability=np.array([match.probability or 0.0 for match in matches]),
        answer=tuple(
            None if match.name == UNKNOWN else match.name or name
            for match, name in zip(matches, likeliest, strict=True)
        ),
    )


def embedding_columns(fingerprint: str) -> dict[str, list[int]]:
    """Where each embedder's numbers are in rows of an embedder that is made of them, and those of `both`."""
    places = locate_columns(split_fingerprint(fingerprint))
    found = {name: [*range(place.start, place.stop)] for name, place in places.items()}
    return found | (
        {DLIB_AND_SFACE: found[DLIB_RESNET] + found[SFACE]} if {DLIB_RESNET, SFACE} <= found.keys() else {}
    )
