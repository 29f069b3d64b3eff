"""How far apart encodings lie, for each embedder: what classifiers and decisions begin with."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Geometry:
    """Euclidean distances between encodings.

    even_distance: at which two photos are as likely of one person as of two.
    gate_distance: up to which a photo may count as a person's at all, where naming a stranger is
    worse than naming nobody.
    """

    even_distance: float
    gate_distance: float


GEOMETRY = {
    # dlib's own threshold; the stricter one is Ringface's.
    "dlib_resnet": Geometry(0.6, 0.5),
    # OpenCV's threshold for vectors of length 1 (a cosine of .363).
    "sface": Geometry(1.128, 1.0),
    "both": Geometry(1.278, 1.118),
}
