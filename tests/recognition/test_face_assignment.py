"""Each person's box speaks for the face that is theirs."""

from __future__ import annotations

from face_det.recognition.face_assignment import assign_faces, head_fit
from face_det.types import Box

PERSON = Box(100, 100, 300, 600)
OWN = Box(170, 120, 230, 190)


def test_the_person_in_front_speaks_not_somebody_behind() -> None:
    """Whatever the order in which the detector reports them."""
    behind = Box(270, 130, 295, 160)
    assert assign_faces([PERSON], [[behind, OWN]], ["frame"]) == [1]
    assert assign_faces([PERSON], [[OWN, behind]], ["frame"]) == [0]


def test_a_face_at_the_feet_is_a_childs() -> None:
    """A face in the upper part fits better than one as large, or a little larger, far below."""
    assert head_fit(OWN, PERSON) > head_fit(Box(165, 480, 235, 560), PERSON)


def test_a_face_in_two_boxes_is_one_persons() -> None:
    """The one whose head it can be has it; the other, seen from behind, has none."""
    neighbour = Box(200, 90, 420, 600)
    face = Box(280, 110, 340, 180)
    seen_twice = Box(281, 111, 300, 179)
    assert assign_faces([PERSON, neighbour], [[face], [face]], [0, 0]) == [None, 0]
    assert assign_faces([PERSON, neighbour], [[seen_twice, OWN], [face, OWN]], [0, 0]) == [1, 0]


def test_the_fit_of_all_counts() -> None:
    """Nobody goes without a face because another took it who could have had a better one."""
    neighbour = Box(220, 100, 420, 600)
    left, right = Box(175, 120, 235, 190), Box(240, 115, 295, 180)
    assert assign_faces([PERSON, neighbour], [[right, left], [right]], [0, 0]) == [1, 0]


def test_a_person_detected_twice_has_one_face() -> None:
    """Both labels speak for it."""
    again = Box(103, 98, 305, 590)
    assert assign_faces([PERSON, again], [[OWN], [OWN]], [0, 0]) == [0, 0]


def test_frames_do_not_disturb_each_other() -> None:
    """The same person in two frames has a face in each; a box without faces has none."""
    assert assign_faces([PERSON, PERSON, PERSON], [[OWN], [], [OWN]], ["a", "a", "b"]) == [0, None, 0]
    assert assign_faces([], [], []) == []
