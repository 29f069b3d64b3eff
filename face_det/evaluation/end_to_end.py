"""What callers get: each tested photo's own face, after every gate, named as the daemon names it."""

from __future__ import annotations

import itertools
import math
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from face_det.embedders import embedder_from_fingerprint
from face_det.engine import EngineOptions, reject_unfit
from face_det.evaluation.metrics import Proportion
from face_det.evaluation.open_set import embedding_columns
from face_det.evaluation.protocol import LabelledPhoto
from face_det.gallery import PhotoFaces
from face_det.recognition import DecisionRule, Model, assign_faces, match_faces
from face_det.types import UNKNOWN, Box, Face, Match, Reason

QUALITY_BANDS = (0.0, 0.2, 0.5, 0.8, 0.95, 1.0)
"""The limits between the bands of quality that are counted apart."""

LOST_REASONS = {
    Reason.NO_FACE: "no face found",
    Reason.TOO_SMALL: "too small",
    Reason.TOO_BLURRY: "too blurry",
}
"""The reasons for which a face never gets to the decision, in words."""


@dataclass(frozen=True, slots=True)
class EndToEndCounts:
    """How many photos of known people and of strangers were answered how.

    `unnamed` counts the photos of known people, and `strangers_unnamed` those of strangers, that got no name,
    by reason. `unknown` and `strangers_unknown` count those that were called Unknown.
    """

    right: int
    wrong: int
    unknown: int
    strangers_named: int
    strangers_unknown: int
    unnamed: Mapping[Reason, int] = field(default_factory=dict)
    strangers_unnamed: Mapping[Reason, int] = field(default_factory=dict)

    @property
    def known(self) -> int:
        """All photos of known people."""
        return self.right + self.wrong + self.unknown + sum(self.unnamed.values())

    @property
    def strangers(self) -> int:
        """All photos of strangers."""
        return self.strangers_named + self.strangers_unknown + sum(self.strangers_unnamed.values())

    @property
    def lost(self) -> dict[Reason, int]:
        """The photos of known people that never got to the decision, by reason."""
        return {reason: self.unnamed[reason] for reason in LOST_REASONS if self.unnamed.get(reason)}

    def proportions(self) -> Iterator[tuple[str, Proportion]]:
        """Yield the rows of the table: a label and its proportion."""
        words = {Reason.UNRECOGNISED: "unrecognised", **LOST_REASONS}
        yield "known, named rightly", Proportion(self.right, self.known)
        yield "known, named wrongly", Proportion(self.wrong, self.known)
        yield "known, called Unknown", Proportion(self.unknown, self.known)
        for reason, label in words.items():
            yield f"known, {label}", Proportion(self.unnamed.get(reason, 0), self.known)
        unnamed = sum(self.strangers_unnamed.values())
        yield "strangers, named", Proportion(self.strangers_named, self.strangers)
        yield "strangers, called Unknown", Proportion(self.strangers_unknown, self.strangers)
        yield "strangers, not named", Proportion(unnamed, self.strangers)


