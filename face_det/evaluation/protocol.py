"""From folders of photos to who is enrolled, which strangers are trained on, and who is tested.

Three layouts are known:

- `known/NAME/*` beside `strangers/*`, or in the one folder in there that looks so;
- a dataset, `NAME/*` and perhaps `Unknown/*`;
- one of these and another held out.

Of one folder the first photos by name of each person are enrolled and the others tested; the first
strangers, half of them at most, are trained on and the others tested. Of two all of the first is
enrolled and all of the second tested; who is not in the first is a stranger. What is tested is no
copy of a photo that is enrolled.

Nothing is drawn by chance but the people of `only`, if there is a seed.
"""

from __future__ import annotations

import functools
import logging
import random
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from face_det.errors import DataError
from face_det.gallery import list_photos, read_photo
from face_det.types import UNKNOWN

log = logging.getLogger(__name__)

KNOWN_FOLDER, STRANGERS_FOLDER = "known", "strangers"
DEFAULT_ENROLLED_PHOTOS = 5
"""Photos of each person that are enrolled, unless told otherwise."""
DEFAULT_TRAINING_STRANGERS = 200


@dataclass(frozen=True, slots=True)
class LabelledPhoto:
    """A photo, and who is on it; None is a stranger."""

    path: Path
    name: str | None


@dataclass(frozen=True, slots=True)
class DatasetSplit:
    """Photos to enrol, strangers' photos to train on, and photos to test; no photo is in two of them."""

    enrolled: tuple[LabelledPhoto, ...]
    strangers: tuple[LabelledPhoto, ...]
    tested: tuple[LabelledPhoto, ...]

    @property
    def people(self) -> tuple[str, ...]:
        """Everybody enrolled, sorted."""
        return tuple(sorted({photo.name for photo in self.enrolled if photo.name is not None}))

    @property
    def photos(self) -> tuple[LabelledPhoto, ...]:
        """All of them."""
        return (*self.enrolled, *self.strangers, *self.tested)

    @property
    def most_enrolled(self) -> int:
        """Photos of the person who has most of them."""
        return max(Counter(photo.name for photo in self.enrolled).values(), default=0)

    def with_photos(self, count: int) -> DatasetSplit:
        """The same tests with only the first `count` photos of each person enrolled."""
        taken: dict[str | None, int] = {}
        kept = []
        for photo in self.enrolled:
            taken[photo.name] = taken.get(photo.name, 0) + 1
            if taken[photo.name] <= count:
                kept.append(photo)
        return replace(self, enrolled=tuple(kept))


def split_dataset(
    folder: Path,
    held_out: Path | None = None,
    *,
    enrol_photos: int | None = None,
    strangers: int = DEFAULT_TRAINING_STRANGERS,
    only: int | None = None,
    seed: int | None = None,
) -> DatasetSplit:
    """Who is enrolled and who is tested, by the layout that is there.

    `enrol_photos` of each person are enrolled: 5 unless told otherwise, all where photos are held out.
    `only` so many people take part: the first by name, or drawn with `seed`; the rest is left out.
    DataError for a folder that is no dataset, or if nobody is left to enrol or to test.
    """
    try:
        found = _apart(_split(folder, held_out, enrol_photos, strangers))
    except OSError as error:
        raise DataError(f"{error.filename}: must be readable, got {error.strerror}") from error
    if only is not None:
        found = _only(found, only, seed)
    if not found.enrolled:
        raise DataError(f"{folder}: must hold a folder of photos for each person, got none")
    if not found.tested:
        place = folder if held_out is None else held_out
        raise DataError(
            f"{place}: must hold photos besides those enrolled, to be tested; got none "
            f"({len(found.enrolled)} photos of {len(found.people)} people are enrolled)"
        )
    return found


