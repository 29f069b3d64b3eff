"""The false accept rate: previews, and setting it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from face_det.enrolment import change_rate
from face_det.errors import BadRequest, ModelMissing
from face_det.gallery import Gallery
from face_det.recognition import TRAIN_ADVICE
from face_det.service.access import Access
from face_det.training import RatePreview, preview_rates

LADDER = (0.1, 0.01, 0.003, 0.001, 0.0003, 0.0001, 0.00001)
LOWEST, HIGHEST = 1e-6, 0.1


def require_rate(value: object, place: str = "false_accept_rate") -> float:
    """Return a false accept rate as the setting may have it; raise BadRequest.

    >>> require_rate(0.01)
    0.01
    """
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not LOWEST < value <= HIGHEST:
        raise BadRequest(f"{place}: must be a number above 0.000001, up to 0.1, got {value!r:.60}")
    return float(value)


class Rates:
    """Answers `preview` and `set_false_accept_rate`."""

    def __init__(self, access: Access) -> None:
        self._access = access

    def preview(self, rate: object = None) -> list[dict[str, Any]]:
        """Say what rates would mean for the photos that are enrolled, from the highest to the lowest.

        Raises ModelMissing if no model has a threshold.
        """
        asked = [] if rate is None else [require_rate(rate)]
        recognizer = self._access.recognizer()
        model = recognizer.model
        if model is None or model.verifier is None:
            raise ModelMissing(f"model: must have a threshold, but the one in use has none; {TRAIN_ADVICE}")
        rates = sorted({*LADDER, *asked, model.verifier.rate}, reverse=True)
        gallery = Gallery.load(self._access.enroller.paths.encodings)
        found = preview_rates(model, gallery, rates, recognizer.rule.min_proba)
        return [
            {
                "falseAcceptRate": one.rate,
                "threshold": round(one.threshold, 4),
                "recognised": one.recognised,
                "faces": one.faces,
                "strangers_named": one.strangers_named,
                "strangers": one.strangers,
                "in_use": one.rate == model.verifier.rate,
                "asked": one.rate in asked,
                "text": describe_preview(one),
            }
            for one in found
        ]

    def set_rate(self, rate: float, files: Mapping[Path, bytes | None]) -> bool:
        """Use a rate from the next call on, and write `files` with it; False if it waits for a training."""
        access = self._access
        with access.learning:
            recognizer = change_rate(access.enroller, rate, files)
            if recognizer is not None:
                access.use(recognizer)
        return recognizer is not None


def describe_preview(preview: RatePreview) -> str:
    """Say in plain words what a rate would mean.

    >>> describe_preview(RatePreview(0.001, -0.5, 0.945, 200, 0.0, 40))
    'About 1 in 1,000 strangers would get a name; of 200 faces of enrolled people, 189 would be named. Of \
the 40 people who were compared as strangers, none would be.'
    """
    text = f"About 1 in {round(1 / preview.rate):,} strangers would get a name"
    if preview.recognised is None:
        text += "; for enrolled people this cannot be measured, because nobody has two photos."
    else:
        named = round(preview.recognised * preview.faces)
        text += f"; of {preview.faces:,} faces of enrolled people, {named:,} would be named."
    if preview.strangers_named is not None and preview.strangers:
        count = round(preview.strangers_named * preview.strangers)
        of = f" Of the {preview.strangers:,} people who were compared as strangers, "
        text += of + (f"{count:,} would be." if count else "none would be.")
    return text
