"""What keeps a change from doing harm: a dataset that is not mounted, a photo of a change that failed."""

from __future__ import annotations

import logging
from collections.abc import Collection, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from face_det.errors import DataError, FaceDetError
from face_det.faces import UNKNOWN
from face_det.identity import enrol
from face_det.identity.gallery import Gallery

log = logging.getLogger(__name__)


def require_dataset(dataset: Path, known: int) -> None:
    """DataError if encodings are known and there is no dataset: then it is likely not mounted.

    To forget somebody then would leave the photos where they are, to be learnt again.
    """
    if known and not _holds_anything(dataset):
        raise DataError(
            f"{dataset}: must hold the photos of people, is not there or empty; mount it, or make a folder "
            "in it if there are no photos; nothing was changed"
        )


def gone(found: Collection[str], encodings: Path) -> list[str]:
    """Who is in an encodings file and not found any more; nobody, if the file is damaged."""
    try:
        return sorted(set(Gallery.load(encodings).people) - {UNKNOWN, *found})
    except FaceDetError:
        return []  # the dataset is all there is


def require_most(dataset: Path, found: Collection[str], encodings: Path, *, everybody: bool = False) -> None:
    """DataError if most of the people in an encodings file (`everybody`: anybody) are not in the dataset
    any more: then that is likely another one, or not mounted, and to learn it would lose them."""
    lost = gone(found, encodings)
    known = len({*Gallery.load(encodings).people} - {UNKNOWN}) if lost else 0
    if lost if everybody else 2 * len(lost) > known:
        raise DataError(
            f"{dataset}: must hold usable photos of those in {encodings}, {len(lost)} of {known} have "
            f"none; is it mounted? To learn only who is there, run face-det encode; nothing was changed"
        )


@contextmanager
def stored(dataset: Path, name: str, data: bytes) -> Iterator[Path]:
    """A photo, stored; one that was not there before goes again if what follows fails.

    Raises as enrol.store_photo does.
    """
    before = {path for photos in enrol.photos(dataset).values() for path in photos}
    photo = enrol.store_photo(dataset, name, data)
    try:
        yield photo
    except BaseException:
        if photo not in before:
            with suppress(OSError):
                photo.unlink()
                photo.parent.rmdir()
        raise


def warn_if_gone(dataset: Path, known: int) -> None:
    """A line in the log if encodings are known and the dataset is not there: a photo goes there now."""
    if known and not _holds_anything(dataset):
        log.info("%s: holds no photos, though %d faces are known; is it mounted?", dataset, known)


def _holds_anything(folder: Path) -> bool:
    try:
        return any(folder.iterdir())
    except OSError:
        return False
