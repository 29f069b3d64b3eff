"""Fills dataset/Unknown with strangers: photos of Labeled Faces in the Wild (LFW), via scikit-learn.

LFW: Huang et al., "Labeled Faces in the Wild", University of Massachusetts (2007); for research only.
"""

from __future__ import annotations

import hashlib
import re
import socket
import unicodedata
import warnings
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from http.client import HTTPException
from itertools import zip_longest
from pathlib import Path
from urllib.error import URLError

from sklearn.datasets import fetch_lfw_people, get_data_home

from face_det.errors import BadImage, DataError, FaceDetError, TryAgain
from face_det.media import load_image, resize_image, save_image
from face_det.sources import lfw_copy
from face_det.sources.lfw_copy import LfwPhoto
from face_det.storage import make_folder, recover_folder, write_atomically

STALLED_TIMEOUT_S = 20.0
"""A server that is silent for this long counts as unreachable."""
_RETRIES = 1
_SKLEARN_COPIES = (("lfw", "lfw.tgz"), ("lfw_funneled", "lfw-funneled.tgz"))
"""What scikit-learn keeps in lfw_home: each folder, and its archive until that is unpacked. The original
photos come first, because they look like a camera's; the funneled ones are aligned."""
_IMPOSSIBLE_PHOTO_COUNT = 10**6
_DOWNLOAD_ADVICE = (
    "check the network and its proxy, or use a copy on this machine: --from lfw/ or --from lfw.tgz"
)


@dataclass(frozen=True, slots=True)
class FetchResult:
    """The result of a fetch.

    `written` holds the new photos, `there` those that were there before. `unreadable` says which photos could
    not be read and why. `enrolled` are the names skipped because they are enrolled.
    """

    written: tuple[Path, ...]
    there: tuple[Path, ...]
    unreadable: tuple[str, ...]
    enrolled: tuple[str, ...]


def lfw_home(data_home: Path | None) -> Path:
    """Return scikit-learn's folder for LFW, which may not exist yet. Raises DataError."""
    try:
        return Path(get_data_home(data_home)) / "lfw_home"
    except OSError as error:
        raise DataError(f"{error.filename}: must be a writable folder, got {error.strerror}") from error


def download_lfw(data_home: Path | None) -> Path:
    """Return the path of a copy of LFW, a folder or an archive, downloading it first if necessary.

    Raises TryAgain if it cannot be downloaded, FaceDetError if there is no room for it. scikit-learn
    checks the sha256 of the archive and unpacks it. It is kept from loading the pictures, which would take
    10 GB as floats in colour. The files themselves are used instead.
    """
    place = lfw_home(data_home)
    for folder, archive in _SKLEARN_COPIES:
        if (place / folder).is_dir():
            # If both exist, unpacking was interrupted and the folder is incomplete.
            return place / archive if (place / archive).is_file() else place / folder
    # scikit-learn raises ValueError once it has unpacked the archive, because nobody has that many photos.
    with _report_download_errors(place), _socket_timeout(), suppress(ValueError):
        fetch_lfw_people(
            data_home=data_home,
            funneled=False,
            color=True,
            resize=None,
            slice_=(slice(0, 250), slice(0, 250)),
            min_faces_per_person=_IMPOSSIBLE_PHOTO_COUNT,
            n_retries=_RETRIES,
        )
    if not (place / _SKLEARN_COPIES[0][0]).is_dir():
        raise FaceDetError(f"{place / _SKLEARN_COPIES[0][0]}: was not downloaded; {_DOWNLOAD_ADVICE}")
    return place / _SKLEARN_COPIES[0][0]


