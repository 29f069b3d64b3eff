"""`face-det train --masked`: somebody behind a mask is known, and encodings.pickle stays as it was."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from synthetic import gallery

from face_det.cli import encode, train
from face_det.engine.engine import EngineOptions, build_engine
from face_det.errors import DataError
from face_det.media import image
from face_det.nets.compute import DEFAULT_COMPUTE
from face_det.recognition import model_file
from face_det.training.masked import FaceMasker
from face_det.types import Face


@pytest.fixture(scope="module")
def photos(small_photos: dict[str, Path]) -> dict[str, Path]:
    """Nothing here depends on how large a photo is."""
    return small_photos


def test_masked_copies_are_learnt(
    tmp_path: Path, photos: dict[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A masked photo is nearer to the template that was trained with masks."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("FACE_DET_FACEDETMODEL", "yunet")
    monkeypatch.setenv("FACE_DET_EMBEDDER", "dlib_resnet")
    for name, person in (("obama", "Obama"), ("obama2", "Obama"), ("biden", "Biden")):
        (tmp_path / "dataset" / person).mkdir(parents=True, exist_ok=True)
        shutil.copy(photos[name], tmp_path / "dataset" / person)
    runner = CliRunner()
    assert runner.invoke(encode.command, ["-j1"]).exit_code == 0
    before = Path("encodings.pickle").read_bytes()
    scores = []
    masked = masked_face(photos["obama3"])
    for folder, arguments in (("plain", []), ("masks", ["--masked"])):
        result = runner.invoke(
            train.command, ["-c", "template", "-o", folder, "--quick", "-j1", "--json", *arguments]
        )
        assert result.exit_code == 0, result.output
        remarks = " ".join(json.loads(result.stdout)["remarks"])
        assert ("3 masked copies were trained on as well" in remarks) == bool(arguments)
        assert ("faces in masks are much alike" in remarks) == bool(arguments), "by dlib's encodings"
        loaded = model_file.load_model(
            Path(folder) / "template_face_recognizer.pickle", Path(folder) / "face_labels.pickle"
        )
        assert loaded.verifier is not None
        scores.append(loaded.verifier.template.scores(masked)[0, loaded.labels.index("Obama")])
    assert scores[1] > scores[0]
    assert Path("encodings.pickle").read_bytes() == before


@pytest.mark.parametrize("folder", ["", "dataset"])
def test_without_photos_there_is_nothing_to_mask(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, folder: str
) -> None:
    """Asked for and not done would be silence: an error, and nothing is written."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("FACE_DET_FACEDETMODEL", "yunet")
    (tmp_path / folder).mkdir(exist_ok=True)
    Path("encodings.pickle").write_bytes(gallery({"Alice": 3, "Bob": 3}).dumps())
    result = CliRunner().invoke(train.command, ["-c", "template", "-o", "out", "--quick", "--masked"])
    assert isinstance(result.exception, DataError)
    assert "dataset: must hold photos whose face is found behind a mask" in str(result.exception)
    assert not [*Path("out").glob("*")]


def masked_face(photo: Path) -> np.ndarray:
    """The encoding of somebody in a mask, shape (1, 128)."""
    engine = build_engine(EngineOptions(detector="yunet", embedder="dlib_resnet", focus_threshold=0))
    rgb = image.load_image(photo)
    ((face,),) = engine.faces([(rgb, None)])
    assert isinstance(face, Face)
    ((again,),) = engine.faces([(FaceMasker(DEFAULT_COMPUTE)(rgb, face), None)])
    assert again.encoding is not None
    return again.encoding[np.newaxis]
