"""docs/how-to/import-export.md: each of its commands, with what other programs keep."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path
from typing import Any

import pytest
from how_to import HowTo
from immich_api import KEY, ImmichApi

from face_det.cli.export import _WRITABLE
from face_det.exchange import FORMATS
from face_det.media import load_image, make_thumbnail

DUMP = Path(__file__).parents[1] / "support/data/compreface.sql"
IMAGE = re.compile(rb"\\\\x89504e47[0-9a-f]*")


def put(photo: Path, *folders: Path) -> None:
    for folder in folders:
        folder.mkdir(parents=True)
        shutil.copy(photo, folder / "1.jpg")


@pytest.fixture
def immich(small_photos: dict[str, Path]) -> Any:
    """Immich with one person and one picture, whose face fills most of it."""
    server = ImmichApi()
    server.people = [("e", "Eileen Collins")]
    photo = small_photos["astronaut"]
    height, width = load_image(photo).shape[:2]
    server.show("1", photo.read_bytes(), (width, height), ("e", 170, 70, 285, 200))
    yield server
    server.shutdown()
    server.server_close()


@pytest.mark.slow
def test_each_command(tmp_path: Path, small_photos: dict[str, Path], immich: ImmichApi) -> None:
    """They enrol one photo each, of the program that they name; what is exported is there."""
    page = HowTo("import-export.md", tmp_path)
    first, programs, export = page.blocks("sh")
    here = tmp_path / "frigate"
    settings: dict[str, object] = {"faceDetModel": "hog", "embedder": "dlib_resnet", "numFaceImgUpsample": 0}
    settings["zerorpcPipe"] = f"ipc://{tmp_path}/s"
    (tmp_path / "config.json").write_text(json.dumps({"faceDetServer": settings}))
    put(small_photos["obama"], here / "Alice", here / "train")
    said = page.run(first.replace("/media/frigate/clips/faces", "frigate"))
    assert "Alice: 1 photo would be added, 0 there already, 0 refused\nnothing was changed" in said
    assert "Alice: 1 photo added, 0 there already, 0 refused\nimported in the files" in said
    commands = {line.split()[3]: line for line in programs.strip().splitlines() if "http" not in line}
    assert [line.split()[3] for line in programs.strip().splitlines()] == [
        *("double-take", "compreface", "compreface", "pyzm", "immich"),
        *("face-recognition", "tf-face-recognition", "ringface"),
    ]
    # The same photo again, with other bytes: the very same would be somebody else's.
    copies = iter(range(90, 400))

    def photo() -> bytes:
        return make_thumbnail(load_image(small_photos["obama2"]), 600 - next(copies))

    for form, folder in (
        ("double-take", "double-take/.storage/train/Dee"),
        ("pyzm", "known_faces/Pia"),
        ("face-recognition", "knn_examples/train/Kim"),
        ("ringface", "pictures"),
    ):
        (tmp_path / folder).mkdir(parents=True)
        (tmp_path / folder / f"{form}.jpg").write_bytes(photo())
    person = {"personName": "Rin", "imagePaths": ["pictures/ringface.jpg"]}
    (tmp_path / "fitting.json").write_text(json.dumps({"persons": [person]}))
    (tmp_path / "compreface.sql").write_bytes(
        IMAGE.sub(lambda _: rb"\\x" + photo().hex().encode(), DUMP.read_bytes())
    )
    page.run("face-det export --to tf-face-recognition sprites")
    (tmp_path / "sprites/train_Alice_160_1.jpg").rename(tmp_path / "sprites/train_Tia_160_1.jpg")
    commands["pyzm"] = commands["pyzm"].replace("/var/lib/zmeventnotification/", "")
    names = {"double-take": "Dee", "compreface": "Alice", "pyzm": "Pia", "face-recognition": "Kim"}
    names |= {"tf-face-recognition": "Tia", "ringface": "Rin"}
    for form, line in commands.items():
        said = page.run(line)
        assert re.search(rf"^{names[form]}: [12] photos? added", said, re.M), said
    (tmp_path / "immich.key").write_text(KEY)
    (by_api,) = (line for line in programs.splitlines() if "immich" in line)
    said = page.run(by_api.replace("http://192.168.1.4:2283", immich.url))
    assert "Eileen Collins: 1 photo added" in said
    said = page.run(export)
    assert "faces: 3 files written" in said
    assert {path.name for path in (tmp_path / "known_faces").iterdir()} >= {"Alice", "Dee", "Zoë-O'Hara"}


def test_each_format_has_its_rows() -> None:
    """The table of imports has every format, that of exports those that are written, in their order."""
    text = (Path(__file__).parents[2] / "docs/how-to/import-export.md").read_text("utf-8")
    read, written = text.split("| `--to` |")
    rows = [re.findall(r"^\| `([a-z][a-z-]+)` \|", part, re.M) for part in (read, written)]
    assert rows == [[*FORMATS], _WRITABLE]
