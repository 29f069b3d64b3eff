"""The routes of Ringface's classifier."""

from __future__ import annotations

import base64
import json
import socket

import cv2
import numpy as np
import pytest
from running import eventually


def test_a_local_picture(web, gallery_daemon):
    """The names of those who are known; strangers are numbered."""
    path = str(gallery_daemon.roots / "obama3.jpg")
    answer = web.post("/recognition/local-image", json={"imageFilePath": path, "eventName": "ring"})
    assert answer.json() == {"inputFile": path, "recognisedPersons": ["Obama"], "unknownPersons": []}
    path = str(gallery_daemon.roots / "t1.jpg")
    answer = web.post("/recognition/local-image", json={"imageFilePath": path})
    assert answer.json()["recognisedPersons"] == []
    assert answer.json()["unknownPersons"] == [f"unknown-{number}" for number in range(1, 7)]


def test_other_paths_are_refused(web, gallery_daemon):
    """Whatever they point at, and without telling whether it exists."""
    for path in ("/etc/passwd", str(gallery_daemon.roots / ".." / "x.jpg"), "no\0path"):
        answer = web.post("/recognition/local-image", json={"imageFilePath": path})
        assert answer.status_code in (400, 422), path
        assert answer.json()["ok"] is False
        assert str(gallery_daemon.roots) not in answer.text


def test_a_set_of_people_is_fitted(web, gallery_daemon):
    """What each picture taught comes back; what shows nobody, several people or a file elsewhere does not."""
    own = [str(gallery_daemon.roots / name) for name in ("biden.jpg", "t1.jpg", "nobody.png", "none.jpg")]
    paths = [*own, "/etc/passwd", "http://127.0.0.1:9/x.jpg"]
    try:
        asked = {"personName": "Joe", "imagePaths": paths}
        nobody = {"personName": "Ann", "imagePaths": []}
        answer = web.post("/classifier/fit", json={"persons": [asked, nobody]})
        assert answer.status_code == 200, answer.text
        fitted = answer.json()
        joe, ann = fitted["persons"]
        assert (joe["personName"], joe["imagePaths"]) == ("Joe", paths)
        assert [len(encoding) for encoding in joe["encodings"]] == [128]
        assert ann == {**nobody, "encodings": []}
        assert fitted["fittedClassifierFile"] == "template_face_recognizer.pickle"
        found = web.post("/recognition/local-image", json={"imageFilePath": own[0]}).json()
        assert found["recognisedPersons"] == ["Joe"]
        assert "skipped a picture of Joe: SeveralFaces" in web.gateway.log
    finally:
        web.post("/api/v1/people/Joe/forget")
    for body in ({}, {"persons": [{}]}, {"persons": [{**nobody, "imagePaths": [None]}]}):
        assert web.post("/classifier/fit", json=body).status_code == 400, body
    bad = {"persons": [{"personName": "../x", "imagePaths": [own[0]]}]}
    assert web.post("/classifier/fit", json=bad).json()["code"] == "BadName"


def test_a_local_video(web, gallery_daemon, photos):
    """Those who are known by name, strangers with numbers and pictures; paths are refused as for pictures."""
    path = str(gallery_daemon.roots / "ring.mp4")
    film(path, photos["obama3"], photos["astronaut"])
    answer = web.post("/recognition/local-video", json={"videoFileName": path, "eventName": "ring"}).json()
    (stranger,) = answer.pop("unknownPersons")
    assert answer == {"videoFile": path, "eventName": "ring", "recognisedPersons": ["Obama"]}
    assert stranger["name"].startswith("unknown-")
    assert base64.b64decode(stranger["images"][0])[:3] == b"\xff\xd8\xff"
    assert (stranger["imagePaths"], stranger["frames"] > 0) == ([], True)
    (gallery_daemon.roots / "text.mp4").write_text("no video")
    for other in (
        "/etc/passwd",
        str(gallery_daemon.roots / "none.mp4"),
        str(gallery_daemon.roots / "text.mp4"),
    ):
        refused = web.post("/recognition/local-video", json={"videoFileName": other})
        assert refused.status_code == 422, other
        assert str(gallery_daemon.roots) not in refused.text


def test_an_uploaded_video(web, photos, tmp_path):
    """Our own route answers about the same: as a form or as the body, with times, and nothing remembered."""
    content = film(tmp_path / "ring.mp4", photos["obama3"]).read_bytes()
    before = web.get("/api/v1/sightings").json()["items"]
    for sent in (
        {"files": {"video": content}},
        {"content": content, "headers": {"Content-Type": "video/mp4"}},
    ):
        answer = web.post("/api/v1/videos?eventName=ring&maxFrames=8", **sent).json()
        (person,) = answer["people"]
        assert (person["name"], answer["eventName"]) == ("Obama", "ring")
        assert answer["partial"] == "only the first 8 frames are looked at"
        assert base64.b64decode(person["best"]["thumbnail"])[:3] == b"\xff\xd8\xff"
    assert web.get("/api/v1/sightings").json()["items"] == before
    for query, sent, status in (("?maxFrames=0", content, 400), ("", b"no video", 422), ("", b"", 400)):
        assert web.post(f"/api/v1/videos{query}", content=sent).status_code == status


@pytest.mark.parametrize("route", ["/api/v1/videos", "/recognition/local-video"])
def test_a_client_that_leaves_ends_its_video(web, gallery_daemon, photos, route):
    """However long the video is, the next one need not wait for it."""
    path = gallery_daemon.roots / "long.mp4"
    if not path.exists():
        film(path, *[photos["biden"]] * 200)
    local = json.dumps({"videoFileName": str(path)}).encode()
    body, kind = (local, "application/json") if "local" in route else (path.read_bytes(), "video/mp4")
    head = f"POST {route} HTTP/1.1\r\nHost: {web.base_url.host}:{web.base_url.port}\r\n"
    head += f"Content-Type: {kind}\r\nContent-Length: {len(body)}\r\n\r\n"
    gone = gallery_daemon.log().count("recognize_video error=caller_gone")
    with socket.create_connection((web.base_url.host, web.base_url.port)) as client:
        client.sendall(head.encode() + body)
        eventually(lambda: running(web) == 1, "the video to be looked at", 300)
    eventually(lambda: running(web) == 0, "its end", 300)
    assert gallery_daemon.log().count("recognize_video error=caller_gone") == gone + 1
    assert f"POST {route}: the client went away" in web.gateway.log


def running(web):
    """How many videos are looked at."""
    return web.get("/api/v1/status").json()["videos"]["running"]


def film(path, *people):
    """A video of ten frames of each."""
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter_fourcc(*"mp4v"), 10, (320, 240))
    for photo in people:
        shown = cv2.imread(str(photo))
        shown = cv2.resize(shown, None, fx=240 / shown.shape[0], fy=240 / shown.shape[0])
        for place in range(10):
            frame = np.full((240, 320, 3), 120, np.uint8)
            frame[:, place : place + shown.shape[1]] = shown[:, : 320 - place]
            writer.write(frame)
    writer.release()
    return path
