"""An embedder that the user brings: an ONNX file, and a description of its input and output beside it."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Annotated, ClassVar, Literal

import numpy as np
import numpy.typing as npt
from pydantic import Field

from face_det.embedders import alignment
from face_det.embedders.alignment import ARCFACE_CHIP_PX, FaceAligner
from face_det.embedders.jitter import sum_sample_encodings
from face_det.embedders.specs import JITTERS, DistanceThresholds, EmbedderSpec
from face_det.errors import ModelError
from face_det.media import cut_square, resize_image, warp_to_square
from face_det.nets import DEFAULT_COMPUTE, Compute, PictureDescription, PictureModel, read_model_file
from face_det.registry import FILE_PREFIX, description_path
from face_det.types import Detection, Encodings, Rgb

TARGET = "face_det.embedders.onnx_file:OnnxFileEmbedder"

PROVISIONAL = DistanceThresholds(1.2, 1.1)
"""Between encodings of length 1, for finding bursts and photos of somebody else, where the description gives
no distances. Nobody is named by them."""

ANSWER_TOLERANCE = 0.01
"""How far a number of the known answer may be off: reduced precision moves it by some thousandths."""

Distance = Annotated[float, Field(gt=0, le=100)]


class EmbedderDescription(PictureDescription):
    """What an embedder's description says, beside its input."""

    how_to: ClassVar[str] = "see docs/how-to/own-embedder.md"

    dimensions: Annotated[int, Field(ge=2, le=8192)]
    """How many numbers an encoding has."""
    alignment: Literal["arcface112", "dlib150", "box"] = "arcface112"
    """How faces were cut out that the network was trained with."""
    margin: Annotated[float, Field(ge=0, le=2)] = 0.1
    """For `box`: what is around the face, relative to its longer side."""
    output: str | None = None
    """The name of the output that holds the encoding; needed if there are several."""
    normalise: bool = True
    """Scale encodings to length 1, so that they are compared by their angle."""
    even_distance: Distance | None = None
    gate_distance: Distance | None = None
    """DistanceThresholds, where they are known."""
    known_answer: Annotated[tuple[float, ...], Field(min_length=1)] | None = None
    """The first numbers of the encoding of `make_test_chip`, as they are answered."""


def describe_file(path: Path) -> EmbedderSpec:
    """Return the menu's entry for an ONNX file, without loading it.

    Its fingerprint is one of what file and description say about an encoding, wherever they are. Raises
    ModelMissing or ModelError, which name the file.
    """
    file = read_model_file(path, EmbedderDescription)
    found, place = file.description, description_path(path)
    even, gate = found.even_distance, found.gate_distance
    if (even is None) != (gate is None) or (even is not None and gate is not None and gate >= even):
        raise ModelError(f"{place}: evenDistance, gateDistance: must be both given, the second less, or none")
    shaping = found.model_dump_json(exclude={"even_distance", "gate_distance", "known_answer"})
    content = hashlib.sha256(hashlib.sha256(file.data).digest() + shaping.encode()).hexdigest()[:12]
    return EmbedderSpec(
        f"{FILE_PREFIX}{path}",
        TARGET,
        configured_as=f"{FILE_PREFIX}{path}",
        encodings_key=f"{FILE_PREFIX}{content}",
        dimensions=found.dimensions,
        thresholds=PROVISIONAL if even is None or gate is None else DistanceThresholds(even, gate),
        provisional=even is None,
        on_demand=True,
        fingerprint=f"{FILE_PREFIX}{content}:{found.alignment}",
    )


