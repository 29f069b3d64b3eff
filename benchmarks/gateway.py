"""Measure the gateway beside the daemon's own calls: python benchmarks/gateway.py [--calls N].

A daemon and a gateway with the shipped defaults, which know one person. Printed as JSON, and meant for docs:

- one 640 px frame by POST /api/v1/faces and by the verb `recognize` over ipc, in turn: medians, difference
  (target: 10 ms);
- the page's live view in Chromium, with a film for a webcam: frames a second (target: 15), and the processor
  time of each frame, which says more on a machine that does other work;
- detect_faces before and while 50 photos are dropped on a person: medians (target: 20 % slower);
- the page's first paint, with an empty cache and with a full one: medians (target: 300 ms);
- memory of the gateway (target: 120 MB), and the page's files, compressed (target: 150 kB).
"""

from __future__ import annotations

import argparse
import contextlib
import gzip
import io
import json
import os
import re
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Collection
from pathlib import Path
from typing import Any

import browser
import httpx
import machine
import PIL.Image
from playwright.sync_api import Browser

from face_det.rpc import Client

REPOSITORY = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(REPOSITORY / "scripts"))
import photos  # noqa: E402 - a script, not a package

FACE_DET = (sys.executable, "-m", "face_det.cli.main")
FRAME_PX = 640
LARGE_PX = 40
"""The live view searches for faces from so many pixels on, except once a second."""
PARTS = ("frames", "paint", "live", "dropped")
DROPPED = 50
PERSON = "Barack"
CALLS_BEFORE = 40
LOADS = 7
LIVE_S = 20
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
    """Ask about a frame over ipc, over HTTP, and as the live view does between full searches, in turn."""

    def ask(**query: int) -> None:
        http.post("/api/v1/faces", params=query, files={"image": frame}).raise_for_status()

    over_http, over_ipc, coarse = [], [], []
    for _ in range(calls):
        over_ipc.append(took_ms(lambda: daemon.recognize(frame, {"remember": False})))
        over_http.append(took_ms(ask))
        coarse.append(took_ms(lambda: ask(searchFromPx=LARGE_PX)))
    ipc_ms, http_ms, coarse_ms = (statistics.median(times) for times in (over_ipc, over_http, coarse))
    return {
        "ipc_ms": round(ipc_ms, 1),
        "http_ms": round(http_ms, 1),
        "difference_ms": round(http_ms - ipc_ms, 1),
        "coarse_http_ms": round(coarse_ms, 1),
    }


def compare_drop(
    chromium: Browser, address: str, pipe: str, frame: Path, dropped: list[Path]
) -> dict[str, Any]:
    """Call detect_faces before and while photos are dropped on a person's view of the page."""
    images = [{"image": str(frame), "labels": [{"name": "person", "box": WHOLE}]}]
    before: list[float] = []
    during: list[float] = []
    begun, done = threading.Event(), threading.Event()

    def call() -> None:
        with Client(pipe, timeout_s=PATIENCE_S) as daemon:
            for _ in range(CALLS_BEFORE):
                before.append(took_ms(lambda: daemon.detect_faces(images)))
            begun.set()
            while not done.is_set():
                during.append(took_ms(lambda: daemon.detect_faces(images)))

    calling = threading.Thread(target=call)
    calling.start()
    with browser.open_page(chromium) as page:
        begun.wait()
        start = time.monotonic()
        try:
            browser.drop_photos(page, address, PERSON, dropped)
            span_s = time.monotonic() - start
        finally:
            done.set()
            calling.join()
    return {
        "before_ms": round(statistics.median(before), 1),
        "during_ms": round(statistics.median(during), 1),
        "ratio": round(statistics.median(during) / statistics.median(before), 2),
        "mean_ratio": round(statistics.mean(during) / statistics.mean(before), 2),
        "upload_s": round(span_s, 1),
        "calls_during": len(during),
    }


