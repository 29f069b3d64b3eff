"""Measure tracking: python benchmarks/tracking.py FOLDER FILM [--part report].

FOLDER holds known/NAME/*.jpg and strangers/*.jpg, the layout that `face-det evaluate` reads; the first five
photos of everybody known are enrolled. FILM shows nobody who can be recognised: clips are composed of the
other photos over its frames (benchmarks/clips.py), and the film itself is followed as well. What is chosen is
chosen on the part `tune`; the part `report` has other people and other strangers.

`accuracy` counts by person and clip: named rightly or wrongly, by the track and by its best frame alone, the
pieces into which a track breaks, and tracks that go over to somebody else. `agreement` compares the people
found with those of an exhaustive search. `speed` measures what following a frame takes, without decoding, in
CPU time on one thread: other programs on the machine then change it less.
"""

from __future__ import annotations

import argparse
import itertools
import json
import statistics
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import machine
import numpy as np
from clips import Actor, Clip, read_frames

from face_det.embedders import DLIB_RESNET, SFACE
from face_det.engine import Engine, EngineOptions, build_engine
from face_det.gallery import Gallery
from face_det.media import load_image
from face_det.recognition import Recognizer
from face_det.tracking import FaceTracker, Track, TrackingOptions, group_tracks
from face_det.training import refit_model
from face_det.types import Box, Match, Outcome

ENROLLED = 5
TRAINING_STRANGERS = 200
"""So many strangers, the first by name, are left to training, as in the protocol of `face-det evaluate`."""
MEASURES = ("accuracy", "agreement", "film", "speed")
SIZES = {"720p": (1280, 720), "1080p": (1920, 1080)}
MOVES = {
    "walk": (((0.05, 0.3), (0.95, 0.35)), ((0.95, 0.72), (0.05, 0.66))),
    "cross": (((0.1, 0.5), (0.9, 0.52)), ((0.9, 0.49), (0.1, 0.5))),
    "hide": (((0.1, 0.3), (0.6, 0.35)), ((0.5, 0.72), (0.9, 0.7))),
}


@dataclass
class Figures:
    """Counts over clips, by person and clip."""

    known: Counter[str] = field(default_factory=Counter)
    strangers: Counter[str] = field(default_factory=Counter)
    pieces: list[int] = field(default_factory=list)
    switches: int = 0
    others: Counter[str] = field(default_factory=Counter)
    people: Counter[str] = field(default_factory=Counter)

    def table(self) -> dict[str, object]:
        """Return them as JSON."""
        return {
            "known": dict(self.known),
            "strangers": dict(self.strangers),
            "pieces a person": round(statistics.mean(self.pieces), 3) if self.pieces else None,
            "switches": self.switches,
            "other tracks": dict(self.others),
            "entries in the report": dict(self.people),
        }


def enrol(engine: Engine, folder: Path) -> Recognizer:
    """Enrol everybody's first photos; there are no photos of strangers, as in most families."""
    encodings, names = [], []
    for person in sorted((folder / "known").iterdir()):
        for path in sorted(person.glob("*.jpg"))[:ENROLLED]:
            (faces,) = engine.run([(load_image(path), None)]).faces
            if faces and faces[0].encoding is not None:
                middle = min(faces, key=lambda face: abs(face.box.xmin + face.box.xmax - 250))
                encodings.append(middle.encoding)
                names.append(person.name)
    # A gallery always has dlib's encodings, too, of which nothing is learnt here.
    rows = {DLIB_RESNET: np.zeros((len(names), 128)), SFACE: np.array(encodings)}
    gallery = Gallery(rows, names, {SFACE: engine.fingerprint})
    return Recognizer(engine, refit_model(None, gallery, kind="template", embedder=SFACE))


def cast(folder: Path, part: str, strangers: int) -> list[tuple[str, tuple[Path, ...]]]:
    """Return (name, photos) of the people of a part; strangers have no name."""
    odd = part == "report"
    known = [
        (person.name, tuple(sorted(person.glob("*.jpg"))[ENROLLED:]))
        for person in sorted((folder / "known").iterdir())[int(odd) :: 2]
    ]
    others = sorted((folder / "strangers").glob("*.jpg"))[TRAINING_STRANGERS:][int(odd) :: 2][:strangers]
    return known + [("", (path,)) for path in others]