class OnnxFileEmbedder:
    """Encodes aligned faces by the user's network. It may be called from several threads."""

    def __init__(self, path: Path, compute: Compute = DEFAULT_COMPUTE, jitter: str = "dlib") -> None:
        """Load the model, and see that it answers as described.

        Raises ModelMissing or ModelError, which name the file, and whatever loading a network raises.
        """
        file, spec = read_model_file(path, EmbedderDescription), describe_file(path)
        assert spec.fingerprint is not None
        self.name, self.dimensions, self.fingerprint = spec.name, spec.dimensions, spec.fingerprint
        self._place, self._description = description_path(path), file.description
        self._model = PictureModel(file, compute)
        self.runtime = self._model.runtime
        self._side = self._model.width
        if self._model.height != self._side:
            raise ModelError(
                f"{path}: its input must be a square, got {self._side} x {self._model.height} px"
            )
        self._aligner = FaceAligner(compute)
        self._jitter = JITTERS.create(jitter)
        self._check_answer()

    def align(self, rgb: Rgb, detection: Detection) -> Rgb:
        """Cut out a face as the network expects it, shape (side, side, 3)."""
        how = self._description.alignment
        if how == "arcface112":
            matrix = self._aligner.find_transform(rgb, detection)
            return warp_to_square(rgb, self._side / ARCFACE_CHIP_PX * matrix, self._side)
        box = detection.box
        if how == "dlib150":
            chip = alignment.cut_chip(rgb, alignment.detect_landmarks5_in_box(rgb, box))
            return resize_image(chip, self._side, self._side)
        width = max(box.width, box.height, 1.0) * (1 + 2 * self._description.margin)
        left, top = (box.xmin + box.xmax - width) / 2, (box.ymin + box.ymax - width) / 2
        return cut_square(rgb, left, top, width, self._side)[0]

    def embed(self, chips: Sequence[Rgb], jitters: int = 1) -> Encodings:
        """Encode chips; shape (len(chips), dimensions).

        With more `jitters`, this many samples are averaged: the chip, its mirror image, then resamples.
        """
        samples = [self._samples(chip, jitters) for chip in chips]
        sums = sum_sample_encodings(samples, self._encode, 1, self.dimensions)
        return self._scale(sums) if self._description.normalise else sums / max(jitters, 1)

    def _samples(self, chip: Rgb, count: int) -> Iterator[Rgb]:
        yield chip
        if count > 1:
            yield np.ascontiguousarray(chip[:, ::-1])
        if count > 2:
            yield from self._jitter.resample(chip, count - 2)

    def _encode(self, chips: Sequence[Rgb]) -> Encodings:
        rows = np.array([self._pick(self._model.run(chip)) for chip in chips], np.float64)
        return self._scale(rows) if self._description.normalise else rows

    def _scale(self, rows: Encodings) -> Encodings:
        scaled: Encodings = rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-12)
        return scaled

    def _pick(self, outputs: Sequence[npt.NDArray[np.float32]]) -> npt.NDArray[np.float32]:
        """Return the encoding among the outputs; ModelError if it is not what the description says."""
        names, wanted = self._model.outputs, self._description.output
        if wanted is None and len(names) > 1:
            raise ModelError(f"{self._place}: output: must be one of {', '.join(names)}, got none")
        if wanted is not None and wanted not in names:
            raise ModelError(f"{self._place}: output: must be one of {', '.join(names)}, got {wanted!r:.60}")
        found = outputs[0 if wanted is None else names.index(wanted)]
        if found.size != self.dimensions or not np.isfinite(found).all():
            raise ModelError(
                f"{self._place}: dimensions: must be {found.size}, finite numbers as the model answers, "
                f"got {self.dimensions}"
            )
        return found.reshape(-1)

    def _check_answer(self) -> None:
        """Compare the encoding of the test chip with the known answer, if there is one."""
        (found,) = self._encode([make_test_chip(self._side)])
        wanted = self._description.known_answer
        if wanted is None:
            return
        start = found[: len(wanted)]
        if len(wanted) > len(found) or np.abs(start - wanted).max() > ANSWER_TOLERANCE:
            here = ", ".join(f"{number:.4f}" for number in found[: max(len(wanted), 4)])
            raise ModelError(
                f"{self._place}: knownAnswer: must be what the model answers here, {here}, "
                f"got {', '.join(f'{number:.4f}' for number in wanted)[:120]}; "
                "see that file, description and runtime are the right ones"
            )


def make_test_chip(side: int) -> Rgb:
    """Draw the picture of the known answer: red rises to the right, green downwards, blue along both.

    >>> make_test_chip(112)[1, 2].tolist()
    [6, 5, 21]
    """
    down, across = np.mgrid[:side, :side]
    colours = (3 * across, 5 * down, 7 * (across + down))
    return np.stack(colours, axis=2).astype(np.uint8)
