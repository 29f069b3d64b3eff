"""Makes docs/pictures/page-*.png, the pictures of the page in docs/how-to/page.md.

A daemon and a gateway run in a temporary folder, with photos in the public domain as the family and as the
webcam; Chromium looks at the page. It needs playwright and chromium.

    .venv/bin/python docs/screenshots.py
"""

from __future__ import annotations

import contextlib
import io
import json
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import cv2
import httpx
from PIL import Image
from playwright.sync_api import Page, sync_playwright

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "scripts"))

import photos

TARGET = photos.REPOSITORY / "docs" / "pictures"
FACE_DET = (sys.executable, "-m", "face_det.cli.main")
PORT = 8732
ADDRESS = f"http://127.0.0.1:{PORT}"
FAMILY = {"Barack": ("obama", "obama2"), "Grace": ("grace_hopper",)}
SEEN = (
    ("door", "obama3"),
    ("door", "astronaut"),
    ("door", "astronaut"),
    ("garden", "obama"),
    ("garden", "biden"),
)
WEBCAM = "grace_hopper"
DESK, PHONE = (1280, 800), (390, 844)
COLOURS = 256
MOST_BYTES = 150_000
PATIENCE_S = 120

SHOTS = (
    # name, size, scheme, view, what must be there
    ("start", DESK, "light", "start", ".choice"),
    ("live", DESK, "light", "live", ".box.known"),
    ("people", DESK, "light", "people", ".portrait:nth-child(2) .face.there"),
    ("review", DESK, "light", "review", ".sighting .face.there"),
    ("unknown", PHONE, "dark", "review?unknown", ".group .face.there"),
    ("person", PHONE, "light", "person/Barack", ".photo:nth-child(2) .face.there"),
    ("tune", DESK, "dark", "tune", ".ladder, .notice"),
)


@contextlib.contextmanager
def running(folder: Path) -> Iterator[httpx.Client]:
    """Run a daemon and a gateway with everything in a folder; a client of the gateway."""
    config = folder / "config.json"
    settings = {
        "zerorpcPipe": f"ipc://{folder}/s",
        "sightings": {"frames": True},
        "http": {"port": PORT},
    }
    config.write_text(json.dumps({"faceDetServer": settings}), "utf-8")
    with contextlib.ExitStack() as stack:
        for command in ("serve", "web"):
            process = subprocess.Popen([*FACE_DET, command, "--config", str(config)])
            stack.callback(process.wait)
            stack.callback(process.terminate)
        client = stack.enter_context(httpx.Client(base_url=ADDRESS, timeout=PATIENCE_S))
        end = time.monotonic() + PATIENCE_S
        while time.monotonic() < end:
            with contextlib.suppress(httpx.TransportError):
                if client.get("/healthz").is_success:
                    break
            time.sleep(0.5)
        yield client


def small(photo: Path) -> bytes:
    """Return a photo as a JPEG of at most 900 pixels."""
    picture = Image.open(photo).convert("RGB")
    picture.thumbnail((900, 900))
    file = io.BytesIO()
    picture.save(file, "JPEG", quality=90)
    return file.getvalue()


def fill(client: httpx.Client, found: dict[str, Path]) -> None:
    """Enrol the family, and let cameras see some people."""
    for name, names in FAMILY.items():
        for photo in names:
            upload = {"image": small(found[photo])}
            client.post(f"/api/v1/people/{name}/photos", files=upload).raise_for_status()
    for camera, photo in SEEN:
        options = {"remember": "true", "camera": camera}
        answer = client.post("/api/v1/faces", params=options, files={"image": small(found[photo])})
        answer.raise_for_status()


def film(photo: Path, path: Path) -> Path:
    """Make a webcam's film of a photo."""
    picture = cv2.imread(str(photo))
    assert picture is not None
    height, width = picture.shape[:2]
    shown = round(width * 9 / 16)
    top = round((height - shown) * 0.12)
    frame = cv2.resize(picture[top : top + shown], (1280, 720))
    path.write_bytes(cv2.imencode(".jpg", frame)[1].tobytes() * 8)
    return path


def keep(page: Page, name: str) -> None:
    """Keep what a page shows, in few colours."""
    shot = Image.open(io.BytesIO(page.screenshot())).convert("RGB")
    width = min(shot.width, 960)
    shot = shot.resize((width, round(shot.height * width / shot.width)), Image.Resampling.LANCZOS)
    path = TARGET / f"page-{name}.png"
    for colours in (COLOURS, COLOURS // 2, COLOURS // 4):
        shot.quantize(colours, dither=Image.Dither.NONE).save(path, optimize=True)
        if path.stat().st_size < MOST_BYTES:
            return
    raise RuntimeError(f"{path}: must have less than {MOST_BYTES} bytes")


def main() -> None:
    """Fill a gallery and take all pictures."""
    found = photos.photos()
    program = shutil.which("chromium") or shutil.which("chromium-browser")
    TARGET.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="fd") as name, running(Path(name)) as client:
        fill(client, found)
        webcam = film(found[WEBCAM], Path(name) / "webcam.mjpeg")
        flags = ["--no-sandbox", "--use-fake-ui-for-media-stream", "--use-fake-device-for-media-stream"]
        flags.append(f"--use-file-for-fake-video-capture={webcam}")
        with sync_playwright() as playwright:
            chromium = playwright.chromium.launch(executable_path=program, args=flags)
            for name, (width, height), scheme, view, sign in SHOTS:
                context = chromium.new_context(
                    viewport={"width": width, "height": height},
                    color_scheme="dark" if scheme == "dark" else "light",
                    locale="en-GB",
                    reduced_motion="reduce",
                    permissions=["camera"],
                )
                page = context.new_page()
                page.goto(f"{ADDRESS}/#/{view}")
                page.locator(sign).first.wait_for(timeout=PATIENCE_S * 1000)
                page.wait_for_timeout(2000)
                keep(page, name)
                context.close()


if __name__ == "__main__":
    main()
