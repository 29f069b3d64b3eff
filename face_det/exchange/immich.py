"""Immich's people, by its API: those with a name, their pictures, and where in each picture the face is.

The API key needs the permissions person.read, asset.read, asset.view and face.read. Pictures are fetched as
previews, which are upright JPEGs of 1440 pixels; boxes are scaled to them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import quote

from face_det.errors import DataError
from face_det.exchange.face_finder import FaceFinder
from face_det.exchange.source import FoundPhotos, LeftOut, NewFile, Picture, Source, SourcePhoto
from face_det.exchange.web_api import WebApi
from face_det.media import load_image
from face_det.types import Box

PEOPLE_PAGE, ASSETS_PAGE = 500, 250
"""How many people and pictures are listed at a time."""


class ImmichPeople:
    """The people of one user of Immich."""

    def find(self, source: Source) -> FoundPhotos:
        """List the pictures of everybody who has a name and is not hidden."""
        if not source.is_address:
            raise DataError(f"{source.where}: must be Immich's address, such as http://192.168.1.4:2283")
        api = WebApi("Immich", source)
        photos: list[SourcePhoto] = []
        nameless = 0
        for name, person in _people(api):
            if name:
                photos += [_photo(api, name, person, *asset) for asset in _assets(api, person)]
            else:
                nameless += 1
        reason = "have no name; name them in Immich"
        left_out = (LeftOut(f"{nameless} people", reason),) if nameless else ()
        return FoundPhotos(tuple(sorted(photos, key=lambda photo: (photo.name, photo.place))), left_out)

    def plan(self, people: Mapping[str, Sequence[Path]], faces: FaceFinder) -> list[NewFile]:
        """Raise DataError: Immich learns faces only from pictures in its library."""
        raise DataError("immich: photos can be imported from Immich, not exported to it")


def _people(api: WebApi) -> list[tuple[str, str]]:
    """Return the name and the id of each person."""
    people: list[tuple[str, str]] = []
    page, more = 1, True
    while more:
        answer = api.ask("GET", "/api/people", params={"page": page, "size": PEOPLE_PAGE})
        with _as_immich_answers(api):
            people += [(str(person["name"]).strip(), str(person["id"])) for person in answer["people"]]
            more, page = bool(answer.get("hasNextPage")), page + 1
    return people


def _assets(api: WebApi, person: str) -> list[tuple[str, str]]:
    """Return the id and the file name of each picture of a person."""
    assets: list[tuple[str, str]] = []
    page: int | None = 1
    while page is not None:
        wanted = {"personIds": [person], "type": "IMAGE", "page": page, "size": ASSETS_PAGE}
        answer = api.ask("POST", "/api/search/metadata", json=wanted)
        with _as_immich_answers(api):
            found = answer["assets"]
            assets += [(str(item["id"]), str(item.get("originalFileName", ""))) for item in found["items"]]
            following = found.get("nextPage")
            page = None if following is None else int(following)
    return assets


def _photo(api: WebApi, name: str, person: str, asset: str, file: str) -> SourcePhoto:
    place = f"{name}: {file or 'asset'} ({asset})"

    def read() -> Picture:
        faces = api.ask("GET", "/api/faces", params={"id": asset})
        with _as_immich_answers(api):
            theirs = [face for face in faces if (face["person"] or {}).get("id") == person]
        if not theirs:
            raise DataError(f"{place}: Immich no longer sees {name} in it")
        path = f"/api/assets/{quote(asset, safe='')}/thumbnail"
        data = api.read(path, params={"size": "preview"})
        height, width = load_image(data, place=place).shape[:2]
        with _as_immich_answers(api):
            boxes = [_box(face, width, height) for face in theirs]
        return Picture(data, max(boxes, key=lambda box: box.width * box.height))

    return SourcePhoto(name, place, read)


def _box(face: Mapping[str, Any], width: int, height: int) -> Box:
    """Return a face's box in pixels of a picture of this size; Immich counts in those of another one."""
    across, down = width / float(face["imageWidth"]), height / float(face["imageHeight"])
    return Box(
        face["boundingBoxX1"] * across,
        face["boundingBoxY1"] * down,
        face["boundingBoxX2"] * across,
        face["boundingBoxY2"] * down,
    )


@contextmanager
def _as_immich_answers(api: WebApi) -> Iterator[None]:
    """Raise DataError if the body finds something else in an answer than what Immich answers."""
    try:
        yield
    except (TypeError, KeyError, ValueError, AttributeError, ZeroDivisionError) as error:
        raise DataError(
            f"{api.place}: must answer as Immich does, got something else ({type(error).__name__}: {error})"
        ) from error
