"""Measure face_det in the interpreter it is installed in."""

from __future__ import annotations

import json
import time
from collections import defaultdict
from pathlib import Path
from typing import Any

import numpy as np
import stopwatch

from face_det.detectors import DETECTORS
from face_det.embedders import EMBEDDERS
from face_det.media import load_image
from face_det.nets import Compute, Session
from face_det.types import Box, Detection

Run = tuple[str, tuple[int, ...], float]
"""The name and shape of an input, and the seconds the network took for it."""


class NetworkClock:
    """Records each run of a network, so that its share of the time is known."""

    def __init__(self) -> None:
        self.runs: list[Run] = []

    def listen(self) -> None:
        """Wrap every network session of this process."""
        run = Session.run

        def noted(session: Session, feeds: Any) -> Any:
            start = time.perf_counter()
            result = run(session, feeds)
            took = time.perf_counter() - start
            self.runs.extend((name, value.shape, took) for name, value in feeds.items())
            return result

        Session.run = noted  # type: ignore[assignment,method-assign]

    def findings(self) -> dict[str, Any]:
        """Return [seconds, operations, useful operations] of each run, by input name."""
        # Imported late: onnx would count as memory of the measurement.
        import graph_flops

        networks: dict[str, list[list[float]]] = defaultdict(list)
        for name, shape, took in self.runs:
            work = graph_flops.of_input(name, shape)
            networks[name].append([took, work.flop, work.useful_flop])
        return {"networks": networks}


def prepare(spec: dict[str, Any]) -> stopwatch.Prepared:
    """Return the task's call, with its networks loaded and its pictures in memory."""
    return TASKS[spec["kind"]](spec, Path(spec["folder"]))


def about(spec: dict[str, Any], folder: Path) -> stopwatch.Prepared:
    """Name the runtimes in use. Raises if these settings are unavailable here."""
    detector, embedder = _detector(spec), _embedder(spec)
    _config(spec)
    return lambda: {"detector": detector.runtime, "embedder": embedder.runtime}, dict


def detect(spec: dict[str, Any], folder: Path) -> stopwatch.Prepared:
    detector, picture = _detector(spec), load_image(folder / spec["picture"])
    return lambda: detector.detect(picture, spec["upsample"]), _locations


def embed(spec: dict[str, Any], folder: Path) -> stopwatch.Prepared:
    embedder, chips = _embedder(spec), list(np.load(folder / "chips.npy")[: spec["batch"]])
    return lambda: embedder.embed(chips), np.ndarray.tolist


def jitters(spec: dict[str, Any], folder: Path) -> stopwatch.Prepared:
    embedder, chip = _embedder(spec), np.load(folder / "chips.npy")[0]
    return lambda: embedder.embed([chip], spec["jitters"]), np.ndarray.tolist


def face(spec: dict[str, Any], folder: Path) -> stopwatch.Prepared:
    embedder, picture = _embedder(spec), load_image(folder / "face.png")
    top, right, bottom, left = json.loads((folder / "inputs.json").read_text())["face"]
    detection = Detection(Box(left, top, right, bottom), 1.0)
    return lambda: embedder.embed([embedder.align(picture, detection)]), np.ndarray.tolist


def call(spec: dict[str, Any], folder: Path) -> stopwatch.Prepared:
    """Return a whole detect_faces call, including reading the files."""
    images = json.loads((folder / "inputs.json").read_text())["call"]
    service = _service(spec)
    return lambda: service.detect_faces(images), _boxes_of_call


def memory(spec: dict[str, Any], folder: Path) -> stopwatch.Prepared:
    """Return megabytes held after each of many calls of recognize."""
    service, picture = _service(spec), str(folder / spec["picture"])

    def held() -> list[float]:
        return [_resident_mb() for _ in range(spec["calls"]) if service.recognize(picture) is not None]

    return held, list


TASKS = {
    "about": about,
    "detect": detect,
    "embed": embed,
    "jitters": jitters,
    "face": face,
    "call": call,
    "memory": memory,
}


def _detector(spec: dict[str, Any]) -> Any:
    return DETECTORS.create("cnn", compute=Compute(**spec["settings"]))


def _embedder(spec: dict[str, Any]) -> Any:
    return EMBEDDERS.create("dlib_resnet", compute=Compute(**spec["settings"]))


def _config(spec: dict[str, Any]) -> Any:
    """Return the default config with the original's behaviour: dlib's networks, blurred faces included."""
    from face_det.config import load_config

    settings = {"focusMeasureThreshold": 0, "faceDetModel": "cnn", "embedder": "dlib_resnet"}
    settings |= spec["settings"]
    settings["numFaceImgUpsample"] = spec.get("upsample", 1)
    return load_config(None, {f"FACE_DET_{key.upper()}": str(value) for key, value in settings.items()})


def _service(spec: dict[str, Any]) -> Any:
    """Return a service with nobody enrolled: the original's loop is timed without a classifier too."""
    from face_det.service import build_service

    return build_service(_config(spec))


def _locations(found: list[Detection]) -> list[list[int]]:
    """Return [top, right, bottom, left] of each face."""
    boxes = [detection.box for detection in found]
    return [[int(edge) for edge in (box.ymin, box.xmax, box.ymax, box.xmin)] for box in boxes]


def _boxes_of_call(reply: str) -> list[list[int]]:
    faces = [face for entry in json.loads(reply) for label in entry["labels"] for face in label["faces"]]
    order = ("ymin", "xmax", "ymax", "xmin")
    return [[int(face["faceBox"][edge]) for edge in order] for face in faces]


def _resident_mb() -> float:
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return round(pages * 4096 / 1e6, 1)


if __name__ == "__main__":
    clock = NetworkClock()
    clock.listen()
    stopwatch.main(prepare, clock.findings)
