"""Step through recorded alarm frames, like the original's script of this name; calls `face-det tune`."""

from __future__ import annotations

import sys

from face_det.cli import run_cli

if __name__ == "__main__":
    run_cli(["tune", *sys.argv[1:]])
