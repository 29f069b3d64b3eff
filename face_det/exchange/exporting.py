"""Exports photos: writes what another program reads, and never overwrites a file."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from face_det.errors import DataError
from face_det.exchange.face_finder import FaceFinder
from face_det.exchange.formats import FORMATS
from face_det.exchange.source import Format, NewFile
from face_det.storage import (
    make_folder,
    read_if_present,
    recover_folder,
    report_write_errors,
    write_atomically,
)
from face_det.types import UNKNOWN

_MAX_BYTES = 2**30


@dataclass(frozen=True, slots=True)
class ExportedFile:
    """A file that was written, or that was there (`written` is false), or the reason why it was not."""

    path: Path
    written: bool
    reason: str | None = None


def plan_export(form: str, people: Mapping[str, Sequence[Path]], faces: FaceFinder) -> list[NewFile]:
    """Return the files that hold people's photos in a format; nothing is written yet.

    The photos of strangers are left out: no other program has a place for them. Raises DataError if there is
    nobody, or if the format cannot hold somebody.
    """
    known = {name: photos for name, photos in people.items() if name != UNKNOWN and photos}
    if not known:
        raise DataError("there must be somebody with photos to export, got nobody")
    writer: Format = FORMATS.create(form)
    return writer.plan(known, faces)


def check_export_folder(folder: Path, dataset: Path) -> None:
    """Raise DataError if nothing can be exported to a folder: it is a file, or a part of the dataset.

    What is written there would be taken for photos of people who are enrolled here.

    >>> check_export_folder(Path("dataset/frigate"), Path("dataset"))
    Traceback (most recent call last):
    ...
    face_det.errors.DataError: dataset/frigate: must be a folder outside dataset, got one in it
    """
    if folder.exists() and not folder.is_dir():
        raise DataError(f"{folder}: must be a folder, got a file")
    if folder.resolve().is_relative_to(dataset.resolve()):
        raise DataError(f"{folder}: must be a folder outside {dataset}, got one in it")


def write_exported(files: Sequence[NewFile], folder: Path) -> Iterator[ExportedFile]:
    """Write files into a folder, and yield what became of each. Raises CannotWrite.

    A file that is there stays: with the same content it counts as exported, with another one it is reported.
    What a killed export left half written is removed.
    """
    recovered: set[Path] = set()
    for file in files:
        path = folder / file.path
        if any((folder / parent).is_symlink() for parent in list(Path(file.path).parents)[:-1]):
            # It may lead into the dataset.
            yield ExportedFile(
                path, False, "its folder is a link, which is not followed; replace it with a folder"
            )
            continue
        if path.parent not in recovered:
            recover_folder(path.parent)
            recovered.add(path.parent)
        try:
            data = file.make()
            there = read_if_present(path, _MAX_BYTES)
        except DataError as error:
            yield ExportedFile(path, False, str(error).removeprefix(f"{path}: "))
            continue
        if there is None and not path.is_symlink():
            with report_write_errors(path.parent):
                make_folder(path.parent)
            write_atomically(path, data)
            yield ExportedFile(path, True)
        elif there == data:
            yield ExportedFile(path, False)
        else:
            yield ExportedFile(path, False, "another file is there, and stays")