def _split(folder: Path, held_out: Path | None, enrol_photos: int | None, strangers: int) -> DatasetSplit:
    people, unknown = _content(folder)
    if held_out is None:
        trained = min(strangers, len(unknown) // 2)
        enrolled, tested = _first(people, DEFAULT_ENROLLED_PHOTOS if enrol_photos is None else enrol_photos)
        return DatasetSplit(enrolled, unknown[:trained], (*tested, *unknown[trained:]))
    others, more = _content(held_out)
    return DatasetSplit(
        tuple(LabelledPhoto(path, name) for name, paths in people.items() for path in paths[:enrol_photos]),
        unknown[:strangers],
        (
            *(
                LabelledPhoto(path, name if name in people else None)
                for name in others
                for path in others[name]
            ),
            *more,
        ),
    )


def _content(folder: Path) -> tuple[dict[str, list[Path]], tuple[LabelledPhoto, ...]]:
    """Photos by person, and those of strangers, in the order of their names."""
    if not folder.is_dir():
        there = "is none" if folder.exists() else "is not there"
        raise DataError(f"{folder}: must be a folder with a folder of photos for each person, {there}")
    root = _with_strangers(folder)
    if root is None:
        people = list_photos(folder)
        unknown = people.pop(UNKNOWN, [])
    else:
        people = list_photos(root / KNOWN_FOLDER)
        nested = list_photos(root / STRANGERS_FOLDER).values()
        flat = list_photos(root).get(STRANGERS_FOLDER, [])
        unknown = sorted([*flat, *(path for paths in nested for path in paths)])
    return people, tuple(LabelledPhoto(path, None) for path in unknown)


def _with_strangers(folder: Path) -> Path | None:
    """The folder that holds `known` and `strangers`: this one, or the only one in it that does."""
    if _has_both(folder):
        return folder
    inside = [entry for entry in folder.iterdir() if entry.is_dir() and _has_both(entry)]
    return inside[0] if len(inside) == 1 else None


def _has_both(folder: Path) -> bool:
    return (folder / KNOWN_FOLDER).is_dir() and (folder / STRANGERS_FOLDER).is_dir()


def _apart(found: DatasetSplit) -> DatasetSplit:
    """The same without tests of what is learnt: copies of a file would only measure themselves."""
    content = functools.cache(_content_of)
    learnt: dict[int, list[Path]] = {}
    for photo in (*found.enrolled, *found.strangers):
        learnt.setdefault(_size(photo.path), []).append(photo.path)

    def is_copy(path: Path) -> bool:
        size = _size(path)
        return size > 0 and any(content(path) == content(other) for other in learnt.get(size, ()))

    tested = tuple(photo for photo in found.tested if not is_copy(photo.path))
    copies = len(found.tested) - len(tested)
    if copies:
        log.warning("%d photos are copies of such as are enrolled or trained on; they are not tested", copies)
    return replace(found, tested=tested)


def _size(path: Path) -> int:
    """0 of what cannot be read, which is told when it is encoded."""
    try:
        return path.stat().st_size if path.is_file() else 0
    except OSError:
        return 0


def _content_of(path: Path) -> str:
    """Its hash; of what cannot be read, its own name."""
    try:
        return read_photo(path)[0]
    except DataError:
        return str(path)


def _first(
    people: Mapping[str, Sequence[Path]], count: int
) -> tuple[tuple[LabelledPhoto, ...], tuple[LabelledPhoto, ...]]:
    """(first photos of each, the others). Who has too few is enrolled with all but one, or with the one."""
    enrolled: list[LabelledPhoto] = []
    tested: list[LabelledPhoto] = []
    for name, paths in people.items():
        kept = max(1, min(count, len(paths) - 1))
        enrolled += [LabelledPhoto(path, name) for path in paths[:kept]]
        tested += [LabelledPhoto(path, name) for path in paths[kept:]]
    return tuple(enrolled), tuple(tested)


def _only(found: DatasetSplit, count: int, seed: int | None) -> DatasetSplit:
    people = list(found.people)
    if count > len(people):
        raise DataError(f"people: must be at most the {len(people)} that are there, got {count}")
    chosen = {None, *(people[:count] if seed is None else random.Random(seed).sample(people, count))}
    return replace(
        found,
        enrolled=tuple(photo for photo in found.enrolled if photo.name in chosen),
        tested=tuple(photo for photo in found.tested if photo.name in chosen),
    )
