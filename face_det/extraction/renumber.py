"""Numbers the pictures of a folder in the order of their names, without ever losing one.

New names may be old names of others, so every file is renamed twice:
1. The plan is written to a journal in the folder.
2. Every file gets a name of its own that nothing else has: renumbering-ID-NUMBER.jpg.
3. The journal notes that all have one; every file gets its new name.
4. The journal notes that it is done, and from then on says how to undo it.
No step overwrites a file. What was cut off is finished by the next call; until then, every picture is there
under one of its three names.
"""

from __future__ import annotations

import json
import re
import secrets
import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from face_det.errors import CannotWrite, DataError
from face_det.storage import (
    lock_folders,
    move_file,
    read_if_present,
    recover_folder,
    replace_without_lock,
    report_write_errors,
    sync_folder,
)

RENUMBER_JOURNAL = ".face_det-renumbered.json"
"""The name of the file in the folder that says how to undo the last renumbering."""
SUFFIXES = frozenset([".jpg", ".jpeg", ".png"])
"""In lower case; they match in any case."""

_DIGITS = 8
_MAX_JOURNAL_BYTES = 2**30
_MAKE_WAY, _NAME, _DONE = "making way", "naming", "done"


@dataclass(frozen=True, slots=True)
class RenamedPicture:
    """A picture's name before and after, and what it is known by: its size in bytes and its time in ns."""

    old: str
    new: str
    size: int
    mtime_ns: int


@dataclass(frozen=True, slots=True)
class Renumbering:
    """What a call did or, as a dry run, would do: the pictures that got another name, in their order.

    `pictures` is the number of pictures in the folder. `finished` says whether a call that was cut off was
    finished first. `left` are names that cannot be undone, because the picture is gone or is another one.
    """

    renamed: tuple[RenamedPicture, ...]
    pictures: int
    finished: bool = False
    left: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class _Journal:
    """What is written in the folder; `id` is part of the names in between."""

    id: str
    phase: str
    files: tuple[RenamedPicture, ...]

    def between(self, index: int) -> str:
        """Return the name that a file has on its way."""
        return f"renumbering-{self.id}-{index:0{_DIGITS}d}{Path(self.files[index].new).suffix}"


def natural_key(name: str) -> tuple[Any, ...]:
    """Return the key that sorts names as people count: 9.jpg before 10.jpg, in any letters.

    >>> sorted(["b10.jpg", "B9.jpg", "b9-1.jpg", "a.jpg"], key=natural_key)
    ['a.jpg', 'B9.jpg', 'b9-1.jpg', 'b10.jpg']
    """
    parts = re.split(r"(\d+)", unicodedata.normalize("NFC", Path(name).stem).casefold())
    return ([int(part) if index % 2 else part for index, part in enumerate(parts)], name)


def renumber_pictures(folder: Path, *, dry_run: bool = False) -> Renumbering:
    """Rename the JPEG and PNG pictures of a folder to 00000001.jpg and so on, in the order of their names.

    Suffixes stay as they are. Hidden files, other files, links and folders are left alone. Raises DataError
    if the folder cannot be read, if something that is no picture has one of the new names, or if a link in
    the folder leads to one of its pictures; nothing is renamed then. Raises CannotWrite.

    >>> from tempfile import TemporaryDirectory
    >>> with TemporaryDirectory() as folder:
    ...     for name in ("b10.jpg", "b9.PNG"):
    ...         Path(folder, name).touch()
    ...     [(picture.old, picture.new) for picture in renumber_pictures(Path(folder)).renamed]
    [('b9.PNG', '00000001.PNG'), ('b10.jpg', '00000002.jpg')]
    """
    _prepare(folder)
    with lock_folders([folder]):
        unfinished = _read_unfinished(folder)
        if unfinished is not None:
            if dry_run:
                return Renumbering(unfinished.files, len(_pictures(folder)))
            _roll_forward(folder, unfinished)
        pictures = sorted(_pictures(folder), key=lambda path: natural_key(path.name))
        named = [(path, f"{index:0{_DIGITS}d}{path.suffix}") for index, path in enumerate(pictures, 1)]
        plan = [_describe(path, new) for path, new in named if path.name != new]
        _require_free(folder, plan)
        if plan and not dry_run:
            _rename(folder, plan)
    return Renumbering(tuple(plan), len(pictures), finished=unfinished is not None and not dry_run)


def undo_renumbering(folder: Path, *, dry_run: bool = False) -> Renumbering:
    """Give the pictures back the names that they had before the last renumbering; undone again, it is redone.

    Raises DataError if there is nothing to undo, if an old name is taken, or as `renumber_pictures` does; and
    CannotWrite.

    >>> undo_renumbering(Path("."))
    Traceback (most recent call last):
    ...
    face_det.errors.DataError: .: nothing was renumbered here
    """
    _prepare(folder)
    with lock_folders([folder]):
        journal = _read_journal(folder)
        if journal is None:
            raise DataError(f"{folder}: nothing was renumbered here")
        unfinished = journal.phase != _DONE
        if unfinished and not dry_run:
            _roll_forward(folder, journal)
        back = [
            RenamedPicture(old=file.new, new=file.old, size=file.size, mtime_ns=file.mtime_ns)
            for file in journal.files
        ]
        plan = back if unfinished and dry_run else [file for file in back if _is_there(folder, file)]
        _require_free(folder, plan)
        if plan and not dry_run:
            _rename(folder, plan)
    left = tuple(file.old for file in back if file not in plan)
    return Renumbering(tuple(plan), len(_pictures(folder)), unfinished and not dry_run, left)


