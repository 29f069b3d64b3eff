"""The page's server as a process: who may ask, what it answers, and how it ends."""

from __future__ import annotations

import json

import httpx
import pytest
from alarm_records import portrait
from tune_process import TunePage

pytestmark = pytest.mark.timeout(900)
PATIENCE_S = 300


@pytest.fixture
def page(trained, record, photos):
    """A page of three frames, the picture of the second of which is gone."""
    flags = record(
        {"_id": 1, "image": str(photos["obama2"]), "labels": [portrait(photos["obama2"], "Biden")]},
        {"_id": 2, "image": str(trained / "gone.jpg"), "labels": [portrait(photos["obama2"], "Obama")]},
        {"_id": 3, "image": str(photos["astronaut"]), "labels": [portrait(photos["astronaut"], None)]},
        {"_id": 4, "image": None, "labels": []},
    )
    running = TunePage(trained, *flags)
    with httpx.Client(base_url=running.address, timeout=PATIENCE_S) as client:
        client.running = running
        yield client
    running.stop()


def test_only_whoever_has_the_address_may_ask(page):
    """It listens on loopback, and nothing is answered beside the random folder."""
    address = httpx.URL(page.running.address)
    assert address.host == "127.0.0.1"
    assert len(address.path) > 30
    for path in ("/", "/page/frames.js", "/api/v1/frames", f"{address.path[:-2]}/api/v1/frames"):
        assert httpx.get(address.join(path), timeout=PATIENCE_S).status_code == 404
    document = page.get("")
    assert document.status_code == 200
    assert "script-src 'self'" in document.headers["content-security-policy"]
    assert page.get("page/components/stage.js").status_code == 200


def test_frames(page):
    """The stored answer is shown where it differs, other parameters answer otherwise, gone pictures are
    passed over in the direction of the step."""
    info = page.get("api/v1/frames").json()
    assert (info["count"], info["malformed"]) == (3, 1)
    assert "hog" in info["choices"]["faceDetModel"]
    first = page.get("api/v1/frames/0").json()
    (label,) = first["labels"]
    assert (label["face"], label["stored"]["face"], label["differs"]) == ("Obama", "Biden", True)
    (label,) = page.get("api/v1/frames/0", params={"minFace": "5000"}).json()["labels"]
    assert (label["face"], label["faceReason"]) == (None, "too_small")
    after = page.get("api/v1/frames/1", params={"step": "1"}).json()
    assert (after["index"], after["skipped"], after["id"]) == (2, 1, "3")
    before = page.get("api/v1/frames/1", params={"step": "-1"}).json()
    assert (before["index"], before["skipped"]) == (0, 1)
    assert page.get("api/v1/frames/3").json()["index"] is None
    picture = page.get("api/v1/frames/0/picture")
    assert (picture.headers["content-type"], picture.content[:3].hex()) == ("image/jpeg", "ffd8ff")
    for path in ("frames/0?minFace=big", "frames/0?size=3", "frames/0?minProba=7", "frames/9/picture"):
        assert page.get(f"api/v1/{path}").status_code == 400
    refused = page.get("api/v1/frames/0", params={"faceDetModel": "onnx:/etc/hostname"})
    assert refused.status_code == 400
    assert "is chosen with --detector, not on the page" in refused.text


def test_saving_and_an_end_by_ctrl_c(page, trained):
    """Everything is saved below saved_images; Ctrl-C ends it with exit code 0 and says what was done."""
    for what in ("picture", "objects", "voc"):
        answer = page.post("api/v1/frames/0/save", json={"what": what, "parameters": {"minFace": "10"}})
        assert answer.status_code == 200, answer.text
    folder = trained / "saved_images"
    assert {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()} == {
        "1.jpg",
        "1.json",
        "objects/1-1.jpg",
        "voc/images/1.jpg",
        "voc/annotations/xmls/1.xml",
    }
    assert json.loads((folder / "1.json").read_text())["parameters"] == {"minFace": "10.0"}
    code, said = page.running.interrupt()
    assert code == 0
    assert said.endswith("saved 5 files in saved_images; enrolled 0 photos\n")
    assert "Traceback" not in said


@pytest.mark.slow
def test_this_is_somebody(page, trained, photos):
    """Enrolled through the same checks as any photo: the next answer knows her, and no face is no photo."""
    (label,) = page.get("api/v1/frames/2").json()["labels"]
    assert label["face"] in (None, "Unknown")
    learnt = page.post("api/v1/frames/2/enrol", json={"label": 0, "name": "Eileen"})
    assert learnt.json() == {"name": "Eileen", "images": 1}
    assert len(list((trained / "dataset/Eileen").iterdir())) == 1
    (label,) = page.get("api/v1/frames/2").json()["labels"]
    assert label["face"] == "Eileen"
    assert {one["name"] for one in page.get("api/v1/people").json()["people"]} == {"Biden", "Eileen", "Obama"}
    bad = page.post("api/v1/frames/0/enrol", json={"label": 0, "name": "../Obama"})
    assert (bad.status_code, bad.json()["code"]) == (400, "BadName")
