"""The routes of the web application, as its page calls them."""

from __future__ import annotations

import io

import numpy as np
import PIL.Image
import pytest


def examples(photo, box, count=10, size=160):
    """What the page sends after "Capture Examples": cuts of a moving face, side by side, as a JPEG."""
    left, top, right, bottom = map(round, box)
    with PIL.Image.open(photo) as picture:
        cuts = [
            picture.convert("RGB").crop((left + move, top, right + move, bottom)).resize((size, size))
            for move in range(0, 2 * count, 2)
        ]
    strip = np.hstack([np.asarray(cut) for cut in cuts])
    file = io.BytesIO()
    PIL.Image.fromarray(strip).save(file, "JPEG")
    return file.getvalue()


def detect(web, photo, **fields):
    answer = web.post("/detect", files={"image": photo.read_bytes()}, data=fields)
    assert answer.status_code == 200, answer.text
    return answer.json()


def test_faces_are_described_in_its_words(web, photos):
    """Pixels of the frame, confidence, name and probability, and candidates."""
    (face,) = detect(web, photos["obama3"], threshold="0.5")
    assert face.keys() == {
        *("x", "y", "w", "h", "confidence", "name"),
        *("predict_proba", "predict_candidates", "predict_candidates_proba"),
    }
    assert face["name"] == "Obama"
    assert face["confidence"] > 0.5 < face["predict_proba"]
    assert face["predict_candidates"] == ["Obama"]
    assert face["predict_candidates_proba"] == [face["predict_proba"]]


def test_strangers_are_unknown(web, photos):
    """With null in place of numbers, as before the first example."""
    for face in detect(web, photos["t1"]):
        assert (face["name"], face["predict_proba"]) == ("unknown", None)


def test_the_threshold_leaves_out_what_is_less_sure(web, photos):
    """All six faces, and none above 1."""
    assert len(detect(web, photos["t1"], threshold="0.3")) == 6
    assert detect(web, photos["t1"], threshold="1") == []


def test_somebody_is_learnt_from_ten_examples(web, photos):
    """The answer counts everybody's examples, and the next frame names the person."""
    (stranger,) = detect(web, photos["biden"])
    assert stranger["name"] == "unknown"
    x, y, width, height = (stranger[key] for key in ("x", "y", "w", "h"))
    strip = examples(photos["biden"], (x, y, x + width, y + height))
    fields = {"name": "Joe", "num": "10", "size": "160"}
    answer = web.post("/train", files={"image": strip}, data=fields)
    try:
        assert answer.status_code == 200, answer.text
        assert {"name": "Joe", "train_examples": 10} in answer.json()
        assert {"name": "Obama", "train_examples": 1} in answer.json()
        (face,) = detect(web, photos["biden"])
        assert face["name"] == "Joe"
    finally:
        web.post("/api/v1/people/Joe/forget")


@pytest.mark.parametrize(
    ("fields", "status"),
    [
        ({"name": "Joe", "num": "10", "size": "16000"}, 400),
        ({"name": "Joe", "num": "1000000000", "size": "160"}, 400),
        ({"name": "Joe", "num": "2", "size": "1600"}, 400),
        ({"name": "../x", "num": "1", "size": "160"}, 400),
        ({"name": "Joe", "num": "one", "size": "160"}, 400),
        ({"num": "1", "size": "160"}, 400),
    ],
)
def test_fields_that_do_not_fit_are_refused(web, photos, fields, status):
    """By name, and nobody is enrolled."""
    strip = examples(photos["biden"], (100, 100, 300, 300), count=2)
    answer = web.post("/train", files={"image": strip}, data=fields)
    assert answer.status_code == status, answer.text
    assert [person["name"] for person in web.get("/api/v1/people").json()["people"]] == ["Obama"]


def test_examples_without_a_face_teach_nothing(web, photos):
    """And say so."""
    strip = examples(photos["nobody"], (0, 0, 160, 160), count=3)
    answer = web.post("/train", files={"image": strip}, data={"name": "Joe", "num": "3", "size": "160"})
    assert (answer.status_code, answer.json()["code"]) == (422, "NoFace")
