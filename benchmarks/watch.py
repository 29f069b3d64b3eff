"""Measure `face-det watch` with many cameras: python benchmarks/watch.py [--seconds N] [--size WxH].

A daemon with the shipped defaults, which knows one person and remembers, and MJPEG cameras in this process:
they show a person who walks through a room. Printed as JSON, for 24 cameras at 1 fps, of which all or a
quarter show somebody who moves, and for 4 at 10 fps:

- pictures that were answered, of each camera: least and median, a second (target: none is starved);
- the age of pictures when their answers came: median of the last ones, and longest (targets: 1 s, 2 s);
- memory of the program at a third and at the end (target: flat);
- processor time, in cores and for each picture: on a busy machine the clock says little, while these tell
  how many pictures a quiet one can answer.
"""

from __future__ import annotations

import argparse
import http.server
import io
import itertools
import json
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import Any

import machine
import PIL.Image

from face_det.rpc import Client

REPOSITORY = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(REPOSITORY / "scripts"))
import photos  # noqa: E402 - a script, not a package

FACE_DET = (sys.executable, "-m", "face_det.cli.main")
STEPS = 40
FACE_SHARE = 0.25
"""The width of the person's picture, of the room's."""
PLANS = {
    "24 at 1 fps, all busy": (24, 1.0, 24),
    "24 at 1 fps, 6 busy": (24, 1.0, 6),
    "4 at 10 fps": (4, 10.0, 4),
}
PATIENCE_S = 120


def walk(size: tuple[int, int]) -> list[bytes]:
    """Return pictures of somebody who walks through a room and back."""
    found = photos.photos()
    with PIL.Image.open(found["nobody"]) as picture:
        room = picture.convert("RGB").resize(size)
    with PIL.Image.open(found["obama2"]) as picture:
        width = round(FACE_SHARE * size[0])
        person = picture.convert("RGB").resize((width, round(width * picture.height / picture.width)))
    frames = []
    for step in range(STEPS):
        frame = room.copy()
        frame.paste(person, ((size[0] - width) * step // STEPS, size[1] // 5))
        file = io.BytesIO()
        frame.save(file, "JPEG", quality=85)
        frames.append(file.getvalue())
    return [*frames, *frames[::-1]]


class _Camera(http.server.BaseHTTPRequestHandler):
    """An MJPEG stream; `/busy/FPS` walks, `/quiet/FPS` shows the first picture."""

    frames: list[bytes]

    def do_GET(self) -> None:
        kind, fps = self.path.strip("/").split("/")
        self.send_response(200)
        self.send_header("Content-Type", "multipart/x-mixed-replace; boundary=frame")
        self.end_headers()
        due = time.monotonic()
        try:
            for frame in itertools.cycle(self.frames if kind == "busy" else self.frames[:1]):
                head = f"--frame\r\nContent-Length: {len(frame)}\r\n\r\n".encode()
                self.wfile.write(head + frame + b"\r\n")
                due += 1 / float(fps)
                time.sleep(max(0, due - time.monotonic()))
        except OSError:
            return

    def log_message(self, *args: Any) -> None:
        """Say nothing."""


def serve(frames: list[bytes]) -> str:
    """Serve cameras in threads; return the address that their paths follow."""
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), type("Camera", (_Camera,), {"frames": frames}))
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return f"http://127.0.0.1:{server.server_address[1]}"


def memory_mb(pid: int) -> float:
    """Return the memory of a process."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return round(int(next(line for line in lines if line.startswith("VmRSS")).split()[1]) / 1000, 1)


def processor_s(pid: int) -> float:
    """Return the processor time that a process has taken."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / 100


def start(command: str, folder: Path) -> subprocess.Popen[bytes]:
    """Start one of our programs, and wait until it is ready."""
    log = folder / f"{command}.log"
    with log.open("wb") as file:
        process = subprocess.Popen([*FACE_DET, command, "--config", folder / "config.json"], stderr=file)
    end = time.monotonic() + PATIENCE_S
    while "ready" not in log.read_text():
        if process.poll() is not None or time.monotonic() > end:
            raise SystemExit(log.read_text())
        time.sleep(0.1)
    return process


