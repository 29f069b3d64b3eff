"""People and their photos over /api/v1, and whose face is in a picture."""

from __future__ import annotations

import io
import json
import zipfile

import PIL.Image
import pytest
from api_walks import ask, forgotten
from remembering import small_copy

pytestmark = pytest.mark.usefixtures("anew")


def names(web):
    return [person["name"] for person in ask(web, "GET", "/people")["people"]]


def test_a_photo_goes_from_hand_to_hand_and_back(web, photos):
    """Enrolled, shown, moved, renamed, merged, removed and put back, exported and forgotten."""
    picture = photos["biden"].read_bytes()
    with forgotten(web, "Joe", "Bob", "Bert"):
        enrolled = ask(web, "POST", "/people/Joe/photos", 201, files={"image": picture})
        assert (enrolled["name"], enrolled["images"]) == ("Joe", 1)
        file = enrolled["photo"]
        again = ask(web, "POST", "/people/Joe/photos", 201, content=picture)
        assert (again["images"], again["change"]) == (1, None)
        (photo,) = ask(web, "GET", "/people/Joe")["photos"]
        assert (photo["photo"], photo["state"]) == (file, "enrolled")
        for query, told in (("", None), ("?searchFromPx=40", 40)):
            answer = ask(web, "POST", f"/faces{query}", files={"image": picture})
            assert [(face["face"], face["outcome"]) for face in answer["faces"]] == [("Joe", "known")]
            assert answer["searchFromPx"] == told
        for asked, keys in (("true", {"yaw", "pitch", "roll"}), ("false", set())):
            (face,) = ask(web, "POST", f"/faces?headPose={asked}", files={"image": picture})["faces"]
            assert {*face.get("headPose", ())} == keys
        assert web.post("/api/v1/faces?searchFromPx=-1", files={"image": picture}).status_code == 400

        for query, longest in (("", 1280), ("?size=64", 64), ("?size=64&face=true", 64)):
            answer = ask(web, "GET", f"/people/Joe/photos/{file}{query}")
            assert answer.headers["content-type"] == "image/jpeg"
            assert max(PIL.Image.open(io.BytesIO(answer.content)).size) <= longest

        ask(web, "POST", f"/people/Joe/photos/{file}/move", json={"to": "Bob"})
        ask(web, "POST", "/people/Bob/rename", json={"to": "Bert"})
        assert names(web) == ["Bert", "Obama"]
        ask(web, "POST", "/people/merge", json={"names": ["Bert"], "into": "Joe"})
        removed = ask(web, "DELETE", "/people/Joe")
        assert names(web) == ["Obama"]
        undone = ask(web, "POST", f"/changes/{removed['change']}/undo")
        assert names(web) == ["Joe", "Obama"]
        latest = ask(web, "GET", "/changes?limit=2")["changes"]
        assert [one["change"] for one in latest] == [undone["change"], removed["change"]]
        assert latest[1]["undone"]

        archive = ask(web, "GET", "/people/Joe/export")
        assert any(file in name for name in zipfile.ZipFile(io.BytesIO(archive.content)).namelist())
        deleted = ask(web, "DELETE", f"/people/Joe/photos/{file}")
        assert ask(web, "POST", f"/changes/{deleted['change']}/undo")["photos"] == 1
        assert ask(web, "POST", "/people/Joe/forget")["images"] == 1
    assert names(web) == ["Obama"]


def test_faces_are_followed_through_a_stream(web, photos, door):
    """A face keeps its track while it is seen; each stream has its own, also of a camera. Nothing is kept."""
    picture, before = small_copy(photos["obama3"]), web.get("/api/v1/sightings").json()["items"]
    for _ in range(3):
        (face,) = web.post("/api/v1/faces?follow=tab-1", files={"image": picture}).json()["faces"]
        assert (face["face"], face["track"]) == ("Obama", 1)
    assert face["trackFrames"] >= 1
    (face,) = web.post("/api/v1/faces?follow=tab-2", files={"image": picture}).json()["faces"]
    assert (face["track"], face["trackFrames"]) == (1, 1)
    door.write_bytes(picture)
    for _ in range(2):
        looked = web.post("/api/v1/cameras/door/faces?follow=tab-1").json()
        assert [(face["face"], face["track"]) for face in looked["faces"]] == [("Obama", 1)]
    door.unlink()
    for stream in ("", "x" * 65):
        assert web.post(f"/api/v1/faces?follow={stream}", files={"image": picture}).status_code == 400
    assert web.get("/api/v1/sightings").json()["items"] == before


