"""Forgetting somebody: afterwards no file of the state folder says who they were."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import numpy as np
import pytest
from fake_networks import dlib_numbers, sface_numbers

from face_det.cli import main
from face_det.enrolment.enroller import Enroller
from face_det.errors import UnknownPerson
from face_det.gallery import quarantine
from face_det.gallery.gallery import Gallery
from face_det.rpc.caller import Caller
from face_det.service.audit import AuditLog

NAME = "Zoë Quux"
OTHER = "Zoë Quuxley"


def traces(folder: Path, name: str, photos: Iterable[bytes], rows: Iterable[np.ndarray]) -> list[str]:
    """Where a person is found in a folder: by name, photos, their hashes, and numbers, in any form."""
    needles: dict[str, bytes] = {
        "name": name.encode(),
        "name as JSON": json.dumps(name)[1:-1].encode(),
        "name in an array": name.encode("utf-32-le"),
    }
    for number, data in enumerate(photos):
        needles[f"photo {number}"] = data
        needles[f"hash {number}"] = hashlib.sha256(data).hexdigest().encode()
        needles[f"short hash {number}"] = hashlib.sha256(data).hexdigest()[:16].encode()
        needles[f"digest {number}"] = hashlib.sha256(data).digest()
    for number, row in enumerate(rows):
        for kind in ("<f8", ">f8", "<f4", ">f4"):
            # Eight of its numbers: a file may hold them in parts.
            needles[f"numbers {number} as {kind}"] = np.asarray(row).ravel()[:8].astype(kind).tobytes()
    return list(_hits(folder, needles))


def _hits(folder: Path, needles: dict[str, bytes]) -> Iterator[str]:
    for path in folder.rglob("*"):
        data = path.read_bytes() if path.is_file() else b""
        for what, needle in needles.items():
            if needle in data or needle in os.fsencode(path.name):
                yield f"{path.relative_to(folder)}: {what}"


def known(person: int, photos: int = 3) -> list[np.ndarray]:
    return [numbers(person, photo) for numbers in (dlib_numbers, sface_numbers) for photo in range(photos)]


@pytest.fixture
def state(tmp_path: Path, enroller: Callable[..., Enroller], people: Callable[..., None]) -> Enroller:
    """Everything that can lie there of Ann (0), of NAME (1) and of somebody else (2)."""
    folder = tmp_path / "state"
    people(folder, "Ann", NAME, "Bob", each=4)
    mine: Enroller = enroller(folder)
    mine.train(kind=None, embedder=None, thorough=False, on_progress=lambda *_: None)
    trained = ["train", "-e", str(mine.paths.encodings), "-o", str(folder), "--quick", "-j", "1"]
    with pytest.raises(SystemExit) as ended:
        main.run_cli([*trained, "-c", "nearest", "-c", "svm", "-c", "xgb"])
    assert ended.value.code == 0
    for path in (folder / "nearest_face_recognizer.pickle", folder / "face_labels.pickle"):
        shutil.copy2(path, folder / {"n": "m.pickle", "f": "l.pickle"}[path.name[0]])
    photo = folder / "dataset" / NAME / "1-3.png"
    quarantine.quarantine_photos(folder / "dataset", [(photo, "mixed: agrees with nobody")])
    for name in (
        "encodings.pickle.bak",
        "m.pickle~",
        "l.pickle.2026-01-31.old",
        "encodings.cache.sqlite.damaged",
    ):
        shutil.copy2(mine.paths.encodings, folder / name)
    rows = {hashlib.sha256(photo.read_bytes()).hexdigest(): [50, 9, "00"] for photo in folder.rglob("*.png")}
    facts = json.dumps({"settings": "x", "photos": rows})
    (folder / "encodings.facts.json").write_text(facts)
    # What a kill leaves: of one file, and of somebody who was being removed.
    (folder / ".face_det-0123456789abcdef.tmp").write_bytes(mine.paths.encodings.read_bytes())
    (folder / "dataset" / NAME / ".face_det-0123456789abcdef.tmp").write_bytes(photo.name.encode())
    return mine


def test_no_trace_is_left(state: Enroller) -> None:
    """Not of the name, the photos, their hashes or their numbers, in no file and no file's name."""
    folder = state.paths.dataset.parent
    photos = [path.read_bytes() for path in sorted((folder / "dataset").rglob("1-*.png"))]
    assert len(photos) == 4
    with_numbers = state.paths.cache.read_bytes()
    assert known(1)[0].ravel()[:8].tobytes() in with_numbers
    found = {hit.split(":")[0] for hit in traces(folder, NAME, photos, known(1))}
    assert {
        "m.pickle",
        "l.pickle",
        "encodings.pickle",
        "encodings.cache.sqlite",
        "svm_face_recognizer.pickle",
    } < found
    assert {"encodings.facts.json", "encodings.pickle.bak", ".face_det-0123456789abcdef.tmp"} < found
    log = AuditLog(folder / "audit.jsonl")
    with log.recorded(Caller("rpc"), "enrol", NAME):
        pass
    with log.recorded(Caller("rpc"), "forget", NAME):
        forgotten = state.forget(NAME)
    assert (forgotten.images, forgotten.encodings) == (4, 4)
    assert traces(folder, NAME, photos, known(1)) == []
    assert [entry.person for entry in log.entries()[-4:]] == [log.person(NAME)] * 4, "that it was done stays"
    others = [path.read_bytes() for path in sorted((folder / "dataset").rglob("0-*.png"))]
    left = {hit.split(":")[0] for hit in traces(folder, "Ann", others, known(0))}
    assert {"encodings.pickle", "encodings.cache.sqlite", "m.pickle", "l.pickle"} <= left
    assert Gallery.load(state.paths.encodings).people == ("Ann", "Bob")
    with pytest.raises(UnknownPerson):
        state.forget(NAME)