def measure(address: str, plan: tuple[int, float, int], seconds: float, workers: int) -> dict[str, Any]:
    """Watch the cameras of a plan for some seconds, with a daemon that computes so many calls at once."""
    count, fps, busy = plan
    with tempfile.TemporaryDirectory(prefix="fd") as name:
        folder = Path(name)
        cameras = {
            f"cam{index}": {
                "url": f"{address}/{'busy' if index < busy else 'quiet'}/{fps}",
                "live": True,
                "fps": fps,
            }
            for index in range(count)
        }
        settings = {"zerorpcPipe": f"ipc://{folder}/s", "sightings": {}, "cameras": cameras}
        settings["workers"] = workers
        (folder / "config.json").write_text(json.dumps({"faceDetServer": settings}))
        daemon = start("serve", folder)
        try:
            with Client(f"ipc://{folder}/s", timeout_s=PATIENCE_S) as client:
                client.add_face("Barack", photos.photos()["obama"].read_bytes())
                watch = start("watch", folder)
                try:
                    return {"fps": fps, **_follow(client, watch.pid, daemon.pid, busy, seconds)}
                finally:
                    watch.terminate()
                    watch.wait()
        finally:
            daemon.terminate()
            daemon.wait()


def _follow(client: Client, watch: int, daemon: int, busy: int, seconds: float) -> dict[str, Any]:
    begun, delays, longest, memory = time.monotonic(), [], 0.0, []
    warm_s = seconds / 3
    first: dict[str, Any] = {}
    while (passed_s := time.monotonic() - begun) < seconds:
        time.sleep(1)
        cameras = client.status()["cameras"]
        if passed_s < warm_s or not cameras:
            continue
        if not first:
            first = {"cameras": cameras, "at": time.monotonic(), "spent": processor_s(watch)}
            first["daemon"] = processor_s(daemon)
        memory.append(memory_mb(watch))
        delays += [one["delay_s"] for one in cameras.values() if one["delay_s"] is not None]
        longest = max([longest, *(one["longest_delay_s"] or 0.0 for one in cameras.values())])
    passed_s = time.monotonic() - first["at"]
    rates = {
        name: (about["answered"] - first["cameras"][name]["answered"]) / passed_s
        for name, about in cameras.items()
    }
    spent = {"watch": processor_s(watch) - first["spent"], "daemon": processor_s(daemon) - first["daemon"]}
    counted = {
        key: max(sum(about[key] - first["cameras"][name][key] for name, about in cameras.items()), 1)
        for key in ("received", "answered")
    }
    moving = [rate for name, rate in rates.items() if int(name.removeprefix("cam")) < busy]
    total = {
        key: sum(one[key] for one in cameras.values())
        for key in ("received", "still", "replaced", "late", "sent", "answered", "faces")
    }
    return {
        "states": sorted({one["state"] for one in cameras.values()}),
        "busy_answered_per_s": {
            "least": round(min(moving), 2),
            "median": round(statistics.median(moving), 2),
        },
        "all_answered_per_s": {"least": round(min(rates.values()), 2)},
        "delay_s": {
            "median": round(statistics.median(delays), 3) if delays else None,
            "longest": round(longest, 3),
        },
        "memory_mb": {"at_a_third": memory[0], "at_the_end": memory[-1]},
        "cores": {name: round(spent_s / passed_s, 2) for name, spent_s in spent.items()},
        "processor_ms_a_picture": {
            "watch, received": round(1000 * spent["watch"] / counted["received"], 1),
            "daemon, answered": round(1000 * spent["daemon"] / counted["answered"], 1),
        },
        "total": total,
        "events": [one["type"] for one in client.events(0)["events"]].count("seen"),
    }


def main() -> None:
    """Print what was measured, as JSON."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=float, default=120)
    parser.add_argument("--size", default="1280x720")
    parser.add_argument("--only", choices=PLANS)
    parser.add_argument("--workers", type=int, default=1, help="calls that the daemon computes at once")
    given = parser.parse_args()
    width, height = map(int, given.size.split("x"))
    address = serve(walk((width, height)))
    found: dict[str, Any] = {"machine": {**machine.describe(), "load": machine.load()}}
    for name, plan in PLANS.items():
        if given.only in (None, name):
            found[name] = measure(address, plan, given.seconds, given.workers)
    print(json.dumps(found, indent=2))


if __name__ == "__main__":
    main()
