"""What keeps a change from doing harm: a dataset that is not mounted, a photo of a change that failed."""

from __future__ import annotations

import logging
from collections.abc import Collection, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from face_det.errors import DataError, FaceDetError, ModelMissing
from face_det.gallery import Gallery, list_photos, store_photo
from face_det.types import UNKNOWN

log = logging.getLogger(__name__)


def require_dataset(dataset: Path, known: int) -> None:
    """DataError if encodings are known and there is no dataset: then it is likely not mounted.

    To forget somebody then would leave the photos where they are, to be learnt again.
    """
    if known and not _has_entries(dataset):
        raise DataError(
            f"{dataset}: must hold the photos of people, is not there or empty; mount it, or make a folder "
            "in it if there are no photos; nothing was changed"
        )


def list_lost_people(found: Collection[str], encodings: Path) -> list[str]:
    """Who is in an encodings file and not found any more; nobody, if the file is damaged."""
    try:
        return sorted(set(Gallery.load(encodings).people) - {UNKNOWN, *found})
    except FaceDetError:
        return []  # the dataset is all there is


def require_most_people(
    dataset: Path, found: Collection[str], encodings: Path, model: Collection[str], *, everybody: bool = False
) -> None:
    """DataError if most of the people in an encodings file (`everybody`: anybody) are not in the dataset
    any more: then that is likely another one, or not mounted, and to learn it would lose them.

    Where there are no encodings, or they are damaged, those whom the `model` knows count.
    """
    try:
        known = {*Gallery.load(encodings).people} or {*model}
    except FaceDetError:
        known = {*model}
    known -= {UNKNOWN}
    lost = known - {*found}
    if lost if everybody else 2 * len(lost) > len(known):
        raise DataError(
            f"{dataset}: must hold usable photos of those who are known, {len(lost)} of {len(known)} have "
            "none; is it mounted? To learn only who is there, run face-det encode; nothing was changed"
        )


def require_encodings(gallery: Gallery, model: Collection[str], encodings: Path) -> None:
    """DataError if there are no encodings and the model knows people: it is all that is left of them, and
    what is learnt now would take its place."""
    known = sorted({*model} - {UNKNOWN})
    if known and not gallery.names:
        shown = ", ".join(known[:5]) + (f" and {len(known) - 5} more" if len(known) > 5 else "")
        raise DataError(
            f"{encodings}: must hold the encodings of those whom the model knows ({shown}), is not there or "
            "empty; put it back, or run face-det encode; nothing was changed"
        )


def require_model(model: Path, encodings: Path) -> None:
    """ModelMissing if there are encodings to make a model of: that it is gone was nobody's wish."""
    if Gallery.load(encodings).names:
        raise ModelMissing(
            f"{model}: is not there, though {encodings} holds people; put it back, or run face-det train"
        )


@contextmanager
def storing_photo(dataset: Path, name: str, data: bytes) -> Iterator[Path]:
    """A photo, stored; one that was not there before goes again if what follows fails.

    Raises as enrol.store_photo does.
    """
    before = {path for photos in list_photos(dataset).values() for path in photos}
    photo = store_photo(dataset, name, data)
    try:
        yield photo
    except BaseException:
        if photo not in before:
            with suppress(OSError):
                photo.unlink()
                photo.parent.rmdir()
        raise


def warn_if_dataset_missing(dataset: Path, known: int) -> None:
    """A line in the log if encodings are known and the dataset is not there: a photo goes there now."""
    if known and not _has_entries(dataset):
        log.info("%s: holds no photos, though %d faces are known; is it mounted?", dataset, known)


def _has_entries(folder: Path) -> bool:
    try:
        return any(folder.iterdir())
    except OSError:
        return False
