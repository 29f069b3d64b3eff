"""A restore goes back to a backup as a whole, and an archive that is none changes nothing."""

from __future__ import annotations

import hashlib
import io
import json
import os
import shutil
import stat
import time
import zipfile
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import msgpack
import pytest

from face_det.config.load import load_config
from face_det.enrolment.history import ModelHistory
from face_det.errors import BadRequest, CannotWrite, DataError
from face_det.service import Backups, Restores, assembly, replacement, uploads
from face_det.service.service import Service

pytestmark = pytest.mark.usefixtures("shared_networks")

SETTINGS = {"faceDetModel": "hog", "numFaceImgUpsample": 0, "embedder": "dlib_resnet", "sightings": {}}


class Home:
    """An installation in a folder, with what answers backup, restore and clear."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(exist_ok=True)
        self.folder = folder
        (folder / "config.json").write_text(json.dumps({"faceDetServer": SETTINGS}))
        self.service: Service = assembly.build_service(load_config(folder / "config.json", {}), remember=True)
        state = folder / "state"
        others = {"settings.json": state / "settings.json", "config.json": folder / "config.json"}
        self.backups = Backups(self.service.access, state / "backups", others)
        self.restores = Restores(self.service.access, self.backups, state / "settings.json", state)

    def read(self, identifier: str) -> bytes:
        """A backup's bytes."""
        return (self.folder / "state" / "backups" / f"{identifier}.zip").read_bytes()

    def write(self, data: bytes, identifier: str = "an-archive") -> str:
        """An archive, as a client writes it."""
        for offset in range(0, len(data), 100_000):
            told = self.restores.write_restore(identifier, offset, data[offset : offset + 100_000])
            assert told == {"id": identifier, "bytes": min(len(data), offset + 100_000)}
        return identifier

    def who(self, photo: Path) -> list[str]:
        """Who is recognised."""
        return [face["face"] for face in self.service.recognize(str(photo))]

    def seen(self) -> list[str | None]:
        """The names of what was seen."""
        assert self.service.memory is not None
        self.service.memory.store.flush()
        return [one["face"] for one in self.service.memory.sightings({})["items"]]

    def left_beside(self) -> list[str]:
        """What a restore left beside: nothing, but for the lock files."""
        places = [*(self.folder / "state" / "backups").glob(".*"), *self.folder.glob("dataset/.face_det-*")]
        return [path.name for path in [*places, *self.folder.glob("state/restore")]]


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Callable[[str], Home]]:
    """home(name): an installation of its own."""
    made = []

    def make(name: str) -> Home:
        made.append(Home(tmp_path / name))
        return made[-1]

    yield make
    for one in made:
        assert one.service.memory is not None
        one.service.memory.store.close()


