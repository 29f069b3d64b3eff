"""The file of what is known about bodies: the encodings of crops, whose they are, and their visits."""

from __future__ import annotations

import io
import logging
import zipfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from face_det.bodies.crops import BodyCrop
from face_det.bodies.embedders import BodyEmbedder
from face_det.errors import BadEncodings, BadImage, ModelMismatch, ModelMissing
from face_det.media import load_image
from face_det.storage import MAX_PICKLE_BYTES, recover_folder, report_write_errors, write_atomically
from face_det.types import Encodings

log = logging.getLogger(__name__)

TRAIN_BODIES = "run 'face-det body FOLDER'"
_VERSION = 1


@dataclass(frozen=True, eq=False)
class BodyEncodings:
    """Encodings `X`, shape (n, d), each of length 1, with the name and the visit of each.

    `fingerprint` is the embedder's. A visit is named within its person.
    """

    X: Encodings
    names: tuple[str, ...]
    visits: tuple[str, ...]
    fingerprint: str

    def take(self, rows: npt.NDArray[np.intp]) -> BodyEncodings:
        """Return the encodings in these rows, shape (m,)."""
        names, visits = (tuple(of[row] for row in rows) for of in (self.names, self.visits))
        return BodyEncodings(self.X[rows], names, visits, self.fingerprint)


def encode_crops(
    crops: Sequence[BodyCrop],
    embedder: BodyEmbedder,
    on_progress: Callable[[int, int], None] = lambda done, total: None,
) -> tuple[BodyEncodings, list[tuple[Path, str]]]:
    """Encode pictures of persons; return the encodings, and the pictures that cannot be read with the reason.

    Raises BadImage if none can be read, and ModelError if the network cannot be used.
    """
    rows, kept, unreadable = [], [], []
    for done, crop in enumerate(crops, 1):
        try:
            rows.append(embedder.encode([embedder.prepare(load_image(crop.path))])[0])
        except BadImage as error:
            unreadable.append((crop.path, str(error)))
        else:
            kept.append(crop)
        on_progress(done, len(crops))
    if not rows:
        path, reason = unreadable[0]
        raise BadImage(f"none of the {len(crops)} pictures can be read; {path}: {reason}")
    names, visits = (tuple(getattr(crop, key) for crop in kept) for key in ("name", "visit"))
    return BodyEncodings(np.array(rows), names, visits, embedder.fingerprint), unreadable


def save_bodies(path: Path, encodings: BodyEncodings) -> None:
    """Replace the file, which only its owner may read, and remove what a killed run left half written.

    Raises CannotWrite.
    """
    recover_folder(path.parent)
    buffer = io.BytesIO()
    np.savez(
        buffer,
        version=np.array(_VERSION),
        X=encodings.X.astype(np.float32),
        names=np.array(encodings.names, np.str_),
        visits=np.array(encodings.visits, np.str_),
        fingerprint=np.array(encodings.fingerprint),
    )
    write_atomically(path, buffer.getvalue())


def load_bodies(path: Path, fingerprint: str | None = None) -> BodyEncodings:
    """Read the file; nothing in it is ever run.

    Raises ModelMissing if it is not there, BadEncodings if it holds something else, and ModelMismatch if it
    is of another embedder than `fingerprint`.
    """
    try:
        if path.stat().st_size > MAX_PICKLE_BYTES:
            raise BadEncodings(f"{path}: must have at most {MAX_PICKLE_BYTES} bytes")
        data = path.read_bytes()
    except OSError as error:
        raise ModelMissing(
            f"{path}: must hold the encodings of bodies, got: {error.strerror}; {TRAIN_BODIES}"
        ) from error
    try:
        with np.load(io.BytesIO(data), allow_pickle=False) as file:
            found = BodyEncodings(
                np.asarray(file["X"], np.float64),
                tuple(map(str, file["names"].tolist())),
                tuple(map(str, file["visits"].tolist())),
                str(file["fingerprint"]),
            )
            sound = int(file["version"]) == _VERSION
    except (ValueError, TypeError, KeyError, AttributeError, OSError, EOFError, zipfile.BadZipFile) as error:
        raise BadEncodings(f"{path}: must hold the encodings of bodies; {TRAIN_BODIES}") from error
    count = len(found.names)
    if not sound or found.X.ndim != 2 or {len(found.X), len(found.visits)} != {count}:
        raise BadEncodings(f"{path}: must hold a name and a visit for each encoding; {TRAIN_BODIES}")
    if not np.isfinite(found.X).all():
        raise BadEncodings(f"{path}: must hold finite numbers only; {TRAIN_BODIES}")
    if fingerprint is not None and found.fingerprint != fingerprint:
        raise ModelMismatch(
            f"{path}: must be of the embedder {fingerprint}, got {found.fingerprint}; {TRAIN_BODIES}"
        )
    return found


def forget_body(path: Path, name: str) -> int:
    """Remove a person's encodings from the file, if there is one; return how many.

    A file that cannot be read may hold them, so it is removed, and so may one that a killed run left half
    written. Raises CannotWrite.
    """
    recover_folder(path.parent)
    if not path.exists():
        return 0
    try:
        found = load_bodies(path)
    except BadEncodings as error:
        log.warning("removed, because a person is forgotten and nobody knows whom it shows: %s", error)
        with report_write_errors(path, "nothing was removed"):
            path.unlink()
        return 0
    kept = np.flatnonzero([owner != name for owner in found.names])
    if len(kept) < len(found.names):
        save_bodies(path, found.take(kept))
    return len(found.names) - len(kept)
