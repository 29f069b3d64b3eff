"""Findings about the photos of a dataset: what is wrong, how sure that is, and what to do about it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum
from pathlib import Path

import numpy as np

from face_det.embedders import expected_distances
from face_det.gallery.check import copies
from face_det.gallery.check import misplaced as check_people
from face_det.gallery.check import quality as check_photos
from face_det.gallery.check.facts import PhotoFacts
from face_det.gallery.check.misplaced import LookAlikePair, MisplacedPhoto, MixedPerson, PersonDistances
from face_det.gallery.encoding_cache import OmissionReason
from face_det.types import UNKNOWN, Encodings

_MAX_NAMED = 6
"""At most this many photos are named in one finding."""


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
    """A photo of a dataset, as far as the check needs to know it.

    `name` is the person whose folder it is in; `omission` says why it has no encoding; `facts` describe
    its face and picture; `closed` is the system's reason for not opening the file; `link` is true
    if it is a symbolic link.
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
    """Something about a photo or a person that the user should look at.

    - `path`: the photo; None if the finding is about a person.
    - `sure`: a probability for misplaced, not_a_stranger, mixed and one_person; the share of photo pairs
      that cannot be told apart for look_alike; the similarity for near_duplicate (PhotoCopy.alike); 1.0
      for facts.
    - `what`, `todo`: what was found, and what to do about it, for the user.
    - `other`: the more likely person, or the second of two people.
    - `related`: another photo that the finding is about.
    - `wrong`: how sure it is that the photo should go, if that differs from `sure`; 0.0 means no reason
      to remove it.
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
    """Return all findings, in the order of FindingKind, then by person and path.

    `encodings` has one row for each photo without an omission, in the same order, made by `embedder`.
    At `even_distance`, two photos are equally likely to show one person or two (embedders.specs). Raises
    ValueError if there is not one row for each of those photos.

    >>> photo = CheckedPhoto("anna", Path("anna/1.jpg"), "a hash", None, None)
    >>> for finding in find_problems([photo], np.zeros((1, 128)), embedder="sface", even_distance=1.128):
    ...     print(finding.kind.value, finding.what, sep=": ")
    too_few: 1 usable photo; 5 are good
    """
    encoded = [photo for photo in photos if photo.omission is None]
    if len(encoded) != len(encodings):
        raise ValueError(
            f"encodings: must hold one for each photo with a face, got {len(encodings)} for {len(encoded)}"
        )
    expected = expected_distances(embedder)
    # A second copy of a file must not vouch for the first.
    first = _first_of_each(encoded)
    rows = np.asarray(encodings)[np.array(first, dtype=np.intp)]
    distances = PersonDistances(rows, [encoded[at].name for at in first], expected)
    seen = [encoded[at] for at in first]
    misplaced, mixed = check_people.find_misplaced(distances)
    found = [_misplaced_finding(seen, one) for one in misplaced]
    found += [_stranger_finding(seen, one) for one in check_people.find_enrolled_strangers(distances)]
    found += [_mixed_finding(seen, person) for person in mixed]
    found += [
        _look_alike_finding(seen, pair) for pair in check_people.find_look_alikes(distances, even_distance)
    ]
    found += _copy_findings(photos, encodings, expected.same.middle)
    found += _shared_findings(photos, found)
    found += _poor_findings(photos)
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
    """Return the indices of the photos, dropping a person's further copies of a file; links count last."""
    first: dict[tuple[str, str], int] = {}
    for at in sorted(range(len(photos)), key=lambda at: photos[at].link):
        first.setdefault((photos[at].name, photos[at].sha256 or str(photos[at].path)), at)
    return sorted(first.values())


def _misplaced_finding(photos: Sequence[CheckedPhoto], misplaced: MisplacedPhoto) -> Finding:
    photo = photos[misplaced.index]
    if misplaced.likely is not None:
        what, todo = f"is likely {misplaced.likely}", f"move it to {misplaced.likely}/, or delete it"
    else:
        what = f"does not look like {photo.name}'s other photos"
        todo = f"look at it, and delete it if it is not {photo.name}"
    return Finding(
        FindingKind.MISPLACED,
        photo.name,
        photo.path,
        misplaced.probability,
        what,
        todo,
        other=misplaced.likely,
    )


