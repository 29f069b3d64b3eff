"""Which network made an encoding: fingerprints, "NAME:..." of one embedder.

That of joined embedders is made of theirs: "both:dlib_resnet:...+sface:...".
"""

from __future__ import annotations

from dataclasses import dataclass

DLIB_RESNET = "dlib_resnet"
DLIB_VIEWS = "dlib_views"
"""dlib's network, a mean of several views of each face."""
SFACE = "sface"
DLIB_AND_SFACE = "both"
"""dlib's numbers, then sface's."""
ALL_EMBEDDERS = "all"
ALL_DLIB_EMBEDDERS = "all_dlib"
"""What photos are enrolled with: all there are, or all of dlib's network."""


def embedder_from_fingerprint(fingerprint: str | None) -> str:
    """The name of the embedder; dlib's where nothing was noted, as in the original's files."""
    return DLIB_RESNET if fingerprint is None else fingerprint.partition(":")[0]


def configurable_embedder(embedder: str) -> str:
    """The name by which a user asks for an embedder: those of dlib's network are dlib_resnet."""
    return DLIB_RESNET if embedder == DLIB_VIEWS else embedder


def split_fingerprint(fingerprint: str) -> dict[str, str]:
    """The fingerprint of each embedder that has a part in it, by its name and in their order.

    What names none of ours is taken for dlib's.
    """
    name, _, inside = fingerprint.partition(":")
    each = inside.split("+") if name in JOINED_EMBEDDERS else [fingerprint]
    # The names as they are here: a pickle that holds a text twice is another than one of equal texts.
    return {
        next((one for one in (DLIB_VIEWS, SFACE) if part.startswith(f"{one}:")), DLIB_RESNET): part
        for part in each
    }


@dataclass(frozen=True, slots=True)
class DistanceThresholds:
    """Euclidean distances between encodings.

    even_distance: at which two photos are as likely of one person as of two.
    gate_distance: up to which a photo may count as a person's at all, where naming a stranger is
    worse than naming nobody.
    """

    even_distance: float
    gate_distance: float


DISTANCE_THRESHOLDS = {
    # dlib's own; the stricter one is Ringface's: 2 of 10,000 pairs of strangers in LFW lie nearer.
    "dlib_resnet": DistanceThresholds(0.6, 0.5),
    # Where the same parts of the pairs lie nearer: the mean of several views lies nearer to others.
    "dlib_views": DistanceThresholds(0.56, 0.46),
    # OpenCV's, a cosine of .363 (1 of 1,000 pairs); where 2 of 10,000 lie nearer.
    "sface": DistanceThresholds(1.128, 1.08),
    # Where the same parts of the pairs lie nearer. Neither half is weighed: halving or doubling
    # dlib's separates them no better.
    "both": DistanceThresholds(1.3, 1.25),
}


@dataclass(frozen=True, slots=True)
class DistanceSpread:
    """A normal distribution of distances."""

    middle: float
    width: float


@dataclass(frozen=True, slots=True)
class ExpectedDistances:
    """Distances from a photo to its own person, and to another, before the dataset is looked at."""

    same: DistanceSpread
    other: DistanceSpread


EXPECTED_DISTANCES = {
    # On LFW: 40 people with 9 to 14 photos, each against four others of the person. The middle is the
    # median, the width that of the normal distribution with the same 99th percentile, as the tail is
    # heavier than a normal one's; of other people, median and 1.4826 MAD.
    "dlib_resnet": ExpectedDistances(DistanceSpread(0.444, 0.078), DistanceSpread(0.829, 0.099)),
    "sface": ExpectedDistances(DistanceSpread(0.820, 0.123), DistanceSpread(1.346, 0.056)),
    "both": ExpectedDistances(DistanceSpread(0.934, 0.143), DistanceSpread(1.586, 0.077)),
}


ENCODINGS_KEYS = {DLIB_RESNET: "encodings", DLIB_VIEWS: "views", SFACE: "sface"}
"""Under which key an embedder's numbers lie."""


EMBEDDERS: dict[str, str] = {
    "dlib_resnet": "face_det.embedders.dlib_resnet:DlibResnetEmbedder",
    "dlib_views": "face_det.embedders.dlib_views:DlibViewsEmbedder",
    "sface": "face_det.embedders.sface:SfaceEmbedder",
}
JOINED_EMBEDDERS: dict[str, tuple[str, ...]] = {
    "both": ("dlib_resnet", "sface"),
    "all": ("dlib_resnet", "dlib_views", "sface"),
    "all_dlib": ("dlib_resnet", "dlib_views"),
}
"""Embedders that are several beside each other; photos are enrolled with all there are, or all of dlib's."""
CONFIGURABLE_EMBEDDERS = ("dlib_resnet", "sface", "both")
"""Embedders by the name that a user gives them: dlib_resnet decides by dlib_views where it can."""
JITTERS: dict[str, str] = {
    "dlib": "face_det.embedders.jitter:DlibJitter",
    "fast": "face_det.embedders.jitter:FastJitter",
}