def test_there_and_back(home: Callable[[str], Home], small_photos: Mapping[str, Path]) -> None:
    """Restore, restore what was there before, restore elsewhere, clear: people, sightings, settings."""
    here = home("here")
    service = here.service
    service.add_face("Zoë Obama", str(small_photos["obama"]))
    assert here.who(small_photos["obama3"]) == ["Zoë Obama"]
    seen = here.seen()
    (here.folder / "state" / "settings.json").write_text('{"falseAcceptRate": 0.01}')
    made = here.backups.backup({"sightings": True})
    first = here.read(made["id"])
    people = service.people()
    fingerprint = service.status()["model"]["fingerprint"]

    # What is not in the archive goes, a note beside a photo stays, and what is shared is not stored twice.
    (here.folder / "dataset" / "Zoë Obama" / "note.txt").write_text("mine")
    (here.folder / "state" / "settings.json").unlink()
    service.add_face("Collins", str(small_photos["astronaut"]))
    service.add_face("Zoë Obama", str(small_photos["obama2"]))
    assert here.who(small_photos["astronaut"]) == ["Collins"]
    later = here.seen()
    assert len(later) == len(seen) + 1
    answer = here.restores.restore(here.write(first), {})
    assert msgpack.unpackb(msgpack.packb(answer)) == answer
    assert answer | {"backup": ""} == {
        "backup": "",
        "people": 1,
        "photos": 1,
        "sightings": len(seen),
        "left_out": ["config.json"],
    }
    assert service.people() == people
    assert service.status()["model"]["fingerprint"] == fingerprint
    assert here.seen() == seen
    assert (here.folder / "state" / "settings.json").read_text() == '{"falseAcceptRate": 0.01}'
    assert [path.name for path in (here.folder / "dataset" / "Zoë Obama").glob("*.txt")] == ["note.txt"]
    assert not (here.folder / "dataset" / "Collins").exists()
    assert here.left_beside() == []
    assert here.who(small_photos["obama3"]) == ["Zoë Obama"]
    assert service.photos.changes() == []
    assert service.models.models() == [one for one in service.models.models() if one["in_use"]]

    # Back again, to what restore had kept.
    again = here.restores.restore(here.write(here.read(answer["backup"])))
    assert (again["people"], again["photos"], again["sightings"]) == (2, 3, len(later))
    assert here.seen() == later
    assert here.who(small_photos["astronaut"]) == ["Collins"]
    assert not (here.folder / "state" / "settings.json").exists()

    # Another installation, with a memory of its own that is not replaced.
    there = home("there")
    there.service.recognize(str(small_photos["astronaut"]))
    told = there.restores.restore(there.write(first), {"sightings": False})
    assert (told["sightings"], told["left_out"]) == (None, ["config.json", "sightings.sqlite"])
    assert there.seen() == [None]
    assert there.who(small_photos["obama3"]) == ["Zoë Obama"]
    told = there.restores.restore(there.write(first))
    assert there.seen() == seen
    there.service.recognize(str(small_photos["obama2"]))
    assert there.seen() == ["Zoë Obama", *seen], "the memory goes on"

    # Nobody.
    shutil.copy(here.folder / "encodings.pickle", here.folder / "encodings.pickle.bak")
    cleared = here.restores.clear({"sightings": True})
    assert (cleared["people"], cleared["photos"]) == (2, 3)
    assert (service.people(), here.seen(), service.trained) == ([], [], False)
    assert here.who(small_photos["obama3"]) == [None]
    assert not (here.folder / "encodings.pickle.bak").exists()
    assert b"Collins" not in b"".join(
        path.read_bytes()
        for path in here.folder.rglob("*")
        if path.is_file() and path.suffix != ".zip" and path.name != "audit.jsonl"
    )
    here.restores.restore(here.write(here.read(cleared["backup"])))
    assert here.who(small_photos["astronaut"]) == ["Collins"]
    assert len(here.seen()) == len(later) + 2


def test_own_backups_are_few_and_forgotten(
    home: Callable[[str], Home], small_photos: Mapping[str, Path]
) -> None:
    """Of those that nobody asked for, three are kept; they hold whoever is forgotten, and go then."""
    here = home("here")
    here.service.add_face("Zoë Obama", str(small_photos["obama"]))
    asked = here.backups.backup()["id"]
    shutil.copytree(here.folder / "dataset", here.folder / "dataset" / ".quarantine" / "1")
    own = [here.restores.clear()["backup"] for _ in range(5)]
    with zipfile.ZipFile(io.BytesIO(here.read(own[-1]))) as archive:
        assert [name for name in archive.namelist() if name.startswith("quarantine/")] == []
    assert not [*here.folder.glob("dataset/.quarantine/*/*/*")]
    kept = [one["id"] for one in here.backups.backups()]
    assert len(kept) == 4
    assert {asked, own[0], own[-1]} <= {*kept}
    here.restores.restore(here.write(here.read(asked)))
    here.service.forget("Zoë Obama")
    assert [one["id"] for one in here.backups.backups()] == [asked]


@pytest.mark.slow
def test_a_change_made_again_and_again_drops_no_backup_with_other_photos(
    home: Callable[[str], Home], small_photos: Mapping[str, Path]
) -> None:
    """Whoever presses "Delete everything" or "Restore" five times can still go back to what was there."""
    here = home("here")
    here.service.add_face("Zoë Obama", str(small_photos["obama"]))
    first = here.restores.clear()["backup"]
    for _ in range(4):
        here.restores.clear()
    other = here.read(first)
    assert here.restores.restore(here.write(other))["photos"] == 1
    here.service.add_face("Collins", str(small_photos["astronaut"]))
    both = here.restores.restore(here.write(other))["backup"]
    for _ in range(4):
        here.restores.restore(here.write(other))
    assert len(here.backups.backups()) == 3
    assert here.restores.restore(here.write(here.read(both)))["people"] == 2


