"""Download strangers from LFW, like the original's script of this name; calls `face-det fetch-lfw`."""

from __future__ import annotations

import sys
from pathlib import Path

if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # works without an installation
    from face_det.cli import run_cli

    run_cli(["fetch-lfw", *sys.argv[1:]])
