"""The command line, in which a restore is killed with SIGKILL right after one of its steps.

Run as `killed_restore.py STEP serve --config CONFIG`; STEP is a method of Replacement.
"""

from __future__ import annotations

import os
import signal
import sys
from typing import Any

from face_det.cli.main import run_cli
from face_det.service.replacement import Replacement


def kill_after(step: str) -> None:
    """Let the process end when it has taken this step."""
    take = getattr(Replacement, step)

    def killed(*arguments: Any) -> None:
        take(*arguments)
        os.kill(os.getpid(), signal.SIGKILL)

    setattr(Replacement, step, killed)


if __name__ == "__main__":
    kill_after(sys.argv.pop(1))
    run_cli()
