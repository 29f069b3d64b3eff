"""Compare the detectors: python benchmarks/detectors.py FOLDER.

FOLDER holds photos, each with one face in its middle, such as those of Labeled Faces in the Wild. Of
these, the first --photos by name are searched as they are, and shrunk to SMALL_PX: a face is found if a
box of a plausible size covers the middle of the photo. The packages' photos add six people at a table, and
pictures of nobody, in which every box is a false alarm. Time is that of one core, all threads together, for a
picture of 1280 x 720 pixels. Writes the table into docs/reference/detectors.md.
"""

from __future__ import annotations

import argparse
import re
import statistics
import sys
import time
from collections.abc import Iterable
from pathlib import Path

import machine

from face_det.detectors import DETECTORS
from face_det.media import load_image, resize_image
from face_det.nets import Compute
from face_det.types import Detection, Detector, Rgb

REPOSITORY = Path(__file__).parents[1]
PAGE = REPOSITORY / "docs/reference/detectors.md"
START, END = "<!-- measured by benchmarks/detectors.py -->\n", "<!-- end -->\n"

SMALL_PX = 40
"""The side to which photos are shrunk; the face is about 15 px wide then."""

LEFT_OUT = ("cnn_dlib",)
"""Its boxes are those of cnn, many times as slowly."""

PLAUSIBLE = 0.15, 0.75
"""A face's share of the photo's width."""

NOBODY = ("chelsea", "nobody")
REPEATS = 3


def finds_middle(found: Iterable[Detection], side: int) -> bool:
    """Tell whether a box of a plausible size covers the middle of a photo, `side` pixels wide.

    >>> from face_det.types import Box
    >>> finds_middle([Detection(Box(70, 60, 180, 190), 1)], 250)
    True
    """
    low, high = PLAUSIBLE
    return any(
        one.box.xmin < side / 2 < one.box.xmax
        and one.box.ymin < side / 2 < one.box.ymax
        and low * side <= one.box.width <= high * side
        for one in found
    )


def share_found(detector: Detector, photos: list[Rgb], upsample: int) -> float:
    """Return the share of photos whose central face is found, 0..1."""
    return statistics.fmean(
        finds_middle(detector.detect(photo, upsample), photo.shape[1]) for photo in photos
    )


def cpu_ms(detector: Detector, rgb: Rgb) -> float:
    """Return the processor's time for one search, the middle one of several."""
    taken = []
    for _ in range(REPEATS):
        start = time.process_time()
        detector.detect(rgb)
        taken.append(1000 * (time.process_time() - start))
    return statistics.median(taken)


def measure(name: str, large: list[Rgb], packaged: dict[str, Rgb]) -> str:
    """Return a row of the table."""
    detector: Detector = DETECTORS.create(name, compute=Compute(threads=1), min_face_px=16)
    small = [resize_image(photo, SMALL_PX, SMALL_PX) for photo in large]
    shares = [
        f"{100 * share_found(detector, photos, upsample):.0f} %"
        for photos, upsample in ((large, 0), (small, 0), (small, 1))
    ]
    (points,) = {one.landmarks is not None for one in detector.detect(packaged["t1"])} or {False}
    group = len(detector.detect(packaged["t1"]))
    alarms = sum(len(detector.detect(packaged[nobody], 1)) for nobody in NOBODY)
    room = packaged["t1"][:720]
    cells = [f"`{name}`", *shares, group, alarms, "yes" if points else "no", f"{cpu_ms(detector, room):.0f}"]
    return "| " + " | ".join(map(str, cells)) + " |\n"


def table(names: list[str], large: list[Rgb], packaged: dict[str, Rgb]) -> str:
    """Measure each detector; the table and what it was measured on."""
    head = (
        "| detector | faces of ~95 px | ~15 px | ~15 px, `numFaceImgUpsample` 1 | boxes on six people | "
        "boxes on a cat and a cup of coffee | landmarks | ms |\n|---|---|---|---|---|---|---|---|\n"
    )
    rows = []
    for name in names:
        rows.append(measure(name, large, packaged))
        print(rows[-1], end="", file=sys.stderr, flush=True)
    told = f"{len(large)} photos of one person each, on {machine.describe()['cpu']}, {machine.now()[:10]}."
    return f"{head}{''.join(rows)}\n{told}\n"


def main() -> None:
    """Measure, and write the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--photos", type=int, default=100)
    parser.add_argument("--output", type=Path, default=PAGE)
    parser.add_argument("--only", nargs="+", default=[name for name in DETECTORS if name not in LEFT_OUT])
    arguments = parser.parse_args()
    sys.path.insert(0, str(REPOSITORY / "scripts"))
    import photos

    large = [load_image(path) for path in sorted(arguments.folder.glob("*.jpg"))[: arguments.photos]]
    packaged = {name: load_image(path) for name, path in photos.photos().items() if name in (*NOBODY, "t1")}
    page = arguments.output.read_text("utf-8")
    measured = f"{START}\n{table(arguments.only, large, packaged)}{END}"
    arguments.output.write_text(re.sub(f"{START}.*?{END}", lambda _: measured, page, flags=re.S), "utf-8")


if __name__ == "__main__":
    main()
