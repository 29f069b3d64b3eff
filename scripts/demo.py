"""Try the whole pipeline on real photos: encode, train, serve, and ask the daemon who is there.

With --stay, the daemon goes on and its page can be looked at, until Ctrl-C. Everything happens in a temporary
folder; dataset/ and config.json are not touched. The exit status is non-zero if an answer is wrong or
anything fails.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import queue
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cv2
import gevent
import photos
import zerorpc
from demo_cast import NOBODY, PEOPLE, PICTURES, STRANGER, Picture
from demo_memory import meet_a_stranger
from rich.console import Console
from rich.table import Table

from face_det.errors import FaceDetError
from face_det.media import annotate_faces, load_image, save_image
from face_det.types import UNKNOWN, Box

OUTPUT = photos.REPOSITORY / "demo-output"
FRAME_HEIGHT = 720
FACE_DET = (sys.executable, "-m", "face_det.cli.main")
READY_S = 120
STOP_S = 30

INTRODUCTION = """\
Two people are known by two photos each; two strangers are in Unknown. The photos of Carphone_Man, including
the one tested, are frames of one clip, more than a second apart. He is easier to recognise than somebody
photographed on another day.
"""


class DemoFailed(RuntimeError):
    """The demo failed; the message is one line."""


def main() -> None:
    """Run the demo; exits with a message if it fails."""
    parser = argparse.ArgumentParser(description="Try face_det on real photos.")
    parser.add_argument("--stay", action="store_true", help="at the end, serve the page until Ctrl-C")
    stay = parser.parse_args().stay
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    begun = time.perf_counter()
    # The folder will hold a socket, whose path must be short.
    parent = "/tmp" if len(tempfile.gettempdir()) > 60 else None
    try:
        with tempfile.TemporaryDirectory(prefix="face-det-", dir=parent) as folder:
            wrong = _demonstrate(Path(folder), photos.photos(), stay=stay)
    except (DemoFailed, photos.PhotosUnavailable) as error:
        sys.exit(f"demo: {error}")
    except KeyboardInterrupt:
        print("demo: interrupted; the daemon was stopped and nothing is left behind", file=sys.stderr)
        sys.exit(130)
    print(f"The annotated pictures are in {OUTPUT}")
    print(f"Done in {time.perf_counter() - begun:.0f} s.")
    if wrong:
        sys.exit(f"demo: {wrong} answers are wrong; see the table")


def _demonstrate(state: Path, found: dict[str, Path], *, stay: bool) -> int:
    """Run every step and return the number of wrong answers."""
    config = _prepare(state, found)
    print(INTRODUCTION, flush=True)
    _run("encode the photos", "encode", "--config", str(config))
    _run("train on them", "train", "--config", str(config), "--classifier", "template")
    images = [_request(state / "frames", picture, found[picture.photo]) for picture in PICTURES]
    begun = time.perf_counter()
    endpoint = f"ipc://{state}/rpc.sock"
    with _program("serve", config):
        _step("start the daemon", begun)
        answers = _ask(endpoint, images)
        wrong = _show(answers)
        wrong += _meet(endpoint, found)
        if stay:
            _serve_page(config)
        begun = time.perf_counter()
    _step("stop the daemon", begun)
    return wrong


def _meet(endpoint: str, found: dict[str, Path]) -> int:
    """Let the daemon meet a stranger; return the number of wrong answers."""
    try:
        return meet_a_stranger(endpoint, found)
    except FaceDetError as error:
        raise DemoFailed(f"the stranger cannot be named: {error}") from error


def _ask(endpoint: str, images: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Call detect_faces once with zerorpc's own client, as an uploader does."""
    # Ctrl-C while the event loop waits needs no traceback of its own.
    gevent.get_hub().NOT_ERROR += (KeyboardInterrupt,)
    persons = sum(len(entry["labels"]) for entry in images)
    client = zerorpc.Client(timeout=60, heartbeat=60)
    client.connect(endpoint)
    begun = time.perf_counter()
    try:
        answers: list[dict[str, Any]] = json.loads(client.detect_faces(images))
    except (zerorpc.RemoteError, zerorpc.TimeoutExpired, zerorpc.LostRemote) as error:
        raise DemoFailed(f"detect_faces failed: {str(error).splitlines()[-1]}") from error
    finally:
        client.close()
    took = _step(f"identify {persons} people in {len(images)} pictures", begun)
    _line("per person", took / persons)
    return answers


def _prepare(state: Path, found: dict[str, Path]) -> Path:
    """Write a dataset and a config.json into the temporary folder."""
    for name, own in PEOPLE.items():
        (state / "dataset" / name).mkdir(parents=True)
        for photo in own:
            shutil.copy(found[photo], state / "dataset" / name)
    (state / "frames").mkdir()
    settings = {
        "modelPath": "./template_face_recognizer.pickle",
        "zerorpcPipe": f"ipc://{state}/rpc.sock",
        "imageRoots": [str(state)],
        "sightings": {"frames": True},
        "http": {"port": 0},
    }
    config = state / "config.json"
    config.write_text(json.dumps({"faceDetServer": settings}, indent=4), "utf-8")
    return config


