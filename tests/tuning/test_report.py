"""`face-det tune --report`: what would change, on frames in a real database and on real photos."""

from __future__ import annotations

import json

import pytest
from alarm_records import person
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
        {"image": str(photos["obama2"]), "labels": [person(photos["obama2"], "Obama")]},
        {"image": str(photos["obama3"]), "labels": [person(photos["obama3"], "Biden")]},
        {"image": str(photos["chelsea"]), "labels": [person(photos["chelsea"], "Biden")]},
        {"image": str(photos["astronaut"]), "labels": [person(photos["astronaut"], None)]},
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
