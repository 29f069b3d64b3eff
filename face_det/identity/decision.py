"""From encodings to names: known, or not."""

from __future__ import annotations

from face_det.faces import Encodings, Match, Reason
from face_det.identity.model import Model


def decide(model: Model | None, encodings: Encodings, min_proba: float) -> list[Match]:
    """One answer for each encoding, shape (n, 128).

    The likeliest class is the name, `Unknown` like any other, if its probability is `min_proba` or
    more; else there is no name, and the reason is `unrecognised`. Without a model nobody is known.
    """
    if model is None:
        return [Match(None, None, Reason.UNRECOGNISED)] * len(encodings)
    matches = []
    for row in model.proba(encodings):
        likeliest = int(row.argmax())
        probability = min(1.0, float(row[likeliest]))
        if probability >= min_proba:
            matches.append(Match(model.labels[likeliest], probability, None))
        else:
            matches.append(Match(None, probability, Reason.UNRECOGNISED))
    return matches
