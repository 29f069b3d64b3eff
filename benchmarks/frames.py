"""The pictures that every contender is measured on: frames, chips, one face, and a call.

They are made from the photos that scripts/photos.py fetches:

    frame-480p.png ...   six people at a table, and one in front of them
    chips.npy            upright faces, as many as the largest batch: (32, 150, 150, 3)
    face.png             one person; inputs.json has "face": [top, right, bottom, left]
    call-0.jpg ...       a camera's frames; inputs.json has "call", as detect_faces takes it
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageOps

from face_det.embedders import cut_chip, detect_landmarks5
from face_det.face_recognition import face_locations

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "scripts"))

import photos as photo_cache

PEOPLE = ("obama", "biden", "astronaut", "grace_hopper", "obama3")


def make(folder: Path, scale: dict[str, Any]) -> None:
    """Write the pictures into `folder`; `scale` is plan.Scale as a dict."""
    found = photo_cache.photos()
    pictures = {name: Image.open(found[name]).convert("RGB") for name in (*PEOPLE, "t1")}
    for height in {*scale["heights"], scale["call_height"]}:
        _frame(pictures, height).save(folder / f"frame-{height}p.png", compress_level=1)
    np.save(folder / "chips.npy", _chips(pictures, max(scale["batches"])))
    portrait = ImageOps.contain(pictures["obama"], (640, 640))
    portrait.save(folder / "face.png")
    (location,) = face_locations(np.array(portrait))
    inputs = {"face": location, "call": _call(folder, pictures, scale)}
    (folder / "inputs.json").write_text(json.dumps(inputs), "utf-8")


def _frame(pictures: dict[str, Image.Image], height: int) -> Image.Image:
    """Return a 16:9 frame with a room of people and one person close to the camera."""
    width = 2 * round(height * 16 / 9 / 2)
    frame = ImageOps.fit(pictures["t1"], (width, height))
    person = ImageOps.contain(pictures["obama"], (width, height))
    frame.paste(person, (width - person.width - height // 20, 0))
    return frame


def _chips(pictures: dict[str, Image.Image], count: int) -> Any:
    chips: list[Any] = []
    for picture in pictures.values():
        # Each face also gives its mirror image.
        if 2 * len(chips) >= count:
            break
        rgb = np.array(ImageOps.contain(picture, (800, 800)))
        for top, right, bottom, left in face_locations(rgb):
            chips.append(cut_chip(rgb, detect_landmarks5(rgb, (left, top, right, bottom))))
    # No chip is repeated: each face is also mirrored, and a little darker each time it is used again.
    different = [chip for face in chips for chip in (face, face[:, ::-1])]
    return np.array(
        [
            different[at % len(different)] - different[at % len(different)] // 8 * (at // len(different))
            for at in range(count)
        ]
    )


def _call(folder: Path, pictures: dict[str, Image.Image], scale: dict[str, Any]) -> list[dict[str, Any]]:
    """Return one person stands in each frame, a different one in a different place each time."""
    width, height = scale["person"]
    images = []
    for number in range(scale["call_frames"]):
        frame = _frame(pictures, scale["call_height"])
        person = ImageOps.fit(pictures[PEOPLE[number % len(PEOPLE)]], (width, width * 5 // 4))
        left = (frame.width - width) * number // max(scale["call_frames"] - 1, 1)
        top = (frame.height - height) // 2
        frame.paste(person, (left, top))
        path = folder / f"call-{number}.jpg"
        frame.save(path, quality=90)
        box = {"ymin": top, "xmin": left, "ymax": top + height, "xmax": left + width}
        label = {"id": number, "name": "person", "score": 0.9, "box": box}
        images.append({"image": str(path), "labels": [label]})
    return images


if __name__ == "__main__":
    make(Path(sys.argv[1]), json.loads(sys.argv[2]))
