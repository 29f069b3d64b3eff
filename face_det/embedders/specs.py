"""The menu of embedders. A new one is a file in this folder and a spec here.

Several embedders can be joined: their encodings stand side by side. An encoding's fingerprint names the
embedder and its weights, "NAME:..."; that of a joined embedder contains those of its parts, as in
"both:dlib_resnet:...+sface:...". Encodings with different fingerprints are never compared.
"""

from __future__ import annotations

from dataclasses import dataclass

from face_det.registry import FILE_PREFIX, Menu, Spec

DLIB_RESNET = "dlib_resnet"
DLIB_VIEWS = "dlib_views"
"""The mean of dlib_resnet's encodings over several views of each face."""
SFACE = "sface"
CAMPPLUS = "campplus"
"""The embedder of voices."""
DLIB_AND_SFACE = "both"
"""dlib_resnet's numbers, then sface's."""
GREY = "grey"
"""The pixels themselves, for the classic recognisers."""
GREY_SIDE_PX = 100
ALL_EMBEDDERS = "all"
"""Every embedder on the menu but those on demand, side by side: photos are enrolled with all of them."""
ALL_DLIB_EMBEDDERS = "all_dlib"
"""dlib_resnet and dlib_views: photos are enrolled with these where only dlib is wanted."""


@dataclass(frozen=True, slots=True)
class DistanceThresholds:
    """Euclidean distances between encodings.

    At `even_distance`, two photos are as likely to show one person as two. Beyond `gate_distance`, a photo
    never counts as a person's where naming a stranger is worse than naming nobody.
    """

    even_distance: float
    gate_distance: float


@dataclass(frozen=True, slots=True)
class DistanceSpread:
    """A normal distribution of distances: its mean and its standard deviation."""

    middle: float
    width: float


@dataclass(frozen=True, slots=True)
class ExpectedDistances:
    """Distances from a photo to its own person and to others, before a dataset has been examined."""

    same: DistanceSpread
    other: DistanceSpread


@dataclass(frozen=True, slots=True)
class EmbedderSpec(Spec):
    """An embedder, with everything that the rest of the program knows about it.

    `configured_as` is the name by which users ask for it; None if they cannot. A joined embedder has
    `parts`, the embedders whose encodings stand side by side. Any other has an `encodings_key`, its key in
    encodings.pickle, the number of `dimensions` of its encodings, and perhaps a `base`, the embedder whose
    networks it uses. An embedder that a classifier can learn from has `thresholds`; one by which
    `face-det gallery check` may compare photos has `expected_distances`.

    One that is `on_demand` costs nothing unless the configuration asks for it: `all` does without it. Its
    numbers are written to encodings.pickle as `stored_as`, a numpy type that holds them exactly.

    A user's own model, onnx:PATH, has a `fingerprint` of its content before it is loaded. If its thresholds
    are `provisional`, nobody is named by them.
    """

    configured_as: str | None = None
    base: str | None = None
    parts: tuple[str, ...] = ()
    encodings_key: str | None = None
    dimensions: int = 128
    thresholds: DistanceThresholds | None = None
    expected_distances: ExpectedDistances | None = None
    on_demand: bool = False
    stored_as: str = "float64"
    fingerprint: str | None = None
    provisional: bool = False


_JOINED = "face_det.embedders.joined:JoinedEmbedder"

