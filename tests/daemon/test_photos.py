"""People's photos over zerorpc, in the daemon as it is installed."""

from __future__ import annotations

import io
import json
import sys

import PIL.Image
import pytest
import zerorpc

REAL = (sys.executable, "-m", "face_det.cli.main", "serve", "--config")
SETTINGS = {"faceDetModel": "hog", "numFaceImgUpsample": 0}


def test_a_photo_is_removed_and_put_back(launch, call, small_photos):
    """The verbs end to end: listed, shown, removed, undone; each change in the audit log."""
    daemon = launch(command=REAL, **SETTINGS)
    call(daemon, "add_face", "Obama", small_photos["obama"].read_bytes())
    call(daemon, "add_face", "Obama", small_photos["obama2"].read_bytes())
    first, second = call(daemon, "photos", "Obama")
    assert (first["state"], second["reason"]) == ("enrolled", None)
    shown = call(daemon, "photo", "Obama", first["photo"], 64, {"face": True})
    with PIL.Image.open(io.BytesIO(shown)) as picture:
        assert max(picture.size) == 64
    done = call(daemon, "delete_photo", "Obama", first["photo"])
    assert done["change"] == "photos-3"
    assert call(daemon, "photos", "Obama") == [second]
    with pytest.raises(zerorpc.RemoteError) as caught:
        call(daemon, "photo", "Obama", first["photo"], 64)
    assert caught.value.name == "UnknownPhoto"
    call(daemon, "undo", "photos-3")
    assert call(daemon, "photos", "Obama") == [first, second]
    with pytest.raises(zerorpc.RemoteError) as caught:
        call(daemon, "undo", 1)
    assert caught.value.name == "SightingsOff", "a number is the memory's"
    daemon.stop()
    log = (daemon.folder / "audit.jsonl").read_text()
    actions = [json.loads(line)["action"] for line in log.splitlines() if '"done"' in line]
    assert actions == ["enrol", "enrol", "delete_photo", "undo"]
