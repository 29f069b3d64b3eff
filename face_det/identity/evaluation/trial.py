"""A split with its encodings, and what our own decision says about it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from face_det.classifiers.moments import again
from face_det.classifiers.template import burst
from face_det.errors import DataError
from face_det.faces import UNKNOWN, Encodings, Match
from face_det.faces import Outcome as Verdict
from face_det.geometry import GEOMETRY
from face_det.identity import decision, encodings_file, training
from face_det.identity.cache import Omission, Outcome
from face_det.identity.decision import Rule
from face_det.identity.evaluation.figures import Answers
from face_det.identity.evaluation.portraits import PLAIN, Key
from face_det.identity.evaluation.protocol import Photo, Split
from face_det.identity.fingerprints import BOTH, DLIB, SFACE, embedder_of, parts
from face_det.identity.gallery import Gallery
from face_det.identity.model import Model


@dataclass(frozen=True, eq=False)
class Trial:
    """Encodings to enrol and to ask about, with their names; Unknown's are in `enrolled` too.

    `photos` has an entry for each row of `asked`. `no_face` counts photos tested in which no face was
    found, by name, None for strangers; `left_out` are those not enrolled for that. `unreadable` are
    no pictures, and in neither. `fingerprint` is the embedder's.
    """

    enrolled: Encodings
    names: tuple[str, ...]
    asked: Encodings
    photos: tuple[Photo, ...]
    no_face: Mapping[str | None, int]
    left_out: tuple[Photo, ...]
    unreadable: tuple[Photo, ...]
    fingerprint: str

    @property
    def truth(self) -> tuple[str | None, ...]:
        """Who is on each row of `asked`; None is a stranger."""
        return tuple(photo.name for photo in self.photos)

    def of(self, embedder: str) -> Trial:
        """The same with one embedder's encodings only."""
        part = columns(self.fingerprint)[embedder]
        return replace(self, enrolled=self.enrolled[:, part], asked=self.asked[:, part])

    @property
    def known_no_face(self) -> int:
        """Photos of people enrolled without a face."""
        return sum(count for name, count in self.no_face.items() if name is not None)

    @property
    def strangers_no_face(self) -> int:
        """Photos of strangers without a face."""
        return self.no_face.get(None, 0)


def trial(
    split: Split,
    outcomes: Mapping[Key, Outcome],
    fingerprint: str,
    *,
    change: str = PLAIN,
    taught: Sequence[str] = (PLAIN,),
) -> Trial:
    """What a split came to, with what `change` made of the photos tested.

    Those enrolled are plain, or each is there as often as `taught` names a change. DataError if no
    photo to enrol has a face.
    """
    unreadable = dict.fromkeys(
        photo for photo in split.photos if outcomes[photo.path, PLAIN].reason is Omission.BAD_IMAGE
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
    return Trial(
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
class Settings:
    """What our decision is trained and asked with."""

    classifier: str
    embedder: str
    rule: Rule
    false_accept_rate: float = 0.002
    jobs: int = 1
    thorough: bool = True

    def asked(self, model: Model, given: Trial) -> Answers:
        """What a model says about the faces of a trial."""
        encodings = given.of(embedder_of(model.card.fingerprint)).asked
        return answers(model, decision.decide(model, encodings, self.rule), encodings)


def ours(
    given: Trial,
    settings: Settings,
    on_progress: Callable[[str, int, int], None] = lambda name, done, total: None,
) -> tuple[Model, Answers]:
    """Train as `face-det train` does and decide as the daemon does, on the encodings of a trial."""
    result = training.train(
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


def of_enrolled_moments(given: Trial, embedder: str) -> int:
    """How many photos tested are so near to an enrolled one of the same person that the two are likely of
    one moment: frames of one visit, in which nobody turns or the light changes. They prove little."""
    part = given.of(embedder)
    near = burst(part.enrolled, GEOMETRY[embedder])
    known = np.flatnonzero([name is not None for name in part.truth])
    whose = np.array([part.truth[row] for row in known], dtype=str)
    seen = again(part.asked[known], whose, part.enrolled, np.array(part.names), near)
    return int(seen.sum())


def answers(model: Model, matches: Sequence[Match], asked: Encodings) -> Answers:
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
    return Answers(
        likeliest=likeliest,
        score=scores[rows, best],
        named=np.array([match.name not in (None, UNKNOWN) for match in matches], dtype=np.bool_),
        uncertain=np.array(
            [match.outcome is Verdict.UNCERTAIN and bool(match.candidates) for match in matches],
            dtype=np.bool_,
        ),
        likely=likely[rows, best],
        probability=np.array([match.probability or 0.0 for match in matches]),
        answer=tuple(
            None if match.name == UNKNOWN else match.name or name
            for match, name in zip(matches, likeliest, strict=True)
        ),
    )


def columns(fingerprint: str) -> dict[str, list[int]]:
    """Where each embedder's numbers are in rows of an embedder that is made of them, and those of `both`."""
    places = encodings_file.columns(parts(fingerprint))
    found = {name: [*range(place.start, place.stop)] for name, place in places.items()}
    return found | ({BOTH: found[DLIB] + found[SFACE]} if {DLIB, SFACE} <= found.keys() else {})
