"""The recordings of people's voices, which lie in dataset/NAME/ beside the photos."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from face_det.errors import UnknownPhoto
from face_det.gallery.dataset import list_person_files
from face_det.gallery.person_photos import photo_name
from face_det.types import UNKNOWN

RECORDING_SUFFIXES = frozenset(
    (
        ".wav",
        ".flac",
        ".ogg",
        ".oga",
        ".opus",
        ".mp3",
        ".aif",
        ".aiff",
        ".m4a",
        ".aac",
        ".wma",
        ".amr",
        ".caf",
    )
)
"""What the file names of recordings in a dataset end with, in lower case."""


def is_recording(path: Path) -> bool:
    """Tell whether a file is a recording, by its name; hidden ones are not.

    >>> is_recording(Path("Anna/at-the-door.WAV")), is_recording(Path("Anna/1.jpg"))
    (True, False)
    """
    return path.suffix.lower() in RECORDING_SUFFIXES and not path.name.startswith(".")


def list_recordings(dataset: Path, *, warn: bool = True) -> dict[str, list[Path]]:
    """Return the recordings of each person, as `list_photos` returns their photos; raises DataError.

    >>> list_recordings(Path("no such folder"))
    {}
    """
    return list_person_files(dataset, is_recording, warn=warn)


def count_recordings(dataset: Path) -> dict[str, int]:
    """Return the number of recordings of everybody who has any, without the folder of strangers.

    >>> count_recordings(Path("no such folder"))
    {}
    """
    found = list_recordings(dataset, warn=False)
    return {name: len(paths) for name, paths in found.items() if name != UNKNOWN}


def find_recording(recordings: Sequence[Path], name: str, recording: str) -> Path:
    """Return the one of a person's recordings that has this file name; raises UnknownPhoto.

    >>> find_recording([Path("dataset/anna/1.wav")], "anna", "1.wav").name
    '1.wav'
    """
    for path in recordings:
        if photo_name(path) == recording:
            return path
    raise UnknownPhoto(
        f"recording: {name!r} has no recording {recording!r:.120}; recordings(name) lists them"
    )
