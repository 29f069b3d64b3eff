"""What is wrong with the photos of a dataset: findings, each with how sure it is and what to do about it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum
from pathlib import Path

import numpy as np

from face_det.embedders import EXPECTED_DISTANCES
from face_det.gallery.check import copies
from face_det.gallery.check import people as check_people
from face_det.gallery.check import photos as check_photos
from face_det.gallery.check.facts import PhotoFacts
from face_det.gallery.check.people import LookAlikePair, MisplacedPhoto, MixedPerson, PersonDistances
from face_det.gallery.encoding_cache import OmissionReason
from face_det.types import UNKNOWN, Encodings

_MAX_NAMED = 6
"""Of many photos, so many are named."""


class FindingKind(str, Enum):
    """What a finding is about; the values are those of --kind and --json."""

    MISPLACED = "misplaced"
    NOT_A_STRANGER = "not_a_stranger"
    MIXED = "mixed"
    ONE_PERSON = "one_person"
    LOOK_ALIKE = "look_alike"
    UNREADABLE = "unreadable"
    DUPLICATE = "duplicate"
    SHARED = "shared"
    NEAR_DUPLICATE = "near_duplicate"
    NO_FACE = "no_face"
    SEVERAL_FACES = "several_faces"
    SMALL_FACE = "small_face"
    BLURRY = "blurry"
    TOO_FEW = "too_few"


@dataclass(frozen=True, slots=True)
class CheckedPhoto:
    """A photo of a dataset: whose folder it lies in, why it has no encoding, and what is seen of it.

    `closed` is why the file cannot be opened, by the system's words; `link` whether it is a link.
    """

    name: str
    path: Path
    sha256: str
    omission: OmissionReason | None
    facts: PhotoFacts | None
    closed: str | None = None
    link: bool = False


@dataclass(frozen=True, slots=True)
class Finding:
    """Something to look at.

    `path` is None where it is about a person and not a photo. `sure` is a probability for misplaced,
    not_a_stranger, mixed and one_person; the share of pairs of photos that cannot be told apart for
    look_alike; how alike they are for near_duplicate (check_copies.Copy); 1.0 for what is a fact.
    `other` is whose the photo is more likely, or the second person; `related` another photo it is about.
    `wrong` is how sure it is that the photo should go, if that is not `sure`: 0.0 where nothing says so.
    """

    kind: FindingKind
    person: str
    path: Path | None
    sure: float
    what: str
    todo: str
    other: str | None = None
    related: Path | None = None
    wrong: float | None = None


def find_problems(
    photos: Sequence[CheckedPhoto], encodings: Encodings, *, embedder: str, even_distance: float
) -> list[Finding]:
    """Everything that is found, in the order of Kind, then by person and path.

    `encodings` has a row for each photo without an omission, in their order, made by `embedder`;
    `even_distance` is where two photos are as likely of one person as of two (geometry.py).
    """
    encoded = [photo for photo in photos if photo.omission is None]
    if len(encoded) != len(encodings):
        raise ValueError(
            f"encodings: must be one a photo with a face, got {len(encodings)} for {len(encoded)}"
        )
    expected = EXPECTED_DISTANCES[embedder]
    # The same file twice must not vouch for itself.
    first = _first_of_each(encoded)
    rows = np.asarray(encodings)[np.array(first, dtype=np.intp)]
    crowd = PersonDistances(rows, [encoded[at].name for at in first], expected)
    seen = [encoded[at] for at in first]
    verdicts, mixed = check_people.find_misplaced(crowd)
    found = [_misplaced(seen, verdict) for verdict in verdicts]
    found += [_not_a_stranger(seen, verdict) for verdict in check_people.find_enrolled_strangers(crowd)]
    found += [_mixed(seen, person) for person in mixed]
    found += [_look_alike(seen, pair) for pair in check_people.find_look_alikes(crowd, even_distance)]
    found += _copies(photos, encodings, expected.same.middle)
    found += _shared(photos, found)
    found += _poor(photos)
    useless = {
        finding.path for finding in found if finding.kind in (FindingKind.MISPLACED, FindingKind.DUPLICATE)
    }
    usable = [photo.name for photo in encoded if photo.path not in useless]
    for name in sorted({photo.name for photo in photos}):
        if (few := check_photos.describe_too_few(name, usable.count(name))) is not None:
            found.append(Finding(FindingKind.TOO_FEW, name, None, 1.0, *few))
    order = list(FindingKind)
    return sorted(found, key=lambda one: (order.index(one.kind), one.person, str(one.path or "")))


def _first_of_each(photos: Sequence[CheckedPhoto]) -> list[int]:
    """Indices without the second of two equal files of a person: the one that is kept speaks for them."""
    first: dict[tuple[str, str], int] = {}
    for at in sorted(range(len(photos)), key=lambda at: photos[at].link):
        first.setdefault((photos[at].name, photos[at].sha256 or str(photos[at].path)), at)
    return sorted(first.values())


def _misplaced(photos: Sequence[CheckedPhoto], verdict: MisplacedPhoto) -> Finding:
    photo = photos[verdict.index]
    if verdict.likely is not None:
        what, todo = f"is likely {verdict.likely}", f"move it to {verdict.likely}/, or delete it"
    else:
        what, todo = f"does not look like {photo.name}'s other photos", "look at it; delete it if it is not"
    return Finding(
        FindingKind.MISPLACED, photo.name, photo.path, verdict.probability, what, todo, other=verdict.likely
    )


def _not_a_stranger(photos: Sequence[CheckedPhoto], verdict: MisplacedPhoto) -> Finding:
    photo = photos[verdict.index]
    return Finding(
        FindingKind.NOT_A_STRANGER,
        photo.name,
        photo.path,
        verdict.probability,
        f"lies among the strangers and is likely {verdict.likely}",
        f"if it is {verdict.likely}, move it there: as a stranger it makes them be taken for one",
        other=verdict.likely,
    )


def _mixed(photos: Sequence[CheckedPhoto], mixed: MixedPerson) -> Finding:
    paths = [photos[index].path for index in mixed.indices]
    shown = [path.name for path in paths[:_MAX_NAMED]] + ["..."] * (len(paths) > _MAX_NAMED)
    return Finding(
        FindingKind.MIXED,
        mixed.name,
        None,
        mixed.probability,
        f"photos do not agree, as if of different people: {', '.join(shown)}",
        "look at them, and add photos: with three that agree it can be said which are wrong",
        related=paths[0],
    )


def _look_alike(photos: Sequence[CheckedPhoto], pair: LookAlikePair) -> Finding:
    one, other = pair.names
    nearest = [photos[index].path for index in pair.nearest]
    if pair.one_person >= check_people.REPORTED_FROM:
        kind, sure = FindingKind.ONE_PERSON, pair.one_person
        what = f"is likely the same person as {other}"
        todo = "put all photos into one folder if it is; each takes the other's faces"
    else:
        kind, sure = FindingKind.LOOK_ALIKE, pair.share
        what = f"{pair.share:.0%} of comparisons with {other} cannot be told from one person's"
        todo = "more photos of both as the cameras see them; be slow to act on either name"
    what += f" (nearest: {nearest[0].name}, {nearest[1].name})"
    return Finding(kind, one, None, sure, what, todo, other=other, related=nearest[0])


def _copies(photos: Sequence[CheckedPhoto], encodings: Encodings, usual: float) -> list[Finding]:
    rows = np.full((len(photos), np.asarray(encodings).shape[1]), np.nan)
    rows[[at for at, photo in enumerate(photos) if photo.omission is None]] = encodings
    found = []
    for name in sorted({photo.name for photo in photos}):
        at = [index for index, photo in enumerate(photos) if photo.name == name]
        own = [photos[index] for index in at]
        facts = [photo.facts for photo in own]
        found_here = copies.find_copies(
            [photo.sha256 or str(photo.path) for photo in own],
            [None if one is None else one.signs for one in facts],
            rows[at],
            np.array([0.0 if one is None else check_photos.rate_quality(one) for one in facts]),
            [photo.link for photo in own],
            usual=usual,
        )
        for copy in found_here:
            found.append(_copy(own[copy.index], own[copy.kept], copy))
    return found


def _copy(photo: CheckedPhoto, kept: CheckedPhoto, copy: copies.PhotoCopy) -> Finding:
    if photo.sha256 == kept.sha256:
        kind, what, todo = (
            FindingKind.DUPLICATE,
            "is the same file as",
            "delete one: it counts twice in training",
        )
    elif copy.picture:
        kind, what, todo = FindingKind.NEAR_DUPLICATE, "is the same picture as", "keep the better one"
    else:
        kind, what, todo = (
            FindingKind.NEAR_DUPLICATE,
            "is of the same moment as",
            "other days and light say more",
        )
    return Finding(
        kind, photo.name, photo.path, copy.alike, f"{what} {kept.path.name}", todo, related=kept.path
    )


def _shared(photos: Sequence[CheckedPhoto], found: Sequence[Finding]) -> list[Finding]:
    """One file in the folders of two people. It should go from where it is also found not to belong."""
    wrong = {
        one.path: one.sure for one in found if one.kind in (FindingKind.MISPLACED, FindingKind.NOT_A_STRANGER)
    }
    owners: dict[str, dict[str, CheckedPhoto]] = {}
    for photo in sorted(photos, key=lambda photo: photo.link):
        if photo.sha256:
            owners.setdefault(photo.sha256, {}).setdefault(photo.name, photo)
    return [
        Finding(
            FindingKind.SHARED,
            photo.name,
            photo.path,
            1.0,
            f"lies under {other.name}, too" if other.name != UNKNOWN else "lies among the strangers, too",
            "delete it where it does not belong",
            other=other.name,
            related=other.path,
            wrong=wrong.get(photo.path, 0.0),
        )
        for people in owners.values()
        if len(people) > 1
        for photo in people.values()
        for other in people.values()
        if photo is not other
    ]


def _poor(photos: Sequence[CheckedPhoto]) -> list[Finding]:
    seen = [(photo.closed, photo.omission, photo.facts) for photo in photos]
    return [
        Finding(
            FindingKind(poor.kind),
            photos[poor.index].name,
            photos[poor.index].path,
            1.0,
            poor.what,
            poor.todo,
            wrong=None if poor.own else 0.0,
        )
        for poor in check_photos.find_poor_photos(seen)
    ]
