"""Notices when the model files on disk are no longer the model in use."""

from __future__ import annotations

import logging
import threading
from dataclasses import dataclass
from enum import Enum
from pathlib import Path

from face_det.errors import FaceDetError, ModelMissing
from face_det.recognition.in_use import load_model_in_use
from face_det.recognition.model import Model

log = logging.getLogger(__name__)

MODEL_CHECK_S = 15.0
"""How often a daemon compares the model on disk with the one in use."""


class ModelFileState(str, Enum):
    """What is at modelPath and labelPath."""

    IN_USE = "in_use"
    NONE = "none"
    OTHER = "other"
    GONE = "gone"
    UNFIT = "unfit"


@dataclass(frozen=True, slots=True)
class ModelFileStatus:
    """The state of the two files, and a sentence about it; "" if there is nothing to report."""

    state: ModelFileState
    text: str = ""


class ModelWatcher:
    """Compares the model in use with the two files on disk, and logs each change once. Thread-safe."""

    def __init__(self, model_path: Path, label_path: Path) -> None:
        self._paths = (model_path, label_path)
        self._lock = threading.Lock()
        self._in_use = model_path
        self._seen: tuple[object, ...] = ()
        self._status = ModelFileStatus(ModelFileState.IN_USE)

    def compare(self, current: Model | None) -> ModelFileStatus:
        """Compare the files with the model in use; cheap while the files do not change."""
        with self._lock:
            files = (*self._paths, self._in_use)
            seen = (None if current is None else current.fingerprint, *map(_file_signature, files))
            if seen != self._seen:
                status = self._read(current)
                if self._in_use != files[-1]:
                    seen = ()  # the next call looks at the file in use as well
                if status.text and status != self._status:
                    log.warning("%s", status.text)
                self._seen, self._status = seen, status
            return self._status

    def _read(self, current: Model | None) -> ModelFileStatus:
        path = self._paths[0]
        try:
            on_disk = load_model_in_use(*self._paths)
        except ModelMissing:
            if current is None:
                return ModelFileStatus(ModelFileState.NONE)
            return ModelFileStatus(
                ModelFileState.GONE, f"{path}: file not found; the loaded model stays in use"
            )
        except FaceDetError as error:
            return ModelFileStatus(ModelFileState.UNFIT, f"{error}; until then the loaded model stays in use")
        self._in_use = Path(on_disk.place)
        if current is not None and on_disk.fingerprint == current.fingerprint:
            return ModelFileStatus(ModelFileState.IN_USE)
        return ModelFileStatus(
            ModelFileState.OTHER,
            f"{on_disk.place}: was replaced; the loaded model stays in use until the daemon takes "
            "this one over, by itself if it fits, or on a reload (SIGHUP)",
        )


def _file_signature(path: Path) -> tuple[int, ...] | None:
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns
