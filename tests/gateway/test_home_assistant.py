"""The routes of the Home Assistant server, as an automation calls them."""

from __future__ import annotations

import io
import shutil

import numpy as np
import PIL.Image
import pytest
from running import eventually


def shown(door, photo):
    """Let the camera show a photo, all at once."""
    part = door.with_suffix(".part")
    shutil.copy(photo, part)
    part.replace(door)


def problem(answer):
    """The keys of an error that older clients read."""
    body = answer.json()
    assert body["ok"] is False
    assert body["status"] == answer.status_code
    assert body["error"] == body["detail"]
    return answer.status_code, body["code"], body["error"]


def greens(jpeg):
    """How many pixels have the green of the box around somebody known."""
    pixels = np.asarray(PIL.Image.open(io.BytesIO(jpeg)).convert("RGB")).astype(int)
    return int((abs(pixels - (0, 120, 50)).max(axis=2) < 12).sum())


def test_motion_is_answered_at_once_and_looked_into(web, door, photos):
    """First there is no picture; the report is answered without a body; then the picture names Obama."""
    assert problem(web.get("/last-detection.jpg", params={"camera": "gone"}))[0] == 404
    shown(door, photos["obama3"])
    answer = web.get("/motion-detected")
    assert (answer.status_code, answer.content) == (200, b"")
    picture = eventually(lambda: web.get("/last-detection.jpg").content[:3] == b"\xff\xd8\xff")
    picture = web.get("/last-detection.jpg", params={"camera": "door"})
    assert picture.headers["content-type"] == "image/jpeg"
    assert greens(picture.content) > 100
    items = web.get("/api/v1/sightings", params={"camera": "door"}).json()["items"]
    assert items[0]["face"] == "Obama"


def test_recognize_draws_on_the_picture(web, door, photos):
    """As large as the camera's, with a box around the face."""
    shown(door, photos["obama3"])
    answer = web.get("/recognize")
    with PIL.Image.open(photos["obama3"]) as original, PIL.Image.open(io.BytesIO(answer.content)) as drawn:
        assert drawn.size == original.size
    assert greens(answer.content) > 100


def test_recognize_for_a_rest_command(web, door, photos):
    """JSON in, JSON out."""
    shown(door, photos["obama3"])
    answer = web.post("/api/recognize", json={"camera": "door"}).json()
    assert answer["camera"] == "door"
    assert [face["face"] for face in answer["faces"]] == ["Obama"]


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_a_new_face_is_known_at_once(web, door, photos, method):
    """The face before the camera is enrolled, and the next look names it."""
    name = f"Joe{method}"
    shown(door, photos["biden"])
    answer = web.request(method, f"/add-face/{name}")
    assert (answer.status_code, answer.text) == (200, "OK")
    (face,) = web.post("/api/recognize", json={"camera": "door"}).json()["faces"]
    assert face["face"] == name
    web.post(f"/api/v1/people/{name}/forget")


@pytest.mark.parametrize(
    ("photo", "code", "told"),
    [
        ("nobody", "NoFace", "No faces detected in the image, cannot save training data."),
        ("t1", "SeveralFaces", "Multiple faces detected in the image, cannot save training data."),
    ],
)
def test_no_face_or_several_are_refused(web, door, photos, photo, code, told):
    """With the sentences of the original, and nobody is enrolled."""
    shown(door, photos[photo])
    assert problem(web.post("/add-face/Joe")) == (422, code, told)
    assert [person["name"] for person in web.get("/api/v1/people").json()["people"]] == ["Obama"]


@pytest.mark.parametrize("name", ["a-b", "..%2Fx", "%2e%2e", "Zo%C3%AB", "a b", "a%00", "%F0%9F%98%80"])
def test_other_names_than_letters_and_digits_are_refused(web, name):
    """Whatever the camera shows."""
    status, code, told = problem(web.post(f"/add-face/{name}"))
    assert (status, code) in ((400, "BadName"), (404, "NotFound"))
    assert "/" not in told


@pytest.mark.parametrize(
    ("camera", "status", "code"), [("gone", 502, "CameraFailed"), ("http://127.0.0.1/", 404, "UnknownCamera")]
)
def test_a_camera_that_cannot_be_asked(web, camera, status, code):
    """The answer names the camera, never an address."""
    found = problem(web.get("/recognize", params={"camera": camera}))
    assert found[:2] == (status, code)
    assert "snapshot" not in found[2]
