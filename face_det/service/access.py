"""The parts of the service that verbs outside service.py may use."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from face_det.enrolment import Enroller
from face_det.media import LoadedImage
from face_det.recognition import Recognizer
from face_det.service.memory import Memory


@dataclass(frozen=True, eq=False, slots=True)
class Access:
    """The parts of a running service.

    `learning` is held while photos or the model change. `recognizer` returns the one in use, and `use`
    switches to another. `load` reads a picture, by its path or bytes, within the limits for callers. `state`
    is the folder of what the daemon remembers.
    """

    enroller: Enroller
    learning: threading.Lock
    recognizer: Callable[[], Recognizer]
    use: Callable[[Recognizer], None]
    load: Callable[[str | bytes], LoadedImage]
    memory: Memory | None
    state: Path | None
