"""Lists, stores and removes the photos in dataset/NAME/.

A folder is named after a person. Names are compared in Unicode's composed form (NFC), because some
file systems return the decomposed one. Linked folders are skipped, so that nothing outside the
dataset is ever written or deleted through them; hidden files and folders are skipped too. Only one
level counts: photos in nested folders belong to nobody.
"""

from __future__ import annotations

import functools
import hashlib
import logging
import re
import secrets
import shutil
import unicodedata
from collections.abc import Callable, Iterator
from pathlib import Path

from face_det.errors import BadImage, BadName, CannotWrite, DataError, FaceDetError
from face_det.media import PICTURE_SUFFIXES, is_picture_file, picture_suffix
from face_det.storage import make_folder, recover_folder, report_write_errors, write_atomically
from face_det.types import UNKNOWN

log = logging.getLogger(__name__)

_MAX_NAME = 100
_SIGNS = "_-'.,&+()"
"""What a name may hold besides letters, digits and spaces. None of it has a meaning in a path."""
_LIKE_AN_ID = re.compile(r"unknown-\d+", re.IGNORECASE)
"""Names that could be taken for the id of an unknown person, such as unknown-3."""
_REMOVED_PREFIX = ".face_det-leaving-"


def check_person_name(name: str) -> str:
    """Return the name in the form in which it is stored.

    A name has 1 to 100 characters: letters and digits of any script, spaces, and _ - ' . , & +
    and parentheses. Nobody is called Unknown in other letters, because that is the class of strangers, or
    like an id such as unknown-3. Raises BadName for anything that cannot be the name of a person's folder.

    >>> check_person_name("Anna Maria")
    'Anna Maria'
    >>> check_person_name("../etc")
    Traceback (most recent call last):
    face_det.errors.BadName: name: must be letters, digits, spaces and _ - ' . , & + ( ) only, got '/'
    """
    composed = unicodedata.normalize("NFC", name)
    if not 1 <= len(composed) <= _MAX_NAME:
        raise BadName(f"name: must have 1 to {_MAX_NAME} characters, got {len(composed)}")
    if len(composed.encode("utf-8", "surrogatepass")) > 255:
        raise BadName("name: must fit into a file name of 255 bytes")
    for character in composed:
        category = unicodedata.category(character)
        # Letters, combining marks and digits.
        if category[0] not in "LM" and category != "Nd" and character not in f" {_SIGNS}":
            raise BadName(
                f"name: must be letters, digits, spaces and {' '.join(_SIGNS)} only, got {character!r}"
            )
    if composed[0] in " ." or composed[-1] == " ":
        raise BadName(f"name: must not start with a space or full stop, or end with a space, got {name!r}")
    if composed.casefold() == UNKNOWN.casefold() and composed != UNKNOWN:
        raise BadName(f"name: must not be {name!r}; photos of strangers belong to {UNKNOWN}")
    if _LIKE_AN_ID.fullmatch(composed):
        raise BadName(f"name: must be a person's, got {name!r}, which looks like the id of an unknown person")
    return composed


def list_photos(dataset: Path, *, warn: bool = True) -> dict[str, list[Path]]:
    """Return the photos of each person; names and paths are sorted. Empty if there is no dataset.

    The log names each folder whose photos cannot be used, once, unless `warn` is false, for those who
    report them themselves (`list_overlooked`). This also finishes what a killed `store_photo` or
    `remove_person` left undone. Raises DataError if the dataset exists but cannot be read.

    >>> list_photos(Path("no such folder"))
    {}
    """
    return list_person_files(dataset, _is_picture, warn=warn)


def list_person_files(
    dataset: Path, wanted: Callable[[Path], bool], *, warn: bool = True
) -> dict[str, list[Path]]:
    """Return the files of each person that are `wanted`, as `list_photos` returns their photos.

    >>> list_person_files(Path("no such folder"), lambda path: path.suffix == ".wav")
    {}
    """
    _delete_removed_folders(dataset)
    found: dict[str, list[Path]] = {}
    try:
        for folder in _folders(dataset, _warn_once if warn else _say_nothing):
            recover_folder(folder)
            files = [entry for entry in list_entries(folder) if wanted(entry)]
            if files:
                found.setdefault(_name_of(folder), []).extend(files)
    except OSError as error:
        raise DataError(f"{error.filename}: must be readable, got {error.strerror}") from error
    return {name: sorted(found[name]) for name in sorted(found)}


def has_person_folder(dataset: Path, name: str) -> bool:
    """Return True if the dataset has a folder of that name, or a link to one; it may be empty.

    >>> has_person_folder(Path("no such folder"), "anna")
    False
    """
    composed = unicodedata.normalize("NFC", name)
    return any(
        _name_of(entry) == composed and not entry.name.startswith(".") and entry.is_dir()
        for entry in list_entries(dataset)
    )


def photo_file_name(data: bytes) -> str:
    """Return the name of the file in which `store_photo` keeps these bytes; raises BadImage.

    >>> photo_file_name(b"BM, as a bitmap begins")
    'b2d291741c11c2dd.bmp'
    """
    suffix = picture_suffix(data)
    if suffix is None:
        raise BadImage(
            f"bytes: must be a picture ({', '.join(sorted(PICTURE_SUFFIXES))}), got something else"
        )
    return hashlib.sha256(data).hexdigest()[:16] + suffix


def store_photo(dataset: Path, name: str, data: bytes) -> Path:
    """Store the bytes of a picture as a photo of that person, and return its path.

    The file is named after the hash of its content. Storing the same bytes again changes nothing, whatever
    the file is called that has them.
    Raises BadName for an unusable name, BadImage for bytes of an unknown format, and DataError or
    CannotWrite if the file cannot be written.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     store_photo(Path(folder), "anna", b"BM, as a bitmap begins").name
    'b2d291741c11c2dd.bmp'
    """
    name = check_person_name(name)
    file_name = photo_file_name(data)
    for last in (False, True):
        folder = person_folder(dataset, name)
        try:
            with report_write_errors(folder, "nothing was stored"):
                make_folder(folder)
                present = _holds_bytes(folder / file_name, data)
            twin = None if present else _find_twin(folder, data)
            if twin is None and not present:
                write_atomically(folder / file_name, data)
            return twin or folder / file_name
        except FaceDetError:
            # remove_person may just have removed the folder under us.
            if last or folder.exists():
                raise
    raise AssertionError("unreachable")


def find_photo_of(dataset: Path, name: str, data: bytes) -> Path | None:
    """Return the photo of a person that has these bytes, or None.

    >>> find_photo_of(Path("no such folder"), "anna", b"BM, as a bitmap begins") is None
    True
    """
    theirs = list_photos(dataset, warn=False).get(name, ())
    return next((path for path in theirs if _same_bytes(path, data)), None)


def find_other_owner(dataset: Path, name: str, data: bytes) -> Path | None:
    """Return a photo of somebody other than `name` that has the same bytes, or None.

    >>> find_other_owner(Path("no such folder"), "anna", b"BM, as a bitmap begins") is None
    True
    """
    others = {who: paths for who, paths in list_photos(dataset, warn=False).items() if who != name}
    return next((path for paths in others.values() for path in paths if _same_bytes(path, data)), None)


def remove_person(dataset: Path, name: str) -> int:
    """Delete a person's folder with everything in it, and return the number of photos it held.

    If the folder is a link, only the link is deleted. The folder disappears at once. Raises
    CannotWrite if some of its content cannot be deleted; the next call tries again.

    >>> remove_person(Path("no such folder"), "anna")
    0
    """
    composed = unicodedata.normalize("NFC", name)
    count = 0
    for entry in list_entries(dataset):
        if entry.name.startswith(".") or _name_of(entry) != composed:
            continue
        try:
            if entry.is_symlink():
                entry.unlink()
            elif entry.is_dir():
                count += sum(_is_picture(inside) for inside in list_entries(entry))
                entry.replace(dataset / f"{_REMOVED_PREFIX}{secrets.token_hex(8)}")
        except OSError as error:
            raise CannotWrite(f"{entry}: cannot be removed: {error.strerror}; nothing was") from error
    left = _delete_removed_folders(dataset)
    if left:
        raise CannotWrite(f"{left[0]}: its files cannot be deleted; remove it by hand")
    return count


def _delete_removed_folders(dataset: Path) -> list[Path]:
    """Delete the folders of removed people, and return those that could not be deleted."""
    leaving = [entry for entry in list_entries(dataset) if entry.name.startswith(_REMOVED_PREFIX)]
    for entry in leaving:
        shutil.rmtree(entry, ignore_errors=True)  # it does not follow links
    return [entry for entry in leaving if entry.exists()]


def _folders(dataset: Path, warn: Callable[[str], None]) -> Iterator[Path]:
    for entry in list_entries(dataset):
        if entry.name.startswith("."):
            continue
        if entry.is_symlink() and entry.is_dir():
            warn(f"{entry}: links are not followed; its photos are not used")
        elif entry.is_dir() and not is_utf8(entry.name):
            warn(f"{str(entry)!a}: the name is not UTF-8; its photos are not used")
        elif entry.is_dir():
            try:
                check_person_name(entry.name)
            except BadName as error:
                warn(f"{str(entry)!r}: its photos are not used; rename the folder ({error})")
                continue
            yield entry


@functools.cache
def _warn_once(text: str) -> None:
    """Warn once, rather than with every look at the dataset."""
    log.warning("%s", text)


def _say_nothing(_text: str) -> None:
    """Leave it to the caller to report what is passed over."""


def person_folder(dataset: Path, name: str) -> Path:
    """Return the person's folder: an existing one, perhaps in another Unicode form, or the one to create.

    Raises BadName if it is a link.

    >>> person_folder(Path("no such folder"), "anna").name
    'anna'
    """
    for entry in list_entries(dataset):
        if _name_of(entry) == name:
            if entry.is_symlink():
                raise BadName(f"{entry}: links are not followed; replace it with a folder")
            return entry
    return dataset / name


def list_entries(folder: Path) -> list[Path]:
    """Return what is in a folder, sorted; empty if there is no such folder. Raises DataError.

    >>> list_entries(Path("no such folder"))
    []
    """
    try:
        return sorted(folder.iterdir())
    except FileNotFoundError:
        return []
    except OSError as error:
        raise DataError(f"{folder}: must be a readable folder, got {error.strerror}") from error


def _name_of(folder: Path) -> str:
    return unicodedata.normalize("NFC", folder.name)


def is_utf8(name: str) -> bool:
    """Return True if a name can be encoded as UTF-8, which file names need not be.

    >>> is_utf8("anna"), is_utf8("\\udcff")
    (True, False)
    """
    try:
        name.encode()
    except UnicodeEncodeError:
        return False
    return True


def _is_picture(entry: Path) -> bool:
    """Return True if it is named like a picture or begins like one; reading it shows whether it is one."""
    return not entry.name.startswith(".") and is_picture_file(entry)


def _holds_bytes(path: Path, data: bytes) -> bool:
    if path.is_symlink():
        path.unlink()  # its target may be outside the dataset
    return _same_bytes(path, data)


def _find_twin(folder: Path, data: bytes) -> Path | None:
    """Return a photo in a person's folder that has these bytes; a link to one is none."""
    return next(
        (
            entry
            for entry in list_entries(folder)
            if not entry.is_symlink() and _same_bytes(entry, data) and _is_picture(entry)
        ),
        None,
    )


def _same_bytes(path: Path, data: bytes) -> bool:
    try:
        return path.is_file() and path.stat().st_size == len(data) and path.read_bytes() == data
    except OSError:
        return False  # whoever reads it reports it
