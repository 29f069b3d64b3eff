"""The encodings of everybody, and whose they are.

dlib's 128 numbers of every photo; and those of several views, and sface's 128, where they are known
of every photo too.
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
    DLIB_VIEWS,
    ENCODINGS_KEYS,
    SFACE,
    join_fingerprints,
    split_fingerprint,
)
from face_det.errors import BadEncodings, ModelMismatch
from face_det.gallery import encodings_file
from face_det.gallery.encodings_file import ENCODING_DIMENSIONS, RUN_ENCODE
from face_det.types import Encodings

log = logging.getLogger(__name__)

LARGEST_COMPONENT = 1000.0
"""Numbers of encodings are about 1: what is beyond this was never one, and overflows sooner or later."""


class Gallery:
    """Encodings, read-only, and to each the name of its person.

    `encodings` is dlib's, shape (n, 128), or dlib's and others', by name. `made_by` are the
    fingerprints of the networks, by name; what the original wrote has none. Raises BadEncodings if
    shapes or lengths do not fit, or a number is not finite.
    """

    def __init__(
        self,
        encodings: npt.ArrayLike | Mapping[str, npt.ArrayLike],
        names: Sequence[str],
        made_by: Mapping[str, str] | None = None,
    ) -> None:
        given = encodings if isinstance(encodings, Mapping) else {DLIB_RESNET: encodings}
        if DLIB_RESNET not in given or not given.keys() <= ENCODINGS_KEYS.keys():
            others = f"{DLIB_VIEWS} and {SFACE}"
            raise BadEncodings(
                f"encodings: must be those of {DLIB_RESNET}, and perhaps {others}, got {[*given]}"
            )
        ordered = [name for name in ENCODINGS_KEYS if name in given]
        self._encodings = {
            name: _check_rows(ENCODINGS_KEYS[name], given[name], len(names)) for name in ordered
        }
        self._names = tuple(names)
        self._fingerprints = {name: text for name, text in (made_by or {}).items() if name in given}

    @classmethod
    def empty(cls) -> Gallery:
        """Nobody."""
        return cls(np.empty((0, ENCODING_DIMENSIONS)), ())

    @classmethod
    def from_rows(cls, rows: Sequence[npt.ArrayLike], names: Sequence[str], fingerprint: str) -> Gallery:
        """What one embedder made: rows of 128 numbers for each part that its fingerprint names."""
        if not len(rows):
            return cls.empty()
        made_by = split_fingerprint(fingerprint)
        return cls(_split_columns(np.array(rows, dtype=np.float64), made_by), names, made_by)

    @classmethod
    def load(cls, path: Path) -> Gallery:
        """The gallery in encodings.pickle; empty if there is none. Raises as encodings_file.read does."""
        content = encodings_file.read_encodings(path)
        if content is None:
            return cls.empty()
        try:
            return cls(content.encodings, content.names, content.fingerprints)
        except BadEncodings as error:
            raise BadEncodings(f"{path}: {error}") from error

    @property
    def names(self) -> tuple[str, ...]:
        """Whose each encoding is."""
        return self._names

    @property
    def people(self) -> tuple[str, ...]:
        """Everybody's name once, sorted."""
        return tuple(sorted(set(self._names)))

    @property
    def embedders(self) -> tuple[str, ...]:
        """Whose encodings it holds: dlib_resnet, and perhaps dlib_views, sface and both."""
        return (*self._encodings, DLIB_AND_SFACE) if SFACE in self._encodings else (*self._encodings,)

    @property
    def encodings(self) -> Encodings:
        """dlib's, shape (n, 128)."""
        return self._encodings[DLIB_RESNET]

    def require(self, embedder: str) -> None:
        """BadEncodings if it lacks an embedder's encodings."""
        if embedder not in self.embedders:
            raise BadEncodings(
                f"encodings: must hold those of {embedder} for every photo, "
                f"got those of {', '.join(self.embedders)}; {RUN_ENCODE}"
            )

    def of(self, embedder: str) -> Encodings:
        """An embedder's encodings, shape (n, 128), or (n, 256) of `both`; BadEncodings if it has none."""
        self.require(embedder)
        if embedder != DLIB_AND_SFACE:
            return self._encodings[embedder]
        joined = np.hstack([self._encodings[DLIB_RESNET], self._encodings[SFACE]])
        joined.flags.writeable = False
        return joined

    def fingerprint_of(self, embedder: str) -> str | None:
        """Which network made an embedder's encodings; None of dlib's if that was not noted.

        Of the others it is then the bare name, which fits no network: what has no fingerprint is
        taken for dlib's, and these must not be.
        """
        noted = self._fingerprints.get(embedder)
        if embedder == DLIB_AND_SFACE and {DLIB_RESNET, SFACE} <= self._fingerprints.keys():
            noted = join_fingerprints(
                DLIB_AND_SFACE, self._fingerprints[DLIB_RESNET], self._fingerprints[SFACE]
            )
        return noted if noted is not None or embedder == DLIB_RESNET else embedder

    def plus(self, name: str, encoding: npt.ArrayLike, fingerprint: str | None = None) -> Gallery:
        """The gallery with one encoding more, of 128 numbers for each part that `fingerprint`, its
        embedder's, names: dlib's without it.

        Others' than dlib's are kept while all photos have them. ModelMismatch if the photos' were made
        by another network.
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
        """The gallery without a person's encodings."""
        return self.rows(index for index, other in enumerate(self._names) if other != name)

    def rows(self, kept: Iterable[int]) -> Gallery:
        """The gallery of these encodings only, by their numbers and in their order."""
        chosen = list(kept)
        return Gallery(
            {embedder: encodings[chosen] for embedder, encodings in self._encodings.items()},
            tuple(self._names[index] for index in chosen),
            self._fingerprints,
        )

    def dumps(self) -> bytes:
        """The content of encodings.pickle, which the original's scripts read as well."""
        return encodings_file.dump_encodings(
            encodings_file.EncodingsContent(self._encodings, self._names, self._fingerprints)
        )


@functools.cache
def _warn_dropped(embedder: str, in_new: bool) -> None:
    """Once: it would be said with every photo."""
    which = "the photos before it" if in_new else "the new one"
    log.warning("%s's numbers are not known of %s, so they are not kept; %s", embedder, which, RUN_ENCODE)


def _split_columns(rows: Encodings, made_by: Mapping[str, str]) -> dict[str, Encodings]:
    """By embedder, 128 columns each; all dlib's where nothing is known of them."""
    parts = [*made_by] or [DLIB_RESNET]
    if rows.ndim != 2 or rows.shape[1] != ENCODING_DIMENSIONS * len(parts):
        numbers = f"{ENCODING_DIMENSIONS * len(parts)} numbers ({', '.join(parts)})"
        raise BadEncodings(f"encoding: must be {numbers}, got shape {rows.shape[1:]}")
    return {name: rows[:, part] for name, part in encodings_file.locate_columns(parts).items()}


def _check_rows(key: str, given: npt.ArrayLike, count: int) -> Encodings:
    """A copy that nobody can change."""
    encodings = np.array(given, dtype=np.float64)
    if encodings.ndim != 2 or encodings.shape[1] != ENCODING_DIMENSIONS:
        raise BadEncodings(f"{key}: must have shape (n, {ENCODING_DIMENSIONS}), got {encodings.shape}")
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
