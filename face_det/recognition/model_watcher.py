"""Whether the model in use is still the one that lies on the disk."""

from __future__ import annotations

import logging
import threading
from dataclasses import dataclass
from enum import Enum
from pathlib import Path

from face_det.errors import FaceDetError, ModelMissing
from face_det.recognition import model_file
from face_det.recognition.model import Model

log = logging.getLogger(__name__)


class ModelFileState(str, Enum):
    """What lies at modelPath and labelPath."""

    IN_USE = "in_use"
    NONE = "none"
    OTHER = "other"
    GONE = "gone"
    UNFIT = "unfit"


@dataclass(frozen=True, slots=True)
class ModelFileStatus:
    """The state, and what to say about it."""

    state: ModelFileState
    text: str = ""


class ModelWatcher:
    """Looks at the two files when they have changed, and tells the log of it, once. Thread-safe."""

    def __init__(self, model_path: Path, label_path: Path) -> None:
        self._paths = (model_path, label_path)
        self._lock = threading.Lock()
        self._seen: tuple[object, ...] = ()
        self._found = ModelFileStatus(ModelFileState.IN_USE)

    def compared(self, current: Model | None) -> ModelFileStatus:
        """The files beside the model in use; cheap while they stay as they were."""
        with self._lock:
            seen = (None if current is None else current.fingerprint, *map(_file_signature, self._paths))
            if seen != self._seen:
                found = self._look(current)
                if found.text and found != self._found:
                    log.warning("%s", found.text)
                self._seen, self._found = seen, found
            return self._found

    def _look(self, current: Model | None) -> ModelFileStatus:
        path = self._paths[0]
        try:
            there = model_file.load_model(*self._paths)
        except ModelMissing:
            if current is None:
                return ModelFileStatus(ModelFileState.NONE)
            return ModelFileStatus(
                ModelFileState.GONE, f"{path}: is gone; the model that was loaded stays in use"
            )
        except FaceDetError as error:
            return ModelFileStatus(ModelFileState.UNFIT, f"{error}; until then what was loaded stays in use")
        if current is not None and there.fingerprint == current.fingerprint:
            return ModelFileStatus(ModelFileState.IN_USE)
        todo = "reload (SIGHUP) takes it"
        return ModelFileStatus(
            ModelFileState.OTHER, f"{path}: was replaced; what was loaded stays in use; {todo}"
        )


def _file_signature(path: Path) -> tuple[int, ...] | None:
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns
