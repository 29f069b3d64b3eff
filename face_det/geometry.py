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
    # dlib's own; the stricter one is Ringface's: 2 of 10,000 pairs of strangers in LFW lie nearer.
    "dlib_resnet": Geometry(0.6, 0.5),
    # Where the same parts of the pairs lie nearer: the mean of several views lies nearer to others.
    "dlib_views": Geometry(0.56, 0.46),
    # OpenCV's, a cosine of .363 (1 of 1,000 pairs); where 2 of 10,000 lie nearer.
    "sface": Geometry(1.128, 1.08),
    # Where the same parts of the pairs lie nearer. Neither half is weighed: halving or doubling
    # dlib's separates them no better.
    "both": Geometry(1.3, 1.25),
}