# The expected distances were measured on LFW: 40 people with 9 to 14 photos, each photo against four others
# of the person. The middle is the median; the width is that of the normal distribution with the same 99th
# percentile, because the tail is heavier than a normal one's. For other people: the median and 1.4826 MAD.
EMBEDDERS = Menu(
    EmbedderSpec(
        DLIB_RESNET,
        "face_det.embedders.dlib_resnet:DlibResnetEmbedder",
        configured_as=DLIB_RESNET,
        encodings_key="encodings",
        # dlib's own; the stricter one is Ringface's: 2 of 10,000 pairs of strangers in LFW are nearer.
        thresholds=DistanceThresholds(0.6, 0.5),
        expected_distances=ExpectedDistances(DistanceSpread(0.444, 0.078), DistanceSpread(0.829, 0.099)),
    ),
    EmbedderSpec(
        DLIB_VIEWS,
        "face_det.embedders.dlib_views:DlibViewsEmbedder",
        # Wherever dlib_resnet is configured, decisions rest on the views if all photos have them.
        configured_as=DLIB_RESNET,
        base=DLIB_RESNET,
        encodings_key="views",
        # The distances below which the same shares of the pairs lie: the means of views are nearer to others.
        thresholds=DistanceThresholds(0.56, 0.46),
    ),
    EmbedderSpec(
        SFACE,
        "face_det.embedders.sface:SfaceEmbedder",
        configured_as=SFACE,
        encodings_key="sface",
        # OpenCV's, a cosine of 0.363 (1 of 1,000 pairs); the distance below which 2 of 10,000 lie.
        thresholds=DistanceThresholds(1.128, 1.08),
        expected_distances=ExpectedDistances(DistanceSpread(0.820, 0.123), DistanceSpread(1.346, 0.056)),
    ),
    EmbedderSpec(
        DLIB_AND_SFACE,
        _JOINED,
        configured_as=DLIB_AND_SFACE,
        parts=(DLIB_RESNET, SFACE),
        # The distances below which the same shares of the pairs lie. Neither half is weighted: halving or
        # doubling dlib's separates the pairs no better.
        thresholds=DistanceThresholds(1.3, 1.25),
        expected_distances=ExpectedDistances(DistanceSpread(0.934, 0.143), DistanceSpread(1.586, 0.077)),
    ),
    EmbedderSpec(
        GREY,
        "face_det.embedders.grey:GreyEmbedder",
        configured_as=GREY,
        encodings_key="grey",
        dimensions=GREY_SIDE_PX**2,
        # Of 1.1 million pairs of strangers in LFW, 1 in 1,000 is nearer than the first, 2 in 10,000 than the
        # second; so are 1.3 % and 0.6 % of the pairs of photos of one person, so do not expect much of them.
        thresholds=DistanceThresholds(4880, 4440),
        on_demand=True,
        stored_as="uint8",
    ),
    EmbedderSpec(ALL_EMBEDDERS, _JOINED),
    EmbedderSpec(ALL_DLIB_EMBEDDERS, _JOINED, parts=(DLIB_RESNET, DLIB_VIEWS)),
    files="face_det.embedders.onnx_file:OnnxFileEmbedder",
)
"""All embedders, single and joined. A single one is created with `compute`, `jitter` and perhaps `base`."""

VOICE_EMBEDDERS = Menu(
    EmbedderSpec(
        CAMPPLUS,
        "face_det.voices.encoder:VoiceEncoder",
        dimensions=192,
        # Of the pairs of strangers in LibriSpeech's test-other, 1 in 1,000 is nearer than the first, and 2 in
        # 10,000 are nearer than the second.
        thresholds=DistanceThresholds(1.05, 1.0),
    ),
)
"""The embedders of voices, created with `compute`. Classifiers learn from their encodings as from those of
faces; they stand in files of their own."""

JITTERS = Menu(
    Spec("dlib", "face_det.embedders.jitter:DlibJitter"),
    Spec("fast", "face_det.embedders.jitter:FastJitter"),
)


def encodings_keys() -> dict[str, str]:
    """Map each single embedder to its key in encodings.pickle, in the order of the menu.

    >>> encodings_keys()
    {'dlib_resnet': 'encodings', 'dlib_views': 'views', 'sface': 'sface', 'grey': 'grey'}
    """
    return {spec.name: spec.encodings_key for spec in EMBEDDERS.values() if spec.encodings_key is not None}


def joined_embedders() -> dict[str, tuple[str, ...]]:
    """Map each joined embedder to its parts, in the order of their encodings.

    >>> joined_embedders()["both"]
    ('dlib_resnet', 'sface')
    """
    everything = {ALL_EMBEDDERS: tuple(name for name in encodings_keys() if not EMBEDDERS[name].on_demand)}
    return {
        spec.name: everything.get(spec.name, spec.parts)
        for spec in EMBEDDERS.values()
        if spec.encodings_key is None
    }


def recorded_as(embedder: str) -> str:
    """Return the name under which an embedder's fingerprint is kept in files: no path, which may change.

    >>> recorded_as("sface")
    'sface'
    """
    spec = EMBEDDERS[embedder]
    return embedder if spec.fingerprint is None else str(spec.encodings_key)


def on_demand_embedders() -> tuple[str, ...]:
    """Return the embedders that are used only where they are asked for.

    >>> on_demand_embedders()
    ('grey',)
    """
    return tuple(spec.name for spec in EMBEDDERS.values() if spec.on_demand)


def embedder_parts(embedder: str) -> tuple[str, ...]:
    """Return the single embedders that one consists of, in the order of their encodings.

    Beside the joined ones on the menu there are those with embedders on demand, such as `all+grey`.

    >>> embedder_parts("sface"), embedder_parts("both"), embedder_parts("both+grey")
    (('sface',), ('dlib_resnet', 'sface'), ('dlib_resnet', 'sface', 'grey'))
    """
    names: list[str] = []
    while embedder:
        # A path may contain any character, so it comes last.
        if embedder.startswith(FILE_PREFIX):
            names.append(embedder)
            break
        name, _, embedder = embedder.partition("+")
        names.append(name)
    return tuple(part for name in names for part in joined_embedders().get(name, (name,)))


