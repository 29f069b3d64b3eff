"""`face-det tune --report`: what would change, on frames in a real database and on real photos."""

from __future__ import annotations

import json

import pytest
from alarm_records import portrait
from running_here import run_here

pytestmark = [pytest.mark.usefixtures("shared_networks"), pytest.mark.timeout(900)]


def report(folder, *arguments):
    """What `tune --report --json` prints, as values."""
    done = run_here("tune", "--report", "--json", *arguments, cwd=folder)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_what_would_change(trained, record, photos):
    """Each label is asked about again; the table says how many would get another answer, and whose."""
    flags = record(
        {"image": str(photos["obama2"]), "labels": [portrait(photos["obama2"], "Obama")]},
        {"image": str(photos["obama3"]), "labels": [portrait(photos["obama3"], "Biden")]},
        {"image": str(photos["chelsea"]), "labels": [portrait(photos["chelsea"], "Biden")]},
        {"image": str(photos["astronaut"]), "labels": [portrait(photos["astronaut"], None)]},
        {"image": str(photos["nobody"]), "labels": []},
    )
    found = report(trained, *flags)
    assert (found["frames"], found["labels"], found["changed"], found["complete"]) == (4, 4, 3, True)
    answers = {(row["stored"], row["new"]): row["labels"] for row in found["answers"]}
    assert answers == {
        ("Obama", "Obama"): 1,
        ("Biden", "Obama"): 1,
        ("Biden", None): 1,
        (None, "Unknown"): 1,
    }
    biden, obama = found["people"]
    assert biden == {"name": "Biden", "stored": 2, "new": 0, "kept": 0, "lost": 1, "taken": 1}
    assert obama == {"name": "Obama", "stored": 1, "new": 2, "kept": 1, "lost": 0, "taken": 0}
    done = run_here("tune", "--report", *flags, cwd=trained)
    assert "3 of 4 labels would get another answer, in 4 frames" in done.stdout
    assert "changed" in done.stdout


def test_what_cannot_be_looked_at_is_counted(trained, record, photos):
    """Gone pictures, damaged ones and malformed records are told apart by their _id; the rest is compared."""
    damaged = trained / "damaged.jpg"
    damaged.write_bytes(b"no picture")
    label = portrait(photos["obama2"], "Obama")
    flags = record(
        {"_id": 1, "image": str(trained / "gone.jpg"), "labels": [label]},
        {"_id": 2, "image": str(damaged), "labels": [label]},
        {"_id": 3, "image": 7, "labels": [label]},
        {"_id": 4, "image": str(photos["obama2"]), "labels": [label]},
    )
    found = report(trained, *flags)
    assert [found[key] for key in ("frames", "gone", "unreadable", "malformed")] == [1, 1, 1, 1]
    assert [(one["_id"], one["what"]) for one in found["skipped"]] == [
        ("1", "gone"),
        ("2", "unreadable"),
        ("3", "malformed"),
    ]
    done = run_here("tune", "--report", *flags, cwd=trained)
    assert "malformed: 3: image: must be a path, got 7\n" in done.stderr
    assert "skipped: 1 malformed record, 1 picture gone from disk, 1 unreadable picture\n" in done.stderr


def test_other_parameters_answer_otherwise(trained, record, photos):
    """Each option changes what it names, and nothing is written."""
    flags = record({"image": str(photos["obama2"]), "labels": [portrait(photos["obama2"], "Obama")]})
    before = {path: path.read_bytes() for path in trained.rglob("*") if path.is_file()}

    def now(*options):
        found = report(trained, *flags, *options)
        return found["answers"][0]["new"], found["reasons"]

    assert now() == ("Obama", {})
    assert now("--min-face", 5000) == (None, {"too_small": 1})
    assert now("-fm", 10**8) == (None, {"too_blurry": 1})
    assert now("-sp", 1)[0] is None
    assert now("--detector", "auto", "-up", 0)[0] == "Obama"
    assert now("--false-accept-rate", 0.01)[0] == "Obama"
    assert now("--classifier", "nearest")[0] == "Obama"
    assert before == {path: path.read_bytes() for path in trained.rglob("*") if path.is_file()}


@pytest.mark.parametrize(
    ("options", "code", "message"),
    [
        (["--detector", "eyes"], 78, "face-det: --detector: must be one of"),
        (["--min-proba", "2"], 78, "face-det: --min-proba: must be"),
        (["--classifier", "svm"], 65, "classifier: svm needs more photos of each person"),
        (["--json"], 0, ""),
    ],
)
def test_parameters_that_cannot_be(trained, record, photos, options, code, message):
    """They are refused like settings, before any frame is looked at."""
    flags = record({"image": str(photos["obama2"]), "labels": [portrait(photos["obama2"], "Obama")]})
    done = run_here("tune", "--report", *flags, *options, cwd=trained)
    assert done.returncode == code
    assert message in done.stderr


def test_a_folder_of_pictures(trained, photos):
    """Without MongoDB, the faces in a folder's pictures are named; there is nothing to compare with."""
    folder = trained / "pictures"
    folder.mkdir()
    for name in ("obama2", "chelsea"):
        (folder / f"{name}.jpg").write_bytes(photos[name].read_bytes())
    found = report(trained, "--folder", folder)
    assert (found["frames"], found["labels"], found["withoutStoredAnswer"]) == (
        2,
        0,
        [{"new": "Obama", "labels": 1}],
    )
    empty = trained / "empty"
    empty.mkdir()
    done = run_here("tune", "--report", "--folder", empty, cwd=trained)
    assert (done.returncode, done.stderr) == (
        65,
        "face-det: empty: must be a folder with pictures, got none\n".replace("empty", str(empty), 1),
    )


def test_a_name_that_no_picture_can_have(tmp_path):
    """Pictures of a folder have no stored names, so asking for one is refused; no model: it says so."""
    done = run_here("tune", "--report", "--folder", tmp_path, "--face", "Anna", cwd=tmp_path)
    assert (done.returncode, "--face does nothing with --folder" in done.stderr) == (2, True)
    done = run_here("tune", "--report", "--folder", tmp_path, cwd=tmp_path)
    assert (done.returncode, "no model is trained yet" in done.stderr) == (65, True)
