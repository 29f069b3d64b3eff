"""The installed daemon on real photos, called as the alarm uploader calls it."""

from __future__ import annotations

import json
import re
import shutil
import signal
import sys
from pathlib import Path

import gevent
import PIL.Image
import pytest
import zerorpc
from running import eventually

from face_det.config.load import load_config
from face_det.service import assembly

REAL = (sys.executable, "-m", "face_det.cli.main", "serve", "--config")
WHOLE = {"xmin": 0.0, "ymin": 0.0, "xmax": 9000.0, "ymax": 9000.0}
SETTINGS = {"faceDetModel": "hog", "focusMeasureThreshold": 20, "numFaceImgUpsample": 0}


def entry(path, box=WHOLE):
    """An image with one person, one dog and a key of the uploader's own, as the uploader sends it."""
    labels = [
        {"id": 1, "name": "person", "score": 0.97, "box": dict(box)},
        {"id": 18, "name": "dog", "score": 0.5, "box": dict(box)},
    ]
    return {"image": str(path), "labels": labels, "frame": 7}


@pytest.fixture(scope="module")
def photos(small_photos):
    """Nothing here depends on how large a photo is."""
    return small_photos


@pytest.fixture
def daemon(launch):
    """A daemon that knows nobody yet."""
    return launch(command=REAL, **SETTINGS)


def libraries(daemon):
    """The shared libraries of scientific packages that the daemon has loaded."""
    maps = Path(f"/proc/{daemon.process.pid}/maps").read_text()
    files = {line.split()[-1] for line in maps.splitlines()}
    return {file for file in files if re.search(r"/(scipy|sklearn|xgboost|joblib)/.*\.so", file)}


@pytest.mark.slow
def test_the_first_enrolment_waits_for_no_library(daemon, call, photos):
    """What it needs is loaded while nobody calls, and scikit-learn isn't needed."""
    eventually(
        lambda: any("/scipy/optimize/" in file for file in libraries(daemon)), "an idle daemon to load"
    )
    eventually(lambda: call(daemon, "status")["learning"]["running"] == 0, "the loading to end")
    before = libraries(daemon)
    call(daemon, "add_face", "Barack Obama", str(photos["obama"]))
    assert libraries(daemon) == before
    assert not any("/sklearn/" in file or "/xgboost/" in file for file in before)


def test_a_call_of_the_uploader(daemon, call, photos, folder):
    """Names, reasons, boxes, everything else kept, in order: after people were enrolled over RPC."""
    assert call(daemon, "status")["model"] is None
    call(daemon, "add_face", "Barack Obama", str(photos["obama"]))
    call(daemon, "add_face", "Eileen Collins", photos["astronaut"].read_bytes())
    (folder / "broken.jpg").write_text("no picture")
    images = [entry(photos["obama3"]), entry(folder / "broken.jpg"), entry(photos["chelsea"])]
    reply = call(daemon, "detect_faces", images)
    assert isinstance(reply, str)
    answers = json.loads(reply)
    assert [answer["image"] for answer in answers] == [image["image"] for image in images]
    assert all(answer["frame"] == 7 for answer in answers)
    assert all(
        answer["labels"][1] == image["labels"][1] for answer, image in zip(answers, images, strict=True)
    )
    known, broken, cat = (answer["labels"][0] for answer in answers)
    assert known["face"] == "Barack Obama"
    assert 0.9 <= known["faceProba"] <= 1
    assert "faceReason" not in known
    keys = ("face", "faceProba", "outcome", "faceBox", "quality", "qualityParts")
    assert known["faces"] == [{key: known[key] for key in keys}]
    assert known["quality"] > 0.9
    assert (broken["face"], broken["faceReason"]) == (None, "bad_image")
    assert (cat["face"], cat["faceReason"]) == (None, "no_face")
    people = [{"name": "Barack Obama", "images": 1}, {"name": "Eileen Collins", "images": 1}]
    found = [{key: person[key] for key in ("name", "images")} for person in call(daemon, "people")]
    assert found == people
    assert call(daemon, "status")["model"]["classes"][:2] == ["Barack Obama", "Eileen Collins"]
    counters = call(daemon, "status")["counters"]
    assert {key: counters[key] for key in ("images", "faces", "named", "bad_image", "no_face")} == {
        "images": 3,
        "faces": 1,
        "named": 1,
        "bad_image": 1,
        "no_face": 1,
    }
    assert "images=3 persons=3 faces=1 " in daemon.log()
    (line,) = [line for line in daemon.log().splitlines() if " detect_faces " in line]
    assert {"named=1", "bad_image=1", "no_face=1"} <= set(line.split())
    (why,) = [line for line in daemon.log().splitlines() if "cannot read an image" in line]
    assert f"{folder / 'broken.jpg'}: must be" in why
    assert "Obama" not in daemon.log(), "no names in the log"


