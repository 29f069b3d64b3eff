"""Measure videos and live cameras, a row at a time: python benchmarks/video.py FOLDER FILM --row 720p.

FOLDER holds known/NAME/*.jpg and strangers/*.jpg, the layout that `face-det evaluate` reads. In FILM nobody
can be recognised. Each row is printed as JSON when it is done: what is wanted and what was found, seconds
of the clock and of all processors, which say more on a busy machine, and the load before and after.

- `720p`, `1080p`, `720p-exhaustive`: times real time (25 frames a second) of `face-det video`.
- `ringface-1`, `ringface-3`: how many times as many frames of a 720p clip are looked at in a second as
  Ringface does with every frame, and with every third.
- `cctv`: nobody is named in FILM itself, and nobody becomes an unknown person.
- `clips-easy`, `clips-hard`: composed clips (benchmarks/tracking.py, part `report`): names, switches,
  pieces.
- `watch-24`, `watch-4`: 24 cameras at 1 fps and 4 at 10 fps (benchmarks/watch.py).

For the speeds, the first five photos of ten people are enrolled. Two of them walk, in other photos, over
the frames of FILM. Ringface's way is to read every n-th frame and, in four processes, find the faces with
dlib's HOG detector in the doubled picture and encode each; a face has the name of an encoding within 0.5.
It runs on the package face_recognition, or on ours of that name where that is not installed. What is
measured is the whole clip, from opening the file to the names, once everything is imported and loaded.
`face-det video` starts the process that decodes while networks are loaded, so that it waits for the first
video. `unprepared` starts it when the file is opened, as the daemon does, which a short clip feels.
"""

from __future__ import annotations

import argparse
import functools
import json
import multiprocessing
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import machine
import numpy as np
from clips import Actor, Clip, read_frames

from face_det.embedders import DLIB_RESNET, SFACE
from face_det.engine import Engine, EngineOptions, build_engine
from face_det.gallery import Gallery
from face_det.media import load_image
from face_det.nets import Compute
from face_det.recognition import Recognizer
from face_det.service import ScanLimits, VideoScan
from face_det.tracking import TrackingOptions
from face_det.training import refit_model
from face_det.video import open_video, prepare_decoding

try:
    import face_recognition
except ImportError:
    from face_det import face_recognition  # type: ignore[no-redef]

PEOPLE, ENROLLED, PROCESSES, TOLERANCE = 10, 5, 4, 0.5
PREPARE_S = 2.0
SIZES = {"720p": (1280, 720), "1080p": (1920, 1080)}
FPS = 25.0
SHORTEST_S = 20.0
LEAST_SHARE = 0.9
"""Of each camera's pictures, so many must be answered."""
HERE = Path(__file__).resolve().parent
PATHS = (((0.1, 0.3), (0.6, 0.35)), ((0.9, 0.7), (0.4, 0.68)))
FACE_SHARE = 0.16
"""How wide a face is, as a share of the frame's height."""


def compose(
    people: dict[str, list[Path]], film: Path, size: tuple[int, int], frames: int, fps: float
) -> Clip:
    """Return a clip of two people who walk past each other."""
    width = FACE_SHARE * size[1]
    actors = tuple(
        Actor(name, tuple(photos[ENROLLED : ENROLLED + 2]), path, (width, 1.4 * width), 0.01)
        for (name, photos), path in zip(people.items(), PATHS, strict=True)
    )
    return Clip(actors, read_frames(film, 300, frames), size, frames, fps)


def write(clip: Clip, target: Path) -> None:
    """Write a clip as an MP4 file."""
    kind = cv2.VideoWriter.fourcc(*"mp4v")
    writer = cv2.VideoWriter(str(target), cv2.CAP_FFMPEG, kind, clip.fps, clip.size)
    for _, frame, _ in clip.play():
        writer.write(cv2.cvtColor(frame, cv2.COLOR_RGB2BGR))
    writer.release()


def extract(task: tuple[int, np.ndarray]) -> tuple[int, list[np.ndarray]]:
    """Find and encode the faces of a frame, as Ringface's processes do."""
    number, image = task
    return number, face_recognition.face_encodings(image, face_recognition.face_locations(image))


def ringface(path: Path, each_frame: int, known: list[tuple[str, np.ndarray]]) -> Callable[[], set[str]]:
    """Return a function that looks at a video as Ringface does, without a limit of frames."""

    def look() -> set[str]:
        capture, waiting, number = cv2.VideoCapture(str(path)), [], 0
        with multiprocessing.get_context("fork").Pool(PROCESSES) as pool:
            while True:
                read, frame = capture.read()
                number += 1
                if not read:
                    break
                if number % each_frame == 0:
                    image = np.ascontiguousarray(frame[:, :, ::-1])
                    waiting.append(pool.apply_async(extract, ((number, image),)))
            faces = [encoding for one in waiting for encoding in one.get()[1]]
        return {
            min((float(np.linalg.norm(face - other)), name) for name, other in known)[1]
            for face in faces
            if min(float(np.linalg.norm(face - other)) for _, other in known) <= TOLERANCE
        }

    return look


