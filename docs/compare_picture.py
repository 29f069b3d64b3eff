"""Makes docs/pictures/page-compare.png, the picture in docs/how-to/compare.md, with face-det's own command.

Photos in the public domain, and a cat's, are compared in a temporary folder; Chromium looks at the page. It
needs playwright, chromium and the files that `make zoo` installs.

    .venv/bin/python docs/compare_picture.py
"""

from __future__ import annotations

import io
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from PIL import Image
from playwright.sync_api import sync_playwright

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "scripts"))

import photos

TARGET = photos.REPOSITORY / "docs" / "pictures" / "page-compare.png"
FACE_DET = (sys.executable, "-m", "face_det.cli.main")
SHOWN = ("chelsea", "obama3", "obama_partial")
DETECTORS = ("yunet", "cnn", "ssd", "haar")
SIDE_PX, COLOURS = 640, 256
FIRST_ROWS = "document.querySelectorAll('h3')[2].getBoundingClientRect().top + scrollY"
TOP = "document.querySelector('p.key').getBoundingClientRect().top + scrollY"


def main() -> None:
    """Make the picture."""
    found = photos.photos()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name, "photos")
        folder.mkdir()
        for photo in SHOWN:
            with Image.open(found[photo]) as picture:
                picture.thumbnail((SIDE_PX, SIDE_PX))
                picture.save(folder / f"{photo}.png")
        chosen = [part for detector in DETECTORS for part in ("--detector", detector)]
        command = [*FACE_DET, "compare", str(folder), "--only", "detectors", "--scale", "1", *chosen]
        subprocess.run(command, cwd=name, check=True)
        with sync_playwright() as playwright:
            program = shutil.which("chromium") or shutil.which("chromium-browser")
            browser = playwright.chromium.launch(executable_path=program, args=["--no-sandbox"])
            page = browser.new_page(viewport={"width": 1060, "height": 800})
            page.goto(Path(name, "comparison/comparison.html").as_uri())
            top, bottom = page.evaluate(TOP), page.evaluate(FIRST_ROWS)
            clip = {"x": 0, "y": top, "width": 1060, "height": bottom - top}
            shot = page.screenshot(full_page=True, clip=clip)
            browser.close()
        Image.open(io.BytesIO(shot)).convert("RGB").quantize(COLOURS).save(TARGET, optimize=True)
    print(f"{TARGET}: {TARGET.stat().st_size / 1000:.0f} kB")


if __name__ == "__main__":
    main()
