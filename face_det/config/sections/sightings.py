"""The settings in `sightings`."""

from __future__ import annotations

from pydantic import BaseModel

from face_det.config.fields import STRICT, field, integer, number


class Sightings(BaseModel):
    """The settings in `sightings`: how much is remembered of who was seen."""

    model_config = STRICT

    keep_days: float = number(30, 0, 36_500, "Days. Sightings and events are removed when they are older.")
    max_count: int = integer(200_000, 1, 10**9, "The most sightings. Above it the oldest are removed.")
    max_mb: float = number(
        2000, 1, 10**7, "The most megabytes the database may hold. Above it the oldest sightings are removed."
    )
    unknown_keep_days: float = number(
        90, 0, 36_500, "Days. An unknown person who has not been seen for this long is forgotten."
    )
    frames: bool = field(
        False,
        "true or false",
        "Keep a copy of the whole picture, at most 1280 px wide or high, and not only of each face.",
    )
    visit_gap: float = number(
        60, 0.1, 86_400, "Seconds. Faces that a camera sees within this time of each other are one visit."
    )
    number_after_visits: int = integer(
        1,
        1,
        100,
        "An unknown person gets a number, as in `unknown-3`, after this many visits, but not before the "
        "second clear sighting.",
    )
