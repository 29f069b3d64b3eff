"""Encodings that are not a person's: of faces marked as not theirs, and of people who are ignored."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from face_det.embedders import (
    DLIB_RESNET,
    EMBEDDERS,
    DistanceThresholds,
    distance_thresholds,
    embedder_from_fingerprint,
    split_fingerprint,
)
from face_det.recognition.model import Model
from face_det.types import Encodings

MIN_NEGATIVE_QUALITY = 0.7
"""A negative of lower quality counts only for faces that are nearly the same, such as the next frames.

Blurred faces look like each other, whoever they are: blurred negatives of 188 strangers took the name from 67
of 99 blurred photos of 40 people, and those of this quality from 11. No clear photo lost its name to any."""

NOT_REFUTED, MARKED, IGNORED = 0, 1, 2
"""What Comparison.refute finds: nothing, a face marked as not this person's, or somebody who is ignored."""

MAX_COMPARED_AT_ONCE = 1000
"""So many negatives are compared with all others at once, to bound the memory."""

Qualities = Sequence[float | None]


@dataclass(frozen=True, eq=False, slots=True)
class _Group:
    """Encodings in the order they came, shape (k, d), and their qualities, shape (k,)."""

    encodings: Encodings
    qualities: npt.NDArray[np.float64]

    @classmethod
    def of(cls, encodings: Encodings, qualities: Qualities | None) -> _Group | None:
        """Leave out zeros and what is not finite, which cannot be compared. None if nothing is left."""
        rows = np.asarray(encodings, np.float64)
        if rows.ndim != 2 or not rows.size:
            return None
        given = [None] * len(rows) if qualities is None else qualities
        known = [1.0 if one is None else one for one in given]
        kept = np.isfinite(rows).all(axis=1) & rows.any(axis=1)
        return cls(rows[kept], np.array(known, np.float64)[kept]) if kept.any() else None


@dataclass(frozen=True, eq=False, slots=True)
class _Ready:
    """A group made ready for comparison: encodings of length 1, shape (k, d), float32.

    `reach` (k,) is the squared distance within which each counts, and `gate` the one within which it counts
    for a person of whom the model knows no photo.
    """

    units: npt.NDArray[np.float32]
    reach: npt.NDArray[np.float64]
    gate: float

    @classmethod
    def of(cls, group: _Group, columns: slice, distances: DistanceThresholds) -> _Ready:
        # Only here: it needs scipy.sparse, which takes a while to import.
        from face_det.classifiers import burst_distance, mean_norm

        rows = group.encodings[:, columns]
        nearly_the_same = burst_distance(rows, distances) ** 2
        gate = (distances.gate_distance / mean_norm(rows)) ** 2
        units = _units(rows)
        centres = _centres(units[group.qualities >= MIN_NEGATIVE_QUALITY], gate)
        reach = np.repeat([np.inf, nearly_the_same], [len(centres), len(units)])
        return cls(np.vstack([centres, units]).astype(np.float32), reach, gate)


@dataclass(frozen=True, eq=False, slots=True)
class _Prepared:
    """Negatives ready for encodings of one embedder, of which `columns` are compared."""

    columns: slice
    marked: Mapping[str, _Ready]
    ignored: _Ready | None


