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


def test_a_video_is_not_possible_yet(web):
    """501, and a sentence."""
    answer = web.post("/recognition/local-video", json={"videoFileName": "x.mp4", "eventName": "ring"})
    assert answer.status_code == 501
    assert "video" in answer.json()["error"]
