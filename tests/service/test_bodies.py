"""When a body may speak, and what is answered then."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import pytest

from face_det.bodies import (
    BodyEncodings,
    BodyRecognizer,
    ClothesEmbedder,
    fit_bodies,
    load_bodies,
    save_bodies,
)
from face_det.budget import Budget
from face_det.config import load_config
from face_det.errors import ModelError, UnknownPerson
from face_det.recognition import Recognizer
from face_det.service import build_service, wire
from face_det.service.batch import Batch
from face_det.service.bodies import CallBodies
from face_det.types import Box, Encodings, Face, Match, Outcome, Reason, Rgb

COLOURS = {"Ann": (220, 40, 30), "Bob": (20, 60, 200)}
FACE = Face(Box(1, 1, 9, 9), 1.0, 0.0, Reason.TOO_SMALL, None)
ANN, BOB = Box(0, 0, 60, 160), Box(100, 0, 160, 160)


def wear(*people: str, noise: int = 0) -> Rgb:
    """A picture with people beside each other, each in clothes of their colour, at ANN and BOB."""
    rgb = np.full((160, 200, 3), 128, np.uint8)
    for name, box in zip(people, (ANN, BOB), strict=False):
        rgb[:, int(box.xmin) : int(box.xmax)] = COLOURS[name]
    random = np.random.default_rng(noise)
    return (rgb.astype(int) + random.integers(-9, 10, rgb.shape)).clip(0, 255).astype(np.uint8)


@pytest.fixture(scope="module")
def known() -> BodyRecognizer:
    """Ann and Bob in their colours, and 30 strangers in others."""
    embedder = ClothesEmbedder()
    crops, names, visits = [], [], []
    for name in COLOURS:
        for visit in range(2):
            crops.append(wear(name, noise=visit)[:, :60])
            names.append(name)
            visits.append(str(visit))
    for number in range(30):
        random = np.random.default_rng(100 + number)
        stripes = random.integers(0, 256, (8, 1, 3)).repeat(20, axis=0).repeat(60, axis=1)
        crops.append(stripes.astype(np.uint8))
        names.append("Unknown")
        visits.append(str(number))
    rows = embedder.encode([embedder.prepare(crop) for crop in crops])
    found = fit_bodies(BodyEncodings(rows, tuple(names), tuple(visits), "clothes:1"), 0.1)
    assert found.names_people
    return found


def enrolled(*names: str) -> Recognizer:
    """A recognizer of faces, of which only the names are asked for."""
    return cast("Recognizer", SimpleNamespace(model=SimpleNamespace(labels=names)))


def decide(
    known: BodyRecognizer,
    answers: list[wire.PersonAnswer],
    boxes: tuple[Box, ...] = (ANN, BOB),
    **options: Any,
) -> list[Any]:
    """What one picture of Ann and Bob is answered, with these answers about their faces."""
    box = {"xmin": 0, "ymin": 0, "xmax": 1, "ymax": 1}
    labels = [{"name": "person", "box": box, "by": "the caller"} for _ in boxes]
    request = wire.parse_images([{"image": "/a.jpg", "labels": labels}], 1)
    batch = Batch(request)
    batch.answers.update({(0, number): answer for number, answer in enumerate(answers)})
    embedder = options.get("embedder", ClothesEmbedder())
    bodies = CallBodies(embedder, options.get("recognizer", known), ["/a.jpg"])
    rgb = wear(*options.get("worn", ("Ann", "Bob")), noise=7)
    for number, one in enumerate(boxes):
        bodies.keep((0, number), "/a.jpg", rgb, one)
    bodies.decide(batch.answers, options.get("enrolled", enrolled("Ann", "Bob")), Budget())
    bodies.add_to(batch, ascii_names=False)
    return cast("list[Any]", json.loads(wire.render_reply([{"labels": labels}], batch.answers))[0]["labels"])


def names(labels: list[Any]) -> list[tuple[str | None, str | None]]:
    return [(one["face"], one.get("by")) for one in labels]


def seen(name: str | None, reason: Reason | None, probability: float | None = 0.9) -> wire.PersonAnswer:
    outcome = Outcome.KNOWN if name else Outcome.UNKNOWN
    return wire.PersonAnswer(((FACE, Match(name, probability, reason, outcome)),), own=0)


NO_FACE = wire.PersonAnswer()


def test_a_body_speaks_where_no_face_was_compared(known: BodyRecognizer) -> None:
    """There is none, or it is too small or too blurry; what is known of that face stays in `faces`."""
    small = seen(None, Reason.TOO_SMALL, None)
    labels = decide(known, [NO_FACE, small])
    assert names(labels) == [("Ann", "body"), ("Bob", "body")]
    assert "faceReason" not in labels[1]
    assert labels[1]["faceBox"] == labels[1]["faces"][0]["faceBox"]
    assert (labels[1]["faces"][0]["face"], labels[1]["faces"][0]["faceReason"]) == (None, "too_small")


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        (seen("Bob", None), ("Bob", "face")),
        (seen("Unknown", None), ("Unknown", "face")),
        (seen(None, Reason.UNRECOGNISED), (None, None)),
        (replace(seen("Bob", None), own=None), (None, None)),
        (wire.PersonAnswer(reason=Reason.BAD_IMAGE), (None, None)),
        (wire.PersonAnswer(reason=Reason.TIMEOUT), (None, None)),
        (replace(seen(None, Reason.TOO_BLURRY, None), partial=True), (None, None)),
    ],
    ids=["named", "stranger", "compared", "of another", "unreadable", "late", "partial"],
)
def test_a_body_never_speaks_against_a_face(
    known: BodyRecognizer, answer: wire.PersonAnswer, expected: tuple[str | None, str | None]
) -> None:
    """Whatever a face that was compared says stands, and so does what could not be looked at."""
    assert names(decide(known, [answer], (ANN,)))[0] == expected


def test_a_name_is_given_once_in_a_picture(known: BodyRecognizer) -> None:
    """Who is there by the face is nobody else's body; of two bodies alike, one has the name."""
    assert names(decide(known, [seen("Bob", None), NO_FACE])) == [("Bob", "face"), (None, None)]
    twice = names(decide(known, [NO_FACE, NO_FACE], worn=("Ann", "Ann")))
    assert sorted(map(str, twice)) == ["('Ann', 'body')", "(None, None)"]


