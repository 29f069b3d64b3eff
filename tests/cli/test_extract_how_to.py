"""The commands of docs/how-to/training-data.md about `face-det extract`, run as they are written."""

from __future__ import annotations

import re
from pathlib import Path

import cv2
import PIL.Image
import pytest
from how_to import HowTo
from object_detection_server import label, object_detection_server

from face_det.errors import DataError, ModelMissing, Unreachable

PIPE = "ipc:///tmp/obj_detect_zmq.pipe"


def page_section(folder: Path) -> HowTo:
    """The part of the page that is about this command, to be run in a folder."""
    page = HowTo("training-data.md", folder)
    page.text = page.text.partition("\n## Extract persons and faces\n")[2].partition("\n## ")[0]
    return page


def test_exit_codes_are_those_of_the_errors(tmp_path: Path) -> None:
    """The table says with what the command ends."""
    codes = {int(code) for code in re.findall(r"^\| (\d+) \|", page_section(tmp_path).text, re.M)}
    assert codes == {130, *(kind.exit_code for kind in (DataError, ModelMissing, Unreachable))}


@pytest.mark.slow
def test_the_commands_of_the_page(tmp_path: Path, folder: Path, photos: dict[str, Path]) -> None:
    """Each ends well in the order of the page, and the crops are where the page says."""
    page = page_section(tmp_path)
    for number in range(2):
        (tmp_path / "pictures").mkdir(exist_ok=True)
        with PIL.Image.open(photos["obama" if number else "obama2"]) as picture:
            picture.thumbnail((300, 300))
            picture.save(tmp_path / "pictures" / f"{number}.jpg", quality=95)
    (tmp_path / "list.txt").write_text("pictures/0.jpg\npictures/1.jpg\n")
    clip = cv2.VideoWriter(
        str(tmp_path / "clip.avi"), cv2.CAP_FFMPEG, cv2.VideoWriter.fourcc(*"MJPG"), 10, (200, 250)
    )
    frame = cv2.resize(cv2.imread(str(tmp_path / "pictures" / "0.jpg")), (200, 250))
    for _ in range(11):
        clip.write(frame)
    clip.release()
    (tmp_path / "config.json").write_text('{"faceDetServer": {}}')
    with object_detection_server(folder) as server:
        server.boxes({"*": [label(0, 0, 200, 200)]})
        blocks = page.blocks("sh")
        assert sum(PIPE in block for block in blocks) == 1
        for block in blocks:
            page.run(block.replace(PIPE, server.endpoint))
    assert len(list((tmp_path / "dataset" / "Anna").glob("*.jpg"))) == 2
    for output, crops in {"best": 2, "from-list": 2, "from-video": 2, "from-server": 2}.items():
        assert len(list((tmp_path / output).rglob("*.jpg"))) == crops, output
