"""Pictures of toy faces as files, and extractions of them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import PIL.Image
from toy_faces import SIDE_PX, ToyEngine, toy_frame, toy_recognizer

from face_det.extraction import (
    OUTPUT_JOURNAL,
    Extraction,
    ExtractOptions,
    ExtractReport,
    Person,
    open_output,
    pictures_in_folder,
)
from face_det.extraction.objects import LoadedPicture
from face_det.recognition import Recognizer
from face_det.types import Box


def toy_picture(path: Path, *people: int, photo: int = 0, empty_person: bool = False) -> Path:
    """Write a PNG of people, by number, side by side.

    With `empty_person`, `ToyPersons` finds somebody without a face at the right.
    """
    placed = [(person, 40 + 150 * at, 30) for at, person in enumerate(people)]
    rgb = toy_frame(*placed, photo=photo, background=photo)
    rgb[-1, -1, 2] = 1 if empty_person else 0
    path.parent.mkdir(parents=True, exist_ok=True)
    PIL.Image.fromarray(rgb).save(path)
    return path


class ToyPersons:
    """A PersonFinder: a person's box around each place where `toy_picture` puts a face."""

    batch = 2
    settings = "toy"

    def find(self, pictures: Sequence[LoadedPicture]) -> list[list[Person]]:
        """Return a box for each, 30 px wider than the face on both sides."""
        found = []
        for _, rgb in pictures:
            lefts = [left for left in range(40, 490, 150) if rgb[30 + SIDE_PX // 2, left + SIDE_PX // 2, 0]]
            boxes = [Box(left - 30, 10, left + SIDE_PX + 30, 300) for left in lefts]
            boxes += [Box(540, 10, 630, 300)] if rgb[-1, -1, 2] else []
            found.append([Person(box, 0.9) for box in boxes])
        return found


def run_extraction(
    pictures: Path, output: Path, options: ExtractOptions, recognizer: Recognizer | None = None
) -> ExtractReport:
    """Extract from a folder, with a model if there is one, and sort; what was done."""
    recognizer = recognizer or toy_recognizer(ToyEngine())
    with open_output(output) as folder:
        extraction = Extraction(folder, recognizer, ToyPersons(), options)
        extraction.run(pictures_in_folder(pictures, output).pictures)
        extraction.sort()
    return extraction.report


def shown(output: Path) -> dict[str, bytes]:
    """What somebody sees in a folder: every file that is not hidden, with its bytes."""
    return {
        path.relative_to(output).as_posix(): path.read_bytes()
        for path in sorted(output.rglob("*"))
        if path.is_file()
        and path.name != OUTPUT_JOURNAL
        and not any(part.startswith(".") for part in path.relative_to(output).parts)
    }