@dataclass(frozen=True, eq=False)
class Negatives:
    """Encodings that are not a person's: each of one name, or of every name (ignored people). Never changes.

    A negative n takes the name P from a face x if x is more like n than like P, and not only because n itself
    is so much like P: if d(x, n)^2 < d(x, P) min(d(x, P), d(n, P)), where d is the distance of two encodings
    of length 1, and P is the template of the person's photos. n is the mean of negatives that are near enough
    to show one person, or a single one if x is nearly the same.

    A mistake costs little: if photos of Anna are marked as not Anna, 6 % of her other photos lose their name
    after one such mistake, and 4 to 10 % after five. If d(x, n) < d(x, P) alone decided, it would be a
    quarter to a half. docs/adr/0022-not-me-is-a-negative-example.md has the figures.

    A model without templates or support vectors, such as the original's xgb, cannot say how much a face is
    like P. There a negative counts if it is nearer than the embedder's gate distance, and a mistake costs
    most of the person's photos.

    >>> negatives = Negatives.of({"Anna": np.eye(2, 128)}, fingerprint="sface:1")
    >>> bool(negatives), negatives.compares_with("sface:2"), bool(NO_NEGATIVES)
    (True, False, False)
    """

    fingerprint: str
    """The fingerprint of the embedder that made the encodings."""
    by_name: Mapping[str, _Group]
    everyone: _Group | None
    _prepared: dict[str | None, _Prepared | None] = field(default_factory=dict, repr=False)
    """By the fingerprint of the encodings to compare with: the same few for as long as this lives."""

    @classmethod
    def of(
        cls,
        by_name: Mapping[str, Encodings],
        everyone: Encodings | None = None,
        *,
        fingerprint: str,
        qualities: Mapping[str, Qualities] | None = None,
        everyone_qualities: Qualities | None = None,
    ) -> Negatives:
        """Collect negatives: `by_name` has encodings, shape (k, d), of each name, `everyone` those of all.

        `qualities` and `everyone_qualities` have the Face.quality of each; None stands for a good one.
        Encodings that cannot be compared (zeros, NaN) are left out.
        """
        groups = {
            name: group
            for name, encodings in by_name.items()
            if (group := _Group.of(encodings, (qualities or {}).get(name))) is not None
        }
        ignored = None if everyone is None else _Group.of(everyone, everyone_qualities)
        return cls(fingerprint, groups, ignored)

    def __bool__(self) -> bool:
        """False if there are none."""
        return bool(self.by_name) or self.everyone is not None

    def compares_with(self, fingerprint: str | None) -> bool:
        """Return whether these are compared with encodings of that fingerprint; otherwise they are ignored.

        They are if both embedders contain the same network: those of `sface` with encodings of `both`, too.
        """
        return self._prepare(fingerprint) is not None

    def compare(self, model: Model) -> Comparison | None:
        """Return what to ask about faces that `model` decides on; None if there is nothing to compare."""
        prepared = self._prepare(model.card.fingerprint) if self else None
        return None if prepared is None else Comparison(prepared, model)

    def _prepare(self, fingerprint: str | None) -> _Prepared | None:
        if fingerprint not in self._prepared:
            self._prepared[fingerprint] = self._make_ready(fingerprint)
        return self._prepared[fingerprint]

    def _make_ready(self, fingerprint: str | None) -> _Prepared | None:
        ours = split_fingerprint(self.fingerprint)
        # A model of the original does not say which network it takes; it is always dlib's.
        theirs: dict[str, Any] = (
            {DLIB_RESNET: None} if fingerprint is None else split_fingerprint(fingerprint)
        )
        common = [part for part in theirs if part in ours and theirs[part] in (None, ours[part])]
        if len(common) < len(theirs) or _columns(ours, common) is None:
            common = common[:1]  # thresholds are known of all of a joined embedder or of one part
        embedder = embedder_from_fingerprint(fingerprint) if len(common) > 1 else "".join(common)
        here, there = _columns(ours, common), _columns(theirs, common)
        width = sum(EMBEDDERS[part].dimensions for part in ours)
        if here is None or there is None or not _has_thresholds(embedder):
            return None
        distances = distance_thresholds(embedder)
        ready = {
            name: _Ready.of(group, here, distances)
            for name, group in (*self.by_name.items(), (None, self.everyone))
            if group is not None and group.encodings.shape[1] == width
        }
        ignored = ready.pop(None, None)
        marked = {name: group for name, group in ready.items() if name is not None}
        return _Prepared(there, marked, ignored) if marked or ignored else None


NO_NEGATIVES = Negatives.of({}, fingerprint="")
"""Nothing to compare, which costs nothing."""


