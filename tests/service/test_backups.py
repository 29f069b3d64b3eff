"""A backup holds everything, is readable by its owner only, and leaves room on the disk."""

from __future__ import annotations

import hashlib
import io
import json
import shutil
import sqlite3
import zipfile
from collections import namedtuple
from collections.abc import Mapping
from pathlib import Path

import msgpack
import pytest

from face_det.config.load import load_config
from face_det.errors import BadRequest, CannotWrite
from face_det.service import Backups, assembly, backups
from face_det.service.service import Service

pytestmark = pytest.mark.usefixtures("shared_networks")

SETTINGS = {"faceDetModel": "hog", "numFaceImgUpsample": 0, "embedder": "dlib_resnet", "sightings": {}}


def start(folder: Path) -> Service:
    (folder / "config.json").write_text(json.dumps({"faceDetServer": SETTINGS}))
    return assembly.build_service(load_config(folder / "config.json", {}), remember=True)


def archived(made: Backups, identifier: str) -> bytes:
    """A backup as a client reads it, in parts."""
    parts = []
    while part := made.read_backup(identifier, sum(map(len, parts)), 50_000):
        parts.append(part)
    return b"".join(parts)


def test_a_backup_unpacked_elsewhere_knows_the_same_people(
    tmp_path: Path, small_photos: Mapping[str, Path]
) -> None:
    """Photos, encodings, model, settings and sightings: each as it was, by its sum."""
    home = tmp_path / "home"
    home.mkdir()
    service = start(home)
    assert service.memory is not None
    try:
        service.add_face("Zoë Obama", str(small_photos["obama"]))
        service.add_face("Collins", str(small_photos["astronaut"]))
        service.recognize(str(small_photos["obama3"]))
        made = Backups(service.access, home / "state" / "backups", {"config.json": home / "config.json"})
        left = home / "state" / "backups" / ".face_det-backup-old"
        left.parent.mkdir()
        left.write_bytes(b"of a backup that was cut off")
        told = made.backup({"sightings": True})
        assert msgpack.unpackb(msgpack.packb(told)) == told
        assert made.backups() == [{"id": told["id"], "bytes": told["bytes"]}]
        (path,) = (home / "state" / "backups").iterdir()
        assert path.stat().st_mode & 0o777 == 0o600
        data = archived(made, told["id"])
        assert (len(data), hashlib.sha256(data).hexdigest()) == (told["bytes"], told["sha256"])
        assert (
            "sightings.sqlite"
            not in zipfile.ZipFile(io.BytesIO(archived(made, made.backup()["id"]))).namelist()
        )
    finally:
        service.memory.store.close()
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        about = json.loads(archive.read("backup.json"))
        assert about["format"] == 1
        for name, digest in about["sha256"].items():
            assert hashlib.sha256(archive.read(name)).hexdigest() == digest, name
        assert {*archive.namelist()} == {*about["sha256"], "backup.json"}
        archive.extractall(tmp_path / "new")
    with sqlite3.connect(tmp_path / "new" / "sightings.sqlite") as connection:
        assert connection.execute("SELECT name FROM sighting").fetchall() == [("Zoë Obama",)]
    connection.close()
    (tmp_path / "new" / "sightings.sqlite").unlink()
    again = start(tmp_path / "new")
    assert again.memory is not None
    try:
        assert again.people() == service.people()
        assert again.status()["model"]["fingerprint"] == service.status()["model"]["fingerprint"]
        assert [face["face"] for face in again.recognize(str(small_photos["obama3"]))] == ["Zoë Obama"]
        again.train({"quick": True})
        assert again.people() == service.people()
    finally:
        again.memory.store.close()


def test_a_full_disk_leaves_nothing_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Refused before anything is written, and cleaned up if it fails in the middle."""
    service = start(tmp_path)
    assert service.memory is not None
    service.memory.store.close()
    folder = tmp_path / "state" / "backups"
    made = Backups(service.access, folder, {"config.json": tmp_path / "config.json"})
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage(10**9, 10**9, 10**6))
    with pytest.raises(CannotWrite, match="make room, or delete a backup"):
        made.backup()
    monkeypatch.undo()

    def fail(*arguments: object) -> str:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(backups, "_add", fail)
    with pytest.raises(CannotWrite, match="No space left on device"):
        made.backup()
    assert [*folder.iterdir()] == []


def test_nothing_but_a_backup_can_be_read_or_dropped(tmp_path: Path) -> None:
    """An id is no path; offsets and lengths have limits."""
    service = start(tmp_path)
    assert service.memory is not None
    service.memory.store.close()
    made = Backups(service.access, tmp_path / "state" / "backups", {"config.json": tmp_path / "config.json"})
    identifier = made.backup()["id"]
    shutil.copy(tmp_path / "config.json", tmp_path / "state" / "other.zip")
    for wrong in ("../other", "other", "", f"{identifier}.zip", f"../backups/{identifier}", 7, None):
        with pytest.raises(BadRequest, match=f"id: must be one of {identifier}, got"):
            made.read_backup(wrong, 0, 10)
        with pytest.raises(BadRequest, match="id: must be one of"):
            made.drop_backup(wrong)
    for offset, length in ((-1, 10), (0, 2**22 + 1), (0.0, 1), (True, 1), (2**63, 1)):
        with pytest.raises(BadRequest, match="must be a whole number from 0 to"):
            made.read_backup(identifier, offset, length)
    with pytest.raises(BadRequest, match=r"options\.sightings: must be true or false"):
        made.backup({"sightings": 1})
    assert made.read_backup(identifier, 2**40, 10) == b""
    more = [made.backup()["id"] for _ in range(4)]
    assert [one["id"] for one in made.backups()] == [*reversed(more), identifier]
    # As if it had been dropped between the listing of the folder and the look at its size.
    (tmp_path / "state" / "backups" / "20260101T000000Z-00000000.zip").symlink_to("gone")
    assert [one["id"] for one in made.backups()] == [*reversed(more), identifier]
    for one in (identifier, *more):
        assert made.drop_backup(one) == {"id": one}
    assert made.backups() == []
