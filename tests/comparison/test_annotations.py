"""Annotations in three formats, and what is said of those that are wrong."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from face_det.comparison.annotations.read import read_annotations
from face_det.errors import DataError
from face_det.types import Box

HALL, DOOR = (Box(10, 20, 40, 60), Box(50, 20, 70, 45)), ()

COCO = {
    "images": [
        {"id": 1, "file_name": "hall.jpg", "width": 100, "height": 80},
        {"id": 2, "file_name": "door.jpg"},
    ],
    "categories": [{"id": 7, "name": "Human face"}, {"id": 8, "name": "dog"}],
    "annotations": [
        {"image_id": 1, "category_id": 7, "bbox": [10, 20, 30, 40]},
        {"image_id": 1, "category_id": 8, "bbox": [0, 0, 9, 9]},
        {"image_id": 1, "category_id": 7, "bbox": [50, 20, 20, 25], "iscrowd": 1},
    ],
}
VOC = """<?xml version="1.0"?>
<annotation><filename>hall.jpg</filename><size><width>100</width><height>80</height></size>
<object><name>anna</name><bndbox><xmin>11</xmin><ymin>21</ymin><xmax>40</xmax><ymax>60</ymax></bndbox></object>
<object><name>person</name><bndbox><xmin>1</xmin><ymin>1</ymin><xmax>99</xmax><ymax>70</ymax></bndbox></object>
<object><name>face</name><difficult>1</difficult>
<bndbox><xmin>51</xmin><ymin>21</ymin><xmax>70</xmax><ymax>45</ymax></bndbox></object></annotation>"""
VOC_DOOR = "<annotation><filename>door.jpg</filename></annotation>"
WIDER = """hall.jpg
2
10 20 30 40 0 0 0 0 0 0
50 20 20 25 2 0 0 1 2 0
door.jpg
0
0 0 0 0 0 0 0 0 0 0
"""


def written(folder: Path, name: str, text: str) -> Path:
    path = folder / name
    path.write_text(text, "utf-8")
    return path


@pytest.mark.parametrize("kind", ["COCO", "Pascal VOC", "WIDER FACE"])
def test_the_same_faces_in_every_format(tmp_path: Path, kind: str) -> None:
    """Each format says the same of two pictures: a face, one that does not count, nobody at the door."""
    if kind == "COCO":
        path = written(tmp_path, "faces.json", json.dumps(COCO))
    elif kind == "WIDER FACE":
        path = written(tmp_path, "faces.txt", WIDER)
    else:
        written(tmp_path, "1.xml", VOC)
        written(tmp_path, "2.xml", VOC_DOOR)
        path = tmp_path
    found = read_annotations(path)
    assert found.format == kind
    hall, door = found.pictures
    assert (hall.name, door.name) == ("hall.jpg", "door.jpg")
    assert tuple(face.box for face in hall.faces) == HALL
    assert [face.ignored for face in hall.faces] == [False, True]
    assert door.faces == DOOR
    assert hall.size == (None if kind == "WIDER FACE" else (100, 80))


@pytest.mark.parametrize(
    ("name", "text", "told"),
    [
        ("a.json", "{", "a.json: must be JSON, got line 1, column 2"),
        ("a.json", '{"shapes": []}', "must be COCO's JSON with a list of images"),
        ("a.json", '{"images": []}', "must name pictures, got none"),
        (
            "a.json",
            json.dumps({**COCO, "annotations": [{"image_id": 3, "category_id": 7, "bbox": [0, 0, 1, 1]}]}),
            "annotations[0].image_id: must be the id of an image, got 3",
        ),
        (
            "a.json",
            json.dumps({**COCO, "annotations": [{"image_id": 1, "category_id": 7, "bbox": [0, 0, "x", 1]}]}),
            "annotations[0].bbox: must be [left, top, width, height], got [0, 0, 'x', 1]",
        ),
        (
            "a.json",
            json.dumps({**COCO, "categories": [{"id": 1, "name": "cat"}, {"id": 2, "name": "dog"}]}),
            "categories: one must be named 'face', got cat, dog",
        ),
        ("a.xml", "<annotation>", "must be Pascal VOC's XML"),
        ("a.xml", "<html/>", "must hold an annotation with a filename, got <html>"),
        (
            "a.xml",
            VOC.replace("<xmin>11<", "<xmin>nan<"),
            "object[0].bndbox.xmin: must be a number, got 'nan'",
        ),
        (
            "a.xml",
            '<!DOCTYPE a [<!ENTITY b "bb"><!ENTITY c "&b;&b;">]><annotation>&c;</annotation>',
            "got a document type",
        ),
        (
            "a.txt",
            "name,x,y\nanna,1,2\n",
            "line 2: must be the number of faces in 'name,x,y', got 'anna,1,2'",
        ),
        ("a.txt", "a.jpg\n2\n1 2 3 4\n", "line 2: 2 faces must follow, got 1"),
        ("a.txt", "a.jpg\n1\n1 2 3\n", "line 3: must be left, top, width and height, got '1 2 3'"),
        ("a.txt", "", "must name pictures, got none"),
    ],
)
def test_what_is_wrong_with_annotations(tmp_path: Path, name: str, text: str, told: str) -> None:
    """One line says where and what was expected; nothing is taken for another format."""
    with pytest.raises(DataError) as error:
        read_annotations(written(tmp_path, name, text))
    assert told in str(error.value)
    assert "\n" not in str(error.value)


def test_no_annotations_where_they_should_be(tmp_path: Path) -> None:
    """A missing file, and a folder without XML."""
    for path in (tmp_path / "gone.json", tmp_path):
        with pytest.raises(DataError, match=str(path)):
            read_annotations(path)
