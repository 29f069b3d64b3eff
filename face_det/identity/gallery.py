"""The encodings of everybody, and encodings.pickle, which holds them as the original's does."""

from __future__ import annotations

import pickle
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from face_det.errors import BadEncodings
from face_det.faces import Encodings
from face_det.identity import safe_pickle

DIMENSIONS = 128
EXPECTED = '{"encodings": [arrays of 128 numbers], "names": [texts]}'


@dataclass(frozen=True, eq=False)
class Gallery:
    """Encodings, shape (n, 128), read-only, and to each the name of its person.

    Raises BadEncodings if shapes or lengths do not fit, or a number is not finite.
    """

    encodings: Encodings
    names: tuple[str, ...]

    def __post_init__(self) -> None:
        """Check, and keep a copy that nobody can change."""
        encodings = np.array(self.encodings, dtype=np.float64)
        if encodings.ndim != 2 or encodings.shape[1] != DIMENSIONS:
            raise BadEncodings(f"encodings: must have shape (n, {DIMENSIONS}), got {encodings.shape}")
        if len(encodings) != len(self.names):
            raise BadEncodings(
                f"must have a name for each encoding, got {len(self.names)} for {len(encodings)}"
            )
        for index in np.flatnonzero(~np.isfinite(encodings).all(axis=1))[:1]:
            raise BadEncodings(f"encodings[{index}]: must be finite numbers, got NaN or infinity")
        encodings.flags.writeable = False
        object.__setattr__(self, "encodings", encodings)

    @classmethod
    def empty(cls) -> Gallery:
        """Nobody."""
        return cls(np.empty((0, DIMENSIONS)), ())

    @classmethod
    def load(cls, path: Path) -> Gallery:
        """The gallery in a file; empty if there is none.

        Raises BadEncodings for a file that holds something else, UnsafePickle and DataError as
        safe_pickle.load does.
        """
        try:
            content = safe_pickle.load(path)
        except FileNotFoundError:
            return cls.empty()
        if not isinstance(content, dict) or not {"encodings", "names"} <= content.keys():
            keys = f" with {sorted(map(str, content))[:5]}" if isinstance(content, dict) else ""
            raise BadEncodings(f"{path}: must hold {EXPECTED}, got {type(content).__name__}{keys}")
        names = [_name(path, index, name) for index, name in enumerate(_items(path, content, "names"))]
        rows = [_row(path, index, row) for index, row in enumerate(_items(path, content, "encodings"))]
        try:
            return cls(np.array(rows).reshape(-1, DIMENSIONS), tuple(names))
        except BadEncodings as error:
            raise BadEncodings(f"{path}: {error}") from error

    @property
    def people(self) -> tuple[str, ...]:
        """Everybody's name once, sorted."""
        return tuple(sorted(set(self.names)))

    def plus(self, name: str, encoding: npt.ArrayLike) -> Gallery:
        """The gallery with one encoding more."""
        row = np.asarray(encoding, dtype=np.float64)
        if row.shape != (DIMENSIONS,):
            raise BadEncodings(f"encoding: must be {DIMENSIONS} numbers, got shape {row.shape}")
        return Gallery(np.vstack([self.encodings, row]), (*self.names, name))

    def without(self, name: str) -> Gallery:
        """The gallery without a person's encodings."""
        kept = [index for index, other in enumerate(self.names) if other != name]
        return Gallery(self.encodings[kept], tuple(self.names[index] for index in kept))

    def dumps(self) -> bytes:
        """The content of encodings.pickle; the original's scripts read it, on Python 3.5 and numpy 1.

        Hence protocol 3, in which names are lines of text, and numpy 1's name of what makes an
        array: it stands once, in front of the first array. numpy 2 reads that as well.
        """
        content = {"encodings": list(self.encodings), "names": list(self.names)}
        before, function, after = pickle.dumps(content, protocol=3).partition(b"\n_reconstruct\n")
        return before.replace(b"cnumpy._core.multiarray", b"cnumpy.core.multiarray") + function + after


def _items(path: Path, content: dict[Any, Any], key: str) -> Sequence[Any]:
    items = content[key]
    if isinstance(items, np.ndarray) and items.ndim:
        return list(items)
    if not isinstance(items, (list, tuple)):
        raise BadEncodings(f"{path}: {key}: must be a list, got {type(items).__name__}")
    return items


def _name(path: Path, index: int, name: object) -> str:
    if not isinstance(name, str) or not name:
        raise BadEncodings(f"{path}: names[{index}]: must be a name, got {name!r:.40}")
    return str(name)


def _row(path: Path, index: int, row: object) -> Encodings:
    try:
        array = np.asarray(row, dtype=np.float64)
        got = f"shape {array.shape}"
    except (TypeError, ValueError, OverflowError) as error:
        raise BadEncodings(f"{path}: encodings[{index}]: must be {DIMENSIONS} numbers, got {error}") from None
    if array.shape != (DIMENSIONS,):
        raise BadEncodings(f"{path}: encodings[{index}]: must be {DIMENSIONS} numbers, got {got}")
    return array
