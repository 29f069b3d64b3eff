"""CompreFace's subjects: by its API, from a dump of its database, or as a folder for each subject."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

from face_det.errors import DataError
from face_det.exchange.compreface_dump import find_in_dump
from face_det.exchange.person_folders import PersonFolders
from face_det.exchange.source import FoundPhotos, Picture, Source, SourcePhoto
from face_det.exchange.web_api import WebApi

PAGE = 100
"""How many faces are listed at a time."""
_FACES = "/api/v1/recognition/faces"


class CompreFaceSubjects(PersonFolders):
    """A folder for each subject, as people keep them to upload them, and what CompreFace itself keeps."""

    suffixes = frozenset([".jpg", ".jpeg", ".png", ".bmp", ".gif", ".tif", ".tiff", ".webp"])

    def find(self, source: Source) -> FoundPhotos:
        """Find the photos, wherever they are."""
        if source.is_address:
            return _find_by_api(source)
        if source.require_path().is_file():
            return find_in_dump(source.require_path())
        return super().find(source)


def _find_by_api(source: Source) -> FoundPhotos:
    api = WebApi("CompreFace", source)
    photos: list[SourcePhoto] = []
    page, pages = 0, 1
    while page < pages:
        answer = api.ask("GET", _FACES, params={"page": page, "size": PAGE})
        try:
            photos += [_photo(api, str(face["subject"]), str(face["image_id"])) for face in answer["faces"]]
            pages = int(answer["total_pages"])
        except (TypeError, KeyError, ValueError) as error:
            raise DataError(f"{api.place}: must list faces as CompreFace does, got {answer!r:.80}") from error
        page += 1
    return FoundPhotos(tuple(sorted(photos, key=lambda photo: (photo.name, photo.place))))


def _photo(api: WebApi, subject: str, image: str) -> SourcePhoto:
    path: Any = f"{_FACES}/{quote(image, safe='')}/img"
    return SourcePhoto(subject, f"{subject}: image {image}", lambda: Picture(api.read(path)))
