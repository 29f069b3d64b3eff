"""Measure how fast videos are looked at, beside Ringface's way: python benchmarks/video.py FOLDER FILM.

FOLDER holds known/NAME/*.jpg, the layout that `face-det evaluate` reads; the first five photos of ten people
are enrolled. Two of them walk, in other photos, over the frames of FILM, in which nobody else can be
recognised.

Ringface's way is to read every n-th frame and, in four processes, find the faces with dlib's HOG detector in
the doubled picture and encode each; a face has the name of an encoding within 0.5. It runs on the package
face_recognition, or on ours of that name where that is not installed. What is measured is the whole clip,
from opening the file to the names, once everything is imported and loaded: seconds of the clock, and of all
processors, which say more on a busy machine. `face-det video` starts the process that decodes while networks
are loaded, so that it waits for the first video. `unprepared` starts it when the file is opened, as the
daemon does, which a short clip feels. A longer clip feels neither that nor what a track takes at first.
"""

from __future__ import annotations

import argparse
import itertools
import json
import multiprocessing
import os
import resource
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

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
SIZES = {"360p": (640, 360), "720p": (1280, 720), "1080p": (1920, 1080)}
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


def measure(look: Callable[[], set[str]]) -> tuple[float, float, set[str]]:
    """Return seconds of the clock and of all processors, and who was found."""

    def cpu() -> float:
        used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
        return sum(one.ru_utime + one.ru_stime for one in used)

    start, start_cpu = time.perf_counter(), cpu()
    found = look()
    return time.perf_counter() - start, cpu() - start_cpu, found


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


def main() -> None:
    """Measure."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folder", type=Path)
    parser.add_argument("film", type=Path)
    parser.add_argument("--frames", type=int, nargs="+", default=[150, 500], help="lengths of the clips")
    parser.add_argument("--fps", type=float, default=25)
    parser.add_argument("--sizes", nargs="+", choices=SIZES, default=[*SIZES])
    parser.add_argument("--ringface-up-to", choices=("none", *SIZES), default="720p")
    parser.add_argument("--threads", type=int, default=os.cpu_count() or 1)
    args = parser.parse_args()
    folders = sorted((args.folder / "known").iterdir())[:PEOPLE]
    people = {one.name: sorted(one.glob("*.jpg")) for one in folders}
    walking = {name: people[name] for name in list(people)[:2]}
    options = EngineOptions(embedder=SFACE, upsample=0, compute=Compute(threads=args.threads))
    recognizer = enrol(build_engine(options), people)
    known = [
        (name, encoding)
        for name in people
        for path in people[name][:ENROLLED]
        for encoding in face_recognition.face_encodings(face_recognition.load_image_file(str(path)))[:1]
    ]
    print(json.dumps({"machine": machine.describe(), "load": os.getloadavg()}, indent=1))
    with tempfile.TemporaryDirectory() as folder:
        for size, frames in itertools.product(args.sizes, sorted(args.frames)):
            path = Path(folder, f"{size}-{frames}.mp4")
            write(compose(walking, args.film, SIZES[size], frames, args.fps), path)
            ways = {"ours": ours(path, recognizer, exhaustive=False)}
            if frames == min(args.frames):
                ways["ours, unprepared"] = ways["ours"]
            ways["ours, exhaustive"] = ours(path, recognizer, exhaustive=True)
            if with_ringface(size, frames, args):
                ways |= {f"Ringface, every {n}": ringface(path, n, known) for n in (1, 3)}
            print(f"{size}, {frames / args.fps:g} s of video, load {os.getloadavg()[0]:.1f}", flush=True)
            for way, look in ways.items():
                if way in ("ours", "ours, exhaustive"):
                    prepare()
                seconds, processors, found = measure(look)
                line = f"  {way:20} {frames / seconds:7.1f} frames/s"
                line += f" {frames / args.fps / seconds:7.2f} x real time"
                line += f" {processors / frames * 1000:7.1f} ms of processors a frame"
                line += f"   found {len(found & {*walking})} of {len(walking)}"
                print(line, flush=True)


def with_ringface(size: str, frames: int, args: argparse.Namespace) -> bool:
    """Tell whether Ringface's way, which takes minutes, is measured with this clip, too."""
    if args.ringface_up_to == "none" or frames > min(args.frames):
        return False
    return [*SIZES].index(size) <= [*SIZES].index(args.ringface_up_to)


if __name__ == "__main__":
    main()
