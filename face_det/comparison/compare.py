"""The whole comparison, from a folder of pictures to every figure in the report."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

from face_det.comparison.annotations.read import read_annotations
from face_det.comparison.detecting import run_detectors
from face_det.comparison.journal import Journal
from face_det.comparison.pictures import FolderPictures, read_folder
from face_det.comparison.scoring import DetectorScore, score_run
from face_det.comparison.truth import Truth, truth_from_agreement, truth_from_annotations
from face_det.errors import CannotWrite, DataError
from face_det.storage import make_folder

Progress = Callable[[str, int, int], None]
"""Takes (what, done, total)."""


@dataclass(frozen=True, slots=True)
class DetectorSettings:
    """Which detectors to compare, and how.

    A box is on a face if their intersection over union is at least `min_iou`. Faces smaller than
    `min_face_px` are not counted.
    """

    detectors: tuple[str, ...]
    scales: tuple[Fraction, ...]
    annotations: Path | None = None
    min_iou: float = 0.4
    min_face_px: float = 16.0


@dataclass(frozen=True, slots=True)
class DetectorComparison:
    """The detectors' scores over the pictures, and where the faces are."""

    settings: DetectorSettings
    truth: Truth | None
    scores: tuple[DetectorScore, ...]


@dataclass(frozen=True, slots=True)
class Comparison:
    """Everything that was measured."""

    pictures: FolderPictures
    detectors: DetectorComparison | None


def prepare_output(output: Path, folder: Path) -> Path:
    """Make the folder for the report, and the one below it for results so far, which is returned.

    Raises DataError if it is the folder of pictures or inside it, and CannotWrite.
    """
    if output.resolve().is_relative_to(folder.resolve()):
        raise DataError(f"{output}: must not be inside {folder}, whose pictures are compared")
    parts = output / "parts"
    try:
        make_folder(parts)
        probe = parts / ".writable"
        probe.touch()
        probe.unlink()
    except OSError as error:
        raise CannotWrite(
            f"{output}: must be a folder that can be written to, got {error.strerror}"
        ) from error
    return parts


def compare(folder: Path, parts: Path, detectors: DetectorSettings, on_progress: Progress) -> Comparison:
    """Measure what `parts` does not hold yet. Raises DataError and CannotWrite."""
    # Before hours of work, see that the annotations can be read.
    annotations = None if detectors.annotations is None else read_annotations(detectors.annotations)
    pictures = read_folder(
        folder, Journal(parts / "pictures.jsonl"), lambda done, total: on_progress("pictures", done, total)
    )
    truth = None
    if annotations is not None:
        assert detectors.annotations is not None
        truth = truth_from_annotations(annotations, detectors.annotations, pictures)
    runs = run_detectors(
        pictures.pictures, detectors.detectors, detectors.scales, detectors.min_face_px, parts, on_progress
    )
    if truth is None:
        truth = truth_from_agreement(runs, pictures.pictures, detectors.min_iou)
    scores = tuple(
        score_run(run, pictures.pictures, truth, detectors.min_iou, detectors.min_face_px) for run in runs
    )
    return Comparison(pictures, DetectorComparison(detectors, truth, scores))


def usable(scores: Sequence[DetectorScore]) -> list[DetectorScore]:
    """Return the scores of detectors that could be used."""
    return [score for score in scores if score.run.missing is None]
