"""Fit the weights of face_det/engine/quality.py: python benchmarks/quality.py FOLDER.

FOLDER holds known/NAME/*.jpg, the layout that `face-det evaluate` reads. Only the first 5 photos of each
person are used, which an evaluation enrols; the photos that it tests never reach the weights. Each photo is
degraded at random, several times: made small, blurred, shaken, darkened, overexposed, compressed, turned to
grey, or covered by a mask, sunglasses or a cap. The outcome is whether SFace's encoding then has a cosine of
ENOUGH or more to the person's other photos. Prints the weights, and how well they do for people who were left
out of the fit.
"""

from __future__ import annotations

import argparse
import itertools
from pathlib import Path

import cv2
import numpy as np
from background import main_face
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import brier_score_loss, roc_auc_score
from sklearn.model_selection import GroupKFold, cross_val_predict

from face_det.embedders import FaceAligner
from face_det.engine import Engine, EngineOptions, build_engine
from face_det.media import draw_mask, load_image, resize_image
from face_det.types import Face, Rgb

PHOTOS, REPEATS, SEED = 5, 8, 1
ENOUGH = 0.42
PARTS = ("size", "sharpness", "score", "norm")


def cover(rng: np.random.Generator, rgb: Rgb, face: Face, points: np.ndarray) -> Rgb:
    """Cover parts of the face: with a mask, dark glasses, or a cap, or with none of them."""
    eyes, apart = points[:2], float(np.linalg.norm(points[1] - points[0]))
    if rng.random() < 0.15:
        rgb = draw_mask(rgb, points)
    if rng.random() < 0.12:
        dark = (15, 15, 15)
        for eye in eyes:
            cv2.circle(rgb, (int(eye[0]), int(eye[1])), int(0.38 * apart), dark, -1)
        ends = [(int(x), int(y)) for x, y in eyes]
        cv2.line(rgb, ends[0], ends[1], dark, max(2, int(0.1 * apart)))
    if rng.random() < 0.12:
        brim = int(eyes[:, 1].mean() - 0.25 * apart)
        rgb[max(0, brim - 60) : brim, int(face.box.xmin) : int(face.box.xmax)] = rng.integers(0, 120, 3)
    return rgb


def blur(rng: np.random.Generator, rgb: Rgb, width_px: float) -> Rgb:
    """Blur the picture, or shake the camera, or neither."""
    if rng.random() < 0.25:
        rgb = cv2.GaussianBlur(rgb, (0, 0), max(0.5, rng.uniform(0.01, 0.1) * width_px))
    length = int(rng.uniform(0.05, 0.3) * width_px)
    if rng.random() < 0.2 and length > 1:
        kernel = np.eye(length) / length
        if rng.random() < 0.5:
            kernel = np.zeros((length, length))
            kernel[length // 2] = 1 / length
        rgb = cv2.filter2D(rgb, -1, kernel)
    return rgb


def spoil_light(rng: np.random.Generator, rgb: Rgb) -> Rgb:
    """Darken the picture, with noise, or overexpose it, or make it grey."""
    if rng.random() < 0.25:
        light = np.exp(rng.uniform(np.log(1 / 40), np.log(0.5)))
        noise = rng.normal(0, rng.uniform(1, 5), rgb.shape)
        rgb = np.clip(255 * (rgb / 255.0) * light ** (1 / 2.2) + noise, 0, 255).astype(np.uint8)
    if rng.random() < 0.1:
        rgb = np.clip(rgb * rng.uniform(1.5, 3), 0, 255).astype(np.uint8)
    if rng.random() < 0.15:
        rgb = np.repeat(cv2.cvtColor(rgb, cv2.COLOR_RGB2GRAY)[..., None], 3, axis=2)
    return rgb


def degrade(rng: np.random.Generator, rgb: Rgb, face: Face, points: np.ndarray) -> Rgb:
    """Return a degraded copy of a photo, shape (h, w, 3)."""
    rgb = blur(rng, cover(rng, rgb.copy(), face, points), face.box.width)
    if rng.random() < 0.75:
        factor = np.exp(rng.uniform(np.log(11), np.log(70))) / face.box.width
        if factor < 1:
            rgb = resize_image(rgb, *(max(16, round(side * factor)) for side in rgb.shape[1::-1]))
    rgb = spoil_light(rng, rgb)
    if rng.random() < 0.35:
        _, data = cv2.imencode(".jpg", rgb, [cv2.IMWRITE_JPEG_QUALITY, int(rng.uniform(8, 60))])
        rgb = cv2.imdecode(data, cv2.IMREAD_COLOR)
    return rgb


def measure(folder: Path, engine: Engine) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return parts of the quality (n, 4), whether each face was recognised (n,), and whose it is (n,)."""
    rng, aligner = np.random.default_rng(SEED), FaceAligner()
    people = [sorted(person.glob("*.jpg"))[:PHOTOS] for person in sorted((folder / "known").iterdir())]
    parts, recognised, owners = [], [], []
    for person, paths in enumerate(people):
        photos = [load_image(path) for path in paths]
        faces = [main_face(rgb, engine.faces([(rgb, None)])[0]) for rgb in photos]
        for (index, rgb), _ in itertools.product(enumerate(photos), range(REPEATS)):
            face = faces[index]
            points = None if face is None else aligner.find_landmarks(rgb, face.box)
            others = [one.encoding for at, one in enumerate(faces) if one is not None and at != index]
            if face is None or points is None or not others:
                continue
            worse = degrade(rng, rgb, face, points)
            seen = main_face(worse, engine.faces([(worse, None)])[0])
            if seen is None or seen.norm is None:
                continue
            template = np.mean(others, axis=0)
            side = seen.box.shorter_side
            parts.append((np.log(side), np.log1p(seen.focus), seen.score, seen.norm))
            recognised.append(seen.encoding @ template / np.linalg.norm(template) >= ENOUGH)
            owners.append(person)
    return np.array(parts), np.array(recognised), np.array(owners)


def main() -> None:
    """Measure the photos and print the weights."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    folder = parser.parse_args().folder
    engine = build_engine(EngineOptions(embedder="sface", min_face_px=10))
    parts, recognised, owners = measure(folder, engine)
    print(f"{len(parts)} faces, {recognised.mean():.1%} recognised")
    for columns in ((0, 1), (0, 1, 2), (0, 1, 3), (0, 1, 2, 3)):
        model = LogisticRegression(C=100, max_iter=5000)
        used = parts[:, columns]
        guess = cross_val_predict(
            model, used, recognised, groups=owners, cv=GroupKFold(8), method="predict_proba"
        )[:, 1]
        model.fit(used, recognised)
        names = ", ".join(PARTS[column] for column in columns)
        weights = ", ".join(f"{weight:.3f}" for weight in (*model.intercept_, *model.coef_[0]))
        auc, brier = roc_auc_score(recognised, guess), brier_score_loss(recognised, guess)
        print(f"offset, {names}: {weights} (AUC {auc:.3f}, Brier score {brier:.3f})")


if __name__ == "__main__":
    main()
