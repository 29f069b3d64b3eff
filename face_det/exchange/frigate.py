"""Frigate's face library: clips/faces/NAME, with faces that are cut out.

Frigate computes its templates from whole files, so it is given faces without anything around them. Its folder
`train` holds faces that it has seen, and belongs to nobody.
"""

from __future__ import annotations

from face_det.exchange.names import NameRule
from face_det.exchange.person_folders import PersonFolders


class FrigateFaces(PersonFolders):
    """The folders of /media/frigate/clips/faces."""

    inside = ("clips/faces", "faces")
    not_people = frozenset(["train"])
    cut_out = True
    suffixes = frozenset([".webp", ".jpg", ".jpeg", ".png"])
    names = NameRule("'_-", longest=50, reserved=("train",))
