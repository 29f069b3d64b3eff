"""Measure the gateway beside the daemon's own calls: python benchmarks/gateway.py [--calls N].

A daemon and a gateway with the shipped defaults, which know one person. Printed as JSON, and meant for docs:

- one 640 px frame by POST /api/v1/faces and by the verb `recognize` over ipc, in turn: medians, difference
  (target: 10 ms), and frames a second one after the other (target: 15);
- detect_faces while 50 photos are uploaded to a person, and before: medians (target: 20 % slower);
- memory of the gateway (target: 120 MB), and the page's files, compressed (target: 150 kB).
"""

from __future__ import annotations

import argparse
import gzip
import io
import json
import re
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import machine
import PIL.Image

from face_det.rpc import Client

REPOSITORY = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(REPOSITORY / "scripts"))
import photos  # noqa: E402 - a script, not a package

FACE_DET = (sys.executable, "-m", "face_det.cli.main")
FRAME_PX = 640
DROPPED = 50
PATIENCE_S = 300
WHOLE = {"ymin": 0.0, "xmin": 0.0, "ymax": 5000.0, "xmax": 5000.0}


def jpeg(path: Path, longer_px: int, turn: float = 0.0) -> bytes:
    """Return a photo whose longer side has some pixels, turned by some degrees, as a JPEG."""
    with PIL.Image.open(path) as picture:
        rgb = picture.convert("RGB")
    scale = longer_px / max(rgb.size)
    rgb = rgb.resize((round(scale * rgb.width), round(scale * rgb.height))).rotate(turn)
    file = io.BytesIO()
    rgb.save(file, "JPEG", quality=85)
    return file.getvalue()


def start(folder: Path, command: str) -> tuple[subprocess.Popen[bytes], str]:
    """Start one of our programs; return it and what it logged until it was ready."""
    log = folder / f"{command}.log"
    with log.open("wb") as file:
        process = subprocess.Popen([*FACE_DET, command, "--config", str(folder / "config.json")], stderr=file)
    end = time.monotonic() + PATIENCE_S
    while " ready" not in log.read_text("utf-8"):
        if process.poll() is not None or time.monotonic() > end:
            raise SystemExit(log.read_text("utf-8"))
        time.sleep(0.1)
    return process, log.read_text("utf-8")


def took_ms(call: Callable[[], Any]) -> float:
    """Return how long a call takes."""
    begun = time.perf_counter()
    call()
    return (time.perf_counter() - begun) * 1000


def compare_frames(http: httpx.Client, daemon: Client, frame: bytes, calls: int) -> dict[str, Any]:
    """Ask about the same frame over HTTP and over ipc, in turn."""
    over_http, over_ipc = [], []
    for _ in range(calls):
        over_ipc.append(took_ms(lambda: daemon.recognize(frame, {"remember": False})))
        over_http.append(
            took_ms(lambda: http.post("/api/v1/faces", files={"image": frame}).raise_for_status())
        )
    ipc_ms, http_ms = statistics.median(over_ipc), statistics.median(over_http)
    return {
        "ipc_ms": round(ipc_ms, 1),
        "http_ms": round(http_ms, 1),
        "difference_ms": round(http_ms - ipc_ms, 1),
        "frames_per_s": round(1000 / http_ms, 1),
    }


def compare_uploads(http: httpx.Client, daemon: Client, frame: Path, dropped: list[bytes]) -> dict[str, Any]:
    """Call detect_faces before and while photos are dropped on a person."""
    images = [{"image": str(frame), "labels": [{"name": "person", "box": WHOLE}]}]
    before = [took_ms(lambda: daemon.detect_faces(images)) for _ in range(40)]
    during: list[float] = []
    done = threading.Event()

    def upload(photo: bytes) -> None:
        http.post("/api/v1/people/Barack/photos", files={"image": photo}).raise_for_status()

    def drop() -> None:
        with ThreadPoolExecutor(4) as pool:
            list(
                pool.map(
                    lambda photo: http.post("/api/v1/people/Barack/photos", files={"image": photo}), dropped
                )
            )
        done.set()

    uploading = threading.Thread(target=drop)
    begun = time.monotonic()
    uploading.start()
    while not done.is_set():
        during.append(took_ms(lambda: daemon.detect_faces(images)))
    uploading.join()
    return {
        "before_ms": round(statistics.median(before), 1),
        "during_ms": round(statistics.median(during), 1),
        "ratio": round(statistics.median(during) / statistics.median(before), 2),
        "upload_s": round(time.monotonic() - begun, 1),
        "calls_during": len(during),
    }


def memory_mb(pid: int) -> float:
    """Return the resident memory of a process."""
    status = Path(f"/proc/{pid}/status").read_text("utf-8")
    (kilobytes,) = re.findall(r"^VmRSS:\s+(\d+) kB", status, re.M)
    return round(int(kilobytes) / 1024, 1)


def page_kb() -> float:
    """Return the size of the page's files, each compressed."""
    files = (REPOSITORY / "face_det/gateway/page/files").rglob("*.*")
    return round(sum(len(gzip.compress(file.read_bytes())) for file in files) / 1000, 1)


def main() -> None:
    """Measure, and print the figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--calls", type=int, default=100)
    calls = parser.parse_args().calls
    found = photos.photos()
    with tempfile.TemporaryDirectory(prefix="fd", dir="/tmp") as name:
        folder = Path(name)
        settings = {"zerorpcPipe": f"ipc://{folder}/s", "http": {"port": 0}}
        (folder / "config.json").write_text(json.dumps({"faceDetServer": settings}))
        frame = jpeg(found["obama3"], FRAME_PX)
        (folder / "frame.jpg").write_bytes(frame)
        dropped = [jpeg(found["obama2"], FRAME_PX, turn / 5) for turn in range(DROPPED)]
        serving, _ = start(folder, "serve")
        web, log = start(folder, "web")
        (address,) = re.findall(r"the page is at (\S+)", log)
        try:
            daemon = Client(settings["zerorpcPipe"], timeout_s=PATIENCE_S)
            with daemon, httpx.Client(base_url=address, timeout=PATIENCE_S) as http:
                daemon.add_face("Barack", found["obama"].read_bytes())
                figures = {
                    "machine": machine.describe(),
                    "memory_at_start_mb": memory_mb(web.pid),
                    "page_kb": page_kb(),
                    "frames": compare_frames(http, daemon, frame, calls),
                    "uploads": compare_uploads(http, daemon, folder / "frame.jpg", dropped),
                    "memory_at_end_mb": memory_mb(web.pid),
                }
        finally:
            web.terminate()
            serving.terminate()
            web.wait()
            serving.wait()
    print(json.dumps(figures, indent=2))


if __name__ == "__main__":
    main()