def _stranger_finding(photos: Sequence[CheckedPhoto], misplaced: MisplacedPhoto) -> Finding:
    photo = photos[misplaced.index]
    return Finding(
        FindingKind.NOT_A_STRANGER,
        photo.name,
        photo.path,
        misplaced.probability,
        f"is among the strangers but is likely {misplaced.likely}",
        f"if it is {misplaced.likely}, move it there: here it makes them look like a stranger",
        other=misplaced.likely,
    )


def _mixed_finding(photos: Sequence[CheckedPhoto], mixed: MixedPerson) -> Finding:
    paths = [photos[index].path for index in mixed.indices]
    shown = [path.name for path in paths[:_MAX_NAMED]] + ["..."] * (len(paths) > _MAX_NAMED)
    return Finding(
        FindingKind.MIXED,
        mixed.name,
        None,
        mixed.probability,
        f"photos do not agree, as if they showed different people: {', '.join(shown)}",
        "look at them, and add photos: once three agree, the wrong ones show up",
        related=paths[0],
    )


def _look_alike_finding(photos: Sequence[CheckedPhoto], pair: LookAlikePair) -> Finding:
    one, other = pair.names
    nearest = [photos[index].path for index in pair.nearest]
    if pair.one_person >= check_people.REPORTED_FROM:
        kind, sure = FindingKind.ONE_PERSON, pair.one_person
        what = f"is likely the same person as {other}"
        todo = "if so, put all photos into one folder; if they are two, each takes the other's faces"
    else:
        kind, sure = FindingKind.LOOK_ALIKE, pair.share
        what = f"{pair.share:.0%} of comparisons with {other} look like one person's"
        todo = "add photos of both as your cameras see them; be careful with either name"
    what += f" (nearest: {nearest[0].name}, {nearest[1].name})"
    return Finding(kind, one, None, sure, what, todo, other=other, related=nearest[0])


def _copy_findings(photos: Sequence[CheckedPhoto], encodings: Encodings, usual: float) -> list[Finding]:
    rows = np.full((len(photos), np.asarray(encodings).shape[1]), np.nan)
    rows[[at for at, photo in enumerate(photos) if photo.omission is None]] = encodings
    found = []
    for name in sorted({photo.name for photo in photos}):
        at = [index for index, photo in enumerate(photos) if photo.name == name]
        own = [photos[index] for index in at]
        facts = [photo.facts for photo in own]
        found_here = copies.find_copies(
            [photo.sha256 or str(photo.path) for photo in own],
            [None if one is None else one.picture_hash for one in facts],
            rows[at],
            np.array([0.0 if one is None else check_photos.rate_quality(one) for one in facts]),
            [photo.link for photo in own],
            usual=usual,
        )
        for copy in found_here:
            found.append(_copy_finding(own[copy.index], own[copy.kept], copy))
    return found


def _copy_finding(photo: CheckedPhoto, kept: CheckedPhoto, copy: copies.PhotoCopy) -> Finding:
    if photo.sha256 == kept.sha256:
        kind, what = FindingKind.DUPLICATE, "is the same file as"
        todo = "delete one: it counts twice in training"
    elif copy.picture:
        kind, what, todo = FindingKind.NEAR_DUPLICATE, "is the same picture as", "keep the better one"
    else:
        kind, what = FindingKind.NEAR_DUPLICATE, "shows the same moment as"
        todo = "photos from other days and in other light help more"
    return Finding(
        kind, photo.name, photo.path, copy.alike, f"{what} {kept.path.name}", todo, related=kept.path
    )


def _shared_findings(photos: Sequence[CheckedPhoto], found: Sequence[Finding]) -> list[Finding]:
    """Find files that are in the folders of two people; `wrong` is set where one is also misplaced."""
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
            f"is also in {other.name}/" if other.name != UNKNOWN else "is also among the strangers",
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


def _poor_findings(photos: Sequence[CheckedPhoto]) -> list[Finding]:
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