def test_clear_keeps_what_was_in_quarantine_in_the_backup(
    home: Callable[[str], Home], small_photos: Mapping[str, Path]
) -> None:
    """No other copy is left of it; a restore leaves it in the archive."""
    here = home("here")
    here.service.add_face("Zoë Obama", str(small_photos["obama"]))
    (photo,) = (here.folder / "dataset" / "Zoë Obama").iterdir()
    away = here.folder / "dataset" / ".quarantine" / "1" / "Ann" / "1.jpg"
    away.parent.mkdir(parents=True)
    shutil.copy(photo, away)
    cleared = here.restores.clear()
    assert not away.exists()
    data = here.read(cleared["backup"])
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        assert archive.read("quarantine/1/Ann/1.jpg") == photo_bytes(small_photos)
    assert "quarantine/1/Ann/1.jpg" in here.restores.restore(here.write(data))["left_out"]
    assert here.service.people() == [{"name": "Zoë Obama", "images": 1}]


def photo_bytes(photos: Mapping[str, Path]) -> bytes:
    return photos["obama"].read_bytes()


Change = Callable[[dict[str, bytes], dict[str, object]], None]


def rewritten(
    data: bytes,
    change: Callable[[dict[str, bytes]], None] = lambda files: None,
    about: Callable[[dict[str, object]], None] = lambda about: None,
    how: Callable[[str, zipfile.ZipInfo], None] = lambda name, entry: None,
) -> bytes:
    """An archive with other files, whose sums are right, and then another manifest."""
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        files = {name: archive.read(name) for name in archive.namelist()}
    told = json.loads(files.pop("backup.json"))
    change(files)
    told["sha256"] = {name: hashlib.sha256(content).hexdigest() for name, content in files.items()}
    about(told)
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, content in {**files, "backup.json": json.dumps(told).encode()}.items():
            entry = zipfile.ZipInfo(name)
            how(name, entry)
            archive.writestr(entry, content)
    return buffer.getvalue()


def added(name: str, content: bytes = b"\xff\xd8 a photo") -> Callable[[dict[str, bytes]], None]:
    return lambda files: files.update({name: content})


def link(name: str, entry: zipfile.ZipInfo) -> None:
    if name.startswith("dataset/"):
        entry.external_attr = (stat.S_IFLNK | 0o777) << 16


def deflate(name: str, entry: zipfile.ZipInfo) -> None:
    entry.compress_type = zipfile.ZIP_DEFLATED


def declared(data: bytes, size: int) -> bytes:
    """The same archive, of which the first entry says that it holds `size` bytes."""
    place = data.rindex(b"PK\x01\x02", 0, data.index(b"PK\x01\x02") + 4)
    return data[: place + 24] + size.to_bytes(4, "little") + data[place + 28 :]


def overlapping(data: bytes) -> bytes:
    """The same archive, of which the second entry is the first one's bytes."""
    first = data.index(b"PK\x01\x02")
    second = data.index(b"PK\x01\x02", first + 4)
    return data[: second + 42] + data[first + 42 : first + 46] + data[second + 46 :]


def twice(data: bytes) -> bytes:
    buffer = io.BytesIO(data)
    with zipfile.ZipFile(buffer, "a") as archive, pytest.warns(UserWarning, match="Duplicate name"):
        archive.writestr(archive.namelist()[0], b"another")
    return buffer.getvalue()


def damaged(data: bytes) -> bytes:
    place = data.index(b"dataset/") + 3000
    return data[:place] + bytes([data[place] ^ 1]) + data[place + 1 :]


