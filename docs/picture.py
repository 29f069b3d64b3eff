"""Makes docs/pictures/annotated.jpg, the picture at the top of the README, with face-det's own commands.

Three photos in the public domain are put side by side as one frame. One of the three people is enrolled,
so one face gets a name and two do not. Everything happens in a temporary folder.

    .venv/bin/python docs/picture.py
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from PIL import Image

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "scripts"))

import photos

TARGET = photos.REPOSITORY / "docs" / "pictures" / "annotated.jpg"
FACE_DET = Path(sys.executable).with_name("face-det")
ENROLLED = {"Barack_Obama": ("obama", "obama2")}
FRAME = ("astronaut", "obama3", "grace_hopper")
HEIGHT, WIDTH = 480, 320
"""Pixels: of the frame, and of each person's part of it."""


def frame(found: dict[str, Path]) -> Image.Image:
    """Put the three photos side by side, each scaled to the frame's height and cropped around its middle."""
    picture = Image.new("RGB", (WIDTH * len(FRAME), HEIGHT))
    for column, name in enumerate(FRAME):
        photo = Image.open(found[name]).convert("RGB")
        scale = max(HEIGHT / photo.height, WIDTH / photo.width)
        size = (round(photo.width * scale), round(photo.height * scale))
        photo = photo.resize(size, Image.Resampling.LANCZOS)
        left = (photo.width - WIDTH) // 2
        picture.paste(photo.crop((left, 0, left + WIDTH, HEIGHT)), (column * WIDTH, 0))
    return picture


def main() -> None:
    """Enrol, train, recognise and annotate, then keep the annotated picture in docs/pictures."""
    found = photos.photos()
    with tempfile.TemporaryDirectory() as folder:
        state = Path(folder)
        for person, names in ENROLLED.items():
            (state / "dataset" / person).mkdir(parents=True)
            for name in names:
                shutil.copy(found[name], state / "dataset" / person)
        config = state / "config.json"
        settings = {"modelPath": "./template_face_recognizer.pickle", "focusMeasureThreshold": 50}
        config.write_text(json.dumps({"faceDetServer": settings}), "utf-8")
        frame(found).save(state / "frame.png")
        for command in (
            ("encode", "--config", str(config)),
            ("train", "--config", str(config), "--classifier", "template"),
            (
                "recognize",
                str(state / "frame.png"),
                "--config",
                str(config),
                "--annotate",
                str(state / "out"),
            ),
        ):
            subprocess.run([FACE_DET, *command], check=True)
        (annotated,) = (state / "out").iterdir()
        TARGET.parent.mkdir(exist_ok=True)
        Image.open(annotated).convert("RGB").save(TARGET, quality=85)
    print(f"{TARGET}: {TARGET.stat().st_size / 1000:.0f} kB")


if __name__ == "__main__":
    main()
