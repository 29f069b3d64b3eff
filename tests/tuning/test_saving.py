"""What is saved for training, and that nothing is ever lost for it."""

from __future__ import annotations

import json
import threading
from xml.etree import ElementTree

import numpy as np
import pytest

from face_det.errors import CannotWrite, DataError
from face_det.media import load_image
from face_det.tuning import FrameFolder, RecordedFrame
from face_det.tuning.answers import FrameAnswer, LabelAnswer
from face_det.tuning.frames import StoredLabel
from face_det.types import Box

ANN = StoredLabel("person", Box(60, 30, 300, 270), "Ann", judged=True, confidence=97.5)
CAR = StoredLabel("car", Box(0, 0, 50, 60), confidence=80)
EDGES = {"ymin": 50, "xmin": 100, "ymax": 110, "xmax": 160}
FACE = {"face": "Bärbel & <Tom>", "faceProba": 0.9, "faceBox": EDGES}
PICTURE = np.full((300, 600, 3), 90, np.uint8)


def answered(identifier="65f0", answer=FACE):
    """A frame with a person and a car."""
    return FrameAnswer(RecordedFrame(identifier, "/events/1.jpg"), (LabelAnswer(ANN, answer),), (CAR,))


def contents(folder):
    """{name: bytes} of all that is in a folder and below."""
    found = {path.relative_to(folder).as_posix(): path for path in folder.rglob("*") if path.is_file()}
    return {name: path.read_bytes() for name, path in sorted(found.items())}


def test_a_picture_with_its_record(tmp_path):
    """The picture is annotated; the JSON has the labels as they were recorded, and the answers of now."""
    saved = FrameFolder(tmp_path).save_picture(answered(), PICTURE, {"minProba": "0.8"})
    assert [path.name for path in saved] == ["65f0.jpg", "65f0.json"]
    assert load_image(saved[0]).shape == PICTURE.shape
    assert (load_image(saved[0]) != 90).any()
    person, car = json.loads(saved[1].read_text("utf-8"))["labels"]
    assert (person["Name"], person["Face"], person["now"]["face"]) == ("person", "Ann", "Bärbel & <Tom>")
    assert car == {"Name": "car", "Confidence": 80, "Box": {"ymin": 0, "xmin": 0, "ymax": 60, "xmax": 50}}


def test_objects(tmp_path):
    """Each object is a picture of its own, 300 pixels wide and high."""
    saved = FrameFolder(tmp_path).save_objects(answered(), PICTURE)
    assert [path.name for path in saved] == ["65f0-1.jpg", "65f0-2.jpg"]
    assert {load_image(path).shape for path in saved} == {(300, 300, 3)}
    nothing = FrameAnswer(RecordedFrame("1", "/a.jpg"), ())
    with pytest.raises(DataError, match="must show an object"):
        FrameFolder(tmp_path).save_objects(nothing, PICTURE)


@pytest.mark.parametrize("identifier", ["\U00020000" * 300, f"{'a' * 60}.{'b' * 49}.jpg", "/../..", "\udcff"])
def test_any_identifier_gives_a_name(tmp_path, identifier):
    """Paths in any script, of any length, are saved under names that file systems take and listings show."""
    for number in (1, 2):
        saved = FrameFolder(tmp_path).save_picture(answered(identifier), PICTURE, {})
        saved += FrameFolder(tmp_path).save_objects(answered(identifier), PICTURE)
        assert len(contents(tmp_path)) == len(saved) * number
        assert not [path for path in saved if path.name.startswith(".")]


def test_pascal_voc(tmp_path):
    """Boxes are scaled with the picture, and any name survives; numbers start where they are told to."""
    picture, xml = FrameFolder(tmp_path, 7).save_voc(answered(), PICTURE)
    assert picture == tmp_path / "voc/images/7.jpg"
    assert xml == tmp_path / "voc/annotations/xmls/7.xml"
    assert load_image(picture).shape == (300, 300, 3)
    root = ElementTree.parse(xml).getroot()
    assert root.findtext("object/name") == "Bärbel & <Tom>"
    assert [root.findtext(f"object/bndbox/{edge}") for edge in ("xmin", "xmax", "ymin", "ymax")] == [
        "30",
        "150",
        "30",
        "270",
    ]
    assert (root.findtext("folder"), root.findtext("filename")) == ("images", "7.jpg")
    with pytest.raises(DataError, match="must show somebody with a name"):
        FrameFolder(tmp_path).save_voc(answered(answer={"face": None, "faceReason": "no_face"}), PICTURE)


def test_nothing_is_overwritten(tmp_path):
    """A name that is taken for one file of two is taken for both; what was there stays as it was."""
    (tmp_path / "65f0.json").write_text("mine")
    (tmp_path / "voc/annotations/xmls").mkdir(parents=True)
    (tmp_path / "voc/annotations/xmls/1.xml").symlink_to(tmp_path / "nowhere")
    before = contents(tmp_path)
    folder = FrameFolder(tmp_path)
    for _ in range(2):
        folder.save_picture(answered(), PICTURE, {})
        folder.save_voc(answered(), PICTURE)
    after = contents(tmp_path)
    assert before.items() <= after.items()
    names = {"65f0-2.jpg", "65f0-2.json", "65f0-3.jpg", "65f0-3.json"}
    names |= {f"voc/images/{number}.jpg" for number in (2, 3)}
    names |= {f"voc/annotations/xmls/{number}.xml" for number in (2, 3)}
    assert set(after) - set(before) == names
    assert not (tmp_path / "nowhere").exists()


def test_several_at_once(tmp_path):
    """Each gets a name of its own, and no half of a pair is left."""
    folder = FrameFolder(tmp_path)
    threads = [threading.Thread(target=folder.save_picture, args=(answered(), PICTURE, {})) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    names = {
        f"65f0{number}.{suffix}"
        for number in ("", *(f"-{n}" for n in range(2, 9)))
        for suffix in ("jpg", "json")
    }
    assert set(contents(tmp_path)) == names


@pytest.mark.parametrize(
    "identifier", ["../../etc/passwd", "/etc/passwd", ".hidden", "день/кадр 1.jpg", "", "x" * 300]
)
def test_no_name_leads_elsewhere(tmp_path, identifier):
    """Whatever a record calls itself, its files are in the folder."""
    saved = FrameFolder(tmp_path / "out").save_picture(answered(identifier), PICTURE, {})
    assert {path.parent for path in saved} == {tmp_path / "out"}
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


def test_a_folder_that_cannot_be_written(tmp_path):
    """One line says which file and why; nothing else happens."""
    (tmp_path / "out").write_text("a file")
    with pytest.raises(CannotWrite, match=r"out.*: cannot be written: .*; nothing was saved"):
        FrameFolder(tmp_path / "out").save_picture(answered(), PICTURE, {})
