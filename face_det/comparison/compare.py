"""The whole comparison, from a folder of pictures to every figure in the report."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

from face_det.comparison.annotations.faces import Annotations
from face_det.comparison.annotations.read import read_annotations
from face_det.comparison.detecting import run_detectors
from face_det.comparison.journal import Journal
from face_det.comparison.masks import MaskResult, compare_masks
from face_det.comparison.pictures import FolderPictures, read_folder
from face_det.comparison.recognisers import (
    RecogniserResult,
    RecogniserSettings,
    compare_recognisers,
    encode_all,
)
from face_det.comparison.scoring import DetectorScore, score_run
from face_det.comparison.truth import Truth, truth_from_agreement, truth_from_annotations
from face_det.errors import CannotWrite, DataError
from face_det.evaluation import DatasetSplit, split_dataset
from face_det.gallery import EncodingCache
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


@dataclass(frozen=True, eq=False)
class RecogniserComparison:
    """The recognisers' results on a dataset, and what masks do to the encodings."""

    settings: RecogniserSettings
    split: DatasetSplit
    left_out: Mapping[str, int]
    results: tuple[RecogniserResult, ...]
    masks: tuple[MaskResult, ...]


@dataclass(frozen=True, eq=False)
class Comparison:
    """Everything that was measured.

    `detectors` and `recognisers` are None if they were not asked for; `no_dataset` says why there are no
    recognisers although they were.
    """

    pictures: FolderPictures
    detectors: DetectorComparison | None
    recognisers: RecogniserComparison | None
    no_dataset: str | None = None

    def failures(self) -> list[str]:
        """Return a line for each picture to which a detector gave no answer, with the reason."""
        names: dict[str, str] = {}
        for picture in self.pictures.pictures:
            names.setdefault(picture.sha256, self.pictures.name(picture.path))
        return [
            f"{score.run.detector} at scale {score.run.scale}: {names[sha256]}: {why}"
            for score in (self.detectors.scores if self.detectors is not None else ())
            for sha256, why in score.run.failed.items()
        ]


def prepare_output(output: Path, folder: Path) -> Path:
    """Make the folder for the report, and the one below it for results so far, which is returned.

    Raises DataError if there are no pictures, or the output is inside their folder, and CannotWrite.
    """
    if not folder.is_dir():
        got = "a file" if folder.exists() else "no such folder"
        raise DataError(f"{folder}: must be a folder of pictures, got {got}")
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


def compare(
    folder: Path,
    parts: Path,
    detectors: DetectorSettings | None,
    recognisers: RecogniserSettings | None,
    on_progress: Progress,
) -> Comparison:
    """Measure what `parts` does not hold yet.

    Recognisers need a dataset, NAME/*; where the folder is none, only detectors are compared. Raises
    DataError, also if it is none and only recognisers are asked for, and CannotWrite.
    """
    split, no_dataset = None, None
    if recognisers is not None:
        try:
            split = split_dataset(folder)
        except DataError as error:
            if detectors is None:
                raise
            no_dataset = str(error)
    # Before hours of work, see that the annotations can be read.
    annotations = None
    if detectors is not None and detectors.annotations is not None:
        annotations = read_annotations(detectors.annotations)
    pictures = read_folder(
        folder, Journal(parts / "pictures.jsonl"), lambda done, total: on_progress("pictures", done, total)
    )
    detecting = recognising = None
    if detectors is not None:
        detecting = _compare_detectors(pictures, annotations, parts, detectors, on_progress)
    if recognisers is not None and split is not None:
        recognising = _compare_recognisers(split, parts, recognisers, on_progress)
    return Comparison(pictures, detecting, recognising, no_dataset)


def _compare_detectors(
    pictures: FolderPictures,
    annotations: Annotations | None,
    parts: Path,
    settings: DetectorSettings,
    on_progress: Progress,
) -> DetectorComparison:
    truth = None
    if annotations is not None:
        assert settings.annotations is not None
        truth = truth_from_annotations(annotations, settings.annotations, pictures)
    runs = run_detectors(
        pictures.pictures, settings.detectors, settings.scales, settings.min_face_px, parts, on_progress
    )
    if truth is None:
        truth = truth_from_agreement(runs, pictures.pictures, settings.min_iou)
    scores = tuple(
        score_run(run, pictures.pictures, truth, settings.min_iou, settings.min_face_px) for run in runs
    )
    return DetectorComparison(settings, truth, scores)


def _compare_recognisers(
    split: DatasetSplit, parts: Path, settings: RecogniserSettings, on_progress: Progress
) -> RecogniserComparison:
    journal = Journal(parts / "recognisers.jsonl")
    with EncodingCache(parts / "encodings.sqlite") as cache:
        dataset = encode_all(split, settings, cache, on_progress)
    results = tuple(compare_recognisers(dataset, settings, journal, on_progress))
    masks: tuple[MaskResult, ...] = ()
    if settings.masks:
        masks = tuple(compare_masks(dataset, settings, journal, parts, on_progress))
    left_out = dataset.encoded().count_left_out() if dataset.embedders else {}
    return RecogniserComparison(settings, split, left_out, results, masks)


def usable(scores: Sequence[DetectorScore]) -> list[DetectorScore]:
    """Return the scores of detectors that could be used."""
    return [score for score in scores if score.run.missing is None]