def test_bodies_that_cannot_be_seen_are_not_named(known: BodyRecognizer) -> None:
    """Half of one is another person's, or it is tiny; and whoever was forgotten has no name."""
    covered = Box(30, 0, 130, 160)
    assert names(decide(known, [NO_FACE, NO_FACE], (ANN, covered)))[0] == (None, None)
    assert names(decide(known, [NO_FACE], (Box(0, 0, 20, 160),))) == [(None, None)]
    assert names(decide(known, [NO_FACE], (ANN,), enrolled=enrolled("Bob"))) == [(None, None)]
    none = replace(known, calibration=replace(known.calibration, allowed=None))
    assert names(decide(known, [NO_FACE], (ANN,), recognizer=none)) == [(None, None)]


def test_a_network_that_fails_takes_no_face_along(known: BodyRecognizer) -> None:
    """Whoever would be named by the body is not; whoever was by the face still is."""

    class Broken(ClothesEmbedder):
        def encode(self, prepared: Sequence[Rgb]) -> Encodings:
            raise ModelError("person.onnx: its first output must be a row of numbers, got nan")

    answers = [NO_FACE, seen("Bob", None)]
    assert names(decide(known, answers, embedder=Broken())) == [(None, None), ("Bob", "face")]


def test_off_leaves_the_callers_keys_alone() -> None:
    """Without bodies, `by` is a key like any other."""
    reply = wire.render_reply([{"labels": [{"by": "the caller"}]}], {(0, 0): NO_FACE})
    assert json.loads(reply)[0]["labels"][0]["by"] == "the caller"


def test_a_body_alone_can_be_had_and_forgotten(tmp_path: Path) -> None:
    """Also while `body` is not set, and for somebody who has no photo of a face."""
    (tmp_path / "dataset").mkdir()
    (tmp_path / "state").mkdir()
    place = tmp_path / "state/bodies.npz"
    save_bodies(place, BodyEncodings(np.eye(3), ("Ann", "Bob", "Ann"), ("1", "1", "2"), "clothes:1"))
    (tmp_path / "config.json").write_text('{"faceDetServer": {}}')
    service = build_service(load_config(tmp_path / "config.json", {}))
    with zipfile.ZipFile(io.BytesIO(service.export("Ann"))) as archive:
        assert [one["visit"] for one in json.loads(archive.read("bodies.json"))] == ["1", "2"]
    removed = {"images": 0, "encodings": 0, "sightings": 0, "bodies": 2}
    assert service.forget("Ann") == {"name": "Ann", **removed}
    assert load_bodies(place).names == ("Bob",)
    for ask in (service.export, service.forget):
        with pytest.raises(UnknownPerson):
            ask("Ann")
