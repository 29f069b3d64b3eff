"""Past sightings follow a new model, in the background, once."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from running import eventually
from seen import NOON, always, face, opened, person, picture, rows, value

from face_det.sightings import Author, SightingStore, find_unknowns, name_sighting
from face_det.types import Match, Outcome


def show(one: SightingStore, takes: range, name: str | None = None) -> None:
    for take in takes:
        one.record(picture(face(person(1, take), name), time=NOON + take))
    one.flush()


def names(one: SightingStore) -> set[str | None]:
    return {row["name"] for row in rows(one, "SELECT name FROM sighting")}


def test_all_past_sightings_are_decided_again(tmp_path: Path) -> None:
    """More than fit into one step; what a user said stays; recording goes on meanwhile."""
    with opened(tmp_path) as one:
        show(one, range(600))
        author = Author("uid 1", NOON)
        one.write(lambda connection: name_sighting(connection, one.people, 7, "bert", [], author))
        one.use(always("anna"), dict, "new")
        one.flush()
        show(one, range(600, 601), "carl")
        eventually(lambda: names(one) == {"anna", "bert", "carl"})
        assert value(one, "SELECT name FROM sighting WHERE id = 7") == "bert"
        assert value(one, "SELECT count(*) FROM sighting WHERE name = 'anna'") == 599


def test_nothing_is_decided_twice_by_one_model(tmp_path: Path) -> None:
    """Not after a restart either."""
    asked = []

    def decide(fingerprint: str, encodings: Any, qualities: Any) -> list[Match]:
        asked.append(len(encodings))
        return [Match("anna", 0.9, None, Outcome.KNOWN)] * len(encodings)

    for _ in range(2):
        with opened(tmp_path) as one:
            if not asked:
                show(one, range(1))
            one.use(decide, dict, "new")
            eventually(lambda: rows(one, "SELECT * FROM meta WHERE key = 'decided_by' AND value = 'new'"))
            one.flush()
    assert asked == [1]


def test_a_model_that_comes_back_decides_all_again(tmp_path: Path) -> None:
    """Half of the sightings were decided by the one in between: by undoing, or by a kill."""
    with opened(tmp_path) as one:
        show(one, range(300), "anna")
        one.use(always("anna"), dict, "first")
        eventually(lambda: rows(one, "SELECT * FROM meta WHERE key = 'decided_by' AND value = 'first'"))

        asked = []

        def once(fingerprint: str, encodings: Any, qualities: Any) -> Any:
            asked.append(len(encodings))
            one.use(always("anna"), dict, "first")
            return always("bert")(fingerprint, encodings, qualities)

        one.use(once, dict, "second")
        eventually(lambda: asked)
        one.flush()
        eventually(lambda: names(one) == {"anna"})


def test_a_decider_that_fails_is_not_asked_for_ever(tmp_path: Path, caplog: Any) -> None:
    """It is logged once, and recording goes on."""
    asked = []

    def fail(*_: Any) -> Any:
        asked.append(1)
        raise RuntimeError("no such network")

    with opened(tmp_path) as one:
        show(one, range(1))
        one.use(fail, dict, "broken")
        eventually(lambda: "no such network; recognition goes on" in caplog.text)
        for camera in range(3):
            one.record(picture(face(person(2), "anna"), camera=str(camera)))
            eventually(lambda: "fault" not in one.status())
        assert names(one) == {None, "anna"}
    assert len(asked) == 1
    assert caplog.text.count("Traceback") == 1


def test_a_sum_changed_by_rescoring_is_not_written_back(tmp_path: Path) -> None:
    """A face that comes between two steps joins the person as rescoring left them."""

    def first_only(fingerprint: str, encodings: Any, qualities: Any) -> list[Match]:
        found = always(None)(fingerprint, encodings, qualities)
        if len(encodings) == 250:
            found = always("anna")(fingerprint, encodings, qualities)
            one.record(picture(face(person(1, 999)), time=NOON + 999, camera="later"))
        return found

    with opened(tmp_path) as one:
        show(one, range(260))
        one.use(first_only, dict, "new")
        eventually(lambda: rows(one, "SELECT * FROM meta WHERE key = 'decided_by'"))
        found = rows(one, "SELECT shaping, sightings FROM person WHERE shaping > 0")
        assert found == [{"shaping": 11, "sightings": 11}]


def test_who_was_taken_for_somebody_is_unknown_again(tmp_path: Path) -> None:
    """Sightings that a model names leave the unknown person, and come back under the same number."""
    with opened(tmp_path) as one:
        for take in range(3):
            one.record(picture(face(person(1, take)), time=NOON + take))
        one.flush()
        one.use(always("anna"), dict, "a model that knows her")
        eventually(lambda: len(rows(one, "SELECT * FROM sighting WHERE name = 'anna'")) == 3)
        assert one.read(find_unknowns) == []
        one.use(always(None), dict, "a model that does not")
        eventually(lambda: not value(one, "SELECT count(*) FROM sighting WHERE name = 'anna'"))
        (unknown,) = one.read(find_unknowns)
        assert (unknown["id"], unknown["sightings"]) == ("unknown-1", 3)


def test_who_was_known_from_the_start_becomes_unknown(tmp_path: Path) -> None:
    """Somebody who was forgotten, or named wrongly by a model, is found among those unknown."""
    with opened(tmp_path) as one:
        for take in range(3):
            one.record(picture(face(person(1, take), "anna"), time=NOON + take))
        one.flush()
        one.use(always(None), dict, "a model that does not know her")
        eventually(lambda: not value(one, "SELECT count(*) FROM sighting WHERE name = 'anna'"))
        (unknown,) = one.read(find_unknowns)
        assert (unknown["id"], unknown["sightings"]) == ("unknown-1", 3)
