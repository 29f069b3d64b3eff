"""Sorts crops by who they show, and chooses the best: everything that needs all pictures to have been seen.

Crops wait in a hidden folder of the output, a file for each picture. When all pictures were seen, a plan is
written that says where each crop belongs; then it is carried out, and repeating that is harmless. Later runs
continue from the plan: new faces join the groups that are there, and nothing is moved that was sorted before.
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np

from face_det.errors import DataError
from face_det.extraction.crops import Crop
from face_det.extraction.output import Output, picture_stem
from face_det.extraction.pictures import Picture
from face_det.gallery import check_person_name
from face_det.sightings import NOBODY, choose_different, recluster, unknown_id
from face_det.storage import make_folder, report_write_errors, write_atomically
from face_det.training import cluster_parameters
from face_det.types import UNKNOWN, Match, Outcome

STAGING = ".face_det-sorting"
"""The hidden folder of the output in which crops wait."""
PLAN = "plan.json"
SINGLE, NO_FACE, UNCLEAR = "@single", "@no-face", "@unclear"
"""Folders of strangers who were seen once, of persons without a face, and of faces that resemble nobody and
are too poor to tell. Like `unknown-3`, none is a name that a person may have."""
UNKNOWN_QUALITY = 0.5
_VERSION = 1


@dataclass(frozen=True, slots=True)
class SortOptions:
    """How crops are sorted.

    With `by_person`, they go into a folder for each person. With `best`, only so many of each person are kept
    or, with `per_visit`, of each person's visit.
    """

    by_person: bool = False
    best: int | None = None
    per_visit: bool = False

    @property
    def needs_all(self) -> bool:
        """Tell whether crops have to wait until all pictures were seen."""
        return self.by_person or self.best is not None


@dataclass(frozen=True, slots=True)
class SortedCrop:
    """A crop and what was decided about it.

    `staged` is the file that it waits in, at the place `index`. `number` is that of the person in the picture
    `source`, of whom there may be several crops. `name` is what the model says, `group` the
    number of a stranger. `encoding` is float32 in base64, None without a face. `chosen` tells whether it is
    kept, and `folder` where, None for the output folder itself.
    """

    staged: str
    index: int
    stem: str
    source: str
    number: int
    visit: str
    kind: str
    name: str | None
    encoding: str | None
    norm: float | None
    quality: float | None
    group: int = NOBODY
    folder: str | None = None
    chosen: bool = False

    @property
    def vector(self) -> np.ndarray[Any, np.dtype[np.float32]]:
        """The encoding, shape (dimensions,)."""
        return np.frombuffer(base64.b64decode(self.encoding or ""), "<f4")


class Sorter:
    """Keeps crops until all pictures were seen, then sorts them into the output."""

    def __init__(self, output: Output, options: SortOptions, fingerprint: str) -> None:
        """Continue with what an earlier run has left. `fingerprint` is that of the encodings.

        Raises CannotWrite, and DataError if the plan cannot be read.
        """
        self._output, self._options, self._fingerprint = output, options, fingerprint
        self._folder = output.folder / STAGING
        if self._folder.is_symlink():
            raise DataError(f"{self._folder}: must be a folder of face-det's, got a link; remove it")
        with report_write_errors(self._folder):
            make_folder(self._folder)
        # Without its journal, a run starts from the beginning: the names of before may be another model's.
        self._sorted, pending = ([], False) if output.is_new else self._read_plan()
        self._taken = _numbers_in(output.folder)
        if pending:
            self._carry_out()

    def keep(self, picture: Picture, version: str, crops: Sequence[Crop], matches: Sequence[Match]) -> None:
        """Keep a picture's crops until all were seen; `matches` say who each shows. Raises CannotWrite."""
        name = hashlib.sha256(f"{picture.source}\n{version}".encode("utf-8", "surrogatepass")).hexdigest()
        entries = []
        for index, (crop, match) in enumerate(zip(crops, matches, strict=True)):
            about = SortedCrop(
                staged=f"{name}.json",
                index=index,
                stem=crop_stem(picture, crop),
                source=picture.source,
                number=crop.number,
                visit=picture.visit,
                kind=crop.kind.value,
                name=_name_of(match),
                encoding=_encode(crop),
                norm=None if crop.face is None else crop.face.norm,
                quality=None if crop.face is None else crop.face.quality,
            )
            entries.append({"about": asdict(about), "jpeg": base64.b64encode(crop.jpeg).decode()})
        if entries:
            write_atomically(self._folder / f"{name}.json", json.dumps(entries).encode())

    def finish(self, on_progress: Callable[[int, int], None] = lambda done, total: None) -> dict[str, int]:
        """Sort everything that waits; return how many crops each folder got, in this run and before.

        "" stands for the output folder itself. Raises CannotWrite; what was not written is in the next run.
        """
        self._output.commit()  # first, because a plan counts only together with the journal
        known = {(one.staged, one.index) for one in self._sorted}
        waiting = [SortedCrop(**entry["about"]) for path in self._staged() for entry in _read_entries(path)]
        # In the order of the pictures' names, whichever was looked at first.
        new = sorted(
            (one for one in waiting if (one.staged, one.index) not in known),
            key=lambda one: (one.source, one.index),
        )
        if new:
            self._sorted = self._decide(self._sorted, new)
            self._write_plan(pending=True)
        self._carry_out(on_progress)
        return dict(Counter(one.folder or "" for one in self._sorted if one.chosen))

    def _decide(self, before: Sequence[SortedCrop], new: Sequence[SortedCrop]) -> list[SortedCrop]:
        everybody = _group([*before, *new], self._fingerprint, self._taken)
        old, fresh = everybody[: len(before)], everybody[len(before) :]
        sizes = _count_faces(everybody)
        # Where a crop lies does not change once it was sorted, even if its group has grown meanwhile.
        old = [replace(one, folder=kept.folder) for one, kept in zip(old, before, strict=True)]
        if self._options.by_person:
            fresh = [replace(one, folder=_folder_of(one, sizes)) for one in fresh]
        return self._choose(old, fresh)

    def _choose(self, old: Sequence[SortedCrop], fresh: Sequence[SortedCrop]) -> list[SortedCrop]:
        """Say which of the new crops are kept; those of before stay what they are."""
        best = self._options.best
        everybody = [*old, *fresh]
        chosen = {index for index, one in enumerate(everybody) if index >= len(old) or one.chosen}
        if best is not None:
            people: dict[Any, list[int]] = defaultdict(list)
            for index, one in enumerate(everybody):
                if one.encoding is not None:
                    people[self._person(one, index)].append(index)
            for members in people.values():
                chosen -= {index for index in members if index >= len(old)}
                chosen |= _choose_best([(index, everybody[index]) for index in members], chosen, best)
        return [replace(one, chosen=index in chosen) for index, one in enumerate(everybody)]

    def _person(self, one: SortedCrop, index: int) -> tuple[object, ...]:
        who = one.name if one.name is not None else one.group if one.group != NOBODY else ("nobody", index)
        return who, one.kind, one.visit if self._options.per_visit else None

    def _carry_out(self, on_progress: Callable[[int, int], None] = lambda done, total: None) -> None:
        """Save the crops that the plan chooses and that still wait, then forget them."""
        by_file: dict[str, list[SortedCrop]] = defaultdict(list)
        for one in self._sorted:
            by_file[one.staged].append(one)
        files = [path for path in self._staged() if path.name in by_file]
        for done, path in enumerate(files, 1):
            entries = _read_entries(path)
            for one in by_file[path.name]:
                if one.chosen:
                    jpeg = base64.b64decode(entries[one.index]["jpeg"])
                    self._output.save(jpeg, one.stem, person=one.folder)
            on_progress(done, len(files))
        self._output.commit()
        self._write_plan(pending=False)
        with report_write_errors(self._folder, "all is sorted"):
            for path in files:
                path.unlink(missing_ok=True)

    def _staged(self) -> list[Path]:
        return sorted(path for path in self._folder.glob("*.json") if path.name != PLAN)

    def _read_plan(self) -> tuple[list[SortedCrop], bool]:
        path = self._folder / PLAN
        try:
            plan = json.loads(path.read_bytes())
            if plan["version"] != _VERSION:
                raise DataError(f"{path}: was written by another version of face-det; choose another folder")
            found = [SortedCrop(**one) for one in plan["crops"]]
            if found and plan["options"] != asdict(self._options):
                raise DataError(
                    f"{self._output.folder}: was sorted with other options; choose another folder for these"
                )
        except FileNotFoundError:
            return [], False
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise DataError(f"{path}: must be a plan of face-det's, got a damaged file; remove it") from error
        if plan["fingerprint"] != self._fingerprint:
            # Encodings of another embedder cannot be compared with ours; only the numbers stay taken.
            found = [replace(one, encoding=None) for one in found]
        return found, bool(plan["pending"])

    def _write_plan(self, *, pending: bool) -> None:
        crops = [asdict(one) for one in self._sorted]
        plan = {
            "version": _VERSION,
            "options": asdict(self._options),
            "fingerprint": self._fingerprint,
            "pending": pending,
            "crops": crops,
        }
        write_atomically(self._folder / PLAN, json.dumps(plan).encode())


