"""Cut out persons and faces, like the original's script of this name; calls `face-det extract`."""

from __future__ import annotations

import sys

from face_det.cli import run_cli

if __name__ == "__main__":
    run_cli(["extract", *sys.argv[1:]])
