"""People who are named by body and clothes, by a real daemon over a real socket."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from body_crops import SPACE_SUIT, draw_visits, without_head

REAL = (sys.executable, "-m", "face_det.cli.main", "serve", "--config")
SETTINGS = {"faceDetModel": "auto"}
ON = {"body": {"falseAcceptRate": 0.1}}
NAME = "Eileen Collins"


@pytest.fixture(scope="module")
def photos(small_photos):
    """Nothing here depends on how large a photo is."""
    return small_photos


def ask(call, daemon, *images):
    """The label of each (path, box), in one call."""
    edges = ("xmin", "ymin", "xmax", "ymax")
    request = [
        {"image": str(path), "labels": [{"name": "person", "box": dict(zip(edges, box, strict=True))}]}
        for path, box in images
    ]
    return [image["labels"][0] for image in json.loads(call(daemon, "detect_faces", request))]


def libraries(daemon):
    return Path(f"/proc/{daemon.process.pid}/maps").read_text()


@pytest.mark.slow
def test_a_body_speaks_where_a_face_does_not(launch, call, photos, folder):
    """Off, nothing of it is there; on, it names who turned away, never against a face, and is forgotten."""
    hidden = without_head(photos, folder / "hidden.jpg")
    strangers = draw_visits(folder / "crops", photos, NAME)
    whole = (0, 0, 512, 512)
    pictures = [
        (hidden, [edge + 3 for edge in SPACE_SUIT]),
        (photos["astronaut"], whole),
        (photos["obama3"], (0, 0, 640, 640)),
        (hidden, (0, 0, 20, 500)),
    ]
    daemon = launch(command=REAL, **SETTINGS)
    call(daemon, "add_face", NAME, photos["astronaut"].read_bytes())
    before = ask(call, daemon, *pictures)
    assert [one["face"] for one in before] == [None, NAME, "Unknown", None]
    assert [one.get("faceReason") for one in before] == ["no_face", None, None, "no_face"]
    assert not any("by" in one for one in before)
    assert call(daemon, "status")["body"] is None
    assert call(daemon, "export", NAME)

    daemon.configure(**SETTINGS, **ON)
    call(daemon, "reload")
    assert ask(call, daemon, *pictures) == [
        before[0],
        *({**one, "by": "face"} for one in before[1:3]),
        before[3],
    ], "nobody is known by the body yet"
    assert "face-det body" in call(daemon, "status")["body"]["problem"]
    learn = [
        sys.executable,
        "-m",
        "face_det.cli.main",
        "body",
        str(strangers),
        "--config",
        str(daemon.config),
    ]
    learnt = subprocess.run(learn, capture_output=True, text=True, check=True)
    assert "People are named" in learnt.stdout
    call(daemon, "reload")
    after = ask(call, daemon, *pictures)
    assert [one["face"] for one in after] == [NAME, NAME, "Unknown", None]
    assert [one.get("by") for one in after] == ["body", "face", "face", None]
    assert after[0]["outcome"] == "known"
    assert after[0]["faceProba"] > 0.5
    assert "faceReason" not in after[0]
    assert after[0]["faces"] == before[0]["faces"] == []
    assert after[3] == before[3]
    assert call(daemon, "status")["counters"]["by_body"] == 1
    assert call(daemon, "status")["body"] == {
        "embedder": "clothes:1",
        "people": [NAME],
        "problem": None,
    }
    # She is in the picture already, as a face: nobody else is she.
    both = [
        {"name": "person", "box": {"xmin": 0, "ymin": 0, "xmax": 512, "ymax": 190}},
        {"name": "person", "box": dict(zip(("xmin", "ymin", "xmax", "ymax"), SPACE_SUIT, strict=True))},
    ]
    request = [{"image": str(photos["astronaut"]), "labels": both}]
    (image,) = json.loads(call(daemon, "detect_faces", request))
    assert [label["face"] for label in image["labels"]] == [NAME, None]

    assert call(daemon, "forget", NAME)["bodies"] == 6
    assert ask(call, daemon, *pictures)[0] == before[0]
    assert call(daemon, "status")["body"]["people"] == []
