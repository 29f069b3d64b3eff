"""Faces that are squares: the red says who it is, the green how clearly it is seen, the blue which photo."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from face_det.embedders import DLIB_RESNET, SFACE
from face_det.engine import Engine, EngineOptions
from face_det.gallery import Gallery
from face_det.recognition import Recognizer
from face_det.training import load_mean_face, refit_model
from face_det.types import Box, Detection, Encodings, Rgb

SIDE_PX = 40
CLEAR, POOR = 140, 50
"""Norms, times ten."""
MEAN_FACE = np.array(load_mean_face("sface"))
FINGERPRINT = "sface:toy"


def toy_frame(*placed: tuple[int, int, int], norm: int = CLEAR, photo: int = 0, background: int = 0) -> Rgb:
    """A frame of 640 x 360 pixels with people, from 1 on, at (person, left, top); the last is in front."""
    canvas = np.zeros((360, 640, 3), np.uint8)
    canvas[..., 2] = background
    for person, left, top in placed:
        canvas[max(top, 0) : top + SIDE_PX, max(left, 0) : left + SIDE_PX] = (person, norm, photo)
    return canvas


def toy_encoding(person: int, photo: int = 0) -> npt.NDArray[np.float64]:
    """What the toy embedder makes of a face: photos of a person have a cosine of some .7."""
    who = np.random.default_rng([5, person]).normal(size=128) / np.sqrt(128)
    how = np.random.default_rng([6, person, photo]).normal(size=128) / np.sqrt(128)
    drawn = MEAN_FACE + 0.8 * who + 0.5 * how
    return np.asarray(drawn / np.linalg.norm(drawn))


class ToyDetector:
    """Finds the squares, and counts what it is asked."""

    runtime = "toy"

    def __init__(self) -> None:
        self.searched: list[tuple[int, int]] = []
        """The width and height of each image."""

    def detect(self, rgb: Rgb, upsample: int = 0) -> list[Detection]:
        """One face for each person of whom enough is to be seen."""
        self.searched.append((rgb.shape[1], rgb.shape[0]))
        return self._found(rgb, 0)

    def detect_from(self, rgb: Rgb, min_face_px: float, upsample: int = 0) -> list[Detection]:
        """The same, without those that are smaller."""
        self.searched.append((rgb.shape[1], rgb.shape[0]))
        return self._found(rgb, min_face_px)

    def _found(self, rgb: Rgb, min_face_px: float) -> list[Detection]:
        found = []
        for person in np.unique(rgb[..., 0]):
            rows, columns = np.nonzero(rgb[..., 0] == person)
            box = Box(float(columns.min()), float(rows.min()), columns.max() + 1.0, rows.max() + 1.0)
            if person and box.shorter_side >= max(SIDE_PX / 2, min_face_px):
                found.append(Detection(box, 0.9))
        return found


class ToyEmbedder:
    """Reads from the pixels who it is."""

    name = "sface"
    runtime = "toy"
    dimensions = 128

    def __init__(self, fingerprint: str = FINGERPRINT) -> None:
        self.fingerprint = fingerprint
        self.encoded = 0
        self.told: dict[tuple[int, int], npt.NDArray[np.float64]] = {}
        """Encodings of certain photos of certain people that are to be others."""

    def align(self, rgb: Rgb, detection: Detection) -> npt.NDArray[np.uint8]:
        """The colour of the middle."""
        box = detection.box
        return rgb[int((box.ymin + box.ymax) / 2), int((box.xmin + box.xmax) / 2)]

    def embed(self, chips: Sequence[npt.NDArray[np.uint8]], jitters: int = 1) -> Encodings:
        """A row for each."""
        return self.embed_with_norms(chips)[0]

    def embed_with_norms(
        self, chips: Sequence[npt.NDArray[np.uint8]], jitters: int = 1
    ) -> tuple[Encodings, npt.NDArray[np.float64]]:
        """Rows and norms."""
        self.encoded += len(chips)
        shown = [(int(chip[0]), int(chip[2])) for chip in chips]
        rows = [self.told[one] if one in self.told else toy_encoding(*one) for one in shown]
        return np.array(rows), np.array([chip[1] / 10 for chip in chips])


class ToyEngine(Engine):
    """An engine whose detector and embedder can be asked what they did."""

    def __init__(self, fingerprint: str = FINGERPRINT) -> None:
        self.detector, self.embedder = ToyDetector(), ToyEmbedder(fingerprint)
        super().__init__(self.detector, self.embedder, EngineOptions(embedder=SFACE))


def toy_recognizer(engine: Engine, *enrolled: int) -> Recognizer:
    """Know people, by number, as "Person 1" and so on, each from five photos."""
    if not enrolled:
        return Recognizer(engine, None)
    pairs = [(person, photo) for person in enrolled for photo in range(100, 105)]
    rows = np.array([toy_encoding(*pair) for pair in pairs])
    names = [f"Person {person}" for person, _ in pairs]
    # A gallery always has dlib's encodings, too, of which nothing is learnt here.
    both = {DLIB_RESNET: np.zeros((len(rows), 128)), SFACE: rows}
    model = refit_model(
        None, Gallery(both, names, {SFACE: engine.fingerprint}), kind="template", embedder=SFACE
    )
    return Recognizer(engine, model)
