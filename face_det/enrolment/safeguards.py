"""Checks that keep a change from doing harm, such as when the dataset is not mounted."""

from __future__ import annotations

import logging
import unicodedata
from collections.abc import Collection, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from face_det.errors import DataError, FaceDetError, ModelMissing, PhotoOfAnother
from face_det.gallery import Gallery, find_other_owner, list_photos, photo_name, store_photo
from face_det.storage import report_write_errors
from face_det.types import UNKNOWN

log = logging.getLogger(__name__)


def require_dataset(dataset: Path, known: int) -> None:
    """Raise DataError if there are encodings but no dataset, which is then probably not mounted.

    Forgetting somebody would then leave the photos where they are, to be enrolled again later. `known` is
    the number of encodings.

    >>> require_dataset(Path("no such folder"), known=0)
    """
    if known and not _has_entries(dataset):
        raise DataError(
            f"{dataset}: must hold people's photos, but is missing or empty; mount it, or create a folder "
            "in it if there are no photos; nothing was changed"
        )


def list_lost_people(found: Collection[str], encodings: Path) -> list[str]:
    """List the people in an encodings file who are not among `found`; empty if the file is damaged.

    >>> list_lost_people(["anna"], Path("no such file"))
    []
    """
    try:
        return sorted(set(Gallery.load(encodings).people) - {UNKNOWN, *found})
    except FaceDetError:
        return []  # the dataset is all that is left


def require_most_people(
    dataset: Path, found: Collection[str], encodings: Path, model: Collection[str], *, everybody: bool = False
) -> None:
    """Raise DataError if most of the people in an encodings file have no photos in the dataset any more.

    The dataset is then probably the wrong one or not mounted, and training on it would lose them. With
    `everybody`, one missing person is enough. `found` are the people in the dataset. If there are no
    encodings, or they are damaged, the people whom the `model` can name count instead.

    >>> require_most_people(Path("dataset"), ["anna"], Path("no such file"), ["anna", "bob"])
    """
    try:
        known = {*Gallery.load(encodings).people} or {*model}
    except FaceDetError:
        known = {*model}
    known -= {UNKNOWN}
    lost = known - {*found}
    if lost if everybody else 2 * len(lost) > len(known):
        raise DataError(
            f"{dataset}: must hold usable photos of known people, but {len(lost)} of {len(known)} have none; "
            "is it mounted? To keep only those who have photos, run face-det encode; nothing was changed"
        )


def require_encodings(gallery: Gallery, model: Collection[str], encodings: Path) -> None:
    """Raise DataError if the model names people but there are no encodings.

    The model is then all that is left of these people, and a training would replace it.
    """
    known = sorted({*model} - {UNKNOWN})
    if known and not gallery.names:
        shown = ", ".join(known[:5]) + (f" and {len(known) - 5} more" if len(known) > 5 else "")
        raise DataError(
            f"{encodings}: must hold the encodings of the people in the model ({shown}), but is missing or "
            "empty; put it back, or run face-det encode; nothing was changed"
        )


def require_model(model: Path, encodings: Path) -> None:
    """Raise ModelMissing if there are encodings to train a model on: then the model was lost by accident.

    >>> require_model(Path("no such file"), Path("no such file"))
    """
    if Gallery.load(encodings).names:
        raise ModelMissing(
            f"{model}: not found, though {encodings} holds people; put it back, or run face-det train"
        )


@contextmanager
def storing_photo(dataset: Path, name: str, data: bytes) -> Iterator[Path]:
    """Store a photo for the body of a `with` statement, and delete a new one if the body fails.

    Raises as `store_photo` does.
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


def remove_photos(photos: Collection[Path]) -> None:
    """Delete photos, and their folder once it is empty; raises CannotWrite.

    >>> remove_photos([Path("no such folder/photo.jpg")])
    """
    for photo in photos:
        with report_write_errors(photo, "the photo stays"):
            photo.unlink(missing_ok=True)
        with suppress(OSError):
            photo.parent.rmdir()


def warn_if_dataset_missing(dataset: Path, known: int) -> None:
    """Log a line if there are encodings but no dataset, before a photo is stored there.

    >>> warn_if_dataset_missing(Path("no such folder"), known=0)
    """
    if known and not _has_entries(dataset):
        log.info("%s: holds no photos, though %d faces are enrolled; is it mounted?", dataset, known)


def require_own_photo(dataset: Path, name: str, data: bytes) -> None:
    """Raise PhotoOfAnother if these bytes are already a photo of somebody other than `name`.

    It shows one face, so one of the two names is wrong, and both people would be mistaken for each other.

    >>> require_own_photo(Path("no such folder"), "anna", b"BM, as a bitmap begins")
    """
    other = find_other_owner(dataset, name, data)
    if other is not None:
        owner = unicodedata.normalize("NFC", other.parent.name)
        raise PhotoOfAnother(
            f"image: must be a photo of {name} only, got the very file that is {owner}'s photo "
            f"{photo_name(other)}; if {owner} is wrong, remove or move that one first"
        )


def _has_entries(folder: Path) -> bool:
    try:
        return any(folder.iterdir())
    except OSError:
        return False
