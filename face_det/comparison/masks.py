"""What a mask does to encodings: a map of faces with and without, and how often people are still named.

The masks are drawn on the photos, by landmarks: a picture of a real mask would look different, and hide
about as much.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from face_det.comparison.journal import Journal
from face_det.comparison.recognisers import EncodedDataset, RecogniserSettings, measure_kept
from face_det.embedders import GREY
from face_det.evaluation import (
    FEWEST_MAP_POINTS,
    OpenSetCounts,
    Proportion,
    RecognitionSettings,
    draw_embedding_map,
    embedding_columns,
)
from face_det.recognition import DecisionRule
from face_det.storage import write_atomically
from face_det.training import MASKED_CHANGE, TEMPLATE_RECIPE
from face_det.types import Encodings

MAP_PEOPLE = 25
"""The maps show the people with the most photos, at most so many."""
MAP_FORMAT = 1
"""Raise this when maps are drawn differently."""


@dataclass(frozen=True, eq=False)
class MaskResult:
    """An embedder's encodings of faces with and without a drawn mask.

    `nearest` says how often the nearest other photo without a mask shows the same person: of faces without,
    and with. The counts are of templates: enrolled without masks and tested without, with; then with a masked
    copy of each photo enrolled as well. The maps are PNGs, None with too few photos.
    """

    embedder: str
    nearest: tuple[Proportion, Proportion]
    bare: OpenSetCounts | None
    masked: OpenSetCounts | None
    learnt_bare: OpenSetCounts | None
    learnt_masked: OpenSetCounts | None
    map_bare: bytes | None
    map_masked: bytes | None


def compare_masks(
    dataset: EncodedDataset,
    settings: RecogniserSettings,
    journal: Journal,
    parts: Path,
    on_progress: Callable[[str, int, int], None],
) -> Iterator[MaskResult]:
    """Yield a result for each embedder but `grey`, which no template learns from."""
    embedders = [name for name in dataset.embedders if name != GREY]
    for done, name in enumerate(embedders):
        on_progress("masks", done, len(embedders))
        asked = RecognitionSettings(
            TEMPLATE_RECIPE, name, DecisionRule(), settings.false_accept_rate, thorough=False
        )

        def count(probes: str, *enrolled: str, rule: RecognitionSettings = asked) -> OpenSetCounts | None:
            measured = measure_kept(dataset.encoded(probes=probes, enrolled=enrolled), rule, journal)
            return None if "missing" in measured else OpenSetCounts(**measured["counts"])

        names, bare, masked = _pairs(dataset, name)
        yield MaskResult(
            name,
            nearest_shares(names, bare, masked),
            count("", ""),
            count(MASKED_CHANGE, ""),
            count("", "", MASKED_CHANGE),
            count(MASKED_CHANGE, "", MASKED_CHANGE),
            *_maps(names, bare, masked, parts),
        )
    on_progress("masks", len(embedders), len(embedders))


def _pairs(dataset: EncodedDataset, embedder: str) -> tuple[list[str], Encodings, Encodings]:
    """Return the names and encodings of all photos of known people with a face, without and with a mask.

    Photos in which no face is found behind the mask are left out.
    """
    columns = embedding_columns(dataset.fingerprint)[embedder]
    names, bare, masked = [], [], []
    for photo in dataset.split.photos:
        one = dataset.outcomes[photo.path, ""].encoding
        other = dataset.outcomes[photo.path, MASKED_CHANGE].encoding
        if photo.name is not None and one is not None and other is not None:
            names.append(photo.name)
            bare.append(one[columns])
            masked.append(other[columns])
    shape = (-1, len(columns))
    return names, np.array(bare).reshape(shape), np.array(masked).reshape(shape)


def nearest_shares(names: list[str], bare: Encodings, masked: Encodings) -> tuple[Proportion, Proportion]:
    """Return how often the nearest other photo without a mask shows the same person.

    The first is of faces without a mask, the second of faces with one. Only people with several photos count.

    >>> bare = np.array([[0.0], [1.0], [8.0], [9.0]])
    >>> shares = nearest_shares(["Ann", "Ann", "Bob", "Bob"], bare, bare - 5)
    >>> [share.count for share in shares]
    [4, 2]
    """
    counts = Counter(names)
    rows = [row for row, name in enumerate(names) if counts[name] > 1]
    people = np.array(names, dtype=object)

    def share(probes: Encodings) -> Proportion:
        right = 0
        for row in rows:
            distances = np.linalg.norm(bare - probes[row], axis=1)
            distances[row] = np.inf
            right += int(people[int(distances.argmin())] == people[row])
        return Proportion(right, len(rows))

    return share(bare), share(masked)


def _maps(
    names: list[str], bare: Encodings, masked: Encodings, parts: Path
) -> tuple[bytes | None, bytes | None]:
    """Return the map of the faces without masks, and that of all."""
    most = {name for name, _ in Counter(names).most_common(MAP_PEOPLE)}
    rows = [row for row, name in enumerate(names) if name in most]
    if len(rows) < FEWEST_MAP_POINTS:
        return None, None
    shown = [names[row] for row in rows]
    both = np.vstack([bare[rows], masked[rows]])
    hidden = np.arange(len(both)) >= len(rows)
    return (
        _draw_kept(shown, bare[rows], hidden[: len(rows)], parts),
        _draw_kept([*shown, *shown], both, hidden, parts),
    )


def _draw_kept(names: list[str], encodings: Encodings, masked: npt.NDArray[np.bool_], parts: Path) -> bytes:
    """Draw a map, unless `parts` has it."""
    text = repr((MAP_FORMAT, names, masked.tolist())).encode()
    path = parts / f"map-{hashlib.sha256(text + encodings.tobytes()).hexdigest()[:16]}.png"
    if path.is_file():
        return path.read_bytes()
    drawn = draw_embedding_map(encodings, names, masked)
    write_atomically(path, drawn)
    return drawn