def crop_stem(picture: Picture, crop: Crop) -> str:
    """Return the name, without suffix, of a crop's file: it follows from the picture, and says what it is."""
    return f"{picture_stem(picture.source, crop.number)}-{crop.kind.value}"


def _encode(crop: Crop) -> str | None:
    if crop.face is None or crop.face.encoding is None:
        return None
    return base64.b64encode(np.asarray(crop.face.encoding, "<f4").tobytes()).decode()


def _read_entries(path: Path) -> list[dict[str, Any]]:
    try:
        entries: list[dict[str, Any]] = json.loads(path.read_bytes())
    except (OSError, ValueError) as error:
        raise DataError(f"{path}: must hold crops that wait, got a damaged file; remove it") from error
    return entries


def _name_of(match: Match) -> str | None:
    """Return the name of somebody enrolled, as a folder's name. Raises BadName if it cannot be one."""
    if match.outcome is not Outcome.KNOWN or match.name is None or match.name == UNKNOWN:
        return None
    return check_person_name(match.name)


def _folder_of(one: SortedCrop, sizes: Counter[int]) -> str:
    if one.encoding is None:
        return NO_FACE
    if one.name is not None:
        return one.name
    if one.group == NOBODY:
        return UNCLEAR
    return unknown_id(one.group) if sizes[one.group] > 1 else SINGLE


