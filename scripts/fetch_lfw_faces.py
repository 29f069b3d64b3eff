"""Fetch strangers from LFW, as the original's script of this name did: `face-det fetch-lfw`."""

from __future__ import annotations

import sys

from face_det.doors.cli import main

if __name__ == "__main__":
    main(["fetch-lfw", *sys.argv[1:]])
