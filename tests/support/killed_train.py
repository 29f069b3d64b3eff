"""Not a test: runs `face-det train` again and again, each time killed one step later.

Steps are what changes the folder: opening a file in it, renaming, removing. The last line that it
prints is JSON: for each folder that it is given, what the files hold after each run. A process of its
own, because it forks. The search, which touches no file, is done once for all runs in a folder.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import sys
from pathlib import Path
from typing import Any

from face_det.cli import train as command
from face_det.cli.main import run_cli
from face_det.gallery.gallery import Gallery
from face_det.recognition import in_use as used_file
from face_det.recognition import model_file
from face_det.training import train_classifiers

KINDS = ("nearest", "svm")
STEPS = {"open", "os.rename", "os.remove"}


def in_a_child(work: Any) -> int:
    """What waitpid says of a forked child that does `work` and ends with its result."""
    child = os.fork()
    if child == 0:
        code = 70
        try:
            code = work()
        finally:
            os._exit(code)
    return os.waitpid(child, 0)[1]


def trained(folder: Path, arguments: list[str]) -> int:
    """Run `face-det train`; its exit code."""
    try:
        run_cli(["train", "-e", str(folder.parent / "new.pickle"), *arguments])
    except SystemExit as end:
        return int(end.code or 0)
    return 70


def train_until(step: int, folder: Path, arguments: list[str]) -> int:
    """Train; SIGKILL before the step of that number."""
    left = step

    def count(event: str, arguments: tuple[Any, ...]) -> None:
        nonlocal left
        if (
            event in STEPS
            and isinstance(arguments[0], (str, Path))
            and str(arguments[0]).startswith(str(folder))
        ):
            left -= 1
            if left == 0:
                os.kill(os.getpid(), signal.SIGKILL)

    sys.addaudithook(count)
    return trained(folder, arguments)


def what_is_there(folder: Path) -> int:
    """1: all is old; 2: all is new; 3: something is half."""
    found = [
        model_file.load_model(folder / f"{kind}_face_recognizer.pickle", folder / "face_labels.pickle")
        for kind in KINDS
    ]
    kinds = tuple(one.card.kind for one in found)
    names = {one.card.classes for one in found}
    pictures = {(folder / f"{kind}-cm.png").read_bytes() == b"old" for kind in KINDS}
    left = {path.name for path in folder.iterdir() if path.name.startswith(".face-det")}
    if kinds != KINDS or len(names) != 1 or len(pictures) != 1 or left:
        return 3
    old = len(names.pop()) == 2
    return 3 if old != pictures.pop() else 1 if old else 2


def what_is_in_use(folder: Path) -> int:
    """The same of the model in use, which was a template of two people; one that does not load is 3."""
    paths = folder / "svm_face_recognizer.pickle", folder / "face_labels.pickle"
    card = used_file.load_model_in_use(*paths).card
    return {("template", 2): 1, ("nearest", 3): 2}.get((card.kind, len(card.classes)), 3)


def run(folder: Path, *, in_use: bool) -> list[tuple[bool, int]]:
    """For each step: (was killed, what is there)."""
    result = train_classifiers(
        Gallery.load(folder.parent / "new.pickle"),
        KINDS[:1] if in_use else KINDS,
        jobs=1,
        thorough=False,
        on_progress=lambda *_: None,
    )
    command.train_classifiers = lambda *_, **__: result
    command.draw_held_out_confusion = lambda *_: b"new"
    arguments = ["--config", str(folder / "config.json"), "-c", "nearest"] if in_use else ["-o", str(folder)]
    look = what_is_in_use if in_use else what_is_there
    states: list[tuple[bool, int]] = []

    def set_up() -> None:
        shutil.rmtree(folder, ignore_errors=True)
        shutil.copytree(folder.parent / "old", folder)

    # What is imported once, in this process, is not imported again by every child.
    set_up()
    trained(folder, arguments)
    look(folder)
    for step in range(1, 200):
        set_up()
        status = in_a_child(lambda step=step: train_until(step, folder, arguments))
        killed = os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGKILL
        seen = os.waitstatus_to_exitcode(in_a_child(lambda: look(folder)))
        states.append((killed, seen))
        if not killed:
            break
    return states


if __name__ == "__main__":
    folders = [Path(argument) for argument in sys.argv[1:]]
    print(json.dumps([run(one, in_use=(one.parent / "old/config.json").exists()) for one in folders]))
