"""The people of a video: the tracks of one person become one entry."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from face_det.tracking.tracks import Track, Vector
from face_det.training import ClusterParameters, cluster_parameters
from face_det.types import Candidate, Outcome, Reason

FOUNDING_QUALITY = 0.5
"""A track whose best face has this quality may found an unknown person. A single face needs more, which the
mean of several makes up for; backs of heads reach 0.02."""


@dataclass(frozen=True, eq=False, slots=True)
class VideoPerson:
    """A person in a video.

    `label` is the name or, for strangers, `unknown-1` and so on, in the order in which they appear. `frames`
    is the number of frames of all tracks. `probability` (0..1) is that of the name; None without one.
    """

    label: str
    name: str | None
    tracks: tuple[Track, ...]
    first_s: float
    last_s: float
    frames: int
    probability: float | None
    best: Track


@dataclass(eq=False, slots=True)
class _Group:
    """Tracks of one person, and the sum of the encodings of those that were seen clearly."""

    tracks: list[Track]
    name: str | None = None
    count: int = 0
    sum: Vector | None = None
    barred: set[int] = field(default_factory=set)
    """The numbers of tracks that are somebody else's."""

    def bars(self, other: _Group) -> bool:
        """Tell whether both were seen in one frame, or have different names."""
        named_apart = self.name is not None and other.name is not None and self.name != other.name
        return named_apart or any(track.number in self.barred for track in other.tracks)

    def absorb(self, other: _Group) -> None:
        """Take the other's tracks."""
        self.tracks += other.tracks
        self.name = self.name if self.name is not None else other.name
        if other.count and other.sum is not None:
            # What was never seen clearly counts only until something else is known.
            self.sum = other.sum if not self.count or self.sum is None else self.sum + other.sum
        self.count += other.count
        self.barred |= other.barred


_Likeness = Callable[[_Group, Sequence[_Group]], Vector]
"""How surely a group is one person with each of others: it is from 0 on."""


def group_tracks(tracks: Sequence[Track], even_distance: float | None) -> list[VideoPerson]:
    """Return the people whom the tracks show, in the order in which they appear.

    Tracks with one name are one person. Where two of them were seen in one frame, the likelier one keeps the
    name. Unknown tracks are one person if the likelihood ratio says so by which sightings become unknown
    people (`ClusterParameters`), or, for an embedder that it is not known for, if their encodings are nearer
    than `even_distance`; None joins no such tracks. A track on which the person was never seen clearly joins
    somebody it resembles or, because poor faces resemble each other, is nobody's: it is left out.
    """
    parameters = cluster_parameters(tracks[0].fingerprint) if tracks else None
    if parameters is not None:
        parameters = replace(parameters, min_quality=FOUNDING_QUALITY)
    likeness = _likeness(parameters, even_distance)
    named = _name_groups(tracks, parameters)
    taken = {track.number for group in named for track in group.tracks}
    clear: list[_Group] = []
    poor: list[_Group] = []
    for track in tracks:
        if track.number not in taken and track.encoding is not None:
            group = _group_of(_unnamed(track), parameters)
            (clear if group.count else poor).append(group)
    groups = _merge(named + clear, likeness)
    for group in poor:
        free = [one for one in groups if not one.bars(group)]
        sureness = likeness(group, free)
        if free and sureness.max() >= 0:
            free[int(sureness.argmax())].absorb(group)
    return _as_people(groups)


def _name_groups(tracks: Sequence[Track], parameters: ClusterParameters | None) -> list[_Group]:
    """Return a group for each name; of tracks seen in one frame, it has the likeliest."""
    groups: dict[str, _Group] = {}
    known = [track for track in tracks if track.match.outcome is Outcome.KNOWN]
    for track in sorted(known, key=lambda one: -(one.match.probability or 0.0)):
        assert track.match.name is not None
        group = _group_of(track, parameters)
        group.name = track.match.name
        if group.name not in groups:
            groups[group.name] = group
        elif not groups[group.name].bars(group):
            groups[group.name].absorb(group)
    return [*groups.values()]


def _unnamed(track: Track) -> Track:
    """Return the track without the name that another one keeps."""
    match = track.match
    if match.outcome is not Outcome.KNOWN or match.name is None:
        return track
    candidates = (Candidate(match.name, match.probability or 0.0),)
    uncertain = replace(
        match, name=None, reason=Reason.UNRECOGNISED, outcome=Outcome.UNCERTAIN, candidates=candidates
    )
    return replace(track, match=uncertain)


def _group_of(track: Track, parameters: ClusterParameters | None) -> _Group:
    group = _Group([track], barred=set(track.seen_with))
    if track.encoding is None:
        return group
    if parameters is None:
        group.count, group.sum = 1, track.encoding
    else:
        group.count = int(parameters.may_shape(track.norm, track.best.quality))
        group.sum = np.asarray(parameters.prepare(track.encoding), np.float64)
    return group


def _likeness(parameters: ClusterParameters | None, even_distance: float | None) -> _Likeness:
    def measure(group: _Group, others: Sequence[_Group]) -> Vector:
        found = np.full(len(others), -np.inf)
        known = [at for at, one in enumerate(others) if one.sum is not None]
        if group.sum is None or not known:
            return found
        count, counts = max(group.count, 1), np.array([max(others[at].count, 1) for at in known])
        sums = np.array([others[at].sum for at in known])
        if parameters is not None:
            found[known] = parameters.ratios(count, group.sum, counts, sums) - parameters.threshold
        elif even_distance is not None:
            apart = np.linalg.norm(sums / counts[:, None] - group.sum / count, axis=1)
            found[known] = even_distance - apart
        return found

    return measure


def _merge(groups: list[_Group], likeness: _Likeness) -> list[_Group]:
    """Join the two groups that are most surely one person, for as long as there are any."""
    if not groups:
        return []
    sureness = np.array([likeness(group, groups) for group in groups])
    np.fill_diagonal(sureness, -np.inf)
    gone: set[int] = set()
    while True:
        kept, absorbed = sorted(divmod(int(sureness.argmax()), len(groups)))
        if sureness[kept, absorbed] < 0:
            return [group for number, group in enumerate(groups) if number not in gone]
        sureness[kept, absorbed] = sureness[absorbed, kept] = -np.inf
        if groups[kept].bars(groups[absorbed]):
            continue
        groups[kept].absorb(groups[absorbed])
        gone.add(absorbed)
        sureness[absorbed] = sureness[:, absorbed] = -np.inf
        again = likeness(groups[kept], groups)
        again[[kept, *gone]] = -np.inf
        sureness[kept] = sureness[:, kept] = again


def _as_people(groups: Sequence[_Group]) -> list[VideoPerson]:
    people: list[VideoPerson] = []
    unknown = 0
    for group in sorted(groups, key=lambda one: min((each.first_s, each.number) for each in one.tracks)):
        unknown += group.name is None
        label = group.name if group.name is not None else f"unknown-{unknown}"
        tracks = sorted(group.tracks, key=lambda track: (track.first_s, track.number))
        likely = [
            track.match.probability
            for track in tracks
            if track.match.outcome is Outcome.KNOWN and track.match.probability is not None
        ]
        people.append(
            VideoPerson(
                label,
                group.name,
                tuple(tracks),
                tracks[0].first_s,
                max(track.last_s for track in tracks),
                sum(track.frames for track in tracks),
                max(likely, default=None),
                max(tracks, key=lambda track: track.best.quality or 0.0),
            )
        )
    return people
