"""What could not be done is written down, without names, in a file that stays small."""

from __future__ import annotations

import json

from face_det.integrations import DeadLetters


def test_letters_are_kept_without_the_name(tmp_path, alice):
    """Only for the owner; across restarts, and after a crash within a line."""
    letters = DeadLetters(tmp_path / "state")
    letters.add("bell", alice, "must exit with status 0, got 1")
    with letters.path.open("a") as file:
        file.write('{"at": "20')
    DeadLetters(tmp_path / "state").add("lamp", {**alice, "seq": 8}, "no answer")
    found = list(DeadLetters(tmp_path / "state").read())
    assert [(one["action"], one["seq"], one["sighting"], one["reason"]) for one in found] == [
        ("bell", 7, 4, "must exit with status 0, got 1"),
        ("lamp", 8, 4, "no answer"),
    ]
    assert b"Alice" not in letters.path.read_bytes()
    assert letters.path.stat().st_mode & 0o777 == 0o600


def test_the_oldest_are_dropped(tmp_path, alice):
    """Two files of limited size, whatever happens for however long; the newest are there."""
    letters = DeadLetters(tmp_path, max_bytes=2000)
    for seq in range(100):
        letters.add("bell", {**alice, "seq": seq}, "no")
        assert sum(path.stat().st_size for path in tmp_path.iterdir()) <= 4000
    seqs = [one["seq"] for one in letters.read()]
    assert seqs == list(range(100 - len(seqs), 100))
    assert len(seqs) >= 5


def test_where_nothing_can_be_written_the_log_gets_it(tmp_path, alice, caplog):
    """And the action's next event is not held up."""
    (tmp_path / "file").touch()
    DeadLetters(tmp_path / "file").add("bell", alice, "no answer")
    (record,) = caplog.records
    assert "cannot be written" in record.message
    letter = json.loads(record.message.partition("the line is: ")[2])
    assert (letter["action"], letter["seq"]) == ("bell", 7)
