"""Train the classifiers, as the original's script of this name did: `face-det train`."""

from __future__ import annotations

import sys

from face_det.doors.cli import main

if __name__ == "__main__":
    main(["train", *sys.argv[1:]])