def test_no_archive_but_a_backup_changes_anything(
    home: Callable[[str], Home], small_photos: Mapping[str, Path]
) -> None:
    """Paths that lead out, links, bombs, damage, wrong names, no or another manifest, another model."""
    here = home("here")
    here.service.add_face("Ann", str(small_photos["obama"]))
    good = here.read(here.backups.backup({"sightings": True})["id"])
    bomb = io.BytesIO()
    with zipfile.ZipFile(bomb, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("zeros", bytes(10**7))
    wrong = {
        "../evil.jpg": (rewritten(good, added("../evil.jpg")), "must be a file that backups contain"),
        "out of dataset": (rewritten(good, added("dataset/../../evil.jpg")), "of the form dataset/NAME/FILE"),
        "deeper": (rewritten(good, added("dataset/Ann/b/evil.jpg")), "of the form dataset/NAME/FILE"),
        "hidden": (rewritten(good, added("dataset/.quarantine/evil.jpg")), "of the form dataset/NAME/FILE"),
        "absolute": (rewritten(good, added("/etc/evil.jpg")), "must be a file that backups contain"),
        "folder": (rewritten(good, added("dataset/Ann/")), "must be a plain file"),
        "link": (rewritten(good, how=link), "must be a plain file, got a folder, a link"),
        "name": (rewritten(good, added("dataset/unknown-3/1.jpg")), "looks like the id of an unknown person"),
        "no picture": (rewritten(good, added("dataset/Ann/evil.sh", b"#!/bin/sh")), "must be a picture"),
        "decomposed": (rewritten(good, added("dataset/Zoe\u0308/1.jpg")), "composed form"),
        "10 GB": (declared(good, 2**32 - 2), "must unpack to under 20 times"),
        "bomb": (
            rewritten(good, added("dataset/Ann/1.jpg", bytes(5 * 10**7)), how=deflate),
            "must unpack to under",
        ),
        "nested": (rewritten(good, added("dataset/Ann/bomb.zip", bomb.getvalue())), "must be a picture"),
        "overlap": (overlapping(good), "must not share its bytes|must be intact"),
        "twice": (twice(good), "must be a name that occurs only once in the archive"),
        "damaged": (damaged(good), "must be intact|must have the sha256"),
        "cut off": (good[: len(good) // 2], "must be intact"),
        "text": (b"no zip at all", "must be intact"),
        "no manifest": (bomb.getvalue(), "must be in the archive; only archives made by `backup`"),
        "version": (
            rewritten(good, about=lambda about: about.update(format=2)),
            "must be of format 1, got 2",
        ),
        "no sums": (
            rewritten(good, about=lambda about: about.pop("sha256")),
            "must list the sha256 of every",
        ),
        "wrong sum": (
            rewritten(good, about=lambda about: about["sha256"].update({"encodings.pickle": "0" * 64})),  # type: ignore[attr-defined]
            "encodings.pickle.*must have the sha256",
        ),
        "no names": (rewritten(good, about=lambda about: about.pop("files")), "must name the files of"),
        "encodings": (rewritten(good, added("encodings.pickle", b"cos\nsystem\n.")), "encodings.pickle: "),
        "settings": (
            rewritten(good, added("settings.json", b'{"keysPath": "/"}')),
            "with only falseAcceptRate",
        ),
        "rate": (rewritten(good, added("settings.json", b'{"falseAcceptRate": 7}')), "falseAcceptRate"),
        "sightings": (rewritten(good, added("sightings.sqlite", b"SQLite format 3\0 no")), "sightings"),
    }
    before = {path: path.read_bytes() for path in (here.folder / "dataset").rglob("*.*") if path.is_file()}
    model = here.service.status()["model"]["fingerprint"]
    for case, (data, message) in wrong.items():
        with pytest.raises(DataError, match=message):
            here.restores.restore(here.write(data))
        assert here.left_beside() == [], case
        found = {path: path.read_bytes() for path in (here.folder / "dataset").rglob("*.*") if path.is_file()}
        assert found == before, case
    assert len(here.backups.backups()) == 1
    assert here.service.people() == [{"name": "Ann", "images": 1}]
    assert here.service.reload()["model"]["fingerprint"] == model
    assert not [*here.folder.parent.rglob("evil*")]
    answer = here.restores.restore(here.write(rewritten(good, how=deflate)))
    assert answer["photos"] == 1, "whoever packs it again may compress it"


def test_an_upload_is_written_in_order_and_not_kept(
    home: Callable[[str], Home], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Parts in order, of a sane size, while the disk has room; gone when abandoned, and at the next start."""
    here = home("here")
    write, folder = here.restores.write_restore, here.folder / "state" / "backups"
    assert write("identifier", 0, b"abc") == {"id": "identifier", "bytes": 3}
    (part,) = folder.iterdir()
    assert part.stat().st_mode & 0o777 == 0o600
    for identifier, offset, data, message in (
        ("identifier", 0, b"x", "offset: must be 3"),
        ("identifier", 4, b"x", "offset: must be 3"),
        ("identifier", True, b"x", "offset: must be 3"),
        ("something", 3, b"x", "offset: must be 0 for a new id"),
        ("identifier", 3, b"", "data: must be 1 to 4194304 bytes"),
        ("identifier", 3, bytes(2**22 + 1), "data: must be 1 to 4194304 bytes"),
        ("identifier", 3, "text", "data: must be 1 to 4194304 bytes, got str"),
        ("../../evil", 0, b"x", "id: must be 8 to 64 letters"),
        (7, 0, b"x", "id: must be 8 to 64 letters"),
    ):
        with pytest.raises(BadRequest, match=message):
            write(identifier, offset, data)
    with pytest.raises(BadRequest, match="id: must be one that write_restore began"):
        here.restores.restore("other-one")
    with pytest.raises(BadRequest, match=r"options\.sightings: must be true or false"):
        here.restores.restore("identifier", {"sightings": 1})
    monkeypatch.setattr(uploads, "RESERVE_BYTES", 2**62)
    with pytest.raises(CannotWrite, match="make room, or delete a backup"):
        write("identifier", 3, b"def")
    monkeypatch.undo()
    assert part.read_bytes() == b"abc"
    here.restores.remove_old_uploads()
    assert part.exists()
    write("next-one", 0, b"abc")
    assert part.exists()
    long_ago = time.time() - uploads.PAUSE_S - 1
    os.utime(part, (long_ago, long_ago))
    assert write("next-one", 3, b"def")["bytes"] == 6
    assert part.exists()
    write("one-more", 0, b"abc")
    assert sorted(path.name[-8:] for path in folder.iterdir()) == ["next-one", "one-more"]
    assembly.finish_restore(load_config(here.folder / "config.json", {}), clean=True)
    assert [*folder.iterdir()] == []


def test_a_disk_that_fails_first_changes_nothing(
    home: Callable[[str], Home], small_photos: Mapping[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Before the first file is replaced it is all taken back, and the upload can be restored again."""
    here = home("here")
    here.service.add_face("Ann", str(small_photos["obama"]))
    data = here.read(here.backups.backup()["id"])
    here.restores.clear()

    def full(files: object) -> None:
        raise CannotWrite("No space left on device")

    monkeypatch.setattr(replacement, "replace_files", full)
    with pytest.raises(CannotWrite, match="No space left"):
        here.restores.restore(here.write(data))
    monkeypatch.undo()
    assert here.service.people() == []
    assert here.left_beside() == [".face_det-upload-an-archive"]
    assert here.restores.restore("an-archive")["people"] == 1
    assert here.left_beside() == []


def test_what_fails_later_goes_on_at_the_next_start(
    home: Callable[[str], Home], small_photos: Mapping[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Once files are replaced there is no way back: the error says so, and the next start ends it."""
    here = home("here")
    here.service.add_face("Ann", str(small_photos["obama"]))
    data = here.read(here.backups.backup()["id"])
    here.restores.clear()
    monkeypatch.setattr(ModelHistory, "removing_all", lambda self, **named: {})

    def fail(*arguments: object) -> None:
        raise CannotWrite("Input/output error")

    monkeypatch.setattr(replacement, "person_folder", fail)
    with pytest.raises(CannotWrite, match="part of it is done; restart the daemon"):
        here.restores.restore(here.write(data))

    def stumble(*arguments: object) -> None:
        raise KeyError("a bug")

    monkeypatch.setattr(replacement, "person_folder", stumble)
    with pytest.raises(KeyError, match="a bug"):
        here.restores.clear()
    monkeypatch.undo()
    assert assembly.finish_restore(load_config(here.folder / "config.json", {}))
    assert not assembly.finish_restore(load_config(here.folder / "config.json", {}))
    assert [path.name for path in (here.folder / "dataset").iterdir()] == ["Ann"]
    here.service.reload()
    assert here.who(small_photos["obama3"]) == ["Ann"]