def ours(path: Path, recognizer: Recognizer, *, exhaustive: bool) -> Callable[[], set[str]]:
    """Return a function that looks at a video as `face-det video` does."""

    def look() -> set[str]:
        scan = VideoScan(lambda: recognizer, TrackingOptions(exhaustive=exhaustive), ScanLimits())
        with open_video(path) as reader:
            for frame in reader:
                scan.step(frame)
            report = scan.report(reader.info, reader.problem)
        return {person.label for person in report.people}

    return look


def prepare() -> None:
    """Start the process that decodes, and let it import what it needs."""
    prepare_decoding()
    time.sleep(PREPARE_S)


def processors_s() -> float:
    """Return the processor time that this process and those that it waited for have taken."""
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(one.ru_utime + one.ru_stime for one in used)


def measure(look: Callable[[], set[str]]) -> tuple[float, float, set[str]]:
    """Return seconds of the clock and of all processors, and who was found."""
    start, start_cpu = time.perf_counter(), processors_s()
    found = look()
    return time.perf_counter() - start, processors_s() - start_cpu, found


def enrol(engine: Engine, people: dict[str, list[Path]]) -> Recognizer:
    """Enrol the first photos of everybody."""
    names, encodings = [], []
    for name, photos in people.items():
        for path in photos[:ENROLLED]:
            (faces,) = engine.run([(load_image(path), None)]).faces
            encodings += [face.encoding for face in faces[:1] if face.encoding is not None]
            names += [name] * (len(encodings) - len(names))
    rows = {DLIB_RESNET: np.zeros((len(names), 128)), SFACE: np.array(encodings)}
    gallery = Gallery(rows, names, {SFACE: engine.fingerprint})
    return Recognizer(engine, refit_model(None, gallery, kind="template", embedder=SFACE))


@dataclass(eq=False)
class Stage:
    """What the rows are measured with, each made when it is first needed."""

    args: argparse.Namespace
    scratch: Path

    @functools.cached_property
    def people(self) -> dict[str, list[Path]]:
        """The photos of those who are enrolled."""
        folders = sorted((self.args.folder / "known").iterdir())[:PEOPLE]
        return {one.name: sorted(one.glob("*.jpg")) for one in folders}

    @functools.cached_property
    def recognizer(self) -> Recognizer:
        """Knows them."""
        options = EngineOptions(embedder=SFACE, upsample=0, compute=Compute(threads=self.args.threads))
        return enrol(build_engine(options), self.people)

    @property
    def walking(self) -> dict[str, list[Path]]:
        """Those who walk by."""
        return {name: self.people[name] for name in list(self.people)[:2]}

    @functools.cache  # noqa: B019 - there is one stage
    def clip(self, size: str) -> Path:
        """Write the clip of a size."""
        path = self.scratch / f"{size}.mp4"
        write(compose(self.walking, self.args.film, SIZES[size], self.args.frames, FPS), path)
        return path

    def ours(self, size: str, *, exhaustive: bool = False, prepared: bool = True) -> dict[str, Any]:
        """Measure how fast we look at the clip of a size."""
        look = ours(self.clip(size), self.recognizer, exhaustive=exhaustive)
        if prepared:
            prepare()
        return self._told(look)

    def ringface(self, each_frame: int) -> dict[str, Any]:
        """Measure how fast Ringface looks at the clip of 720p."""
        known = [
            (name, encoding)
            for name, photos in self.people.items()
            for path in photos[:ENROLLED]
            for encoding in face_recognition.face_encodings(face_recognition.load_image_file(str(path)))[:1]
        ]
        return self._told(ringface(self.clip("720p"), each_frame, known))

    def _told(self, look: Callable[[], set[str]]) -> dict[str, Any]:
        seconds, processors, found = measure(look)
        frames = self.args.frames
        return {
            "frames a second": round(frames / seconds, 1),
            "times real time": round(frames / FPS / seconds, 2),
            "times real time by processor time on two cores": round(2 * frames / FPS / processors, 2),
            "seconds": round(seconds, 2),
            "processor seconds": round(processors, 2),
            "people found": f"{len(found & {*self.walking})} of {len(self.walking)}",
        }

    def script(self, name: str, *arguments: object) -> dict[str, Any]:
        """Run another benchmark and return what it printed."""
        command = [sys.executable, HERE / name, *map(str, arguments)]
        done = subprocess.run(command, stdout=subprocess.PIPE, check=True)
        found: dict[str, Any] = json.loads(done.stdout)
        return found


def real_time(stage: Stage, size: str, wanted: float, *, exhaustive: bool = False) -> dict[str, Any]:
    """Measure times real time."""
    found = {"ours": stage.ours(size, exhaustive=exhaustive)}
    if not exhaustive:
        found["ours, unprepared"] = stage.ours(size, prepared=False)
    return {"met": found["ours"]["times real time"] >= wanted, **found}