@pytest.mark.parametrize("transport", ["ipc", pytest.param("tcp", marks=pytest.mark.slow)])
def test_eight_callers_with_real_pictures(launch, photos, folder, transport, free_port):
    """8 clients at once, 20 calls each, over ipc and over tcp: every answer is complete."""
    endpoint = {"zerorpcPipe": f"tcp://127.0.0.1:{free_port}"} if transport == "tcp" else {}
    daemon = launch(command=REAL, queueSize=200, workers=2, **SETTINGS, **endpoint)
    # A small photo, and a person's box of the head alone, keep a call short.
    with PIL.Image.open(photos["obama2"]) as photo:
        photo.resize((313, 600)).save(folder / "small.jpg", quality=95)
    box = {"xmin": 75.0, "ymin": 125.0, "xmax": 230.0, "ymax": 300.0}

    def twenty():
        client = daemon.client()
        try:
            return [json.loads(client.detect_faces([entry(folder / "small.jpg", box)])) for _ in range(20)]
        finally:
            client.close()

    callers = [gevent.spawn(twenty) for _ in range(8)]
    for caller in callers:
        for (answer,) in caller.get(timeout=150):
            person = answer["labels"][0]
            assert person["faceReason"] == "unrecognised"
            assert len(person["faces"]) == 1
    assert daemon.client().status()["counters"]["refused"] == 0


@pytest.mark.parametrize(
    ("images", "message"),
    [
        ("x", "images: must be a list, got 'x'"),
        (
            [entry("/a.jpg", {**WHOLE, "xmin": "abc"})],
            "images[0].labels[0].box.xmin: must be a number, got 'abc'",
        ),
        ([{"image": "/a.jpg", "labels": [{"name": "person"}]}], "images[0].labels[0].box: missing"),
        (
            [entry("/a.jpg")] * 10_000,
            "images: must hold at most 1000 (maxImages), got 10000; send several calls",
        ),
    ],
)
def test_malformed_calls(lasting_real, call, images, message):
    """A malformed call is one error, by name and place; the daemon goes on."""
    with pytest.raises(zerorpc.RemoteError) as caught:
        call(lasting_real, "detect_faces", images)
    assert (caught.value.name, caught.value.msg) == ("BadRequest", message)
    assert call(lasting_real, "detect_faces", []) == "[]"


@pytest.mark.slow
@pytest.mark.usefixtures("shared_networks")
def test_enrolment_survives_a_kill(launch, call, photos):
    """kill -9 during add_face: the files load, the old or the new, and the next daemon goes on from them."""
    daemon = launch(command=REAL, **SETTINGS)
    call(daemon, "add_face", "Obama", str(photos["obama"]))
    for delay_ms in range(0, 360, 60):
        busy = gevent.spawn(lambda d=daemon: call(d, "add_face", "Collins", str(photos["astronaut"])))
        gevent.sleep(delay_ms / 1000)
        daemon.process.kill()
        daemon.ended()
        busy.kill()
        service = assembly.build_service(load_config(daemon.config, {}))
        images = [entry(photos["obama3"]), entry(photos["astronaut"])]
        obama, collins = (image["labels"][0] for image in json.loads(service.detect_faces(images)))
        assert obama["face"] == "Obama"
        assert collins["face"] in ("Collins", "Unknown")
        known = {person["name"]: person["images"] for person in service.people()}
        assert known["Obama"] == 1
        assert collins["face"] != "Collins" or known["Collins"] == 1
        if "Collins" in known:
            service.forget("Collins")
        again = daemon.folder
        daemon = launch(command=REAL, **SETTINGS)
        for name in ("dataset", "encodings.pickle", "template_face_recognizer.pickle", "face_labels.pickle"):
            target = daemon.folder / name
            (shutil.copytree if (again / name).is_dir() else shutil.copy2)(again / name, target)
        call(daemon, "reload")


def test_a_long_computation_keeps_the_heartbeat(launch, photos):
    """The CNN at work on a large picture, for longer than two heartbeats of 1 s: the caller is kept."""
    daemon = launch(command=REAL, zerorpcHeartBeat=1000, numFaceImgUpsample=2, focusMeasureThreshold=0)
    client = daemon.client(heartbeat=1)
    try:
        answers = json.loads(client.detect_faces([entry(photos["t1"]), entry(photos["chelsea"])]))
    finally:
        client.close()
    assert [len(answer["labels"][0]["faces"]) for answer in answers] == [6, 0]
    daemon.signal(signal.SIGTERM)
    assert daemon.ended() == 0
