"""Recognise speakers, with the flags of the original's script of this name; calls `face-det voice acoustic`.

With --train it trains on Audios/train and Audios/validation and saves what it learnt in Models/Audios;
without it, it loads that and listens to the microphone.
"""

from __future__ import annotations

import sys

from face_det.cli import run_cli

if __name__ == "__main__":
    run_cli(["voice", "acoustic", *sys.argv[1:]])
