"""The photos of dataset/NAME/: which there are, and storing and removing them.

A folder's name is a person's; names are compared in Unicode's composed form (NFC), since some file
systems hand out the other. Folders that are links are passed over, so that nothing outside the
dataset is ever written or deleted through them; so are hidden folders and files. One level only:
pictures in folders of folders are nobody's.
"""

from __future__ import annotations

import hashlib
import logging
import re
import secrets
import shutil
import unicodedata
from collections.abc import Iterator
from pathlib import Path

from face_det.errors import BadImage, BadName, CannotWrite, DataError, FaceDetError
from face_det.storage import make_folder, recover_folder, report_write_errors, write_atomically

log = logging.getLogger(__name__)

PICTURE_SUFFIXES = {".jpg", ".jpeg", ".png", ".bmp", ".gif", ".webp", ".tif", ".tiff", ".ppm"}
"""Of pictures, in any case."""

_FORMATS = (
    (re.compile(rb"\xff\xd8\xff"), ".jpg"),
    (re.compile(rb"\x89PNG\r\n\x1a\n"), ".png"),
    (re.compile(rb"BM"), ".bmp"),
    (re.compile(rb"GIF8[79]a"), ".gif"),
    (re.compile(rb"RIFF....WEBP", re.DOTALL), ".webp"),
    (re.compile(rb"II\*\0|MM\0\*|II\+\0|MM\0\+"), ".tif"),
    (re.compile(rb"P[4-6]\s"), ".ppm"),
)
_MAX_NAME = 100
_REMOVED_PREFIX = ".face_det-leaving-"


def check_person_name(name: str) -> str:
    """The name as it is stored; BadName if it cannot be the name of a person's folder.

    1 to 100 letters and digits of any script, and inside them blanks, and _ - ' and full stops.
    """
    composed = unicodedata.normalize("NFC", name)
    if not 1 <= len(composed) <= _MAX_NAME:
        raise BadName(f"name: must have 1 to {_MAX_NAME} characters, got {len(composed)}")
    if len(composed.encode("utf-8", "surrogatepass")) > 255:
        raise BadName("name: must fit into a file name of 255 bytes")
    for character in composed:
        category = unicodedata.category(character)
        # Letters, the marks that some scripts write them with, and digits.
        if category[0] not in "LM" and category != "Nd" and character not in " _-'.":
            raise BadName(f"name: must be letters, digits, blanks and _ - ' . only, got {character!a}")
    if composed[0] in " ." or composed[-1] == " ":
        raise BadName(f"name: must not start with a blank or a full stop, nor end with a blank, got {name!r}")
    return composed


def list_photos(dataset: Path) -> dict[str, list[Path]]:
    """Everybody who has pictures, and which; names and paths sorted. Empty if there is no dataset.

    Finishes what a killed store_photo or remove_person left. Raises DataError if the dataset is
    there and cannot be read.
    """
    _delete_removed_folders(dataset)
    found: dict[str, list[Path]] = {}
    try:
        for folder in _folders(dataset):
            recover_folder(folder)
            pictures = [entry for entry in _entries(folder) if _is_picture(entry)]
            if pictures:
                found.setdefault(_name_of(folder), []).extend(pictures)
    except OSError as error:
        raise DataError(f"{error.filename}: must be readable, got {error.strerror}") from error
    return {name: sorted(found[name]) for name in sorted(found)}


def has_person_folder(dataset: Path, name: str) -> bool:
    """Whether there is a folder or a link of that name, whatever is in it."""
    wanted = unicodedata.normalize("NFC", name)
    return any(
        _name_of(entry) == wanted and not entry.name.startswith(".") and entry.is_dir()
        for entry in _entries(dataset)
    )


