"""Says whom uncertain sightings may show, as the model in use sees them today."""

from __future__ import annotations

import math
import sqlite3
from collections.abc import Sequence
from typing import Any

from face_det.recognition import Recognizer
from face_det.service import wire
from face_det.sightings import find_encodings
from face_det.types import Box, Candidate, Encodings, Face, Match, Outcome

Item = dict[str, Any]


def with_candidates(
    connection: sqlite3.Connection, items: Sequence[Item], recognizer: Recognizer | None
) -> list[Item]:
    """Return sightings as they are answered; uncertain ones gain `candidates`, likeliest first.

    Candidates are not kept with a sighting: whoever is forgotten or renamed is so here, too. A sighting that
    another embedder encoded has an empty list.
    """
    asked = [item["id"] for item in items if item["outcome"] == Outcome.UNCERTAIN.value]
    found: dict[int, list[Item]] = {identifier: [] for identifier in asked}
    if asked and recognizer is not None:
        encodings = find_encodings(connection, asked, recognizer.engine.fingerprint)
        faces = [_face(*one) for one in encodings.values()]
        matches = recognizer.match(faces, range(len(faces)))
        for identifier, match in zip(encodings, matches, strict=True):
            found[identifier] = wire.candidates_as_json(_candidates(match))
    return [{**item, "candidates": found[item["id"]]} if item["id"] in found else item for item in items]


def _candidates(match: Match) -> tuple[Candidate, ...]:
    """Return who it may be. A model that is newer than the sighting may be sure by now."""
    if match.outcome is Outcome.KNOWN and match.name is not None and match.probability is not None:
        return (Candidate(match.name, match.probability),)
    return match.candidates


def _face(encoding: Encodings, quality: float | None) -> Face:
    return Face(Box(0, 0, 0, 0), 0.0, math.nan, None, encoding, quality=quality)