def against_ringface(stage: Stage, each_frame: int, wanted: float) -> dict[str, Any]:
    """Measure how many times as many frames a second are looked at as Ringface does."""
    ours, theirs = stage.ours("720p"), stage.ringface(each_frame)
    times = {unit: round(theirs[unit] / ours[unit], 1) for unit in ("seconds", "processor seconds")}
    return {"met": times["seconds"] >= wanted, "times": times, "ours": ours, "Ringface": theirs}


def cctv(stage: Stage) -> dict[str, Any]:
    """Follow the film itself."""
    args = stage.args
    found = stage.script("tracking.py", args.folder, args.film, "--measure", "film")["film"]
    return {"met": not found["named"] and not found["people in the report"], **found}


def clips(stage: Stage, *arguments: object) -> dict[str, Any]:
    """Count over composed clips."""
    args = stage.args
    told = stage.script(
        "tracking.py", args.folder, args.film, "--part", "report", "--clips", args.clips, *arguments
    )
    by_move = told["accuracy"].values()
    known = {
        key: sum(one["known"].get(key, 0) for one in by_move) for key in ("all", "named", "named wrongly")
    }
    alone = sum(one["known"].get("best frame: named", 0) for one in by_move)
    strangers = {
        key: sum(one["strangers"].get(key, 0) for one in by_move) for key in ("all", "named wrongly")
    }
    switches, pieces = (max(one[key] or 0 for one in by_move) for key in ("switches", "pieces a person"))
    met = {
        "99 % named": known["named"] >= 0.99 * known["all"],
        "no worse than the best frame": known["named"] >= alone,
        "nobody named wrongly": not known["named wrongly"] and not strangers["named wrongly"],
        "no switch, at most 1.1 pieces": not switches and pieces <= 1.1,
    }
    return {
        "met": met,
        "known": {**known, "best frame: named": alone},
        "strangers": strangers,
        "switches": switches,
        "most pieces a person": pieces,
    }


def watch(stage: Stage, plan: str) -> dict[str, Any]:
    """Watch cameras for some minutes."""
    seconds = max(60 * stage.args.minutes, SHORTEST_S)
    found = stage.script("watch.py", "--seconds", seconds, "--only", plan)[plan]
    delay, memory = found["delay_s"], found["memory_mb"]
    # A picture is counted as answered only if it was no older than two seconds.
    met = {
        "delay of 1 s": delay["median"] is not None and delay["median"] <= 1.0,
        "nothing older than 2 s answered": delay["longest"] <= 2.0,
        "none starved": found["busy_answered_per_s"]["least"] >= LEAST_SHARE * found["fps"],
        "memory flat": memory["at_the_end"] <= 1.1 * memory["at_a_third"],
    }
    return {"met": met, **found}


ROWS: dict[str, tuple[str, Callable[[Stage], dict[str, Any]]]] = {
    "720p": ("4 x real time", functools.partial(real_time, size="720p", wanted=4.0)),
    "1080p": ("2 x real time", functools.partial(real_time, size="1080p", wanted=2.0)),
    "720p-exhaustive": (
        "real time",
        functools.partial(real_time, size="720p", wanted=1.0, exhaustive=True),
    ),
    "ringface-1": ("40 x", functools.partial(against_ringface, each_frame=1, wanted=40.0)),
    "ringface-3": ("15 x", functools.partial(against_ringface, each_frame=3, wanted=15.0)),
    "cctv": ("no name, nobody unknown", cctv),
    "clips-easy": ("99 %, nobody wrongly", clips),
    "clips-hard": (
        "99 %, nobody wrongly",
        lambda stage: clips(stage, "--faces", 24, 90, "--blur", 0.12),
    ),
    "watch-24": ("1 s", functools.partial(watch, plan="24 at 1 fps, all busy")),
    "watch-4": ("1 s", functools.partial(watch, plan="4 at 10 fps")),
}


def main() -> None:
    """Measure the rows that are asked for, in turn."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folder", type=Path)
    parser.add_argument("film", type=Path)
    parser.add_argument("--row", nargs="+", choices=ROWS, default=[*ROWS], help="all by default")
    parser.add_argument("--frames", type=int, default=500, help="length of the clips whose speed is measured")
    parser.add_argument("--clips", type=int, default=10_000, help="at most so many composed clips")
    parser.add_argument("--minutes", type=float, default=60.0, help="how long cameras are watched")
    parser.add_argument("--threads", type=int, default=os.cpu_count() or 1)
    args = parser.parse_args()
    print(json.dumps({"machine": machine.describe(), "versions": machine.versions()}), flush=True)
    with tempfile.TemporaryDirectory() as folder:
        stage = Stage(args, Path(folder))
        for row in args.row:
            wanted, look = ROWS[row]
            load, start, start_cpu = machine.load(), time.perf_counter(), processors_s()
            found = look(stage)
            took = {
                "seconds": round(time.perf_counter() - start, 1),
                "processor seconds": round(processors_s() - start_cpu, 1),
            }
            about = {"row": row, "wanted": wanted, **found, "took": took, "load": [load, machine.load()]}
            print(json.dumps(about, indent=1), flush=True)


if __name__ == "__main__":
    main()
