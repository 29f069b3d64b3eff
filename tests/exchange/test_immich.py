"""Immich's people, by a stand-in that answers as its server's code says."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from drawn_pictures import drawn
from immich_api import KEY, ImmichApi

from face_det.errors import DataError, PortalFailed
from face_det.exchange import FORMATS, FoundPhotos, Source
from face_det.types import Box


@pytest.fixture
def immich() -> Iterator[ImmichApi]:
    """Two people with names and one without; its lists have one item a page."""
    server = ImmichApi()
    server.people = [("a", "Ann"), ("b", " Bob "), ("c", "")]
    server.show("1", drawn(1), (64, 64), ("a", 10, 20, 30, 40), (None, 0, 0, 9, 9))
    server.show("2", drawn(2), (32, 32), ("b", 1, 2, 3, 4), ("a", 5, 6, 7, 8), ("a", 0, 0, 20, 20))
    server.show("3", drawn(3), (32, 32), ("c", 1, 2, 3, 4))
    yield server
    server.shutdown()
    server.server_close()


def find(immich: ImmichApi, key: str | None = KEY) -> FoundPhotos:
    return FORMATS.create("immich").find(Source(immich.url + "/api/", key))


def test_everybody_with_a_name(immich: ImmichApi) -> None:
    """All pages are read; boxes are scaled to the preview; of two faces of a person the larger is meant."""
    found = find(immich)
    assert [(photo.name, photo.place) for photo in found.photos] == [
        ("Ann", "Ann: 1.heic (1)"),
        ("Ann", "Ann: 2.heic (2)"),
        ("Bob", "Bob: 2.heic (2)"),
    ]
    assert [one.place for one in found.left_out] == ["1 people"]
    first, second, third = (photo.read() for photo in found.photos)
    assert (first.data, first.box) == (drawn(1), Box(5, 10, 15, 20))
    assert (second.box, third.box) == (Box(0, 0, 20, 20), Box(1, 2, 3, 4))


def test_what_changes_meanwhile(immich: ImmichApi) -> None:
    """A picture that is deleted, or whose face is somebody else's by now, spoils that photo only."""
    first, second, third = find(immich).photos
    del immich.previews["1"]
    immich.faces["2"] = immich.faces["2"][:1]
    with pytest.raises(DataError, match=r"must answer .*thumbnail with 200, got 400"):
        first.read()
    with pytest.raises(DataError, match="Immich no longer sees Ann in it"):
        second.read()
    assert third.read().data == drawn(2)


def test_no_answer_or_another_one(immich: ImmichApi) -> None:
    """A wrong key, none, a server that fails, one that is something else, and none at all."""
    with pytest.raises(DataError, match=r"refuses the key for /api/people \(401\)"):
        find(immich, "wrong")
    with pytest.raises(DataError, match="needs an API key of Immich; add --api-key-file"):
        find(immich, None)
    immich.status = 503
    with pytest.raises(PortalFailed, match="answers /api/people with 503; try again"):
        find(immich)
    immich.status = 200
    with pytest.raises(DataError, match="must answer as Immich does"):
        find(immich)
    immich.shutdown()
    immich.server_close()
    with pytest.raises(PortalFailed, match="Immich does not answer /api/people"):
        find(immich)
    with pytest.raises(DataError, match="must be Immich's address"):
        FORMATS.create("immich").find(Source("library"))
