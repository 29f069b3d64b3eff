"""Reads and writes encodings.pickle: the original program's two keys, and ours beside them.

| key | holds |
|---|---|
| encodings | dlib_resnet's 128 numbers for each photo |
| names | the person in each photo |
| views, sface | dlib_views' and sface's 128 numbers for each photo; absent unless all photos have them |
| grey | the 10,000 grey values of each face, as whole numbers of a byte; absent unless configured |
| onnx:HASH | the numbers of the user's own model with that content |
| fingerprints | embedder -> the fingerprint of its network |
"""

from __future__ import annotations

import logging
import pickle
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from face_det.embedders import (
    DLIB_AND_SFACE,
    DLIB_RESNET,
    EMBEDDERS,
    count_dimensions,
    encodings_keys,
    recorded_as,
)
from face_det.errors import BadEncodings
from face_det.gallery.dataset import is_utf8
from face_det.storage import load_pickle
from face_det.types import Encodings

log = logging.getLogger(__name__)

RUN_ENCODE = "run 'face-det encode'"


NAMES_KEY = "names"
FINGERPRINTS_KEY = "fingerprints"
EXPECTED_CONTENT = '{"encodings": [arrays of 128 numbers], "names": [texts]}'


def locate_columns(parts: Iterable[str]) -> dict[str, slice]:
    """Return the columns of each embedder in rows that join the encodings of several.

    >>> locate_columns(["dlib_resnet", "sface"])
    {'dlib_resnet': slice(0, 128, None), 'sface': slice(128, 256, None)}
    """
    columns: dict[str, slice] = {}
    start = 0
    for name in parts:
        columns[name] = slice(start, start + count_dimensions(name))
        start = columns[name].stop
    return columns


@dataclass(frozen=True, eq=False, slots=True)
class EncodingsContent:
    """The content of the file: encodings by embedder, each of shape (n, dimensions); n names; and the
    fingerprint of each embedder's network."""

    encodings: Mapping[str, Encodings]
    names: Sequence[str]
    fingerprints: Mapping[str, str]


def read_encodings(path: Path) -> EncodingsContent | None:
    """Return the checked content of encodings.pickle; None if there is no file.

    Raises BadEncodings if it holds something else, UnsafePickle if it is damaged or would run code,
    and DataError if it cannot be read.

    >>> read_encodings(Path("no such file")) is None
    True
    """
    try:
        content = load_pickle(path)
    except FileNotFoundError:
        return None
    keys = encodings_keys()
    if not isinstance(content, dict) or not {keys[DLIB_RESNET], NAMES_KEY} <= content.keys():
        found = f" with {sorted(map(str, content))[:5]}" if isinstance(content, dict) else ""
        raise BadEncodings(f"{path}: must hold {EXPECTED_CONTENT}, got {type(content).__name__}{found}")
    names = [
        _check_name(path, index, name) for index, name in enumerate(_list_items(path, content, NAMES_KEY))
    ]
    encodings = {DLIB_RESNET: _read_rows(path, content, keys[DLIB_RESNET], count_dimensions(DLIB_RESNET))}
    made_by = _read_fingerprints(path, content)
    for embedder, key in keys.items():
        if embedder == DLIB_RESNET or key not in content:
            continue
        items = _list_items(path, content, key)
        if embedder in made_by and len(items) == len(names) and all(item is not None for item in items):
            encodings[embedder] = _read_rows(path, content, key, count_dimensions(embedder))
        else:
            # Another program added or removed photos: nobody can tell whose these numbers are.
            log.warning("%s: %s: must be there for every photo; not used; %s", path, key, RUN_ENCODE)
    return EncodingsContent(encodings, names, made_by)


def is_our_encodings_file(data: bytes) -> bool:
    """Return True if face_det wrote this file; the original's names no network.

    >>> is_our_encodings_file(dump_encodings(EncodingsContent({"dlib_resnet": np.zeros((0, 128))}, [], {})))
    False
    """
    return FINGERPRINTS_KEY.encode() in data


def dump_encodings(content: EncodingsContent) -> bytes:
    """Return the bytes of encodings.pickle, readable by the original's scripts on Python 3.5 and numpy 1.

    It is therefore a pickle of protocol 3, which spells names out as lines of text, and it refers to
    the array constructor by numpy 1's name. That name appears once, before the first array, and
    numpy 2 understands it too.

    >>> content = EncodingsContent({"dlib_resnet": np.zeros((1, 128))}, ["anna"], {})
    >>> pickle.loads(dump_encodings(content))["names"]
    ['anna']
    """
    keys = encodings_keys()
    table: dict[str, Any] = {
        keys[DLIB_RESNET]: list(content.encodings[DLIB_RESNET]),
        NAMES_KEY: list(content.names),
    }
    table |= {
        keys[one]: list(rows.astype(EMBEDDERS[one].stored_as))
        for one, rows in content.encodings.items()
        if one != DLIB_RESNET
    }
    if content.fingerprints:
        table[FINGERPRINTS_KEY] = {
            recorded_as(one): text for one, text in sorted(content.fingerprints.items())
        }
    before, function, after = pickle.dumps(table, protocol=3).partition(b"\n_reconstruct\n")
    return before.replace(b"cnumpy._core.multiarray", b"cnumpy.core.multiarray") + function + after


def _list_items(path: Path, content: dict[Any, Any], key: str) -> Sequence[Any]:
    items = content[key]
    if isinstance(items, np.ndarray) and items.ndim:
        return list(items)
    if not isinstance(items, (list, tuple)):
        raise BadEncodings(f"{path}: {key}: must be a list, got {type(items).__name__}")
    return items


def _check_name(path: Path, index: int, name: object) -> str:
    if not isinstance(name, str) or not name or "\0" in name or not is_utf8(name):
        raise BadEncodings(f"{path}: names[{index}]: must be a name, got {name!a:.40}")
    return str(name)


def _read_rows(path: Path, content: dict[Any, Any], key: str, dimensions: int) -> Encodings:
    rows = [
        _read_row(f"{path}: {key}[{index}]", row, dimensions)
        for index, row in enumerate(_list_items(path, content, key))
    ]
    return np.array(rows).reshape(-1, dimensions)


def _read_row(place: str, row: object, dimensions: int) -> Encodings:
    try:
        given = np.asarray(row)
        array = given.real.astype(np.float64)
        got = f"shape {array.shape}" if not np.iscomplexobj(given) else "complex ones"
    except (TypeError, ValueError, OverflowError) as error:
        raise BadEncodings(f"{place}: must be {dimensions} numbers, got {error}") from None
    if array.shape != (dimensions,) or np.iscomplexobj(given):
        raise BadEncodings(f"{place}: must be {dimensions} numbers, got {got}")
    return array


def _read_fingerprints(path: Path, content: dict[Any, Any]) -> dict[str, str]:
    """Return the recorded fingerprints of known embedders; the original's files have none."""
    recorded = content.get(FINGERPRINTS_KEY, {})
    if not isinstance(recorded, dict):
        raise BadEncodings(
            f"{path}: {FINGERPRINTS_KEY}: must be a table, got {type(recorded).__name__}; {RUN_ENCODE}"
        )
    for embedder, text in recorded.items():
        others = {*encodings_keys(), DLIB_AND_SFACE} - {embedder}
        if not isinstance(text, str) or not text or text.partition(":")[0] in others:
            place = f"{path}: {FINGERPRINTS_KEY}[{embedder!r:.40}]"
            raise BadEncodings(f"{place}: must be its network's, got {text!r:.60}; {RUN_ENCODE}")
    return {one: recorded[recorded_as(one)] for one in encodings_keys() if recorded_as(one) in recorded}
