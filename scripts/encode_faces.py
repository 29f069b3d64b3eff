"""Encode the dataset, like the original's script of this name; calls `face-det encode`."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path


def _require_the_original_flags(arguments: list[str]) -> None:
    """Exit with a usage message unless both paths are given, as the original does."""
    parser = argparse.ArgumentParser(description=__doc__, epilog="More flags: face-det encode --help")
    parser.add_argument("-i", "--dataset", required=True, help="folder with one folder of photos per person")
    parser.add_argument("-e", "--encodings", required=True, help="file to write")
    parser.add_argument("-d", "--detection-method", help="hog or cnn")
    parser.parse_known_args(arguments)


if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # works without an installation
    from face_det.cli import run_cli

    _require_the_original_flags(sys.argv[1:])
    run_cli(["encode", *sys.argv[1:]])