def compose(
    people: list[tuple[str, tuple[Path, ...]]], film: Path, args: argparse.Namespace
) -> Iterator[tuple[str, Clip]]:
    """Yield (move, clip) with two people each; known people appear once for every two photos."""
    rng = np.random.default_rng(args.seed)
    parts: list[tuple[str, tuple[Path, ...]]] = []
    for name, photos in people:
        pairs = [photos[at : at + 2] for at in range(0, len(photos), 2)]
        parts += [(name, pair) for pair in pairs]
    parts = [parts[at] for at in rng.permutation(len(parts))]
    moves = itertools.cycle(args.moves)
    for number, at in enumerate(range(0, len(parts) - 1, 2)):
        pair = parts[at : at + 2]
        if pair[0][0] and pair[0][0] == pair[1][0]:
            continue
        move = next(moves)
        actors = []
        for (name, photos), path in zip(pair, MOVES[move], strict=True):
            width = float(np.exp(rng.uniform(np.log(args.faces[0]), np.log(args.faces[1]))))
            hidden = (0.4, 0.6) if move == "hide" else None
            actors.append(
                Actor(
                    name,
                    photos,
                    path,
                    (width, width * rng.uniform(1.0, 1.5)),
                    rng.uniform(0, args.blur),
                    rng.uniform(0.5, 1.2),
                    hidden,
                )
            )
        background = read_frames(film, int(rng.integers(0, 1200)), args.frames)
        yield move, Clip(tuple(actors), background, args.size, args.frames, args.fps, number)


def follow(clip: Clip, recognizer: Recognizer, options: TrackingOptions, figures: Figures) -> None:
    """Follow a clip, and count."""
    tracker = FaceTracker(lambda: recognizer, options)
    owners: dict[int, list[int]] = {}
    for time_s, frame, boxes in clip.play():
        for one in tracker.step(frame, time_s):
            owner = owner_of(one.box, boxes)
            if owner is not None:
                owners.setdefault(one.track, []).append(owner)
    tracks = {track.number: track for track in tracker.finish()}
    mine: dict[int, list[Track]] = {number: [] for number in range(len(clip.actors))}
    for number, track in tracks.items():
        seen_owners = owners.get(number)
        if not seen_owners:
            figures.others["named" if is_named(track.match) else "not named"] += 1
            continue
        # A predicted box may lie over somebody else for a moment: from three frames on it is a switch.
        figures.switches += max(sum(count >= 3 for count in Counter(seen_owners).values()) - 1, 0)
        mine[Counter(seen_owners).most_common(1)[0][0]].append(track)
    for number, actor in enumerate(clip.actors):
        count_actor(actor, mine[number], recognizer, figures)
    for person in group_tracks([*tracks.values()], None):
        shown = {actor.name for actor in clip.actors if actor.name}
        figures.people[
            "unknown" if person.name is None else "right" if person.name in shown else "wrong"
        ] += 1


def is_named(match: Match) -> bool:
    """Tell whether a match names somebody enrolled."""
    return match.outcome is Outcome.KNOWN


def owner_of(box: Box, faces: list[Box | None]) -> int | None:
    """Return whose face a box is: the one whose middle it holds, if there is only one."""
    hits = []
    for number, face in enumerate(faces):
        if face is not None:
            x, y = (face.xmin + face.xmax) / 2, (face.ymin + face.ymax) / 2
            if box.xmin <= x <= box.xmax and box.ymin <= y <= box.ymax:
                hits.append(number)
    return hits[0] if len(hits) == 1 else None


def count_actor(actor: Actor, tracks: list[Track], recognizer: Recognizer, figures: Figures) -> None:
    """Count what the tracks of somebody were named."""
    counts = figures.known if actor.name else figures.strangers
    counts["all"] += 1
    if not tracks:
        counts["not found"] += 1
        return
    figures.pieces.append(len(tracks))
    names = {track.match.name for track in tracks if is_named(track.match)}
    counts["named wrongly" if names - {actor.name} else "named" if names else "not named"] += 1
    best = max(tracks, key=lambda track: track.best.quality or 0.0).best
    (single,) = recognizer.match([best], [0])
    alone = {single.name} if is_named(single) else set()
    counts[
        "best frame: " + ("named wrongly" if alone - {actor.name} else "named" if alone else "not named")
    ] += 1


def measure_agreement(clips: Iterator[tuple[str, Clip]], recognizer: Recognizer) -> dict[str, int]:
    """Return how many clips show other people when every frame is searched."""
    counts: Counter[str] = Counter()
    for _, clip in clips:
        found = []
        for exhaustive in (False, True):
            tracker = FaceTracker(lambda: recognizer, TrackingOptions(exhaustive=exhaustive))
            for time_s, frame, _ in clip.play():
                tracker.step(frame, time_s)
            found.append(sorted(person.label for person in group_tracks(tracker.finish(), None)))
        counts["the same people" if found[0] == found[1] else "other people"] += 1
    return dict(counts)


