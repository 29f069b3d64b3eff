"""From folders of photos to who is enrolled, which strangers are trained on, and who is tested.

Three layouts are known:

- `known/NAME/*` beside `strangers/*` (or in the one folder in there that looks so): the first photos
  by name of each person are enrolled and the first strangers trained on; all others are tested.
- a dataset, `NAME/*` and perhaps `Unknown/*`: the first photos of each are enrolled and the others
  tested; of Unknown one half is trained on and the other tested.
- a dataset and a folder held out: all of the first is enrolled, all of the second tested; who is
  not in the dataset is a stranger.

Nothing is drawn by chance but the people of `only`, if there is a seed.
"""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from face_det.errors import DataError
from face_det.faces import UNKNOWN
from face_det.identity import enrol

KNOWN, STRANGERS = "known", "strangers"
ENROL = 5
"""Photos of each person that are enrolled, unless told otherwise."""
TRAIN_STRANGERS = 200


@dataclass(frozen=True, slots=True)
class Photo:
    """A photo, and who is on it; None is a stranger."""

    path: Path
    name: str | None


@dataclass(frozen=True, slots=True)
class Split:
    """Photos to enrol, strangers' photos to train on, and photos to test; no photo is in two of them."""

    enrolled: tuple[Photo, ...]
    strangers: tuple[Photo, ...]
    tested: tuple[Photo, ...]

    @property
    def people(self) -> tuple[str, ...]:
        """Everybody enrolled, sorted."""
        return tuple(sorted({photo.name for photo in self.enrolled if photo.name is not None}))

    @property
    def photos(self) -> tuple[Photo, ...]:
        """All of them."""
        return (*self.enrolled, *self.strangers, *self.tested)

    def with_photos(self, count: int) -> Split:
        """The same tests with only the first `count` photos of each person enrolled."""
        taken: dict[str | None, int] = {}
        kept = []
        for photo in self.enrolled:
            taken[photo.name] = taken.get(photo.name, 0) + 1
            if taken[photo.name] <= count:
                kept.append(photo)
        return replace(self, enrolled=tuple(kept))


def split(
    folder: Path,
    held_out: Path | None = None,
    *,
    enrol_photos: int | None = None,
    strangers: int = TRAIN_STRANGERS,
    only: int | None = None,
    seed: int | None = None,
) -> Split:
    """Who is enrolled and who is tested, by the layout that is there.

    `enrol_photos` of each person are enrolled: 5 unless told otherwise, all where photos are held out.
    `only` so many people take part: the first by name, or drawn with `seed`; the rest is left out.
    DataError for a folder that is no dataset, or if nobody is left to enrol or to test.
    """
    _require_folder(folder)
    if held_out is not None:
        _require_folder(held_out)
        found = _held_out(folder, held_out, enrol_photos, strangers)
    else:
        root = _with_strangers(folder)
        count = ENROL if enrol_photos is None else enrol_photos
        found = _dataset(folder, count, strangers) if root is None else _layout(root, count, strangers)
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


def _require_folder(folder: Path) -> None:
    if not folder.is_dir():
        raise DataError(f"{folder}: must be a folder with a folder of photos for each person, is not there")


def _with_strangers(folder: Path) -> Path | None:
    """The folder that holds `known` and `strangers`: this one, or the only one in it that does."""
    if _has_both(folder):
        return folder
    inside = [entry for entry in folder.iterdir() if entry.is_dir() and _has_both(entry)]
    return inside[0] if len(inside) == 1 else None


def _has_both(folder: Path) -> bool:
    return (folder / KNOWN).is_dir() and (folder / STRANGERS).is_dir()


def _layout(root: Path, count: int, strangers: int) -> Split:
    flat = enrol.photos(root).get(STRANGERS, [])
    nested = enrol.photos(root / STRANGERS).values()
    unknown = _strangers(sorted([*flat, *(path for paths in nested for path in paths)]))
    enrolled, tested = _first(enrol.photos(root / KNOWN), count)
    return Split(enrolled, unknown[:strangers], (*tested, *unknown[strangers:]))


def _dataset(folder: Path, count: int, strangers: int) -> Split:
    people = enrol.photos(folder)
    unknown = _strangers(people.pop(UNKNOWN, []))
    trained = min(strangers, len(unknown) // 2)
    enrolled, tested = _first(people, count)
    return Split(enrolled, unknown[:trained], (*tested, *unknown[trained:]))


def _held_out(folder: Path, held_out: Path, count: int | None, strangers: int) -> Split:
    people = enrol.photos(folder)
    unknown = _strangers(people.pop(UNKNOWN, []))
    enrolled = tuple(Photo(path, name) for name, paths in people.items() for path in paths[:count])
    tested = tuple(
        Photo(path, name if name in people else None)
        for name, paths in enrol.photos(held_out).items()
        for path in paths
    )
    return Split(enrolled, unknown[:strangers], tested)


def _first(people: Mapping[str, Sequence[Path]], count: int) -> tuple[tuple[Photo, ...], tuple[Photo, ...]]:
    """(first photos of each, the others). Who has too few is enrolled with all but one, or with the one."""
    enrolled: list[Photo] = []
    tested: list[Photo] = []
    for name, paths in people.items():
        kept = max(1, min(count, len(paths) - 1))
        enrolled += [Photo(path, name) for path in paths[:kept]]
        tested += [Photo(path, name) for path in paths[kept:]]
    return tuple(enrolled), tuple(tested)


def _strangers(paths: Sequence[Path]) -> tuple[Photo, ...]:
    return tuple(Photo(path, None) for path in paths)


def _only(found: Split, count: int, seed: int | None) -> Split:
    people = list(found.people)
    if count > len(people):
        raise DataError(f"people: must be at most the {len(people)} that are there, got {count}")
    chosen = {None, *(people[:count] if seed is None else random.Random(seed).sample(people, count))}
    return replace(
        found,
        enrolled=tuple(photo for photo in found.enrolled if photo.name in chosen),
        tested=tuple(photo for photo in found.tested if photo.name in chosen),
    )