@dataclass(frozen=True, eq=False, slots=True)
class Comparison:
    """Compares faces that one model decides on with negatives, see Negatives."""

    prepared: _Prepared
    model: Model

    def refute(self, encodings: Encodings, person: int) -> npt.NDArray[np.int8]:
        """Return what says that each face, shape (n, d), is not the person in that column: shape (n,).

        It is NOT_REFUTED, MARKED or IGNORED; whatever has another shape than the model's encodings is never
        refuted.
        """
        found = np.zeros(len(encodings), np.int8)
        marked = self.prepared.marked.get(self.model.labels[person])
        for what, group in ((IGNORED, self.prepared.ignored), (MARKED, marked)):
            if group is not None:
                found[self._nearer(encodings[:, self.prepared.columns], person, group)] = what
        return found

    def _nearer(self, encodings: Encodings, person: int, group: _Ready) -> npt.NDArray[np.bool_]:
        """Return for each face whether it is nearer to any of the negatives than the rule allows."""
        if encodings.shape[1] != group.units.shape[1]:
            return np.zeros(len(encodings), np.bool_)
        faces = _units(encodings).astype(np.float32)
        squares = _squared_distances(faces, group.units.T)
        template = _template_of(self.model, person)
        if template is None:
            return np.asarray((squares < np.minimum(group.gate, group.reach)).any(axis=1))
        own = _units(template[self.prepared.columns]).astype(np.float32)
        to_own = _squared_distances(faces, own)
        face, negative = np.nonzero(squares < np.minimum(to_own[:, None], group.reach))
        between = np.sqrt(to_own[face] * _squared_distances(group.units[negative], own))
        refuted = np.zeros(len(faces), np.bool_)
        refuted[face[squares[face, negative] < between]] = True
        return refuted


def _template_of(model: Model, person: int) -> Encodings | None:
    """Return the middle of a person's photos, shape (d,), as far as the model knows it.

    The templates know it; a support vector machine, such as the original's, keeps most of the photos.
    """
    if model.verifier is not None:
        template: Encodings = model.verifier.template.templates_[person]
        return template if template.any() else None
    classes = np.asarray(model.classifier.classes_)
    counts = getattr(model.classifier, "n_support_", None)
    vectors = np.asarray(getattr(model.classifier, "support_vectors_", ()))
    at = np.flatnonzero(classes == person)
    if counts is None or vectors.ndim != 2 or len(counts) != len(classes) or len(at) != 1:
        return None
    first = int(np.sum(counts[: at[0]]))
    photos = vectors[first : first + int(counts[at[0]])]
    return _units(photos).mean(axis=0) if len(photos) else None


def _units(encodings: Encodings) -> Encodings:
    lengths = np.linalg.norm(encodings, axis=-1, keepdims=True)
    units: Encodings = encodings / np.where(lengths > 0, lengths, 1.0)
    return units


def _squared_distances(units: npt.NDArray[Any], others: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """Return the squared distances of encodings of length 1, shapes (n, d) and (d, k) or (d,)."""
    squares: npt.NDArray[Any] = np.maximum(2.0 - 2.0 * (units @ others), 0.0)
    return squares


def _centres(units: Encodings, gate: float) -> Encodings:
    """Return for each encoding, shape (k, d), the mean of those within a squared distance, scaled to 1."""
    centres = np.empty_like(units)
    for start in range(0, len(units), MAX_COMPARED_AT_ONCE):
        some = slice(start, start + MAX_COMPARED_AT_ONCE)
        centres[some] = (_squared_distances(units[some], units.T) <= gate) @ units
    return _units(centres)


def _columns(parts: Mapping[str, Any], wanted: Sequence[str]) -> slice | None:
    """Return where the wanted parts stand, side by side, in the encodings of an embedder with these parts."""
    names = list(parts)
    if not wanted or wanted[0] not in names:
        return None
    first = names.index(wanted[0])
    if names[first : first + len(wanted)] != list(wanted):
        return None
    start = sum(EMBEDDERS[part].dimensions for part in names[:first])
    return slice(start, start + sum(EMBEDDERS[part].dimensions for part in wanted))


def _has_thresholds(embedder: str) -> bool:
    return embedder in EMBEDDERS and EMBEDDERS[embedder].thresholds is not None
