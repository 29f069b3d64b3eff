"""Build face_det/training/background.json from photos: python benchmarks/background.py FOLDER.

FOLDER holds known/NAME/*.jpg and strangers/*.jpg, the layout that `face-det evaluate` reads. The first 5
photos of each person and the first 200 strangers are used. An evaluation enrols exactly these, so the photos
that it tests never reach the background.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import numpy as np

from face_det.classifiers import normalise_encodings, similarity_to_score
from face_det.engine import EngineOptions, build_engine
from face_det.media import load_image
from face_det.types import Face, Rgb

PHOTOS, STRANGERS, REPEATS = 5, 200, 20
TARGET = Path(__file__).parents[1] / "face_det/training/background.json"
LEVELS = [
    *np.linspace(0, 0.95, 39),
    0.96,
    0.97,
    0.98,
    0.985,
    0.99,
    0.993,
    0.995,
    0.997,
    0.998,
    0.999,
    0.9995,
    0.9998,
]


def main_face(rgb: Rgb, faces: tuple[Face, ...]) -> Face | None:
    """Return the encoded face nearest to the centre of the picture, favouring large faces."""
    middle = np.array([rgb.shape[1], rgb.shape[0]]) / 2
    encoded = [face for face in faces if face.encoding is not None]

    def off(face: Face) -> float:
        box = face.box
        centre = np.array([(box.xmin + box.xmax) / 2, (box.ymin + box.ymax) / 2])
        return float(np.linalg.norm(centre - middle)) - 0.3 * box.width

    return min(encoded, key=off, default=None)


def encodings(paths: list[Path], embedder: str) -> np.ndarray:
    """Encode the main face of each photo; photos without a face are left out. Shape (n, d), unit length."""
    engine = build_engine(EngineOptions(embedder=embedder, focus_threshold=0))
    found = []
    for path in paths:
        rgb = load_image(path)
        face = main_face(rgb, engine.faces([(rgb, None)])[0])
        if face is not None:
            found.append(face.encoding)
    return normalise_encodings(np.array(found))


def table(
    people: list[np.ndarray], strangers: np.ndarray, moments: int, mean_face: np.ndarray
) -> dict[str, object]:
    """Score quantiles for templates of `moments` photos, each compared with photos outside it."""
    genuine, impostor = [], []
    for repeat in range(REPEATS):
        rng = np.random.default_rng(repeat)
        for photos in people:
            order = rng.permutation(len(photos))
            template = normalise_encodings(photos[order[:moments]].sum(axis=0))
            if len(order) > moments:
                genuine += (photos[order[moments:]] @ (template - mean_face)).tolist()
            impostor += (strangers @ (template - mean_face)).tolist()
    own, other = similarity_to_score(np.array(genuine)), similarity_to_score(np.array(impostor))
    last = np.quantile(other, LEVELS[-1])
    return {
        "moments": moments,
        "genuine": [round(float(value), 4) for value in np.quantile(own, LEVELS)],
        "impostor": [round(float(value), 4) for value in np.quantile(other, LEVELS)],
        "tail": round(float((other[other > last] - last).mean()), 4),
    }


def common(embedder: str, strangers: np.ndarray) -> np.ndarray:
    """Return the mean face. It is zero for dlib's numbers, because dlib decides better without centring."""
    mean = strangers.mean(axis=0).round(5)
    mean[: {"dlib_resnet": 128, "dlib_views": 128, "both": 128}.get(embedder, 0)] = 0
    return mean


def main() -> None:
    """Measure the photos and write the background file."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    folder = parser.parse_args().folder
    strangers = sorted((folder / "strangers").glob("*.jpg"))[:STRANGERS]
    # Those of voices, from benchmarks/voice_background.py, are kept.
    embedders = json.loads(TARGET.read_text("utf-8"))["embedders"]
    for embedder in ("dlib_resnet", "dlib_views", "sface", "both"):
        known = [
            encodings(sorted(person.glob("*.jpg"))[:PHOTOS], embedder)
            for person in sorted((folder / "known").iterdir())
        ]
        asked = encodings(strangers, embedder)
        mean_face = common(embedder, asked)
        tables = [table(known, asked, moments, mean_face) for moments in (1, 2, 3, 4)]
        embedders[embedder] = {"mean_face": mean_face.tolist() if mean_face.any() else None, "tables": tables}
    levels = [round(float(level), 4) for level in LEVELS]
    content = {"from": "LFW", "levels": levels, "embedders": embedders}
    TARGET.write_text(json.dumps(content) + "\n", "utf-8")


if __name__ == "__main__":
    main()