def _request(frames: Path, picture: Picture, source: Path) -> dict[str, Any]:
    """Build one entry of the call: the photo at camera size, with an object detector's person boxes."""
    rgb = load_image(source)
    height, width = rgb.shape[:2]
    if height > FRAME_HEIGHT:
        size = (round(width * FRAME_HEIGHT / height), FRAME_HEIGHT)
        rgb = cv2.resize(rgb, size, interpolation=cv2.INTER_AREA)
    path = frames / f"{picture.photo}.png"
    save_image(rgb, path)
    labels = [
        {
            "id": number,
            "name": "person",
            "score": 0.9,
            "box": dict(zip(("xmin", "ymin", "xmax", "ymax"), box, strict=True)),
        }
        for number, box in enumerate(picture.persons)
    ]
    return {"image": str(path), "labels": labels}


def _environment() -> dict[str, str]:
    """Return the environment without the user's own settings for face-det."""
    return {name: value for name, value in os.environ.items() if not name.startswith("FACE_DET_")}


def _run(about: str, *arguments: str) -> None:
    begun = time.perf_counter()
    done = subprocess.run(
        [*FACE_DET, *arguments], env=_environment(), capture_output=True, text=True, check=False
    )
    if done.returncode != 0:
        raise DemoFailed(
            f"face-det {arguments[0]} exited with {done.returncode}: {_last(done.stderr.splitlines())}"
        )
    _step(about, begun)


def _step(about: str, begun: float) -> float:
    took = time.perf_counter() - begun
    _line(about, took)
    return took


def _line(about: str, seconds: float) -> None:
    print(f"{about:<40} {seconds:7.2f} s", flush=True)


def _serve_page(config: Path) -> None:
    """Serve the page until Ctrl-C."""
    with _program("web", config) as log:
        address = re.search(r"the page is at (\S+)", "\n".join(log))
        assert address is not None
        print(f"\nThe page is at {address[1]} until you press Ctrl-C.", flush=True)
        with contextlib.suppress(KeyboardInterrupt):
            signal.pause()


@contextlib.contextmanager
def _program(command: str, config: Path) -> Iterator[list[str]]:
    """Start `face-det serve` or `web` and yield what it logged until it was ready.

    It is always stopped with SIGTERM and must exit with 0.
    """
    # Its own session: Ctrl-C reaches only the demo, which then stops it.
    process = subprocess.Popen(
        [*FACE_DET, command, "--config", str(config)],
        env=_environment(),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    lines: queue.Queue[str | None] = queue.Queue()
    log: list[str] = []
    reader = threading.Thread(target=_read, args=(process, lines), daemon=True)
    reader.start()
    try:
        deadline = time.monotonic() + READY_S
        while not log or "ready" not in log[-1]:
            try:
                line = lines.get(timeout=max(0.0, deadline - time.monotonic()))
            except queue.Empty:
                raise DemoFailed(
                    f"face-det {command} was not ready within {READY_S} s: {_last(log)}"
                ) from None
            if line is None:
                raise DemoFailed(f"face-det {command} did not start: {_last(log)}")
            log.append(line)
        yield log
    finally:
        process.terminate()
        try:
            code = process.wait(STOP_S)
        except subprocess.TimeoutExpired:
            process.kill()
            code = process.wait()
        reader.join()
    if code != 0:
        raise DemoFailed(f"face-det {command} must exit with 0 on SIGTERM, got {code}")


def _read(process: subprocess.Popen[str], lines: queue.Queue[str | None]) -> None:
    assert process.stderr is not None
    with process.stderr as log:
        for line in log:
            lines.put(line.rstrip())
    lines.put(None)


def _last(lines: list[str]) -> str:
    return next((line for line in reversed(lines) if line.strip()), "no message")


def _show(answers: list[dict[str, Any]]) -> int:
    """Print the table, write the annotated pictures, and return the number of wrong answers."""
    table = Table("picture", "shows", "answer", "probability", "reason", "")
    wrong = 0
    OUTPUT.mkdir(exist_ok=True)
    for picture, answer in zip(PICTURES, answers, strict=True):
        labels: list[tuple[Box, str, bool]] = []
        for number, label in enumerate(answer["labels"]):
            right = _is_right(picture.who, label)
            wrong += not right
            proba = f"{label['faceProba']:.2f}" if "faceProba" in label else ""
            mark = "[green]right[/green]" if right else "[red]WRONG[/red]"
            shown = picture.photo if number == 0 else ""
            reason = label.get("faceReason", "")
            table.add_row(shown, picture.who, label["face"] or "-", proba, reason, mark)
            known = label["face"] not in (None, UNKNOWN)
            text = f"{label['face']} {proba}" if known else label["face"] or reason.replace("_", " ")
            labels.append((Box(**label.get("faceBox", label["box"])), text, known))
        rgb = load_image(answer["image"])
        save_image(annotate_faces(rgb, labels), OUTPUT / f"{picture.photo}.jpg")
    Console().print(table)
    return wrong


def _is_right(who: str, label: dict[str, Any]) -> bool:
    if who == NOBODY:
        return label["face"] is None and label["faceReason"] == "no_face"
    if who == STRANGER:
        return label["face"] in (None, UNKNOWN) and "faceBox" in label
    return bool(label["face"] == who)


if __name__ == "__main__":
    main()