def store_photo(dataset: Path, name: str, data: bytes) -> Path:
    """Keep the bytes of a picture as a photo of that person and return where; twice changes nothing.

    Raises BadName, BadImage for bytes of no known format, DataError and FaceDetError if it cannot
    be written.
    """
    name = check_person_name(name)
    suffix = next((suffix for magic, suffix in _FORMATS if magic.match(data)), None)
    if suffix is None:
        raise BadImage(
            f"bytes: must be a picture ({', '.join(sorted(PICTURE_SUFFIXES))}), got something else"
        )
    file_name = hashlib.sha256(data).hexdigest()[:16] + suffix
    for last in (False, True):
        folder = _folder_of(dataset, name)
        try:
            with report_write_errors(folder, "nothing was stored"):
                make_folder(folder)
                present = _holds_bytes(folder / file_name, data)
            if not present:
                write_atomically(folder / file_name, data)
            return folder / file_name
        except FaceDetError:
            # The folder may just have been removed under us, by remove_person.
            if last or folder.exists():
                raise
    raise AssertionError("unreachable")


def remove_person(dataset: Path, name: str) -> int:
    """Delete a person's folder with all that is in it; how many pictures that were.

    Of a folder that is a link only the link goes. The folder disappears at once; if its content
    cannot all be deleted, CannotWrite says so, and the next call goes on with it.
    """
    wanted = unicodedata.normalize("NFC", name)
    count = 0
    for entry in _entries(dataset):
        if entry.name.startswith(".") or _name_of(entry) != wanted:
            continue
        try:
            if entry.is_symlink():
                entry.unlink()
            elif entry.is_dir():
                count += sum(_is_picture(inside) for inside in _entries(entry))
                entry.replace(dataset / f"{_REMOVED_PREFIX}{secrets.token_hex(8)}")
        except OSError as error:
            raise CannotWrite(f"{entry}: cannot be removed: {error.strerror}; nothing was") from error
    left = _delete_removed_folders(dataset)
    if left:
        raise CannotWrite(f"{left[0]}: its files cannot be deleted; remove it by hand")
    return count


def _delete_removed_folders(dataset: Path) -> list[Path]:
    """Delete the folders of people who were removed; those that are still there."""
    leaving = [entry for entry in _entries(dataset) if entry.name.startswith(_REMOVED_PREFIX)]
    for entry in leaving:
        shutil.rmtree(entry, ignore_errors=True)  # it does not follow links
    return [entry for entry in leaving if entry.exists()]


def _folders(dataset: Path) -> Iterator[Path]:
    for entry in _entries(dataset):
        if entry.name.startswith("."):
            continue
        if entry.is_symlink() and entry.is_dir():
            log.warning("%s: is a link, and links are not followed; its photos are not used", entry)
        elif entry.is_dir() and not is_utf8(entry.name):
            log.warning("%s: its name is not UTF-8; its photos are not used", ascii(str(entry)))
        elif entry.is_dir():
            yield entry


def _folder_of(dataset: Path, name: str) -> Path:
    """The folder of that person, which may be spelt in another form of Unicode, or is yet to be made."""
    for entry in _entries(dataset):
        if _name_of(entry) == name:
            if entry.is_symlink():
                raise BadName(f"{entry}: is a link, and links are not followed; put a folder there")
            return entry
    return dataset / name


def _entries(folder: Path) -> list[Path]:
    try:
        return sorted(folder.iterdir())
    except FileNotFoundError:
        return []
    except OSError as error:
        raise DataError(f"{folder}: must be a folder that can be read, got {error.strerror}") from error


def _name_of(folder: Path) -> str:
    return unicodedata.normalize("NFC", folder.name)


def is_utf8(name: str) -> bool:
    """Whether a name is UTF-8; that of a file need not be."""
    try:
        name.encode()
    except UnicodeEncodeError:
        return False
    return True


def _is_picture(entry: Path) -> bool:
    """By its name: whether it can be read as one is told when it is."""
    return entry.suffix.lower() in PICTURE_SUFFIXES and not entry.name.startswith(".") and not entry.is_dir()


def _holds_bytes(path: Path, data: bytes) -> bool:
    if path.is_symlink():
        path.unlink()  # what it points to may be outside
    return path.is_file() and path.stat().st_size == len(data) and path.read_bytes() == data
