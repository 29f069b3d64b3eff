"""What encodings.pickle holds, checked; the original's keys, and those that are ours besides.

| key | holds |
|---|---|
| encodings | dlib's 128 numbers of each photo |
| names | whose each photo is |
| views, sface | dlib_views' and sface's 128 numbers of each photo; only where they are known of all |
| fingerprints | embedder -> which network made its numbers |
"""

from __future__ import annotations

import logging
import pickle
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from face_det.errors import BadEncodings
from face_det.faces import Encodings
from face_det.identity import safe_pickle
from face_det.identity.enrol import is_text
from face_det.identity.fingerprints import BOTH, DLIB, SFACE, VIEWS

log = logging.getLogger(__name__)

DIMENSIONS = 128
ENCODE = "run 'face-det encode'"
KEYS = {DLIB: "encodings", VIEWS: "views", SFACE: "sface"}
"""Under which key an embedder's numbers lie."""
NAMES = "names"
FINGERPRINTS = "fingerprints"
EXPECTED = '{"encodings": [arrays of 128 numbers], "names": [texts]}'


def columns(parts: Iterable[str]) -> dict[str, slice]:
    """Where each embedder's numbers are in rows that hold those of several, one after the other."""
    return {name: slice(at * DIMENSIONS, (at + 1) * DIMENSIONS) for at, name in enumerate(parts)}


@dataclass(frozen=True, eq=False, slots=True)
class Content:
    """The file's content: encodings by embedder, each (n, 128), n names, fingerprints by embedder."""

    encodings: Mapping[str, Encodings]
    names: Sequence[str]
    fingerprints: Mapping[str, str]


def read(path: Path) -> Content | None:
    """The content of a file; None if there is none.

    Raises BadEncodings for a file that holds something else, UnsafePickle and DataError as
    safe_pickle.load does.
    """
    try:
        content = safe_pickle.load(path)
    except FileNotFoundError:
        return None
    if not isinstance(content, dict) or not {KEYS[DLIB], NAMES} <= content.keys():
        keys = f" with {sorted(map(str, content))[:5]}" if isinstance(content, dict) else ""
        raise BadEncodings(f"{path}: must hold {EXPECTED}, got {type(content).__name__}{keys}")
    names = [_name(path, index, name) for index, name in enumerate(_items(path, content, NAMES))]
    encodings = {DLIB: _rows(path, content, KEYS[DLIB])}
    made_by = _fingerprints(path, content)
    for embedder, key in KEYS.items():
        if embedder == DLIB or key not in content:
            continue
        items = _items(path, content, key)
        if embedder in made_by and len(items) == len(names) and all(item is not None for item in items):
            encodings[embedder] = _rows(path, content, key)
        else:
            # Another program added or removed photos: whose these numbers are cannot be told.
            log.warning("%s: %s: must be known of every photo; not used; %s", path, key, ENCODE)
    return Content(encodings, names, made_by)


def dumps(content: Content) -> bytes:
    """The content of a file that the original's scripts read, on Python 3.5 and numpy 1.

    Hence protocol 3, in which names are lines of text, and numpy 1's name of what makes an
    array: it stands once, in front of the first array. numpy 2 reads that as well.
    """
    table: dict[str, Any] = {KEYS[DLIB]: list(content.encodings[DLIB]), NAMES: list(content.names)}
    table |= {KEYS[one]: list(rows) for one, rows in content.encodings.items() if one != DLIB}
    if content.fingerprints:
        table[FINGERPRINTS] = dict(sorted(content.fingerprints.items()))
    before, function, after = pickle.dumps(table, protocol=3).partition(b"\n_reconstruct\n")
    return before.replace(b"cnumpy._core.multiarray", b"cnumpy.core.multiarray") + function + after


def _items(path: Path, content: dict[Any, Any], key: str) -> Sequence[Any]:
    items = content[key]
    if isinstance(items, np.ndarray) and items.ndim:
        return list(items)
    if not isinstance(items, (list, tuple)):
        raise BadEncodings(f"{path}: {key}: must be a list, got {type(items).__name__}")
    return items


def _name(path: Path, index: int, name: object) -> str:
    if not isinstance(name, str) or not name or "\0" in name or not is_text(name):
        raise BadEncodings(f"{path}: names[{index}]: must be a name, got {name!a:.40}")
    return str(name)


def _rows(path: Path, content: dict[Any, Any], key: str) -> Encodings:
    rows = [_row(f"{path}: {key}[{index}]", row) for index, row in enumerate(_items(path, content, key))]
    return np.array(rows).reshape(-1, DIMENSIONS)


def _row(place: str, row: object) -> Encodings:
    try:
        given = np.asarray(row)
        array = given.real.astype(np.float64)
        got = f"shape {array.shape}" if not np.iscomplexobj(given) else "complex ones"
    except (TypeError, ValueError, OverflowError) as error:
        raise BadEncodings(f"{place}: must be {DIMENSIONS} numbers, got {error}") from None
    if array.shape != (DIMENSIONS,) or np.iscomplexobj(given):
        raise BadEncodings(f"{place}: must be {DIMENSIONS} numbers, got {got}")
    return array


def _fingerprints(path: Path, content: dict[Any, Any]) -> dict[str, str]:
    """As they were noted; none in the original's files. Those of embedders unknown here are left out."""
    noted = content.get(FINGERPRINTS, {})
    if not isinstance(noted, dict):
        raise BadEncodings(f"{path}: {FINGERPRINTS}: must be a table, got {type(noted).__name__}; {ENCODE}")
    for embedder, text in noted.items():
        others = {*KEYS, BOTH} - {embedder}
        if not isinstance(text, str) or not text or text.partition(":")[0] in others:
            place = f"{path}: {FINGERPRINTS}[{embedder!r:.40}]"
            raise BadEncodings(f"{place}: must be its network's, got {text!r:.60}; {ENCODE}")
    return {embedder: noted[embedder] for embedder in KEYS if embedder in noted}
