"""The gallery: the encoding of every enrolled photo, and the name of the person in it.

Every photo has dlib_resnet's 128 numbers. The 128 numbers of dlib_views and of sface are there only
if all photos have them.
"""

from __future__ import annotations

import functools
import logging
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from face_det.embedders import (
    DLIB_AND_SFACE,
    DLIB_RESNET,
    SFACE,
    count_dimensions,
    encodings_keys,
    join_fingerprints,
    on_demand_embedders,
    split_fingerprint,
)
from face_det.errors import BadEncodings, ModelMismatch
from face_det.gallery import encodings_file
from face_det.gallery.encodings_file import RUN_ENCODE
from face_det.types import Encodings

log = logging.getLogger(__name__)

LARGEST_COMPONENT = 1000.0
"""Components of an encoding are about 1; one larger than this is damaged and would overflow later."""


class Gallery:
    """Read-only encodings, and the name of the person for each.

    `encodings` are dlib_resnet's, shape (n, 128), or a mapping from embedder to encodings that
    includes dlib_resnet's. `made_by` maps each embedder to the fingerprint of its network; files of
    the original program have none. Raises BadEncodings for a wrong shape or length, or a number that
    is not finite.

    >>> gallery = Gallery(np.zeros((2, 128)), ["anna", "bob"])
    >>> gallery.plus("anna", np.ones(128)).names
    ('anna', 'bob', 'anna')
    """

    def __init__(
        self,
        encodings: npt.ArrayLike | Mapping[str, npt.ArrayLike],
        names: Sequence[str],
        made_by: Mapping[str, str] | None = None,
    ) -> None:
        given = encodings if isinstance(encodings, Mapping) else {DLIB_RESNET: encodings}
        keys = encodings_keys()
        if DLIB_RESNET not in given or not given.keys() <= keys.keys():
            others = " and ".join(name for name in keys if name != DLIB_RESNET)
            raise BadEncodings(
                f"encodings: must be those of {DLIB_RESNET}, and perhaps {others}, got {[*given]}"
            )
        self._encodings = {
            name: _check_rows(key, given[name], (len(names), count_dimensions(name)))
            for name, key in keys.items()
            if name in given
        }
        self._names = tuple(names)
        self._fingerprints = {name: text for name, text in (made_by or {}).items() if name in given}

    @classmethod
    def empty(cls) -> Gallery:
        """Return a gallery with nobody in it.

        >>> Gallery.empty().people
        ()
        """
        return cls(np.empty((0, count_dimensions(DLIB_RESNET))), ())

    @classmethod
    def from_rows(cls, rows: Sequence[npt.ArrayLike], names: Sequence[str], fingerprint: str) -> Gallery:
        """Return the gallery of encodings that one embedder made.

        Each row joins the encodings of the embedders that `fingerprint` names.
        Raises BadEncodings for rows of another length.

        >>> Gallery.from_rows([np.zeros(128)], ["anna"], "dlib_resnet:1").embedders
        ('dlib_resnet',)
        """
        if not len(rows):
            return cls.empty()
        made_by = split_fingerprint(fingerprint)
        return cls(_split_columns(np.array(rows, dtype=np.float64), made_by), names, made_by)

    @classmethod
    def load(cls, path: Path) -> Gallery:
        """Return the gallery in the file encodings.pickle; an empty one if there is no file.

        Raises BadEncodings, UnsafePickle and DataError as `read_encodings` does.

        >>> Gallery.load(Path("no such file")).names
        ()
        """
        content = encodings_file.read_encodings(path)
        if content is None:
            return cls.empty()
        try:
            return cls(content.encodings, content.names, content.fingerprints)
        except BadEncodings as error:
            raise BadEncodings(f"{path}: {error}") from error

    @property
    def names(self) -> tuple[str, ...]:
        """The name of the person in each photo, in the order of the rows."""
        return self._names

    @property
    def people(self) -> tuple[str, ...]:
        """Each name once, sorted."""
        return tuple(sorted(set(self._names)))

    @property
    def embedders(self) -> tuple[str, ...]:
        """The embedders whose encodings it holds: dlib_resnet, and perhaps dlib_views, sface and both."""
        return (*self._encodings, DLIB_AND_SFACE) if SFACE in self._encodings else (*self._encodings,)

    @property
    def encodings(self) -> Encodings:
        """dlib_resnet's encodings, shape (n, 128)."""
        return self._encodings[DLIB_RESNET]

    def require(self, embedder: str) -> None:
        """Raise BadEncodings if it does not hold the encodings of `embedder`."""
        if embedder not in self.embedders:
            advice = RUN_ENCODE
            if embedder in on_demand_embedders():
                advice = (
                    f"run 'face-det encode --embedder {embedder}', or set embedder in config.json and encode"
                )
            raise BadEncodings(
                f"encodings: must hold those of {embedder} for every photo, "
                f"got those of {', '.join(self.embedders)}; {advice}"
            )

    def of(self, embedder: str) -> Encodings:
        """Return the encodings of one embedder, shape (n, 128), or (n, 256) for `both`.

        Raises BadEncodings if it does not hold them.

        >>> Gallery(np.zeros((2, 128)), ["anna", "bob"]).of("dlib_resnet").shape
        (2, 128)
        """
        self.require(embedder)
        if embedder != DLIB_AND_SFACE:
            return self._encodings[embedder]
        joined = np.hstack([self._encodings[DLIB_RESNET], self._encodings[SFACE]])
        joined.flags.writeable = False
        return joined

    def fingerprint_of(self, embedder: str) -> str | None:
        """Return the fingerprint of the network that made an embedder's encodings.

        If none was recorded, it is None for dlib_resnet, and the embedder's bare name for the others.
        The bare name matches no network: encodings without a fingerprint are taken for dlib_resnet's,
        and those of the other embedders are not.

        >>> Gallery.empty().fingerprint_of("sface")
        'sface'
        """
        recorded = self._fingerprints.get(embedder)
        if embedder == DLIB_AND_SFACE and {DLIB_RESNET, SFACE} <= self._fingerprints.keys():
            recorded = join_fingerprints(
                DLIB_AND_SFACE, self._fingerprints[DLIB_RESNET], self._fingerprints[SFACE]
            )
        return recorded if recorded is not None or embedder == DLIB_RESNET else embedder

    def plus(self, name: str, encoding: npt.ArrayLike, fingerprint: str | None = None) -> Gallery:
        """Return the gallery with one more encoding.

        The encoding joins those of the embedders that `fingerprint` names, and is dlib_resnet's
        if there is no fingerprint. Encodings of other embedders are kept only while all photos have
        them. Raises ModelMismatch if the gallery's encodings were made by another network, BadEncodings
        for a wrong shape.

        >>> Gallery.empty().plus("anna", np.zeros(128)).names
        ('anna',)
        """
        row = np.asarray(encoding, dtype=np.float64)
        known = {} if fingerprint is None else split_fingerprint(fingerprint)
        new = _split_columns(row.reshape(1, -1), known)
        if not self._names:
            return Gallery(new, (name,), known)
        for embedder in new.keys() & self._fingerprints.keys() & known.keys():
            if self._fingerprints[embedder] != known[embedder]:
                raise ModelMismatch(
                    f"encodings: must all be of {self._fingerprints[embedder]}, "
                    f"got one of {known[embedder]}; {RUN_ENCODE}"
                )
        for embedder in new.keys() ^ self._encodings.keys():
            _warn_dropped(embedder, embedder in new)
        kept = [embedder for embedder in self._encodings if embedder in new]
        encodings = {embedder: np.vstack([self._encodings[embedder], new[embedder]]) for embedder in kept}
        return Gallery(encodings, (*self._names, name), {**known, **self._fingerprints})

    def without(self, name: str) -> Gallery:
        """Return the gallery without the encodings of one person.

        >>> Gallery(np.zeros((2, 128)), ["anna", "bob"]).without("anna").names
        ('bob',)
        """
        return self.rows(index for index, other in enumerate(self._names) if other != name)

    def renamed(self, indices: Iterable[int], name: str) -> Gallery:
        """Return the gallery with the rows of these indices under another name.

        >>> Gallery(np.zeros((2, 128)), ["anna", "bob"]).renamed([1], "carl").names
        ('anna', 'carl')
        """
        chosen = set(indices)
        names = [name if index in chosen else owner for index, owner in enumerate(self._names)]
        return Gallery(self._encodings, names, self._fingerprints)

    def joined(self, other: Gallery) -> Gallery | None:
        """Return the gallery with the rows of another one after its own; None if other networks made them.

        >>> anna, bob = (Gallery(np.zeros((1, 128)), [name]) for name in ("anna", "bob"))
        >>> anna.joined(bob).names
        ('anna', 'bob')
        """
        if not (self._names and other._names):
            return self if self._names else other
        if self._fingerprints != other._fingerprints or self._encodings.keys() != other._encodings.keys():
            return None
        pairs = {name: (mine, other._encodings[name]) for name, mine in self._encodings.items()}
        encodings = {name: np.vstack(pair) for name, pair in pairs.items()}
        return Gallery(encodings, (*self._names, *other._names), self._fingerprints)

    def holds(self, name: str, encoding: npt.ArrayLike) -> bool:
        """Return True if this photo of the person is there, judged by the first network's encoding."""
        return bool(self.rows_of_photo(name, encoding))

    def without_photo(self, name: str, encoding: npt.ArrayLike) -> Gallery:
        """Return the gallery without this photo of the person; see `holds`."""
        leaving = self.rows_of_photo(name, encoding)
        return self.rows(index for index in range(len(self.names)) if index not in leaving)

    def rows_of_photo(self, name: str, encoding: npt.ArrayLike) -> set[int]:
        """Return the rows of this photo of the person; see `holds`."""
        first = np.asarray(encoding)[: self.encodings.shape[1]]
        rows = zip(self.encodings, self.names, strict=True)
        return {
            index
            for index, (row, owner) in enumerate(rows)
            if owner == name and np.allclose(row, first, atol=1e-9)
        }

    def rows(self, kept: Iterable[int]) -> Gallery:
        """Return the gallery of the rows with these indices, in this order.

        >>> Gallery(np.zeros((3, 128)), ["anna", "bob", "carl"]).rows([2, 0]).names
        ('carl', 'anna')
        """
        chosen = list(kept)
        return Gallery(
            {embedder: encodings[chosen] for embedder, encodings in self._encodings.items()},
            tuple(self._names[index] for index in chosen),
            self._fingerprints,
        )

    def dumps(self) -> bytes:
        """Return the gallery as the bytes of encodings.pickle, which the original's scripts can read too.

        >>> import pickle
        >>> pickle.loads(Gallery(np.zeros((1, 128)), ["anna"]).dumps())["names"]
        ['anna']
        """
        return encodings_file.dump_encodings(
            encodings_file.EncodingsContent(self._encodings, self._names, self._fingerprints)
        )