def fetch_strangers(
    copy: Path,
    output: Path,
    *,
    count: int,
    ratio: float = 1.0,
    seed: int = 0,
    enrolled: Iterable[str] = (),
    on_progress: Callable[[int, int], None] = lambda done, total: None,
) -> FetchResult:
    """Put `count` photos from a copy of LFW into the folder `output`, of as many people as possible.

    The choice depends on `seed` alone, and a larger count adds to the photos of a smaller one. People
    named in `enrolled` are skipped. Photos that are already there are left alone. With a `ratio` other
    than 1, pictures are scaled by it and saved as JPEG; otherwise the files are copied as they are.
    `on_progress` gets the number done and the total. Raises DataError if `copy` is not a copy of LFW,
    FaceDetError if a file cannot be written; each file appears whole or not at all.

    >>> from tempfile import TemporaryDirectory
    >>> import numpy as np
    >>> with TemporaryDirectory() as folder:
    ...     lfw, unknown = Path(folder, "lfw"), Path(folder, "Unknown")
    ...     lfw.mkdir()
    ...     for number in (1, 2):
    ...         save_image(np.zeros((8, 8, 3), np.uint8), lfw / f"Ada_Lovelace_000{number}.jpg")
    ...     result = fetch_strangers(lfw, unknown, count=1)
    ...     [path.name for path in result.written]
    ['Ada_Lovelace_0001.jpg']
    """
    known = {_fold_name(name) for name in enrolled}
    found = lfw_copy.list_lfw_photos(copy)
    skipped = sorted({entry.person for entry in found if _fold_name(entry.person) in known})
    waiting = _order_by_seed((entry for entry in found if _fold_name(entry.person) not in known), seed)
    _make_output_folder(output)
    present = {
        path.stem: path for path in sorted(output.iterdir()) if path.suffix.lower() in lfw_copy.LFW_SUFFIXES
    }
    written: list[Path] = []
    existing: list[Path] = []
    unreadable: list[str] = []
    while waiting and (missing := count - len(written) - len(existing)) > 0:
        chosen, waiting = waiting[:missing], waiting[missing:]
        existing += [present[entry.stem] for entry in chosen if entry.stem in present]
        new = [entry for entry in chosen if entry.stem not in present]
        for entry, data in lfw_copy.read_lfw_photos(copy, new):
            try:
                written.append(_write_photo(output, entry, data, ratio))
            except BadImage as error:
                unreadable.append(f"{entry.place}: {error}")
            on_progress(len(written) + len(existing), count)
    return FetchResult(tuple(written), tuple(existing), tuple(unreadable), tuple(skipped))


def _order_by_seed(entries: Iterable[LfwPhoto], seed: int) -> list[LfwPhoto]:
    """List everyone's first photo, then everyone's second, and so on, with people shuffled by the seed.

    People are sorted by hashes, so the order is the same everywhere, and skipping one moves no other.
    """
    people: dict[str, list[LfwPhoto]] = defaultdict(list)
    for entry in entries:
        people[entry.person].append(entry)
    order = sorted(people, key=lambda person: hashlib.sha256(f"{seed}:{person}".encode()).digest())
    rounds = zip_longest(*(sorted(people[person], key=lambda entry: entry.stem) for person in order))
    return [entry for photos in rounds for entry in photos if entry is not None]


def _write_photo(output: Path, entry: LfwPhoto, data: bytes | BadImage, ratio: float) -> Path:
    if isinstance(data, BadImage):
        raise data
    rgb = load_image(data)  # even if the file is copied as it is, because a damaged one is useless
    if ratio == 1.0:
        path = output / f"{entry.stem}{entry.suffix}"
        write_atomically(path, data)
        return path
    path = output / f"{entry.stem}.jpg"
    height, width = rgb.shape[:2]
    save_image(resize_image(rgb, max(1, round(width * ratio)), max(1, round(height * ratio))), path)
    return path


def _make_output_folder(folder: Path) -> None:
    try:
        make_folder(folder)
    except OSError as error:
        raise DataError(f"{folder}: must be a writable folder, got {error.strerror}") from error
    recover_folder(folder)


def _fold_name(name: str) -> str:
    """Fold a name for comparison: without case, accents, underscores, dots and hyphens."""
    plain = "".join(sign for sign in unicodedata.normalize("NFKD", name) if not unicodedata.combining(sign))
    return re.sub(r"[\s_.'-]+", " ", plain.casefold()).strip()


@contextmanager
def _socket_timeout() -> Iterator[None]:
    """Set a timeout for sockets; scikit-learn offers no other way, and urllib would wait forever."""
    before = socket.getdefaulttimeout()
    socket.setdefaulttimeout(STALLED_TIMEOUT_S)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # one for each attempt; the last one's error is reported
            yield
    finally:
        socket.setdefaulttimeout(before)


@contextmanager
def _report_download_errors(place: Path) -> Iterator[None]:
    try:
        yield
    except (URLError, TimeoutError, ConnectionError, HTTPException) as error:
        raise TryAgain(f"LFW: cannot be downloaded ({_error_text(error)}); {_DOWNLOAD_ADVICE}") from error
    except OSError as error:
        if error.errno is None:  # the sha256 differs
            raise TryAgain(f"LFW: cannot be downloaded ({_error_text(error)}); {_DOWNLOAD_ADVICE}") from error
        raise FaceDetError(f"{place}: cannot be written: {error.strerror}; {_DOWNLOAD_ADVICE}") from error
    except EOFError as error:
        raise FaceDetError(f"{place}: its archive is damaged; delete it and try again") from error


def _error_text(error: BaseException) -> str:
    reason = getattr(error, "reason", None) or error
    return " ".join(str(reason).split()) or type(error).__name__
