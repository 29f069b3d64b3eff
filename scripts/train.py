"""Train all classifiers, like the original's script of this name; calls `face-det train --classifier all`.

Each classifier gets its own file, such as svm_face_recognizer.pickle. `face-det train` without --classifier
trains the daemon's classifier into the file that modelPath names.
"""

from __future__ import annotations

import sys
from pathlib import Path

if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # works without an installation
    from face_det.cli import run_cli

    chosen = any(flag.startswith(("-c", "--cl")) for flag in sys.argv[1:])
    run_cli(["train", *([] if chosen else ["--classifier", "all"]), *sys.argv[1:]])