@functools.cache
def _warn_dropped(embedder: str, in_new: bool) -> None:
    """Warn once, rather than with every photo."""
    which = "the photos before it have" if in_new else "the new photo has"
    log.warning("%s: %s no encodings, so none are kept; %s", embedder, which, RUN_ENCODE)


def _split_columns(rows: Encodings, made_by: Mapping[str, str]) -> dict[str, Encodings]:
    """The columns of each embedder; all are dlib_resnet's if there are no fingerprints."""
    parts = [*made_by] or [DLIB_RESNET]
    dimensions = sum(map(count_dimensions, parts))
    if rows.ndim != 2 or rows.shape[1] != dimensions:
        numbers = f"{dimensions} numbers ({', '.join(parts)})"
        raise BadEncodings(f"encoding: must be {numbers}, got shape {rows.shape[1:]}")
    return {name: rows[:, part] for name, part in encodings_file.locate_columns(parts).items()}


def _check_rows(key: str, given: npt.ArrayLike, shape: tuple[int, int]) -> Encodings:
    """A read-only copy; BadEncodings if it is not of that shape, or not of finite numbers about 1."""
    count, dimensions = shape
    encodings = np.array(given, dtype=np.float64)
    if encodings.ndim != 2 or encodings.shape[1] != dimensions:
        raise BadEncodings(f"{key}: must have shape (n, {dimensions}), got {encodings.shape}")
    if len(encodings) != count:
        raise BadEncodings(f"must have a name for each encoding, got {count} for {len(encodings)}")
    for index in np.flatnonzero(~np.isfinite(encodings).all(axis=1))[:1]:
        raise BadEncodings(f"{key}[{index}]: must be finite numbers, got NaN or infinity")
    for index in np.flatnonzero(np.abs(encodings).max(axis=1, initial=0) > LARGEST_COMPONENT)[:1]:
        raise BadEncodings(
            f"{key}[{index}]: must be numbers about 1, got one of {np.abs(encodings[index]).max():g}"
        )
    encodings.flags.writeable = False
    return encodings
