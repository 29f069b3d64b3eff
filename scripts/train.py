"""Train the classifiers, as the original's script of this name did: `face-det train --classifier all`.

Each lies in the file of its own name then, svm_face_recognizer.pickle in particular; `face-det train`
leaves there, where modelPath points to it, what the daemon would train.
"""

from __future__ import annotations

import sys

from face_det.cli import run_cli

if __name__ == "__main__":
    chosen = any(flag.startswith(("-c", "--cl")) for flag in sys.argv[1:])
    run_cli(["train", *([] if chosen else ["--classifier", "all"]), *sys.argv[1:]])
