"""zerorpc's own command line, as it is installed."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ZERORPC = Path(sys.executable).with_name("zerorpc")


def test_lists_the_verbs(lasting):
    """Without a verb it lists them all, with the first line of what each does."""
    output = _zerorpc(lasting.endpoint)
    assert output.splitlines()[0] == "[face_det]"
    listed = dict(line.split(maxsplit=1) for line in output.splitlines()[1:])
    assert list(listed) == [
        "detect_faces", "recognize", "follow", "recognize_video", "recognize_voice", "add_voice", "heard",
        "recordings", "recording", "delete_recording", "add_face", "people", "forget", "train", "reload",
        "status", "export", "sightings", "sighting", "thumbnail", "picture", "unknowns", "events", "cursor",
        "name_unknown", "merge", "split", "ignore", "confirm", "correct", "undo", "photos", "photo",
        "delete_photo", "move_photo", "rename_person", "merge_people", "remove_person", "changes",
        "explain", "verify", "models", "use_model", "preview", "set_false_accept_rate", "evaluate",
        "evaluation", "doctor", "backup", "backups", "read_backup", "drop_backup", "write_restore",
        "restore", "clear", "report_cameras", "camera_picture",
    ]  # fmt: skip
    assert listed["people"] == "List everybody enrolled, with their numbers of photos."


def test_shows_what_a_verb_takes(lasting):
    """--inspect: the arguments, of all verbs and of one."""
    assert "recognize(image, options)" in _zerorpc("--inspect", lasting.endpoint)
    assert "add_face(name, image, options)" in _zerorpc("--inspect", lasting.endpoint, "add_face")


def test_calls(launch):
    """A call with JSON arguments reaches the daemon and its answer comes back.

    zerorpc 0.6.3 looks for collections.Iterator before it prints, which Python has no longer.
    """
    daemon = launch()
    fixed = (
        "import collections, typing, zerorpc.cli; collections.Iterator = typing.Iterator; zerorpc.cli.main()"
    )
    command = [sys.executable, "-c", fixed, "-j", "-pj", daemon.endpoint, "add_face", '"Ann"', '"/a.jpg"']
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=True)
    assert done.stdout == '{"name": "Ann", "images": 1}'
    assert " add_face " in daemon.log()


def _zerorpc(*args):
    return subprocess.run([ZERORPC, *args], capture_output=True, text=True, timeout=300, check=True).stdout