def is_joined(embedder: str) -> bool:
    """Tell whether an embedder consists of several.

    >>> is_joined("sface"), is_joined("sface+grey"), is_joined("all_dlib")
    (False, True, True)
    """
    return len(embedder_parts(embedder)) > 1


def count_dimensions(embedder: str) -> int:
    """Return how many numbers an embedder's encodings have; KeyError if it is not on the menu.

    >>> count_dimensions("sface"), count_dimensions("both"), count_dimensions("both+grey")
    (128, 256, 10256)
    """
    return sum(_spec_of(part).dimensions for part in embedder_parts(embedder))


def encoding_lengths() -> set[int]:
    """Return how many numbers the encodings of the embedders have, single, joined, and joined on demand.

    >>> {128, 256, 384, 10384} <= encoding_lengths()
    True
    """
    single = {count_dimensions(name) for name in EMBEDDERS}
    more = {EMBEDDERS[name].dimensions for name in on_demand_embedders()}
    return single | {length + one for length in single for one in more}


def classifiable_dimensions() -> tuple[int, ...]:
    """Return how many numbers the encodings have from which classifiers learn.

    >>> classifiable_dimensions()
    (128, 192, 256, 10000)
    """
    return tuple(sorted({count_dimensions(name) for name in (*configurable_embedders(), *VOICE_EMBEDDERS)}))


def _spec_of(embedder: str) -> EmbedderSpec:
    return VOICE_EMBEDDERS[embedder] if embedder in VOICE_EMBEDDERS else EMBEDDERS[embedder]


def configurable_embedders() -> tuple[str, ...]:
    """Return the embedders that users can ask for.

    >>> configurable_embedders()
    ('dlib_resnet', 'sface', 'both', 'grey')
    """
    return tuple(spec.name for spec in EMBEDDERS.values() if spec.configured_as == spec.name)


def configurable_embedder(embedder: str) -> str:
    """Return the name by which users ask for an embedder; unknown names are returned unchanged.

    >>> configurable_embedder("dlib_views")
    'dlib_resnet'
    """
    spec = EMBEDDERS.get(embedder)
    return embedder if spec is None or spec.configured_as is None else spec.configured_as


def distance_thresholds(embedder: str) -> DistanceThresholds:
    """Return an embedder's distance thresholds; KeyError if it has none.

    >>> distance_thresholds("sface").even_distance
    1.128
    """
    thresholds = _spec_of(embedder).thresholds
    if thresholds is None:
        raise KeyError(embedder)
    return thresholds


DLIB_DISTANCES = distance_thresholds(DLIB_RESNET)
"""What classifiers assume unless they are told otherwise."""


def expected_distances(embedder: str) -> ExpectedDistances:
    """Return the distances expected between an embedder's encodings; KeyError if they are not known.

    >>> expected_distances("sface").same.middle
    0.82
    """
    distances = EMBEDDERS[embedder].expected_distances
    if distances is None:
        raise KeyError(embedder)
    return distances


def embedder_from_fingerprint(fingerprint: str | None) -> str:
    """Return the embedder's name; without a fingerprint, as in the original's files, it is dlib_resnet.

    >>> embedder_from_fingerprint("sface:0123:yunet4-112"), embedder_from_fingerprint(None)
    ('sface', 'dlib_resnet')
    """
    if fingerprint is None:
        return DLIB_RESNET
    if fingerprint.startswith(FILE_PREFIX):
        known = (spec.name for spec in EMBEDDERS.values() if spec.fingerprint == fingerprint)
        return next(known, fingerprint.rpartition(":")[0])
    return fingerprint.partition(":")[0]


def split_fingerprint(fingerprint: str) -> dict[str, str]:
    """Map each part of an embedder to its fingerprint, in the order of their encodings.

    A fingerprint of no known embedder is taken for dlib_resnet's.

    >>> split_fingerprint("both:dlib_resnet:1+sface:2")
    {'dlib_resnet': 'dlib_resnet:1', 'sface': 'sface:2'}
    """
    name, _, inside = fingerprint.partition(":")
    parts = inside.split("+") if name in joined_embedders() else [fingerprint]
    # The keys are the menu's own strings: a pickle with two equal strings differs from one with the same
    # string twice.
    names = encodings_keys()
    whose = {part: embedder_from_fingerprint(part) for part in parts}
    return {next((one for one in names if one == whose[part]), DLIB_RESNET): part for part in parts}
