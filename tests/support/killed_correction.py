"""Kill a process with SIGKILL in the middle of a correction, between the photos and the database.

Run as `killed_correction.py CONFIG (before|after) VERB ARGUMENT...`, with the arguments as JSON: the process
ends right before or right after the change is committed.
"""

from __future__ import annotations

import json
import os
import signal
import sys
from pathlib import Path
from typing import Any

from face_det.config.load import load_config
from face_det.service import Corrections, assembly


def main(config: str, point: str, verb: str, *arguments: str) -> None:
    """Make the correction, which does not return."""
    commit = Corrections._change

    def killed(self: Corrections, *change: Any) -> Any:
        if point == "after":
            commit(self, *change)
        os.kill(os.getpid(), signal.SIGKILL)

    Corrections._change = killed
    service = assembly.build_service(load_config(Path(config), {}), remember=True)
    getattr(service.corrections, verb)(*map(json.loads, arguments), "test")


if __name__ == "__main__":
    main(*sys.argv[1:])
