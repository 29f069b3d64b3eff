"""The real daemon, which notes every function of face_det that is called, and from where.

`traced_daemon.py CONFIG TRACE` serves until SIGTERM, then writes TRACE, a list of stacks as JSON: for each
call the functions that were running, outermost first, each as "room.module:Qualified.name".
"""

from __future__ import annotations

import json
import os
import sys
import threading
from collections import deque
from pathlib import Path
from types import CodeType, FrameType
from typing import Any

import greenlet

import face_det
from face_det.config import load_config
from face_det.daemon import run_daemon
from face_det.service import build_service

PACKAGE = f"{Path(face_det.__file__).parent}/"

stacks: list[tuple[str, ...]] = []
recent: deque[tuple[str, ...]] = deque(maxlen=200)
names: dict[CodeType, str] = {}


def name_of(code: CodeType) -> str:
    """room.module:Qualified.name; empty for code of others, and for expressions without a name."""
    if code not in names:
        module, _, suffix = code.co_filename.removeprefix(PACKAGE).rpartition(".")
        # co_qualname is there from Python 3.11 on; the name of the function is its last part.
        name = getattr(code, "co_qualname", code.co_name)
        ours = code.co_filename.startswith(PACKAGE) and suffix == "py" and not code.co_name.startswith("<")
        names[code] = f"{module.replace('/', '.')}:{name}" if ours else ""
    return names[code]


def note(frame: FrameType, event: str, argument: Any) -> None:
    """A profiler's function: keep the stack of each call."""
    if event == "call" and name_of(frame.f_code):
        stack = []
        at: FrameType | None = frame
        while at is not None:
            if name := name_of(at.f_code):
                stack.append(name)
            at = at.f_back
        # Loops call the same function again and again; once is enough. Jobs begin with short stacks.
        if len(seen := tuple(reversed(stack))) <= 3 or seen not in recent:
            stacks.append(seen)
            recent.append(seen)


def keep_noting(event: str, arguments: Any) -> None:
    """Each greenlet has a profiler of its own."""
    if event in ("switch", "throw"):
        sys.setprofile(note)


if __name__ == "__main__":
    greenlet.settrace(keep_noting)
    threading.setprofile(note)
    sys.setprofile(note)
    run_daemon(lambda: load_config(Path(sys.argv[1]), os.environ), build_service, os.environ)
    sys.setprofile(None)
    greenlet.settrace(None)
    Path(sys.argv[2]).write_text(json.dumps(stacks))
