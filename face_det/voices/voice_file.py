"""The encodings of everybody's recordings, in a file of their own beside encodings.pickle."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from face_det.embedders import CAMPPLUS, count_dimensions
from face_det.errors import BadEncodings
from face_det.storage import dump_pickle, load_pickle
from face_det.types import Encodings

RUN_VOICE_ENCODE = "run 'face-det voice encode'"

_COLUMNS = {"names": str, "files": str, "digests": str, "speech_s": float}


@dataclass(frozen=True, eq=False, slots=True)
class VoiceRow:
    """A recording: whose it is, its file below the dataset, its sha256, its seconds of speech, and what the
    network made of it, shape (192,)."""

    name: str
    file: str
    digest: str
    speech_s: float
    encoding: Encodings


@dataclass(frozen=True, eq=False, slots=True)
class VoiceGallery:
    """The recordings of everybody, and the fingerprint of the network that encoded them."""

    rows: tuple[VoiceRow, ...]
    fingerprint: str

    @property
    def people(self) -> tuple[str, ...]:
        """The names, sorted, each once."""
        return tuple(sorted({row.name for row in self.rows}))

    @property
    def encodings(self) -> Encodings:
        """The encodings, shape (n, 192)."""
        return np.array([row.encoding for row in self.rows]).reshape(-1, count_dimensions(CAMPPLUS))

    def dumps(self) -> bytes:
        """Return the bytes of the file."""
        table: dict[str, Any] = {"voices": self.encodings, "fingerprint": self.fingerprint}
        table |= {
            "names": [row.name for row in self.rows],
            "files": [row.file for row in self.rows],
            "digests": [row.digest for row in self.rows],
            "speech_s": [float(row.speech_s) for row in self.rows],
        }
        return dump_pickle(table)


def read_voices(path: Path) -> VoiceGallery | None:
    """Return what is in the file; None if there is none.

    Raises BadEncodings if it holds something else, and UnsafePickle if it is damaged or would run code.

    >>> read_voices(Path("no such file")) is None
    True
    """
    try:
        table = load_pickle(path)
    except FileNotFoundError:
        return None
    if not isinstance(table, dict) or not {"voices", "fingerprint", *_COLUMNS} <= table.keys():
        raise BadEncodings(
            f"{path}: must hold voices, got {type(table).__name__}; remove it and {RUN_VOICE_ENCODE}"
        )
    columns = [_check_column(path, key, table[key], kind) for key, kind in _COLUMNS.items()]
    encodings = np.asarray(table["voices"])
    expected = (len(columns[0]), count_dimensions(CAMPPLUS))
    if encodings.dtype.kind != "f" or encodings.shape != expected or not np.isfinite(encodings).all():
        raise BadEncodings(
            f"{path}: voices: must be finite numbers of shape {expected}, got {encodings.dtype} "
            f"{encodings.shape}; remove it and {RUN_VOICE_ENCODE}"
        )
    rows = zip(*columns, encodings.astype(np.float64), strict=True)
    return VoiceGallery(tuple(VoiceRow(*row) for row in rows), str(table["fingerprint"]))


def _check_column(path: Path, key: str, column: object, kind: type) -> Sequence[Any]:
    if not isinstance(column, list) or not all(isinstance(one, kind) for one in column):
        raise BadEncodings(f"{path}: {key}: must be a list of {kind.__name__}; {RUN_VOICE_ENCODE}")
    return column


def make_gallery(rows: Iterable[VoiceRow], fingerprint: str) -> VoiceGallery:
    """Return a gallery in the order of names and files."""
    return VoiceGallery(tuple(sorted(rows, key=lambda row: (row.name, row.file))), fingerprint)
