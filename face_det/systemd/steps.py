"""Steps that change a system: told before they are done, done once, and done again without effect."""

from __future__ import annotations

import os
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from face_det.errors import FaceDetError


class Step(Protocol):
    """One thing to do below a root folder; to do it again changes nothing."""

    def told(self) -> str:
        """What it does, in a line."""
        ...

    def do(self, root: Path) -> bool:
        """Do it; False if there was nothing to do. OSError or FaceDetError if it cannot be done."""
        ...


@dataclass(frozen=True)
class Owner:
    """To whom a file belongs, by names that the root's own /etc/passwd and /etc/group know."""

    user: str = "root"
    group: str = "root"

    def own(self, path: Path, root: Path) -> None:
        """Give it to them; who is not root prepares a folder for somebody who will."""
        if os.geteuid() == 0:
            os.chown(path, _require_id(root, "passwd", self.user), _require_id(root, "group", self.group))


@dataclass(frozen=True)
class FolderStep:
    """A folder, and who may enter it."""

    path: Path
    mode: int
    owner: Owner = Owner()

    def told(self) -> str:
        """The path, its mode and owner."""
        return f"folder {self.path} ({self.mode:04o}, {self.owner.user}:{self.owner.group})"

    def do(self, root: Path) -> bool:
        """Make it, or put its mode and owner right."""
        place = path_in_root(root, self.path)
        missing = not place.is_dir()
        place.mkdir(parents=True, exist_ok=True)
        place.chmod(self.mode)
        self.owner.own(place, root)
        return missing


@dataclass(frozen=True)
class FileStep:
    """A text file. One that is `kept` is the user's as soon as it is there."""

    path: Path
    content: str
    mode: int = 0o644
    owner: Owner = Owner()
    kept: bool = False

    def told(self) -> str:
        """The path, its mode and owner."""
        keep = ", kept if it is there" if self.kept else ""
        return f"file {self.path} ({self.mode:04o}, {self.owner.user}:{self.owner.group}{keep})"

    def do(self, root: Path) -> bool:
        """Write it beside its place and move it there."""
        place = path_in_root(root, self.path)
        if place.is_file() and (self.kept or place.read_text("utf-8") == self.content):
            return False
        place.parent.mkdir(parents=True, exist_ok=True)
        fresh = place.with_name(f".{place.name}.new")
        fresh.write_text(self.content, "utf-8")
        fresh.chmod(self.mode)
        self.owner.own(fresh, root)
        fresh.replace(place)
        return True


@dataclass(frozen=True)
class RemovalStep:
    """A file or folder that is no longer wanted."""

    path: Path

    def told(self) -> str:
        """The path."""
        return f"remove {self.path}"

    def do(self, root: Path) -> bool:
        """Remove it with all that is in it."""
        place = path_in_root(root, self.path)
        if place.is_dir() and not place.is_symlink():
            shutil.rmtree(place)
            return True
        there = place.is_symlink() or place.exists()
        place.unlink(missing_ok=True)
        return there


@dataclass(frozen=True)
class CommandStep:
    """A command of the system."""

    argv: tuple[str, ...]

    def told(self) -> str:
        """The words."""
        return f"run {' '.join(self.argv)}"

    def do(self, root: Path) -> bool:
        """Run it; FaceDetError with its last line if it fails."""
        done = subprocess.run(self.argv, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            said = (done.stderr or done.stdout).strip().splitlines() or ["without a word"]
            raise FaceDetError(f"{' '.join(self.argv)}: must end with 0, got {done.returncode}: {said[-1]}")
        return True


def path_in_root(root: Path, path: Path) -> Path:
    """An absolute path of the system that lies at `root`."""
    return root / path.relative_to("/")


def find_id(root: Path, table: str, name: str) -> int | None:
    """The number of a user ("passwd") or group ("group"); None if there is none of that name."""
    try:
        lines = path_in_root(root, Path("/etc", table)).read_text("utf-8").splitlines()
    except FileNotFoundError:
        return None
    return next((int(line.split(":")[2]) for line in lines if line.split(":")[0] == name), None)


def _require_id(root: Path, table: str, name: str) -> int:
    number = 0 if name == "root" else find_id(root, table, name)
    if number is None:
        raise FaceDetError(
            f"{path_in_root(root, Path('/etc', table))}: must have {name}, got none; make the user first"
        )
    return number
