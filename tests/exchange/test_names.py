"""Names on their way from other programs, and to them."""

from __future__ import annotations

import pytest

from face_det.errors import BadName, DataError
from face_det.exchange.names import NameRule, fit_name, fit_names
from face_det.gallery import check_person_name


@pytest.mark.parametrize(
    ("there", "here"),
    [
        ("Anna Maria", "Anna Maria"),
        ("Joe/Biden", "Joe-Biden"),
        ("../../etc", "-..-etc"),
        ("a\tb\nc\x00d", "a-b-c-d"),
        (" .Zoe\u0308 ", "Zoë"),
        ("x" * 120, "x" * 100),
        ("字" * 100, "字" * 85),
        ("\udcff", "-"),
        ("Bob 😀", "Bob -"),
    ],
)
def test_a_name_that_is_allowed_here(there: str, here: str) -> None:
    """What is not allowed becomes a hyphen, and what is too long is cut; the rule for names accepts it."""
    assert fit_name(there) == here
    assert check_person_name(here) == here


@pytest.mark.parametrize("name", ["", " . ", "unknown", "UNKNOWN", "Unknown-3"])
def test_no_name_for_a_person(name: str) -> None:
    """What is left of a name must be a person's."""
    with pytest.raises(BadName):
        fit_name(name)


def test_two_people_never_become_one() -> None:
    """Of names that would become the same, only one that needs no change is used."""
    fitted, refused = fit_names(["A/B", "A:B", "C-D", "C/D", "E"])
    assert fitted == {"C-D": "C-D", "E": "E"}
    assert refused.keys() == {"A/B", "A:B", "C/D"}
    assert refused["C/D"] == "name: would become 'C-D', as would 'C-D'; rename one of them there"


def test_names_for_frigate() -> None:
    """Frigate's names have letters, digits, spaces, ' _ and -, at most 50; its own folder stays its own."""
    rule = NameRule("'_-", 50, ("train",))
    assert rule.fit(["Zoë O'Hara-1", "Dr. No (2)", "train", "y" * 60]) == {
        "Dr. No (2)": "Dr_ No _2_",
        "Zoë O'Hara-1": "Zoë O'Hara-1",
        "train": "train_",
        "y" * 60: "y" * 50,
    }
    with pytest.raises(DataError, match=r"'A\.B' and 'A,B' would both become 'A_B'"):
        rule.fit(["A.B", "A,B"])
