"""Kill a process with SIGKILL before and after each system call that changes a file.

`run_killed` does it to a function of a test. Run as `kill_points.py FOLDER`: for every point n it sets up old
files in FOLDER, forks a child that replaces them all and is killed at point n, and leaves FOLDER/n for the
test to look at. The last line is the number of points.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from face_det.storage import transaction

CALLS = [(os, name) for name in ("open", "fsync", "fchmod", "fchown", "close")]
CALLS += [(Path, name) for name in ("replace", "unlink")]


def files(folder: Path) -> list[Path]:
    """Return the paths of two files in one folder and one in another."""
    return [folder / "a" / "encodings", folder / "a" / "model", folder / "b" / "labels"]


def old(folder: Path) -> None:
    """Write the state before, in which one file does not exist yet."""
    for name in ("a", "b"):
        (folder / name).mkdir(parents=True)
    for path in files(folder)[1:]:
        path.write_bytes(b"old")


def replace(folder: Path) -> None:
    """Make the change, after which one file is gone."""
    encodings, model, labels = files(folder)
    transaction.replace_files({encodings: b"new", model: None, labels: b"new"})


def run_killed(
    point: int, calls: Sequence[tuple[Any, str]], run: Callable[..., object], *arguments: object
) -> bool:
    """Run something in a child that is killed at one of the moments before and after each of `calls`.

    Return True if it ended before it came to that moment.
    """
    child = os.fork()
    if child == 0:
        _die_at(point, calls)
        run(*arguments)
        os._exit(0)
    _, status = os.waitpid(child, 0)
    if os.WIFEXITED(status):
        assert os.WEXITSTATUS(status) == 0
        return True
    assert os.WTERMSIG(status) == signal.SIGKILL
    return False


def _die_at(point: int, calls: Sequence[tuple[Any, str]]) -> None:
    passed = 0

    def tick() -> None:
        nonlocal passed
        passed += 1
        if passed == point:
            os.kill(os.getpid(), signal.SIGKILL)

    def wrap(function: Callable[..., Any]) -> Callable[..., Any]:
        def wrapped(*arguments: Any, **named: Any) -> Any:
            tick()
            result = function(*arguments, **named)
            tick()
            return result

        return wrapped

    for owner, name in calls:
        setattr(owner, name, wrap(getattr(owner, name)))


def main(root: Path) -> None:
    """Try one kill point after another, until a child survives."""
    point = 0
    while True:
        point += 1
        folder = root / str(point)
        old(folder)
        if run_killed(point, CALLS, replace, folder):
            break
    print(point - 1)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
