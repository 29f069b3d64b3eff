"""Steps that change a system. Each can describe itself first, and doing it again changes nothing."""

from __future__ import annotations

import os
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from face_det.errors import FaceDetError
from face_det.storage import backup_path


class Step(Protocol):
    """One change below a root folder; doing it again changes nothing."""

    def describe(self) -> str:
        """Describe in one line what the step does."""
        ...

    def apply(self, root: Path) -> bool:
        """Make the change; return False if there was nothing to do. Raises OSError or FaceDetError."""
        ...


@dataclass(frozen=True)
class Owner:
    """The owner of a file, by names in the /etc/passwd and /etc/group of the root folder."""

    user: str = "root"
    group: str = "root"

    def apply_to(self, path: Path, root: Path) -> None:
        """Set the ownership. Without root, ownership is left unchanged, for staging into a folder."""
        if os.geteuid() == 0:
            os.chown(path, _require_id(root, "passwd", self.user), _require_id(root, "group", self.group))


@dataclass(frozen=True)
class FolderStep:
    """Create a folder with this mode and owner."""

    path: Path
    mode: int
    owner: Owner = Owner()

    def describe(self) -> str:
        """Describe the path, its mode and owner."""
        return f"folder {self.path} ({self.mode:04o}, {self.owner.user}:{self.owner.group})"

    def apply(self, root: Path) -> bool:
        """Create the folder, or correct its mode and owner."""
        place = path_in_root(root, self.path)
        missing = not place.is_dir()
        place.mkdir(parents=True, exist_ok=True)
        place.chmod(self.mode)
        self.owner.apply_to(place, root)
        return missing


@dataclass(frozen=True)
class FileStep:
    """Write a text file. One with `keep_existing` is never overwritten once it exists."""

    path: Path
    content: str
    mode: int = 0o644
    owner: Owner = Owner()
    keep_existing: bool = False

    def describe(self) -> str:
        """Describe the path, its mode and owner."""
        keep = ", kept if it exists" if self.keep_existing else ""
        return f"file {self.path} ({self.mode:04o}, {self.owner.user}:{self.owner.group}{keep})"

    def apply(self, root: Path) -> bool:
        """Write the file under a temporary name and move it into place."""
        place = path_in_root(root, self.path)
        if place.is_file() and (self.keep_existing or place.read_text("utf-8") == self.content):
            return False
        place.parent.mkdir(parents=True, exist_ok=True)
        fresh = place.with_name(f".{place.name}.new")
        fresh.write_text(self.content, "utf-8")
        fresh.chmod(self.mode)
        self.owner.apply_to(fresh, root)
        fresh.replace(place)
        return True


@dataclass(frozen=True)
class BackupStep:
    """Copy a file that another program put in the place of ours, before ours replaces it.

    A file is ours if it contains `mark`. A copy that exists is never replaced.
    """

    path: Path
    mark: str

    def describe(self) -> str:
        """Describe the copy."""
        return f"copy {backup_path(self.path)}, if another program's {self.path.name} is there"

    def apply(self, root: Path) -> bool:
        """Copy the file with its mode and times; raise FaceDetError if another file has that name."""
        place = path_in_root(root, self.path)
        if not is_foreign(place, self.mark):
            return False
        copy = backup_path(place)
        if copy.exists():
            if copy.read_bytes() == place.read_bytes():
                return False
            raise FaceDetError(
                f"{copy}: must be free, to keep the unit of another program at {place}, got an older copy; "
                "move one of them away"
            )
        fresh = place.with_name(f".{copy.name}.new")
        shutil.copy2(place, fresh)
        fresh.replace(copy)
        return True


@dataclass(frozen=True)
class RemovalStep:
    """Remove a file or folder."""

    path: Path

    def describe(self) -> str:
        """Describe the path."""
        return f"remove {self.path}"

    def apply(self, root: Path) -> bool:
        """Remove the path and everything in it."""
        place = path_in_root(root, self.path)
        if place.is_dir() and not place.is_symlink():
            shutil.rmtree(place)
            return True
        there = place.is_symlink() or place.exists()
        place.unlink(missing_ok=True)
        return there


@dataclass(frozen=True)
class CommandStep:
    """Run a system command."""

    argv: tuple[str, ...]

    def describe(self) -> str:
        """Describe the command line."""
        return f"run {' '.join(self.argv)}"

    def apply(self, root: Path) -> bool:
        """Run the command; raise FaceDetError with the last line of its output if it fails."""
        done = subprocess.run(self.argv, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            said = (done.stderr or done.stdout).strip().splitlines() or ["no output"]
            raise FaceDetError(f"{' '.join(self.argv)}: failed with exit code {done.returncode}: {said[-1]}")
        return True


def is_foreign(place: Path, mark: str) -> bool:
    """Return True if there is a file, and it is another program's: `mark` is not in it."""
    return place.is_file() and mark.encode() not in place.read_bytes()


def path_in_root(root: Path, path: Path) -> Path:
    """Return where an absolute path of the system at `root` is.

    >>> path_in_root(Path("/mnt/image"), Path("/etc/passwd"))
    PosixPath('/mnt/image/etc/passwd')
    """
    return root / path.relative_to("/")


def find_id(root: Path, table: str, name: str) -> int | None:
    """Return the id of a user (table "passwd") or group (table "group"), or None if there is none."""
    try:
        lines = path_in_root(root, Path("/etc", table)).read_text("utf-8").splitlines()
    except FileNotFoundError:
        return None
    return next((int(line.split(":")[2]) for line in lines if line.split(":")[0] == name), None)


def _require_id(root: Path, table: str, name: str) -> int:
    number = 0 if name == "root" else find_id(root, table, name)
    if number is None:
        raise FaceDetError(f"{path_in_root(root, Path('/etc', table))}: has no {name}; create the user first")
    return number
