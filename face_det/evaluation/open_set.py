"""An encoded split, and our own recogniser's answers for it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from face_det.classifiers import CLASSIFIERS, burst_distance, in_same_burst
from face_det.embedders import (
    DLIB_AND_SFACE,
    DLIB_RESNET,
    SFACE,
    distance_thresholds,
    embedder_from_fingerprint,
    split_fingerprint,
)
from face_det.errors import DataError
from face_det.evaluation.metrics import OpenSetCounts, Predictions, count_open_set
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
from face_det.training import DEFAULT_FALSE_ACCEPT_RATE, TEMPLATE_RECIPE, train_classifiers
from face_det.types import UNKNOWN, Encodings, Match, Outcome

UNREADABLE = (OmissionReason.BAD_IMAGE, OmissionReason.NO_DECODER, OmissionReason.TOO_LARGE)
"""The reasons for which a photo cannot be read as a picture."""


@dataclass(frozen=True, eq=False)
class EncodedSplit:
    """Encodings to enrol, shape (n, d), and to test, shape (m, d), with their names.

    `enrolled` includes the strangers to train on, named Unknown in `names`. `photos` has an entry for each
    row of `probes`. `no_face` counts tested photos without a detected face by name, None for strangers.
    `left_out` are the photos to enrol that were not, and why; `unreadable` are all photos, to enrol or to
    test, that cannot be read, and are not tested. `fingerprint` identifies the embedder.
    """

    enrolled: Encodings
    names: tuple[str, ...]
    probes: Encodings
    photos: tuple[LabelledPhoto, ...]
    no_face: Mapping[str | None, int]
    left_out: Mapping[LabelledPhoto, OmissionReason]
    unreadable: tuple[LabelledPhoto, ...]
    fingerprint: str

    @property
    def truth(self) -> tuple[str | None, ...]:
        """The true name for each row of `probes`; None for a stranger."""
        return tuple(photo.name for photo in self.photos)

    def count_left_out(self) -> dict[str, int]:
        """Return the number of photos to enrol that were not, for each reason, as `face-det encode` does."""
        return dict(Counter(reason.value for reason in self.left_out.values()))

    def select_embedder(self, embedder: str) -> EncodedSplit:
        """Return the same split with only one embedder's columns."""
        part = embedding_columns(self.fingerprint)[embedder]
        return replace(self, enrolled=self.enrolled[:, part], probes=self.probes[:, part])

    def count(self, predictions: Predictions) -> OpenSetCounts:
        """Count the outcomes of predictions for `probes`, including tested photos without a face."""
        return count_open_set(self.truth, predictions, self.known_no_face, self.strangers_no_face)

    @property
    def known_no_face(self) -> int:
        """The number of tested photos of enrolled people without a detected face."""
        return sum(count for name, count in self.no_face.items() if name is not None)

    @property
    def enrolled_per_person(self) -> Mapping[str, int]:
        """The number of enrolled photos of each person who has any; the other rows are of strangers."""
        return Counter(name for name in self.names if name != UNKNOWN)

    @property
    def strangers_enrolled(self) -> int:
        """The number of enrolled photos of strangers."""
        return self.names.count(UNKNOWN)

    @property
    def strangers_no_face(self) -> int:
        """The number of tested photos of strangers without a detected face."""
        return self.no_face.get(None, 0)


def collect_encodings(
    split: DatasetSplit,
    outcomes: Mapping[PortraitKey, EncodingResult],
    fingerprint: str,
    *,
    change: str = UNCHANGED_PHOTO,
    enrolled_changes: Sequence[str] = (UNCHANGED_PHOTO,),
) -> EncodedSplit:
    """Combine a split with its encoding outcomes; tested photos are taken after `change`.

    Each photo is enrolled once for every change in `enrolled_changes`, by default only unchanged. Raises
    DataError if no photo to enrol has a face.
    """
    unreadable = dict.fromkeys(
        photo for photo in split.photos if outcomes[photo.path, UNCHANGED_PHOTO].reason in UNREADABLE
    )
    to_enrol = (*split.enrolled, *split.strangers)
    found = [(photo, outcomes[photo.path, name]) for photo in to_enrol for name in enrolled_changes]
    kept = [
        (photo.name or UNKNOWN, result.encoding) for photo, result in found if result.encoding is not None
    ]
    if all(name == UNKNOWN for name, _ in kept):
        raise DataError(f"{split.enrolled[0].path.parent}: must hold photos with a face, got none to enrol")
    tested = [photo for photo in split.tested if photo not in unreadable]
    probes = [(photo, outcomes[photo.path, change].encoding) for photo in tested]
    seen = [(photo, encoding) for photo, encoding in probes if encoding is not None]
    dimensions = len(kept[0][1])
    return EncodedSplit(
        np.array([encoding for _, encoding in kept]),
        tuple(name for name, _ in kept),
        np.array([encoding for _, encoding in seen]).reshape(-1, dimensions),
        tuple(photo for photo, _ in seen),
        Counter(photo.name for photo, encoding in probes if encoding is None),
        {photo: result.reason for photo, result in found if result.reason is not None},
        tuple(unreadable),
        fingerprint,
    )


