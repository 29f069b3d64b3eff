"""DeepStack's and CodeProject.AI's face routes, as their clients call them."""

from __future__ import annotations

import pypi_clients
import pytest

FACE = "/v1/vision/face"

pytestmark = pytest.mark.usefixtures("nobody_else")

CLIENT = """
import json, sys
from pathlib import Path
from deepstack.core import DeepstackException, DeepstackFace, get_recognized_faces

_, host, port, biden, strangers, nobody = sys.argv
biden, strangers, nobody = (Path(path).read_bytes() for path in (biden, strangers, nobody))
client = DeepstackFace(host, int(port), api_key="a key", timeout=100)
answers = {"registered": client.register("Joe", biden), "again": client.register("Joe", biden)}
answers["recognized"] = client.recognize(biden)
answers["names"] = get_recognized_faces(answers["recognized"])
answers["strangers"] = client.recognize(strangers)
answers["nobody"] = client.recognize(nobody)
answers["detected"] = client.detect(strangers)
answers["listed"] = client.get_registered_faces()
try:
    client.register("Joe", nobody)
except DeepstackException as error:
    answers["refused"] = str(error)
print(json.dumps(answers))
"""


@pytest.fixture(scope="session")
def client():
    try:
        return pypi_clients.find_client(pypi_clients.DEEPSTACK)
    except pypi_clients.ClientMissing as missing:
        pytest.skip(str(missing))


def ask(stand_in, route, *photos, **fields):
    """The answer to a form with these photos, as image1, image2 and so on, or as image if there is one."""
    keys = ["image"] if len(photos) == 1 else [f"image{number}" for number in range(1, len(photos) + 1)]
    files = {key: photo.read_bytes() for key, photo in zip(keys, photos, strict=True)}
    return stand_in.post(f"{FACE}{route}", files=files or None, data=fields)


def test_the_real_client_is_content(stand_in, photos, client):
    """It registers, recognises, detects and lists."""
    named = (photos[name] for name in ("biden", "t1", "nobody"))
    base = stand_in.base_url
    said = pypi_clients.run_client(client, CLIENT, base.host, base.port, *named)
    assert (said["registered"], said["again"]) == ("face added", "face updated")
    (face,) = said["recognized"]
    assert face.keys() == {"userid", "confidence", "x_min", "y_min", "x_max", "y_max"}
    assert said["names"] == {"Joe": round(face["confidence"] * 100, 1)}
    assert [(each["userid"], each["confidence"]) for each in said["strangers"]] == [("unknown", 0)] * 6
    assert said["nobody"] == []
    assert len(said["detected"]) == 6
    assert said["detected"][0].keys() == face.keys() - {"userid"}
    assert said["listed"] == ["Joe", "Obama"]
    assert "400" in said["refused"]


def test_two_pictures_are_compared(stand_in, photos):
    """Whoever is not the same stays below what clients take for a match."""
    same = ask(stand_in, "/match", photos["obama"], photos["obama2"]).json()
    assert same["success"] is True
    assert 0.9 < same["similarity"] <= 1
    assert ask(stand_in, "/match", photos["obama"], photos["biden"]).json()["similarity"] < 0.4


def test_the_least_confidence_is_the_clients(stand_in, photos):
    """A name below it is unknown; without one, the daemon's decision stands."""
    (face,) = ask(stand_in, "/recognize", photos["obama3"]).json()["predictions"]
    assert face["userid"] == "Obama"
    least = str(min(1, face["confidence"] + 0.0001))
    (face,) = ask(stand_in, "/recognize", photos["obama3"], min_confidence=least).json()["predictions"]
    assert face["confidence"] in (0, 1)
    faces = ask(stand_in, "", photos["t1"]).json()["predictions"]
    least = str(max(face["confidence"] for face in faces))
    assert len(ask(stand_in, "", photos["t1"], min_confidence=least).json()["predictions"]) == 1


def test_several_pictures_are_registered_at_once(stand_in, photos):
    """Those without one clear face are named, and the others are learnt."""
    answer = ask(stand_in, "/register", photos["biden"], photos["t1"], photos["nobody"], userid="Joe").json()
    assert answer["success"] is True
    assert answer["message"] == "face added"
    assert [each.partition(":")[0] for each in answer["leftOut"]] == ["image2", "image3"]
    (face,) = ask(stand_in, "/recognize", photos["biden"]).json()["predictions"]
    assert face["userid"] == "Joe"
    assert ask(stand_in, "/delete", userid="Joe").json() == {"success": True}
    assert ask(stand_in, "/list").json() == {"success": True, "faces": ["Obama"]}
    assert ask(stand_in, "/delete", userid="Joe").json() == {"success": True}


@pytest.mark.parametrize(
    ("route", "names", "fields", "status", "said"),
    [
        ("", (), {}, 400, "No valid image file found"),
        ("/recognize", (), {"min_confidence": "0.5"}, 400, "No valid image file found"),
        ("/recognize", ("biden",), {"min_confidence": "x"}, 400, "Invalid value for min_confidence"),
        ("/recognize", ("biden",), {"min_confidence": "nan"}, 400, "Invalid value for min_confidence"),
        ("/recognize", ("biden",), {"min_confidence": "2"}, 400, "min_confidence cannot be greater than 1"),
        ("/register", ("biden",), {}, 400, "userid not specified"),
        ("/register", (), {"userid": "Joe"}, 400, "No valid image file found"),
        ("/register", ("biden",), {"userid": "../x"}, 400, "name: must be letters"),
        ("/register", ("t1",), {"userid": "Joe"}, 400, "exactly one face"),
        ("/register", ("t1", "nobody"), {"userid": "Joe"}, 400, "exactly one face"),
        ("/delete", (), {}, 400, "userid not specified"),
        ("/match", ("biden",), {}, 400, "No valid image file found"),
        ("/match", ("biden", "nobody"), {}, 400, "other: must show a face"),
    ],
)
def test_errors_have_its_form(stand_in, photos, route, names, fields, status, said):
    """{"success": false, "error"}, with its sentences where clients may know them."""
    answer = ask(stand_in, route, *(photos[name] for name in names), **fields)
    assert answer.status_code == status, answer.text
    assert answer.json().keys() == {"success", "error", "code"}
    assert answer.json()["success"] is False
    assert said in answer.json()["error"]


def test_a_file_that_is_no_picture_is_refused(stand_in):
    """In its form, too."""
    answer = stand_in.post(f"{FACE}/recognize", files={"image": b"no picture"})
    assert answer.status_code == 400
    assert answer.json()["success"] is False
