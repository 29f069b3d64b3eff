"""The routes of Ringface's classifier."""

from __future__ import annotations


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


def test_a_video_is_not_possible_yet(web):
    """501, and a sentence."""
    answer = web.post("/recognition/local-video", json={"videoFileName": "x.mp4", "eventName": "ring"})
    assert answer.status_code == 501
    assert "video" in answer.json()["error"]
