"""The notes of an event: what others wrote stays as it is, whatever it looks like."""

from __future__ import annotations

import pytest

from face_det.integrations.zoneminder.notes import update_notes

OTHERS = (
    "",
    "Motion: All",
    "Linked: 3 Motion: All, Door",
    "Forced Web: seen by hand",
    "somebody's words\n[a] detected:person:97% Motion: All",
    "[a] detected:person:97% Motion: All",
    "[a] detected:person:97% | Motion: All",
    "[s] detected:person,car | Motion: All",
    "[a] detected:person:97%,car:88% Motion: All",
    "[a] detected:person:97%, car:88% | by hand ",
)


@pytest.mark.parametrize("notes", OTHERS)
def test_what_others_wrote_stays_to_the_letter(notes):
    """A second run changes nothing, and one that finds nobody leaves the notes as they were."""
    once = update_notes(notes, {"Alice": 0.98}, ["Alice", "Bob"])
    assert once.count("Alice:98%") == 1
    assert update_notes(once, {"Alice": 0.98}, ["Alice", "Bob"]) == once
    changed = update_notes(once, {"Bob": 0.91, "unknown": 0.5}, ["Alice", "Bob"])
    assert ("Bob:91%" in changed, "unknown:50%" in changed, "Alice" in changed) == (True, True, False)
    begin = {"[a]": "[a]", "[s]": "[s]"}.get(notes[:3], "[x]")
    assert changed.startswith(f"{begin} detected:Bob:91% unknown:50%")
    assert update_notes(changed, {}, ["Alice", "Bob"]) == notes
