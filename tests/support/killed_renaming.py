"""Kill a process with SIGKILL when people have another name in their photos, and what was seen has not yet.

Run as `killed_renaming.py CONFIG VERB ARGUMENT...`, with a verb about photos and its arguments as JSON.
"""

from __future__ import annotations

import json
import os
import signal
import sys
from pathlib import Path
from typing import Any

from face_det.config.load import load_config
from face_det.service import assembly
from face_det.service.renamings import Renamings


def main(config: str, verb: str, *arguments: str) -> None:
    """Make the change, which does not return."""

    def kill(self: Renamings) -> Any:
        os.kill(os.getpid(), signal.SIGKILL)

    service = assembly.build_service(load_config(Path(config), {}), remember=True)
    Renamings.follow = kill  # type: ignore[method-assign]
    getattr(service.photos, verb)(*map(json.loads, arguments))


if __name__ == "__main__":
    main(*sys.argv[1:])