@pytest.mark.slow
def test_one_of_several_faces_is_meant(web, photos):
    """By its box, in the form or in the query; without one, the picture is refused."""
    group = photos["t1"].read_bytes()
    faces = ask(web, "POST", "/faces", files={"image": group})["faces"]
    box = json.dumps(faces[1]["faceBox"])
    with forgotten(web, "Ann"):
        problem = ask(web, "POST", "/people/Ann/photos", 422, files={"image": group})
        assert problem["code"] == "SeveralFaces"
        parts = {"files": {"image": group}, "data": {"faceBox": box}}
        ask(web, "POST", "/people/Ann/photos", 201, **parts)
        answer = ask(web, "POST", "/faces", files={"image": group})["faces"]
        assert [face["face"] == "Ann" for face in answer] == [place == 1 for place in range(len(faces))]
        why = ask(web, "POST", "/why", params={"faceBox": box}, content=group)
        assert why["nearest"][0]["name"] == why["face"] == "Ann"
        assert ask(web, "POST", "/why", **parts)["nearest"][0]["name"] == "Ann"


def test_two_pictures_are_compared(web, photos):
    """As files of a form only, because a body alone would be compared with itself; nothing is remembered."""
    before = ask(web, "GET", "/sightings")["items"]
    image, own, other = (photos[name].read_bytes() for name in ("obama", "obama2", "biden"))
    assert ask(web, "POST", "/verify", files={"image": image, "other": own})["same"] is True
    assert ask(web, "POST", "/verify", files={"image": image, "other": other})["same"] is False
    assert ask(web, "GET", "/sightings")["items"] == before
    problem = ask(web, "POST", "/verify", 400, content=image, headers={"content-type": "image/jpeg"})
    assert problem["error"] == "send pictures as the form fields image and other"
    problem = ask(web, "POST", "/verify", 400, files={"image": image})
    assert problem["error"].startswith("other: ")


def test_what_is_not_there(web, photos):
    """404 and the class of the error, whatever was asked of it; what cannot be done says so."""
    picture = {"image": photos["nobody"].read_bytes()}
    for method, path, code in (
        ("GET", "/people/Nobody", "UnknownPerson"),
        ("DELETE", "/people/Nobody", "UnknownPerson"),
        ("POST", "/people/Nobody/forget", "UnknownPerson"),
        ("GET", "/people/Nobody/export", "UnknownPerson"),
        ("GET", "/people/Obama/photos/x.jpg", "UnknownPhoto"),
        ("DELETE", "/people/Obama/photos/x.jpg", "UnknownPhoto"),
        ("GET", "/nothing", "NotFound"),
        ("POST", f"/changes/{2**70}/undo", "NotFound"),
        ("POST", f"/changes/{'9' * 5000}/undo", "NotFound"),
        ("GET", "/cameras/attic/snapshot.jpg", "UnknownCamera"),
    ):
        assert ask(web, method, path, 404)["code"] == code
    missing = ask(web, "GET", "/cameras/attic/snapshot.jpg", 404)
    assert missing["detail"] == "camera: must be one of door, gone, got 'attic'"
    assert ask(web, "POST", "/people/Ann/photos", 422, files=picture)["code"] == "NoFace"
    assert ask(web, "POST", "/people/Obama/rename", 400, json={"to": "unknown-3"})["code"] == "BadName"
    assert ask(web, "PUT", "/people", 405)["code"] == "MethodNotAllowed"
    assert names(web) == ["Obama"]
