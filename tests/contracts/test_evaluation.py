"""`face-det evaluate` measures what callers get: it answers photos of any kind as a daemon does."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import PIL.Image
import pytest

from face_det.config import load_config
from face_det.engine import build_engine
from face_det.evaluation import ExtraMeasurements, RecognitionSettings, evaluate_split, split_dataset
from face_det.gallery import EncodingCache
from face_det.media import load_image
from face_det.recognition import DecisionRule
from face_det.service import build_enrolment_options, build_service

SETTINGS = {
    "faceDetModel": "hog",
    "numFaceImgUpsample": 0,
    "embedder": "dlib_resnet",
    "focusMeasureThreshold": 195,
    "minFace": 90,
}


@pytest.fixture
def folder(tmp_path: Path, photos: dict[str, Path]) -> Path:
    """A dataset, and photos of each kind to ask about."""
    for name in ("obama", "obama2"):
        copy(photos[name], tmp_path / "dataset" / "Obama")
    copy(photos["biden"], tmp_path / "dataset" / "Unknown")
    # A sharp face; one with a sharpness of 188; six people; nobody; two faces of 86 pixels.
    for name, person in (
        ("obama_partial", "Obama"),
        ("obama3", "Obama"),
        ("t1", "Strangers"),
        ("nobody", "Obama"),
        ("hanks", "Tom"),
        ("astronaut", "Eileen"),
    ):
        copy(photos[name], tmp_path / "held" / person)
    # The same person twice: the larger face is the answer, and the likelier one, beside it, takes the name.
    large, likely = (PIL.Image.fromarray(load_image(photos[name])) for name in ("obama_partial", "obama"))
    twice = PIL.Image.new("RGB", (large.width + 546, large.height))
    twice.paste(large, (0, 0))
    twice.paste(likely.resize((546, 682)), (large.width, 0))
    twice.save(tmp_path / "held" / "Obama" / "twice.png")
    return tmp_path


def copy(photo: Path, folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    shutil.copy(photo, folder)


@pytest.mark.slow
@pytest.mark.usefixtures("shared_networks")
def test_answers_as_the_daemon_does(folder: Path) -> None:
    """Photo by photo the same name or reason, though the evaluation looks at each photo only once."""
    (folder / "config.json").write_text(json.dumps({"faceDetServer": SETTINGS}))
    config = load_config(folder / "config.json", {})
    with EncodingCache(folder / "cache.sqlite") as cache:
        found = evaluate_split(
            split_dataset(folder / "dataset", folder / "held"),
            build_engine(build_enrolment_options(config)),
            cache,
            RecognitionSettings(
                config.classifier,
                config.embedder,
                DecisionRule(config.min_proba, config.decision),
                config.false_accept_rate,
            ),
            ExtraMeasurements(),
        )
    service = build_service(config)
    service.train()
    images = []
    for photo in found.end_to_end.photos:
        height, width, _ = load_image(photo.path).shape
        box = {"xmin": 0, "ymin": 0, "xmax": width, "ymax": height}
        images.append({"image": str(photo.path), "labels": [{"id": 1, "name": "person", "box": box}]})
    labels = [image["labels"][0] for image in json.loads(service.detect_faces(images))]
    answered = [(label["face"], label.get("faceReason")) for label in labels]
    measured = [(match.name, match.reason and match.reason.value) for match in found.end_to_end.matches]
    names = [photo.path.name for photo in found.end_to_end.photos]
    assert dict(zip(names, measured, strict=True)) == dict(zip(names, answered, strict=True))
    assert ("Obama", None) in answered
    assert {reason for _, reason in answered} == {None, "no_face", "too_small", "too_blurry", "unrecognised"}
    assert found.counts.right == 3, "the decision alone names the blurred face and the likelier one, too"
    assert found.end_to_end.counts.right == 1
