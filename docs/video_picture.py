"""Makes docs/pictures/page-video.png, the picture in docs/how-to/video.md, with face-det's own commands.

Photos in the public domain move through a video as three people; two are enrolled. `face-det video --html`
looks at it, and Chromium at the page, in a temporary folder. It needs playwright and chromium.

    .venv/bin/python docs/video_picture.py
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import cv2
import numpy as np
from PIL import Image
from playwright.sync_api import sync_playwright

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "scripts"))

import photos

TARGET = photos.REPOSITORY / "docs" / "pictures" / "page-video.png"
FACE_DET = (sys.executable, "-m", "face_det.cli.main")
FAMILY = {"Barack": ("obama", "obama2"), "Grace": ("grace_hopper",)}
VISITS = (
    # photo, from and until which second, and where its middle is then, as shares of the frame
    ("obama3", 0.0, 7.0, (0.15, 0.5), (0.4, 0.52)),
    ("astronaut", 3.0, 9.0, (0.85, 0.5), (0.65, 0.48)),
    ("grace_hopper", 9.5, 16.0, (0.2, 0.5), (0.7, 0.5)),
    ("obama3", 12.0, 17.0, (0.9, 0.52), (0.45, 0.5)),
)
SIZE, FPS, SECONDS, PERSON_PX = (1280, 720), 10, 18, 380
COLOURS = 128


def play(found: dict[str, Path], target: Path) -> None:
    """Write the video."""
    width, height = SIZE
    people = {}
    for name, *_ in VISITS:
        photo = cv2.imread(str(found[name]))
        scale = PERSON_PX / photo.shape[1]
        people[name] = cv2.resize(photo, None, fx=scale, fy=scale)[:PERSON_PX]
    writer = cv2.VideoWriter(str(target), cv2.CAP_FFMPEG, cv2.VideoWriter.fourcc(*"MJPG"), FPS, SIZE)
    for number in range(SECONDS * FPS):
        frame = np.full((height, width, 3), (150, 140, 130), np.uint8)
        for name, start, end, here, there in VISITS:
            share = (number / FPS - start) / (end - start)
            if 0 <= share < 1:
                person = people[name]
                high, wide = person.shape[:2]
                left = round((here[0] + (there[0] - here[0]) * share) * width - wide / 2)
                top = round((here[1] + (there[1] - here[1]) * share) * height - high / 2)
                left = min(max(left, 0), width - wide)
                frame[top : top + high, left : left + wide] = person
        writer.write(frame)
    writer.release()


def main() -> None:
    """Make the picture."""
    found = photos.photos()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "config.json").write_text('{"faceDetServer": {}}')
        for person, pictures in FAMILY.items():
            for picture in pictures:
                place = folder / "dataset" / person
                place.mkdir(parents=True, exist_ok=True)
                shutil.copy(found[picture], place)
        for command in (("encode",), ("train",)):
            subprocess.run([*FACE_DET, *command], cwd=folder, check=True)
        play(found, folder / "doorbell.avi")
        looking = ("video", "doorbell.avi", "--html", "people.html")
        subprocess.run([*FACE_DET, *looking], cwd=folder, check=True)
        with sync_playwright() as playwright:
            browser = playwright.chromium.launch(executable_path=shutil.which("chromium"))
            page = browser.new_page(viewport={"width": 800, "height": 560})
            page.goto((folder / "people.html").as_uri())
            shot = folder / "shot.png"
            page.screenshot(path=shot)
            browser.close()
        Image.open(shot).convert("RGB").quantize(COLOURS).save(TARGET, optimize=True)
    print(TARGET)


if __name__ == "__main__":
    main()
