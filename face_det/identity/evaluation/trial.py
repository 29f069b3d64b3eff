"""A split with its encodings, and what our own decision says about it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from face_det.errors import DataError
from face_det.faces import UNKNOWN, Encodings, Match
from face_det.identity import decision, training
from face_det.identity.cache import Outcome
from face_det.identity.evaluation.figures import Answers
from face_det.identity.evaluation.portraits import PLAIN, Key
from face_det.identity.evaluation.protocol import Photo, Split
from face_det.identity.gallery import Gallery
from face_det.identity.model import Model


@dataclass(frozen=True, eq=False)
class Trial:
    """Encodings to enrol and to ask about, with their names; Unknown's are in `enrolled` too.

    `truth` has an entry for each row of `asked`, None for a stranger. `no_face` counts photos tested
    in which no face was found, by name, None for strangers; `left_out` those not enrolled for that.
    """

    enrolled: Encodings
    names: tuple[str, ...]
    asked: Encodings
    truth: tuple[str | None, ...]
    no_face: Mapping[str | None, int]
    left_out: tuple[Photo, ...]

    @property
    def known_no_face(self) -> int:
        """Photos of people enrolled without a face."""
        return sum(count for name, count in self.no_face.items() if name is not None)

    @property
    def strangers_no_face(self) -> int:
        """Photos of strangers without a face."""
        return self.no_face.get(None, 0)


def trial(split: Split, outcomes: Mapping[Key, Outcome], change: str = PLAIN) -> Trial:
    """What a split came to, with what `change` made of the photos tested; those enrolled are plain.

    DataError if no photo to enrol has a face.
    """
    taught = [*split.enrolled, *split.strangers]
    found = [(photo, outcomes[photo.path, PLAIN].encoding) for photo in taught]
    kept = [(photo.name or UNKNOWN, encoding) for photo, encoding in found if encoding is not None]
    if all(name == UNKNOWN for name, _ in kept):
        raise DataError(f"{split.enrolled[0].path.parent}: must hold photos with a face, got none to enrol")
    asked = [(photo.name, outcomes[photo.path, change].encoding) for photo in split.tested]
    seen = [(name, encoding) for name, encoding in asked if encoding is not None]
    dimensions = len(kept[0][1])
    return Trial(
        np.array([encoding for _, encoding in kept]),
        tuple(name for name, _ in kept),
        np.array([encoding for _, encoding in seen]).reshape(-1, dimensions),
        tuple(name for name, _ in seen),
        Counter(name for name, encoding in asked if encoding is None),
        tuple(photo for photo, encoding in found if encoding is None),
    )


@dataclass(frozen=True, slots=True)
class Settings:
    """What our decision is trained and asked with."""

    classifier: str
    embedder: str
    min_proba: float
    jobs: int = 1
    thorough: bool = True


def ours(
    given: Trial,
    settings: Settings,
    on_progress: Callable[[str, int, int], None] = lambda name, done, total: None,
) -> tuple[Model, Answers]:
    """Train as `face-det train` does and decide as the daemon does, on the encodings of a trial."""
    result = training.train(
        Gallery(given.enrolled, given.names),
        [settings.classifier],
        fingerprint=None,
        jobs=settings.jobs,
        thorough=settings.thorough,
        on_progress=on_progress,
    )
    model = result.models[0]
    return model, answers(model, decision.decide(model, given.asked, settings.min_proba), given.asked)


def answers(model: Model, matches: Sequence[Match], asked: Encodings) -> Answers:
    """Matches as a rule's answers: the likeliest person's probability is the score."""
    proba = model.proba(asked)
    people = [column for column, name in enumerate(model.labels) if name != UNKNOWN]
    best = proba[:, people].argmax(axis=1)
    top = [model.labels[column] for column in proba.argmax(axis=1)]
    return Answers(
        likeliest=tuple(model.labels[people[column]] for column in best),
        score=proba[np.arange(len(proba)), np.array(people)[best]],
        named=np.array([match.name not in (None, UNKNOWN) for match in matches], dtype=np.bool_),
        uncertain=np.zeros(len(matches), dtype=np.bool_),
        probability=np.array([match.probability or 0.0 for match in matches]),
        answer=tuple(None if name == UNKNOWN else name for name in top),
    )