@dataclass(frozen=True, eq=False)
class EndToEnd:
    """The answers for the tested photos: for each, the match of the face that is the person's own.

    `qualities` are those of the same faces; None where there is no face.
    """

    photos: tuple[LabelledPhoto, ...]
    matches: tuple[Match, ...]
    qualities: tuple[float | None, ...]

    def between(self, low: float, high: float) -> EndToEnd:
        """Return the answers about faces whose quality is `low` or more, and below `high`."""
        rows = [
            row for row, quality in enumerate(self.qualities) if quality is not None and low <= quality < high
        ]
        return EndToEnd(
            tuple(self.photos[row] for row in rows),
            tuple(self.matches[row] for row in rows),
            tuple(self.qualities[row] for row in rows),
        )

    def by_quality(self) -> Iterator[tuple[str, EndToEndCounts]]:
        """Count the answers in each band of quality that has any, the worst first."""
        for low, high in itertools.pairwise(QUALITY_BANDS):
            band = self.between(low, math.inf if high == QUALITY_BANDS[-1] else high)
            if band.photos:
                yield f"{low:g} to {high:g}", band.counts

    @property
    def counts(self) -> EndToEndCounts:
        """How many photos were answered how."""
        found: Counter[str] = Counter()
        unnamed: dict[bool, Counter[Reason]] = {True: Counter(), False: Counter()}
        for photo, match in zip(self.photos, self.matches, strict=True):
            known = photo.name is not None
            if match.name is None:
                assert match.reason is not None
                unnamed[known][match.reason] += 1
            elif match.name == UNKNOWN:
                found["unknown" if known else "strangers_unknown"] += 1
            elif known:
                found["right" if match.name == photo.name else "wrong"] += 1
            else:
                found["strangers_named"] += 1
        return EndToEndCounts(
            found["right"],
            found["wrong"],
            found["unknown"],
            found["strangers_named"],
            found["strangers_unknown"],
            dict(unnamed[True]),
            dict(unnamed[False]),
        )

    @property
    def mistakes(self) -> Iterator[tuple[LabelledPhoto, str, float]]:
        """Yield each wrongly named photo, the name it got, and the claimed probability."""
        for photo, match in zip(self.photos, self.matches, strict=True):
            if match.name is not None and match.name not in (UNKNOWN, photo.name):
                yield photo, match.name, match.probability or 0.0


def answer_photos(
    photos: Sequence[LabelledPhoto],
    found: Sequence[PhotoFaces],
    fingerprint: str,
    model: Model,
    rule: DecisionRule,
    options: EngineOptions,
) -> EndToEnd:
    """Answer each photo with its own face, which is the one of a person whose box is the whole picture.

    `found` holds the faces of each photo, blurry ones included, and `fingerprint` is that of their encodings.
    The limits on the size and the sharpness of a face are those in `options`.
    """
    columns = embedding_columns(fingerprint)[embedder_from_fingerprint(model.card.fingerprint)]
    faces = [
        [_select_columns(reject_unfit(face, options), columns) for face in photo.faces] for photo in found
    ]
    frames = [number for number, here in enumerate(faces) for _ in here]
    matches = iter(match_faces(model, rule, [face for here in faces for face in here], frames))
    answers, qualities = [], []
    for photo, here in zip(found, faces, strict=True):
        matched = [next(matches) for _ in here]
        person = Box(0, 0, photo.width, photo.height)
        (own,) = assign_faces([person], [[face.box for face in here]], [0])
        answers.append(Match(None, None, Reason.NO_FACE) if own is None else matched[own])
        qualities.append(None if own is None else here[own].quality)
    return EndToEnd(tuple(photos), tuple(answers), tuple(qualities))


def join_answers(parts: Iterable[EndToEnd]) -> EndToEnd:
    """Join the answers of several tests.

    >>> join_answers([]).counts.known
    0
    """
    parts = list(parts)
    return EndToEnd(
        tuple(photo for part in parts for photo in part.photos),
        tuple(match for part in parts for match in part.matches),
        tuple(quality for part in parts for quality in part.qualities),
    )


def explain_losses(counts: EndToEndCounts) -> str:
    """Say how many photos of known people never got to the decision, and why.

    >>> explain_losses(EndToEndCounts(97, 0, 0, 0, 0, {Reason.NO_FACE: 2, Reason.TOO_SMALL: 1}))
    'Of 100 photos of known people, 3 were lost before the decision: 2 no face found, 1 too small.'
    """
    photos = "1 photo" if counts.known == 1 else f"{counts.known:,} photos"
    total = sum(counts.lost.values())
    if not total:
        return f"Of {photos} of known people, none was lost before the decision."
    reasons = ", ".join(f"{count:,} {LOST_REASONS[reason]}" for reason, count in counts.lost.items())
    return (
        f"Of {photos} of known people, {total:,} {'was' if total == 1 else 'were'} lost before the decision: "
        f"{reasons}."
    )


def _select_columns(face: Face, columns: Sequence[int]) -> Face:
    """Keep those columns of the face's encoding, which are the ones that the model takes."""
    if face.encoding is None:
        return face
    return replace(face, encoding=face.encoding[list(columns)])
