"""Ringface's JSON: {"persons": [{"personName", "imagePaths", "encodings"}]}.

It is what Ringface's /classifier/fit takes and returns, and what it keeps beside its classifier. Only the
pictures are imported. The encodings are 128 numbers of dlib's network: they would fit no other embedder, and
be gone after the next `face-det encode`, which encodes pictures.
"""

from __future__ import annotations

import functools
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from face_det.errors import DataError
from face_det.exchange.face_finder import FaceFinder
from face_det.exchange.person_folders import PersonFolders
from face_det.exchange.source import FoundPhotos, LeftOut, NewFile, Picture, Source, SourcePhoto
from face_det.media import read_image_bytes
from face_det.storage import read_json

JSON_NAME = "fit.json"
_IMAGES = "images"
_LEVELS = 4
"""Paths are relative to where Ringface was started: the folder of the JSON, or up to this many above it."""


class RingfaceJson:
    """A JSON file of Ringface, with the pictures that it names."""

    def find(self, source: Source) -> FoundPhotos:
        """Find the pictures that the file names."""
        path = source.require_path()
        path = path / JSON_NAME if path.is_dir() else path
        photos: list[SourcePhoto] = []
        left_out: list[LeftOut] = []
        for place, person in enumerate(_persons(path)):
            name = _require(path, f"persons[{place}].personName", person.get("personName"), str)
            names = _require(path, f"persons[{place}].imagePaths", person.get("imagePaths", []), list)
            encodings = _require(path, f"persons[{place}].encodings", person.get("encodings", []), list)
            found = [_locate(path, str(image)) for image in names]
            photos += [_photo(name, image, source) for image in found if image is not None]
            left_out += [
                LeftOut(str(image), "not found", name)
                for image, there in zip(names, found, strict=True)
                if there is None
            ]
            if encodings and not any(found):
                reason = (
                    "come without a picture that is there. They fit only the embedder dlib_resnet, and the "
                    "next face-det encode would drop them; put the pictures where imagePaths says"
                )
                left_out.append(LeftOut(f"{name}: {len(encodings)} encodings", reason, name))
        return FoundPhotos(
            tuple(sorted(photos, key=lambda photo: (photo.name, photo.place))), tuple(left_out)
        )

    def plan(self, people: Mapping[str, Sequence[Path]], faces: FaceFinder) -> list[NewFile]:
        """Plan the pictures, and a JSON file that names them for /classifier/fit."""
        files = PersonFolders().plan(people, faces)
        by_person: dict[str, list[str]] = {person: [] for person in people}
        for file in files:
            by_person[file.path.partition("/")[0]].append(f"{_IMAGES}/{file.path}")
        persons = [{"personName": person, "imagePaths": paths} for person, paths in by_person.items()]
        text = json.dumps({"persons": persons}, indent=2, ensure_ascii=False).encode()
        pictures = [NewFile(f"{_IMAGES}/{file.path}", file.make) for file in files]
        return [*pictures, NewFile(JSON_NAME, lambda: text)]


def _persons(path: Path) -> list[Mapping[str, Any]]:
    try:
        content = read_json(path)
    except ValueError as error:
        raise DataError(f"{path}: {error}") from error
    persons = content.get("persons") if isinstance(content, dict) else None
    if not isinstance(persons, list) or not all(isinstance(person, dict) for person in persons):
        raise DataError(f'{path}: must be Ringface\'s {{"persons": [...]}}, got something else')
    return persons


def _require(path: Path, place: str, value: Any, kind: type) -> Any:
    if not isinstance(value, kind):
        raise DataError(f"{path}: {place}: must be a {kind.__name__}, got {value!r:.60}")
    return value


def _locate(path: Path, image: str) -> Path | None:
    """Return the picture that a file names, or None if it is not there."""
    folders = path.absolute().parents[:_LEVELS]
    return next((folder / image for folder in folders if (folder / image).is_file()), None)


def _photo(name: str, image: Path, source: Source) -> SourcePhoto:
    read = functools.partial(read_image_bytes, image, max_bytes=source.max_bytes)
    return SourcePhoto(name, str(image), lambda: Picture(read()))
