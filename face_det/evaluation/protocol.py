"""Splits folders of photos into photos to enrol, strangers to train on, and photos to test.

Three layouts are supported:

- `known/NAME/*` beside `strangers/*`, in the folder itself or in its only subfolder with that layout;
- a dataset: `NAME/*`, and optionally `Unknown/*`;
- one of these, with another folder held out for testing.

With one folder, the first photos of each person (by file name) are enrolled and the rest tested. The first
strangers, at most half of them, are used for training and the rest tested. With two folders, everything in
the first is enrolled and everything in the second tested; people who are only in the second are strangers.
Copies of enrolled photos are never tested.

Nothing is random except the choice of people with `only` and a seed.
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
"""The number of photos enrolled per person by default."""
DEFAULT_TRAINING_STRANGERS = 200


@dataclass(frozen=True, slots=True)
class LabelledPhoto:
    """A photo and the name of the person it shows; None for a stranger."""

    path: Path
    name: str | None


@dataclass(frozen=True, slots=True)
class DatasetSplit:
    """Photos to enrol, strangers' photos to train on, and photos to test; the three are disjoint."""

    enrolled: tuple[LabelledPhoto, ...]
    strangers: tuple[LabelledPhoto, ...]
    tested: tuple[LabelledPhoto, ...]

    @property
    def people(self) -> tuple[str, ...]:
        """The names of the enrolled people, sorted."""
        return tuple(sorted({photo.name for photo in self.enrolled if photo.name is not None}))

    @property
    def photos(self) -> tuple[LabelledPhoto, ...]:
        """All photos of the split: enrolled, strangers, tested."""
        return (*self.enrolled, *self.strangers, *self.tested)

    @property
    def most_enrolled(self) -> int:
        """The largest number of enrolled photos of any one person."""
        return max(Counter(photo.name for photo in self.enrolled).values(), default=0)

    def with_photos(self, count: int) -> DatasetSplit:
        """Return the same split with only the first `count` photos of each person enrolled."""
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
    repeat_with: Sequence[int] = (),
    strangers: int = DEFAULT_TRAINING_STRANGERS,
    only: int | None = None,
    seed: int | None = None,
) -> DatasetSplit:
    """Decide which photos are enrolled and which are tested, from the layout of the folders.

    `enrol_photos` of each person are enrolled. By default that is all with a `held_out` folder, else 5, or
    more if the evaluation is to be repeated with more: `repeat_with` lists those numbers of photos. At most
    `strangers` photos of strangers are used for training. `only` limits the number of people: the first by
    name, or drawn with `seed`; the others are left out.

    Raises DataError if a folder is not a dataset, if nobody is left to enrol or to test, or if nobody has
    enough photos for `repeat_with`.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     for number in range(7):
    ...         photo = Path(folder, "Alice", f"{number}.jpg")
    ...         photo.parent.mkdir(exist_ok=True)
    ...         _ = photo.write_bytes(bytes([number]))
    ...     split = split_dataset(Path(folder))
    >>> [len(photos) for photos in (split.enrolled, split.tested)]
    [5, 2]
    """
    try:
        found = _apart(_split(folder, held_out, enrol_photos, repeat_with, strangers))
    except OSError as error:
        raise DataError(f"{error.filename}: must be readable, got {error.strerror}") from error
    if only is not None:
        found = _only(found, only, seed)
    if not found.enrolled:
        raise DataError(f"{folder}: must hold a folder of photos for each person, got none")
    if not found.tested:
        place = folder if held_out is None else held_out
        raise DataError(
            f"{place}: must hold photos to test besides those enrolled, got none "
            f"({len(found.enrolled)} photos of {len(found.people)} people are enrolled)"
        )
    if repeat_with and max(repeat_with) > found.most_enrolled:
        most = found.most_enrolled
        raise DataError(f"photos: must be at most {most}, the number enrolled, got {max(repeat_with)}")
    return found


def _split(
    folder: Path,
    held_out: Path | None,
    enrol_photos: int | None,
    repeat_with: Sequence[int],
    strangers: int,
) -> DatasetSplit:
    people, unknown = _content(folder)
    if held_out is None:
        if enrol_photos is None:
            enrol_photos = max([DEFAULT_ENROLLED_PHOTOS, *repeat_with])
        trained = min(strangers, len(unknown) // 2)
        enrolled, tested = _first(people, enrol_photos)
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
    """Return the photos by person, and the photos of strangers in the order of their paths."""
    if not folder.is_dir():
        got = "a file" if folder.exists() else "no such folder"
        raise DataError(f"{folder}: must be a folder with a folder of photos for each person, got {got}")
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
    """Find the folder with `known` and `strangers`: this one, or the only subfolder that has both."""
    if _has_both(folder):
        return folder
    inside = [entry for entry in folder.iterdir() if entry.is_dir() and _has_both(entry)]
    return inside[0] if len(inside) == 1 else None


def _has_both(folder: Path) -> bool:
    return (folder / KNOWN_FOLDER).is_dir() and (folder / STRANGERS_FOLDER).is_dir()


def _apart(found: DatasetSplit) -> DatasetSplit:
    """Drop tested photos that are copies of enrolled or training photos; they would prove nothing."""
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
        log.warning("%d photos are copies of enrolled or training photos; they are not tested", copies)
    return replace(found, tested=tested)


def _size(path: Path) -> int:
    """Return the file size, or 0 if unreadable; the error is reported when the photo is encoded."""
    try:
        return path.stat().st_size if path.is_file() else 0
    except OSError:
        return 0


def _content_of(path: Path) -> str:
    """Return the hash of the content, or the path if the photo cannot be read."""
    try:
        return read_photo(path)[0]
    except DataError:
        return str(path)


def _first(
    people: Mapping[str, Sequence[Path]], count: int
) -> tuple[tuple[LabelledPhoto, ...], tuple[LabelledPhoto, ...]]:
    """Split each person's photos into (the first `count`, the rest).

    At least one photo is enrolled, and if possible at least one is left to test.
    """
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
        raise DataError(f"people: must be at most the {len(people)} available, got {count}")
    chosen = {None, *(people[:count] if seed is None else random.Random(seed).sample(people, count))}
    return replace(
        found,
        enrolled=tuple(photo for photo in found.enrolled if photo.name in chosen),
        tested=tuple(photo for photo in found.tested if photo.name in chosen),
    )
