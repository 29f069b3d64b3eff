"""The import itself: what is added, passed over and refused. Enrolments are real in tests/cli."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path

import pytest
from drawn_pictures import drawn

from face_det.errors import BadImage, CannotWrite, NoFace
from face_det.exchange import (
    FoundPhotos,
    ImportOutcome,
    LeftOut,
    Picture,
    SourcePhoto,
    import_photos,
    name_photos,
)
from face_det.gallery import photo_file_name
from face_det.media import load_image
from face_det.types import Box

ADDED, PRESENT, REFUSED = ImportOutcome


class Notes:
    """An enrolment that only notes what it is given; `refuse` are errors by the place of a photo."""

    def __init__(self, known: dict[str, list[bytes]] | None = None) -> None:
        self.known = known or {}
        self.added: list[tuple[str, Picture]] = []
        self.refuse: dict[str, Exception] = {}
        self.asked: list[str] = []

    def enrolled(self, name: str) -> Collection[str]:
        self.asked.append(name)
        return {photo_file_name(data) for data in self.known.get(name, [])}

    def add(self, name: str, picture: Picture, place: str) -> bool:
        if place in self.refuse:
            raise self.refuse.pop(place)
        self.added.append((name, picture))
        return True


def photo(name: str, number: int, box: Box | None = None, *, cut_out: bool = False) -> SourcePhoto:
    return SourcePhoto(name, str(number), lambda: Picture(drawn(number), box), cut_out)


def outcomes(notes: Notes, *photos: SourcePhoto) -> list[tuple[str, ImportOutcome, str | None]]:
    named = name_photos(FoundPhotos(photos))
    return [(one.place, one.outcome, one.reason) for one in import_photos(named, notes)]


def test_each_photo_is_added_passed_over_or_refused() -> None:
    """What is enrolled is passed over without a look; one bad photo spoils nothing."""

    def broken() -> Picture:
        raise BadImage("3: cannot be read")

    notes = Notes({"Ann": [drawn(1)]})
    notes.refuse["4"] = NoFace("image: must show one face")
    photos = [photo("Bob", 2), photo("Ann", 1), SourcePhoto("Bob", "3", broken), photo("Bob", 4)]
    assert outcomes(notes, *photos) == [
        ("1", PRESENT, None),
        ("2", ADDED, None),
        ("3", REFUSED, "cannot be read"),
        ("4", REFUSED, "must show one face"),
    ]
    assert [(name, picture.data) for name, picture in notes.added] == [("Bob", drawn(2))]
    assert notes.asked == ["Ann", "Bob"], "each once"


def test_a_chosen_face_goes_with_its_photo() -> None:
    """The box of a face is passed on; whether that photo is there is known only once the face is cut out."""
    notes = Notes({"Ann": [drawn(1)]})
    box = Box(1, 2, 3, 4)
    assert outcomes(notes, photo("Ann", 1, box)) == [("1", ADDED, None)]
    assert notes.added == [("Ann", Picture(drawn(1), box))]


def test_a_face_without_surroundings_gets_some() -> None:
    """A cut-out face in which nothing is found is tried once more with a margin; other photos are not."""
    notes = Notes()
    notes.refuse = {"1": NoFace("image: none"), "2": NoFace("image: none")}
    done = outcomes(notes, photo("Ann", 1, cut_out=True), photo("Ann", 2))
    assert [outcome for _, outcome, _ in done] == [ADDED, REFUSED]
    ((_, wider),) = notes.added
    assert load_image(wider.data).shape == (64, 64, 3)
    again = Notes({"Ann": [wider.data]})
    again.refuse["1"] = NoFace("image: none")
    assert outcomes(again, photo("Ann", 1, cut_out=True)) == [("1", PRESENT, None)]


def test_a_full_disk_ends_the_import() -> None:
    """An error after which one may try again is raised, rather than noted for every photo that follows."""
    notes = Notes()
    notes.refuse["2"] = CannotWrite("disk full")
    done = import_photos(name_photos(FoundPhotos((photo("Ann", 1), photo("Ann", 2)))), notes)
    assert next(done).outcome is ADDED
    with pytest.raises(CannotWrite):
        next(done)


def test_names_are_made_fit_and_the_report_says_so(tmp_path: Path) -> None:
    """Whoever has no name here is left out, with the photo, the name there and the reason."""
    left = LeftOut("loose.png", "is in nobody's folder")
    found = FoundPhotos((photo("Joe/Biden", 1), photo("unknown", 2), photo("Ann", 3)), (left,))
    named = name_photos(found)
    assert [(name, one.place) for name, one in named.photos] == [("Ann", "3"), ("Joe-Biden", "1")]
    assert named.renamed == {"Joe/Biden": "Joe-Biden"}
    assert named.left_out[0] == left
    assert (named.left_out[1].place, named.left_out[1].name) == ("2", "unknown")
    assert "photos of strangers belong to Unknown" in named.left_out[1].reason
