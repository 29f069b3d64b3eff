"""Download strangers from LFW, like the original's script of this name; calls `face-det fetch-lfw`."""

from __future__ import annotations

import sys

from face_det.cli import run_cli

if __name__ == "__main__":
    run_cli(["fetch-lfw", *sys.argv[1:]])