def _count_faces(crops: Iterable[SortedCrop]) -> Counter[int]:
    """Return how many faces each group of strangers has; several crops of one face count once."""
    return Counter(group for _, _, group in {(one.source, one.number, one.group) for one in crops})


def _numbers_in(folder: Path) -> set[int]:
    """Return the numbers of the folders of strangers that are there; nobody else may be put into them."""
    found = (re.fullmatch(r"unknown-(\d{1,9})", path.name) for path in folder.iterdir())
    return {int(one[1]) for one in found if one is not None}


def _group(crops: Sequence[SortedCrop], fingerprint: str, taken: set[int]) -> list[SortedCrop]:
    """Give strangers numbers that are not `taken`, as the daemon does; the numbers of before are kept."""
    parameters = cluster_parameters(fingerprint)
    faces = {(one.source, one.number): one for one in crops if one.name is None and one.encoding is not None}
    if not faces or parameters is None:
        return list(crops)
    strangers = list(faces.values())
    groups = recluster(
        np.array([one.vector for one in strangers]),
        [one.group for one in strangers],
        [parameters.may_shape(one.norm, one.quality) for one in strangers],
        (),
        _cannot_link(strangers),
        parameters,
        max(0, *(one.group for one in crops)) + 1,
    )
    by_face = dict(zip(faces, groups.tolist(), strict=True))
    found = [
        replace(one, group=by_face[one.source, one.number]) if one.name is None and one.encoding else one
        for one in crops
    ]
    return _number_by_size(found, {one.group for one in crops} - {NOBODY}, max(taken, default=0))


def _number_by_size(crops: Sequence[SortedCrop], taken: set[int], last: int) -> list[SortedCrop]:
    """Number new groups of several faces first, after `last`: folders are called unknown-1, unknown-2, ..."""
    sizes = _count_faces(crops)
    new = [group for group in dict.fromkeys(one.group for one in crops) if group not in {NOBODY, *taken}]
    order = sorted(new, key=lambda group: sizes[group] == 1)
    numbers = {group: number for number, group in enumerate(order, max(last, *taken, 0) + 1)}
    return [replace(one, group=numbers.get(one.group, one.group)) for one in crops]


def _cannot_link(strangers: Sequence[SortedCrop]) -> Iterator[tuple[int, int]]:
    """Yield pairs of faces of one picture, which are two people."""
    by_source: dict[str, list[int]] = defaultdict(list)
    for at, one in enumerate(strangers):
        by_source[one.source].append(at)
    for members in by_source.values():
        yield from combinations(members, 2)


def _choose_best(members: Sequence[tuple[int, SortedCrop]], chosen: set[int], best: int) -> set[int]:
    """Return the indices of the crops of one person that are kept."""
    kept = [place for place, (index, _) in enumerate(members) if index in chosen]
    places = choose_different(
        [one.vector for _, one in members],
        [UNKNOWN_QUALITY if one.quality is None else one.quality for _, one in members],
        best,
        kept,
    )
    return {members[place][0] for place in places}