def _prepare(folder: Path) -> None:
    """Raise DataError if it is none; remove what a killed call left half written in it."""
    if not folder.is_dir():
        raise DataError(f"{folder}: must be a folder, got {'a file' if folder.exists() else 'none'}")
    recover_folder(folder)


def _pictures(folder: Path) -> list[Path]:
    try:
        return [
            entry
            for entry in folder.iterdir()
            if entry.suffix.lower() in SUFFIXES
            and not entry.name.startswith(".")
            and not entry.is_symlink()
            and entry.is_file()
        ]
    except OSError as error:
        raise DataError(f"{folder}: must be a readable folder, got {error.strerror}") from error


def _describe(path: Path, new: str) -> RenamedPicture:
    found = path.stat()
    return RenamedPicture(path.name, new, found.st_size, found.st_mtime_ns)


def _is_there(folder: Path, file: RenamedPicture) -> bool:
    try:
        return _describe(folder / file.old, file.new) == file
    except OSError:
        return False


def _require_free(folder: Path, plan: Sequence[RenamedPicture]) -> None:
    """Raise DataError if a rename would meet another file, or would make a link lead nowhere."""
    leaving = {file.old for file in plan}
    entries = {entry.name: entry for entry in folder.iterdir()}
    for file in plan:
        if file.new in entries and file.new not in leaving:
            raise DataError(
                f"{entries[file.new]}: is not renamed, but {file.old!a} would get its name; move it away"
            )
    here = folder.resolve()
    for entry in entries.values():
        if entry.is_symlink():
            target = (here / entry.readlink()).resolve()
            if target.parent == here and target.name in leaving:
                raise DataError(f"{entry}: is a link to a picture that would be renamed; remove it first")


def _rename(folder: Path, plan: Iterable[RenamedPicture]) -> None:
    journal = _Journal(secrets.token_hex(4), _MAKE_WAY, tuple(plan))
    _write(folder, journal)
    try:
        _roll_forward(folder, journal)
    except KeyboardInterrupt:
        # It takes a moment, and nobody wants names that are neither the old nor the new ones.
        _roll_forward(folder, journal)
        raise


def _roll_forward(folder: Path, journal: _Journal) -> None:
    """Do what is left to do; may be repeated after any interruption."""
    ways = [journal.between(index) for index in range(len(journal.files))]
    if journal.phase == _MAKE_WAY:
        _move_all(folder, [(file.old, way) for file, way in zip(journal.files, ways, strict=True)])
        journal = _Journal(journal.id, _NAME, journal.files)
        _write(folder, journal)
    _move_all(folder, [(way, file.new) for file, way in zip(journal.files, ways, strict=True)])
    _write(folder, _Journal(journal.id, _DONE, journal.files))


def _move_all(folder: Path, moves: Iterable[tuple[str, str]]) -> None:
    with report_write_errors(folder, "every picture is there; run the command again to go on"):
        for name, new in moves:
            source, target = folder / name, folder / new
            if not source.exists():
                continue  # moved by a call that was cut off, or removed by somebody since
            try:
                move_file(source, target, sync=False)
            except FileExistsError as error:
                raise CannotWrite(
                    f"{target}: was put there meanwhile; move it away and run the command again"
                ) from error
        sync_folder(folder)


def _write(folder: Path, journal: _Journal) -> None:
    content = {"id": journal.id, "phase": journal.phase, "files": [asdict(file) for file in journal.files]}
    replace_without_lock(folder / RENUMBER_JOURNAL, json.dumps(content, indent=1).encode())


def _read_unfinished(folder: Path) -> _Journal | None:
    journal = _read_journal(folder)
    return None if journal is None or journal.phase == _DONE else journal


def _read_journal(folder: Path) -> _Journal | None:
    path = folder / RENUMBER_JOURNAL
    data = read_if_present(path, _MAX_JOURNAL_BYTES)
    if data is None:
        return None
    try:
        content = json.loads(data)
        files = tuple(RenamedPicture(**file) for file in content["files"])
        journal = _Journal(content["id"], content["phase"], files)
        names = [name for file in files for name in (file.old, file.new)]
        plain = all(Path(name).name == name and name not in ("", "..") for name in names)
        if not plain or not re.fullmatch(r"[0-9a-f]{8}", journal.id):
            raise ValueError("names that lead elsewhere")
    except (ValueError, TypeError, KeyError, RecursionError) as error:
        raise DataError(
            f"{path}: must be a journal of face-det, got something else ({error}); move it away"
        ) from error
    return journal