def measure_film(film: Path, recognizer: Recognizer, options: TrackingOptions) -> dict[str, object]:
    """Follow the film itself, in which nobody can be recognised."""
    tracker = FaceTracker(lambda: recognizer, options)
    spent = 0.0
    frames = read_frames(film, 0, 10_000)
    for number, frame in enumerate(frames):
        start = time.process_time()
        tracker.step(frame, number / 10)
        spent += time.process_time() - start
    tracks = tracker.finish()
    people = group_tracks(tracks, None)
    return {
        "tracks": len(tracks),
        "named": [track.match.name for track in tracks if is_named(track.match)],
        "people in the report": [person.label for person in people],
        "qualities": sorted((round(track.best.quality or 0.0, 3) for track in tracks), reverse=True)[:8],
        "CPU ms a frame": round(1000 * spent / len(frames), 2),
    }


def measure_speed(
    people: list[tuple[str, tuple[Path, ...]]], film: Path, recognizer: Recognizer
) -> list[dict[str, object]]:
    """Return milliseconds a frame by size and number of people: medians over clips, measured in turn."""
    rows: list[dict[str, object]] = []
    background = read_frames(film, 100, 50)
    named = [(name, photos) for name, photos in people if name]
    for (label, size), count in itertools.product(SIZES.items(), (1, 2)):
        spent: dict[str, list[float]] = {"skipping": [], "exhaustive": [], "one frame alone": []}
        for number in range(3):
            cast_of_clip = named[2 * number : 2 * number + count]
            actors = tuple(
                Actor(name, photos[:2], path, (size[1] / 9, size[1] / 8), 0.02)
                for (name, photos), path in zip(cast_of_clip, MOVES["walk"], strict=False)
            )
            frames = [*Clip(actors, background, size, 75, 25.0, number).play()]
            for way in ("skipping", "exhaustive"):
                tracker = FaceTracker(lambda: recognizer, TrackingOptions(exhaustive=way == "exhaustive"))
                start = time.process_time()
                for time_s, frame, _ in frames:
                    tracker.step(frame, time_s)
                spent[way].append(1000 * (time.process_time() - start) / len(frames))
            start = time.process_time()
            for _, frame, _ in frames[::25]:
                recognizer.engine.run([(frame, None)])
            spent["one frame alone"].append(1000 * (time.process_time() - start) / 3)
        taken = {way: statistics.median(times) for way, times in spent.items()}
        rows.append({"size": label, "people": count, "CPU ms a frame": taken})
        rows[-1]["times real time at 25 fps"] = {way: 40 / value for way, value in taken.items()}
        print(json.dumps(rows[-1]), flush=True)
    return rows


def main() -> None:
    """Print the figures as JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("film", type=Path)
    parser.add_argument("--part", choices=("tune", "report"), default="tune")
    parser.add_argument("--measure", nargs="+", default=["accuracy"], choices=MEASURES)
    parser.add_argument("--moves", nargs="+", default=[*MOVES], choices=MOVES)
    parser.add_argument("--strangers", type=int, default=150)
    parser.add_argument("--clips", type=int, default=10_000)
    parser.add_argument("--faces", nargs=2, type=float, default=(36, 90))
    parser.add_argument("--blur", type=float, default=0.06)
    parser.add_argument("--size", nargs=2, type=int, default=(960, 540))
    parser.add_argument("--frames", type=int, default=50)
    parser.add_argument("--fps", type=float, default=12.5)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--exhaustive", action="store_true")
    args = parser.parse_args()
    args.size = tuple(args.size)
    engine = build_engine(EngineOptions(embedder=SFACE))
    recognizer = enrol(engine, args.folder)
    people = cast(args.folder, args.part, args.strangers)
    result: dict[str, object] = {"machine": machine.describe(), "part": args.part}
    tracking = TrackingOptions(exhaustive=args.exhaustive)
    if "accuracy" in args.measure:
        figures: dict[str, Figures] = {}
        for move, clip in itertools.islice(compose(people, args.film, args), args.clips):
            follow(clip, recognizer, tracking, figures.setdefault(move, Figures()))
        result["accuracy"] = {move: found.table() for move, found in figures.items()}
    if "agreement" in args.measure:
        clips = itertools.islice(compose(people, args.film, args), args.clips)
        result["agreement"] = measure_agreement(clips, recognizer)
    if "film" in args.measure:
        result["film"] = measure_film(args.film, recognizer, tracking)
    if "speed" in args.measure:
        result["speed"] = measure_speed(people, args.film, recognizer)
    print(json.dumps(result, indent=2))


if __name__ == "__main__":
    main()
