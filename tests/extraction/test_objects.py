"""Asking an object detection server, which is another process."""

from __future__ import annotations

import os
import re
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
import zmq
from object_detection_server import Running, label, object_detection_server
from toy_faces import toy_frame
from toy_pictures import toy_picture

from face_det.errors import CannotWrite, ConfigError, DataError, Unreachable
from face_det.extraction import ObjectDetectionServer, Picture, parse_detections, pictures_in_folder
from face_det.types import Box


@pytest.fixture
def server(folder: Path) -> Iterator[Running]:
    """A server that answers with the boxes that a test sets."""
    with object_detection_server(folder) as running:
        yield running


def loaded(folder: Path):
    return [(picture, picture.read()) for picture in pictures_in_folder(folder, folder / "out").pictures]


def test_persons_of_several_pictures(server: Running, tmp_path: Path) -> None:
    """One call answers about all; what is no person, or scores too low, is passed over."""
    for name in ("a.png", "b.png"):
        toy_picture(tmp_path / name, 1)
    server.boxes(
        {
            "a.png": [label(1, 2, 30, 40), label(0, 0, 9, 9, name="dog"), label(0, 0, 8, 8, score=0.2)],
            "b.png": [],
        }
    )
    found = ObjectDetectionServer(server.endpoint, min_score=0.5).find(loaded(tmp_path))
    assert [[one.box for one in persons] for persons in found] == [[Box(1, 2, 30, 40)], []]
    assert server.calls == [[[str(tmp_path / "a.png"), True], [str(tmp_path / "b.png"), True]]]


def test_one_picture_that_the_server_fails_on(server: Running, tmp_path: Path) -> None:
    """The others of the same call have their persons, and that one says what the server said."""
    for name in ("a.png", "b.png", "c.png"):
        toy_picture(tmp_path / name, 1)
    server.boxes({"a.png": [label(1, 2, 3, 4)], "b.png": "no such\ntensor", "c.png": [label(5, 6, 7, 8)]})
    one, two, three = ObjectDetectionServer(server.endpoint).find(loaded(tmp_path))
    assert isinstance(two, DataError)
    assert str(two) == (
        f"{server.endpoint}: an object detection server failed in detect_objects: ValueError: no such tensor"
    )
    assert [[each.box.xmin for each in persons] for persons in (one, three)] == [[1], [5]]


def test_pictures_without_a_file_of_their_own(server: Running, tmp_path: Path) -> None:
    """A frame, and a file whose name is no text, reach the server as a file that is gone afterwards."""
    odd = tmp_path / os.fsdecode(b"caf\xe9.png")
    toy_picture(tmp_path / "a.png", 1).rename(odd)
    rgb = toy_frame((1, 100, 100))
    frame = Picture("clip.avi#5", "1", "clip.avi", lambda: rgb)
    server.boxes({"*": [label(1, 2, 3, 4)]})
    found = ObjectDetectionServer(server.endpoint).find([*loaded(tmp_path), (frame, rgb)])
    assert [[one.box for one in persons] for persons in found] == [[Box(1, 2, 3, 4)]] * 2
    ((first, second),) = server.calls
    assert first[1]
    assert second[1]
    assert not Path(first[0]).exists()
    assert not Path(second[0]).parent.exists()


def test_no_room_for_a_frame(
    server: Running, disk: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The error names the temporary folder, and nothing is left in it."""
    place = disk("size=64k")
    monkeypatch.setattr(tempfile, "tempdir", str(place))
    rgb = np.random.default_rng(1).integers(0, 256, (360, 640, 3), np.uint8)
    frame = Picture("clip.avi#5", "1", "clip.avi", lambda: rgb)
    with pytest.raises(CannotWrite, match=f"^{re.escape(str(place))}: cannot be written: No space left"):
        ObjectDetectionServer(server.endpoint).find([(frame, rgb)])
    assert not list(place.iterdir())


def test_a_server_that_is_gone(server: Running, tmp_path: Path) -> None:
    """That concerns every picture, so it is raised, and says where the server should be."""
    toy_picture(tmp_path / "a.png", 1)
    client = ObjectDetectionServer(server.endpoint, timeout_s=300)
    client.find(loaded(tmp_path))
    server.stop()
    with pytest.raises(Unreachable, match="an object detection server must answer there"):
        client.find(loaded(tmp_path))


def test_a_server_that_hangs(folder: Path, tmp_path: Path) -> None:
    """A call ends after the time that it may take."""
    toy_picture(tmp_path / "a.png", 1)
    with zmq.Context() as zmq_context, zmq_context.socket(zmq.ROUTER) as silent:
        silent.bind(f"ipc://{folder}/silent")
        client = ObjectDetectionServer(f"ipc://{folder}/silent", timeout_s=0.5)
        with pytest.raises(Unreachable, match=r"no reply to detect_objects within 0\.5 s"):
            client.find(loaded(tmp_path))


def test_a_picture_that_the_server_leaves_out(server: Running, tmp_path: Path) -> None:
    """It is not taken for one without persons."""
    toy_picture(tmp_path / "a.png", 1)
    (server.folder / "answer").write_text("[]")
    (found,) = ObjectDetectionServer(server.endpoint).find(loaded(tmp_path))
    assert isinstance(found, DataError)
    assert "did not answer about this picture" in str(found)


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        ("not JSON", "must answer with JSON"),
        ("{}", "must answer with a list"),
        ('[{"labels": []}]', r"detect_objects\[0\].image: must be a path"),
    ],
)
def test_an_answer_of_another_kind(answer: str, message: str) -> None:
    """It says what was expected, and where."""
    with pytest.raises(DataError, match=message):
        parse_detections(answer)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"box": {"ymin": 1, "xmin": 2, "ymax": 3}}, r"labels\[0\].box.xmax: must be a number, got null"),
        ({"box": {"ymin": 9, "xmin": 2, "ymax": 3, "xmax": 4}}, "must have xmin <= xmax"),
        ({"box": None}, "must be an object"),
        ({"score": "high"}, 'score: must be a number, got "high"'),
        ({"score": True}, "score: must be a number, got true"),
        ({"score": 10**400}, "score: must be a number, got 1000"),
    ],
)
def test_a_label_that_cannot_be_used(change: dict[str, object], message: str) -> None:
    """Only its picture is spoilt."""
    good = label(1, 2, 3, 4)
    found = parse_detections(
        [{"image": "a.jpg", "labels": [{**good, **change}]}, {"image": "b.jpg", "labels": [good]}]
    )
    with pytest.raises(DataError, match=message):
        raise found["a.jpg"]
    assert [one.box for one in found["b.jpg"]] == [Box(1, 2, 3, 4)]


def test_an_endpoint_that_is_none() -> None:
    """The option is named, not a setting of the daemon."""
    with pytest.raises(ConfigError, match=r"^--detector-endpoint: must be ipc:"):
        ObjectDetectionServer("/tmp/pipe")