@dataclass(frozen=True, slots=True)
class RecognitionSettings:
    """The settings with which our recogniser is trained and makes decisions."""

    classifier: str
    """A kind on the menu. For any other, such as `auto`, `template` is trained."""
    embedder: str
    rule: DecisionRule
    false_accept_rate: float = DEFAULT_FALSE_ACCEPT_RATE
    jobs: int = 1
    thorough: bool = True

    def predict(self, model: Model, encoded: EncodedSplit) -> Predictions:
        """Return a model's predictions for the tested faces."""
        encodings = encoded.select_embedder(embedder_from_fingerprint(model.card.fingerprint)).probes
        return predictions_from_matches(model, decide_names(model, encodings, self.rule), encodings)


def train_and_decide(
    encoded: EncodedSplit,
    settings: RecognitionSettings,
    on_progress: Callable[[str, int, int], None] = lambda name, done, total: None,
) -> tuple[Model, Predictions]:
    """Train as `face-det train` does and decide as the daemon does, on an encoded split.

    Returns the model and its predictions for the tested faces. `on_progress` gets (name, done, total).
    """
    result = train_classifiers(
        Gallery.from_rows(list(encoded.enrolled), encoded.names, encoded.fingerprint),
        [settings.classifier if settings.classifier in CLASSIFIERS else TEMPLATE_RECIPE],
        embedder=settings.embedder,
        false_accept_rate=settings.false_accept_rate,
        jobs=settings.jobs,
        thorough=settings.thorough,
        on_progress=on_progress,
    )
    model = result.models[0]
    return model, settings.predict(model, encoded)


def count_same_burst_photos(encoded: EncodedSplit, embedder: str) -> int:
    """Count tested photos that probably come from the same burst as an enrolled photo of the person.

    In frames of one visit neither the pose nor the light changes, so such photos prove little.
    """
    part = encoded.select_embedder(embedder)
    near = burst_distance(part.enrolled, distance_thresholds(embedder))
    known = np.flatnonzero([name is not None for name in part.truth])
    names = np.array([part.truth[row] for row in known], dtype=str)
    seen = in_same_burst(part.probes[known], names, part.enrolled, np.array(part.names), near)
    return int(seen.sum())


def predictions_from_matches(model: Model, matches: Sequence[Match], probes: Encodings) -> Predictions:
    """Convert matches to predictions. The score is the verifier's if there is one, else the probability."""
    people = np.array([column for column, name in enumerate(model.labels) if name != UNKNOWN])
    if model.verifier is None:
        scores = likely = model.proba(probes)[:, people]
    else:
        all_scores = model.verifier.template.scores(probes)
        proba = model.verifier.template.proba_of_scores(all_scores)
        scores, likely = all_scores[:, people], proba[:, people]
    best = scores.argmax(axis=1)
    place = {model.labels[column]: at for at, column in enumerate(people)}
    for row, match in enumerate(matches):
        # A classifier that is not a template may name somebody other than the nearest person.
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
    """Return the columns of each embedder inside a joined embedder's encodings, and those of `both`.

    >>> {name: len(columns) for name, columns in embedding_columns("all:dlib_resnet:1+sface:1").items()}
    {'dlib_resnet': 128, 'sface': 128, 'both': 256}
    """
    places = locate_columns(split_fingerprint(fingerprint))
    found = {name: [*range(place.start, place.stop)] for name, place in places.items()}
    return found | (
        {DLIB_AND_SFACE: found[DLIB_RESNET] + found[SFACE]} if {DLIB_RESNET, SFACE} <= found.keys() else {}
    )
