"""Two pictures are compared: whose faces, by which decision, and what cannot be compared."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

import msgpack
import pytest

from face_det.config.load import load_config
from face_det.errors import BadImage, BadRequest, NoFace
from face_det.service import assembly
from face_det.service.service import Service

pytestmark = pytest.mark.usefixtures("shared_networks")

SETTINGS = {"faceDetModel": "hog", "numFaceImgUpsample": 0}


@pytest.fixture(scope="module")
def photos(small_photos: dict[str, Path]) -> dict[str, Path]:
    """Nothing here depends on how large a photo is."""
    return small_photos


def start(folder: Path, **settings: object) -> Service:
    """A service that knows nobody."""
    (folder / "config.json").write_text(json.dumps({"faceDetServer": {**SETTINGS, **settings}}))
    return assembly.build_service(load_config(folder / "config.json", {}))


@pytest.mark.parametrize("embedder", ["sface", "dlib_resnet"])
def test_the_same_person_and_another(tmp_path: Path, photos: Mapping[str, Path], embedder: str) -> None:
    """Nobody needs to be enrolled; and nobody is afterwards."""
    service = start(tmp_path, embedder=embedder)
    verify = service.verification.verify
    same = verify(str(photos["obama"]), photos["obama3"].read_bytes())
    assert msgpack.unpackb(msgpack.packb(same)) == same
    assert same["same"] is True
    assert same["proba"] > 0.9
    (only,) = same["faces"]
    assert {key: only[key] for key in ("same", "proba", "similarity")} == {
        key: same[key] for key in ("same", "proba", "similarity")
    }
    other = verify(str(photos["obama"]), str(photos["biden"]))
    assert other["same"] is False
    assert other["proba"] < 0.5
    assert other["similarity"] < same["similarity"]
    assert service.status()["model"] is None


def test_the_largest_face_of_each_counts(tmp_path: Path, photos: Mapping[str, Path]) -> None:
    """Of a group, all faces are told, the largest first, and whoever is among them is found."""
    service = start(tmp_path)
    answer = service.verification.verify(str(photos["obama"]), str(photos["t1"]))
    boxes = [face["faceBox"] for face in answer["faces"]]
    areas = [(box["xmax"] - box["xmin"]) * (box["ymax"] - box["ymin"]) for box in boxes]
    assert len(areas) == 6
    assert areas == sorted(areas, reverse=True)
    assert [face["same"] for face in answer["faces"]] == [False] * 6
    (main, *_) = service.verification.verify(str(photos["t1"]), str(photos["t1"]))["faces"]
    assert (main["faceBox"], main["same"]) == (boxes[0], True)


def test_the_false_accept_rate_decides(tmp_path: Path, photos: Mapping[str, Path]) -> None:
    """The same two faces at a stricter rate: equally likely, and not certain enough."""
    pictures = str(photos["obama2"]), str(photos["obama3"])
    answers = []
    for rate in (0.1, 2e-6):
        service = start(tmp_path, embedder="dlib_resnet", falseAcceptRate=rate)
        answers.append(service.verification.verify(*pictures))
    assert [answer["same"] for answer in answers] == [True, False]
    assert answers[0]["proba"] == answers[1]["proba"]


def test_what_cannot_be_compared_says_why(tmp_path: Path, photos: Mapping[str, Path]) -> None:
    """By the place of the picture; a face that is too small by what it would take."""
    service = start(tmp_path, minFace=100)
    verify, big = service.verification.verify, str(photos["obama"])
    with pytest.raises(NoFace, match=r"^other: must show a face, got none"):
        verify(big, str(photos["nobody"]))
    with pytest.raises(NoFace, match=r"^image: must show a face, got none"):
        verify(str(photos["nobody"]), big)
    with pytest.raises(BadRequest, match=r"^other: must be a path or the bytes of a picture, got int"):
        verify(big, 7)
    with pytest.raises(BadImage):
        verify(b"no picture", big)