def cpu_s(pid: int) -> float:
    """Return the processor time that a process has used."""
    fields = Path(f"/proc/{pid}/stat").read_text("utf-8").rpartition(") ")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def browser_cpu_s(ours: Collection[int]) -> float:
    """Return the processor time that our descendants have used, without these: the browser's processes."""
    parents = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            parents[int(stat.parent.name)] = int(stat.read_text("utf-8").rpartition(") ")[2].split()[1])
    family = {os.getpid()}
    while added := {pid for pid, parent in parents.items() if parent in family} - family - set(ours):
        family |= added
    used = 0.0
    for pid in family - {os.getpid()}:
        with contextlib.suppress(OSError):
            used += cpu_s(pid)
    return used


def memory_mb(pid: int) -> float:
    """Return the resident memory of a process."""
    status = Path(f"/proc/{pid}/status").read_text("utf-8")
    (kilobytes,) = re.findall(r"^VmRSS:\s+(\d+) kB", status, re.M)
    return round(int(kilobytes) / 1024, 1)


def page_kb() -> float:
    """Return the size of the page's files, each compressed."""
    files = (REPOSITORY / "face_det/gateway/page/files").rglob("*.*")
    return round(sum(len(gzip.compress(file.read_bytes())) for file in files) / 1000, 1)


def measure(
    address: str, pipe: str, folder: Path, pids: dict[str, int], calls: int, wanted: Collection[str]
) -> dict[str, Any]:
    """Measure a daemon and a gateway that are running."""
    found = photos.photos()
    frame = jpeg(found["obama3"], FRAME_PX)
    (folder / "frame.jpg").write_bytes(frame)
    dropped = [folder / f"{number}.jpg" for number in range(DROPPED)]
    for number, path in enumerate(dropped):
        path.write_bytes(jpeg(found["obama2"], FRAME_PX, number / 5))
    browser.make_film(found["astronaut"], folder / "webcam.mjpeg")
    figures: dict[str, Any] = {
        "machine": machine.describe(),
        "memory_at_start_mb": memory_mb(pids["gateway"]),
    }
    with Client(pipe, timeout_s=PATIENCE_S) as daemon:
        daemon.add_face(PERSON, found["obama"].read_bytes())
        if "frames" in wanted:
            with httpx.Client(base_url=address, timeout=PATIENCE_S) as http:
                figures["frames"] = compare_frames(http, daemon, frame, calls)
    used = lambda: {  # noqa: E731 - short
        **{name: cpu_s(pid) for name, pid in pids.items()},
        "browser": browser_cpu_s(pids.values()),
    }
    with browser.open_browser(folder / "webcam.mjpeg") as chromium:
        if "paint" in wanted:
            figures["paint"] = browser.measure_paint(chromium, address, LOADS)
        if "live" in wanted:
            figures["live"] = browser.measure_live(chromium, address, LIVE_S, used)
        if "dropped" in wanted:
            figures["dropped"] = compare_drop(chromium, address, pipe, folder / "frame.jpg", dropped)
    load = [round(value, 1) for value in os.getloadavg()]
    return {**figures, "page_kb": page_kb(), "memory_at_end_mb": memory_mb(pids["gateway"]), "load": load}


def main() -> None:
    """Measure, and print the figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--calls", type=int, default=100)
    parser.add_argument("--only", nargs="+", default=PARTS, choices=PARTS, help="measure only these")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="fd", dir="/tmp") as name:
        folder = Path(name)
        settings = {"zerorpcPipe": f"ipc://{folder}/s", "http": {"port": 0}}
        (folder / "config.json").write_text(json.dumps({"faceDetServer": settings}))
        serving, _ = start(folder, "serve")
        web, log = start(folder, "web")
        (address,) = re.findall(r"the page is at (\S+)", log)
        try:
            pids = {"daemon": serving.pid, "gateway": web.pid}
            figures = measure(address, f"ipc://{folder}/s", folder, pids, options.calls, options.only)
        finally:
            web.terminate()
            serving.terminate()
            web.wait()
            serving.wait()
    print(json.dumps(figures, indent=2))


if __name__ == "__main__":
    main()
