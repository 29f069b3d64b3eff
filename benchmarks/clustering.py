"""How well unknown faces become people: python benchmarks/clustering.py PHOTOS [--cache FILE.npz].

PHOTOS holds PERSON/photo.jpg, such as LFW. People with 8 photos or more come with 8 to 14 of them, drawn at
random; of the others, the singles, one photo each. All come in random order: each face joins its nearest
cluster or founds one, then clusters that are the same merge; afterwards the nightly pass runs. Each draw
comes in two orders. A second table mixes in four degraded copies of each single: small, blurred, dark,
compressed or shaken. Prints the figures against their targets. `--fit` prints the mean
encoding that face_det/training/centres.py holds. Do not report on people on whom the parameters were chosen.
"""

from __future__ import annotations

import argparse
import zlib
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from background import main_face

from face_det.engine import EngineOptions, build_engine
from face_det.media import DEGRADATIONS, load_image, resize_image
from face_det.sightings import NOBODY, Clusters, recluster
from face_det.training import CLUSTER_PARAMETERS, ClusterParameters
from face_det.types import Rgb

LEAST, MOST = 8, 14
Figures = dict[str, float]
KINDS = ("small", "blur", "dark", "jpeg", "motion")
WORSE = 4
"""Degraded copies of each single."""
TARGETS = {
    # figure: (at least or at most, target)
    "purity": (">=", 0.998),
    "completeness": (">=", 0.985),
    "pair F": (">=", 0.985),
    "false names": ("<=", 1.0),
    "worst precision": (">=", 0.99),
    "F of two orders": (">=", 0.999),
    "F with degraded": (">=", 0.98),
    "good faces used": (">=", 0.98),
}


@dataclass(frozen=True, eq=False)
class Faces:
    """Encoded faces: whose each is, its photo and kind, and what the gate reads; all of shape (n, ...)."""

    person: np.ndarray
    photo: np.ndarray
    kind: np.ndarray
    norm: np.ndarray
    quality: np.ndarray
    encoding: np.ndarray

    def __getitem__(self, chosen: np.ndarray) -> Faces:
        """Return some of the faces."""
        return Faces(*(getattr(self, name)[chosen] for name in self.__dataclass_fields__))


def degrade(rng: np.random.Generator, rgb: Rgb, width_px: float, kind: str) -> Rgb:
    """Return a picture made worse, by a random amount."""
    if kind == "small":
        factor = min(1.0, rng.uniform(16, 40) / width_px)
        return resize_image(rgb, *(max(16, round(side * factor)) for side in rgb.shape[1::-1]))
    if kind == "blur":
        return cv2.GaussianBlur(rgb, (0, 0), max(0.5, rng.uniform(0.02, 0.08) * width_px))
    if kind == "dark":
        light = np.exp(rng.uniform(np.log(1 / 40), np.log(1 / 8)))
        noise = rng.normal(0, 3, rgb.shape)
        return np.clip(255 * (rgb / 255.0) * light ** (1 / 2.2) + noise, 0, 255).astype(np.uint8)
    if kind == "jpeg":
        return DEGRADATIONS["JPEG 20"](rgb, None)
    length, angle = max(3, int(rng.uniform(0.1, 0.3) * width_px)), rng.uniform(0, np.pi)
    kernel, middle = np.zeros((length, length), np.float32), (length - 1) / 2
    across, down = middle * np.cos(angle), middle * np.sin(angle)
    ends = [(round(middle + sign * across), round(middle + sign * down)) for sign in (-1, 1)]
    cv2.line(kernel, *ends, 1.0)
    return cv2.filter2D(rgb, -1, kernel / kernel.sum())


def list_photos(folder: Path) -> list[tuple[str, Path, bool]]:
    """Return (person, file, whether the person is a single) of each photo that may be drawn."""
    found = []
    for person in sorted(path for path in folder.iterdir() if path.is_dir()):
        photos = sorted(person.glob("*.jpg"))
        single = len(photos) < LEAST
        found += [(person.name, path, single) for path in photos[: 1 if single else None]]
    return found


def encode(folder: Path, embedder: str) -> Faces:
    """Encode the main face of each photo, and the degraded copies of the singles'."""
    engine = build_engine(EngineOptions(embedder=embedder, min_face_px=10))
    rows = []
    for number, (person, path, single) in enumerate(list_photos(folder)):
        rgb = load_image(path)
        clear = main_face(rgb, engine.faces([(rgb, None)])[0])
        if clear is None:
            continue
        seen = [("clean", clear)]
        for kind in (KINDS[(number + step) % len(KINDS)] for step in range(WORSE if single else 0)):
            worse = degrade(
                np.random.default_rng(zlib.crc32((path.name + kind).encode())), rgb, clear.box.width, kind
            )
            face = main_face(worse, engine.faces([(worse, None)])[0])
            seen += [(kind, face)] if face is not None else []
        for kind, face in seen:
            norm = np.nan if face.norm is None else face.norm
            rows.append((person, number, kind, norm, face.quality, face.encoding.astype(np.float32)))
    return Faces(*(np.array(column) for column in zip(*rows, strict=True)))


def draw(faces: Faces, people: int, singles: int, seed: int, degraded: bool) -> Faces:
    """Return the faces of one draw."""
    rng = np.random.default_rng(seed)
    clean = faces.kind == "clean"
    names, counts = np.unique(faces.person[clean], return_counts=True)
    many, few = names[counts >= LEAST], names[counts == 1]
    chosen: list[int] = []
    for person in rng.permutation(many)[:people]:
        photos = np.flatnonzero(clean & (faces.person == person))
        chosen += rng.permutation(photos)[: int(rng.integers(LEAST, MOST + 1))].tolist()
    drawn = np.isin(faces.person, rng.permutation(few)[:singles])
    chosen += np.flatnonzero(drawn & (clean | degraded)).tolist()
    return faces[np.array(chosen)]


def watch(faces: Faces, shaping: np.ndarray, parameters: ClusterParameters) -> np.ndarray:
    """Let the faces come one by one; return the cluster of each, (n,)."""
    clusters, ids = Clusters(parameters), np.full(len(shaping), NOBODY)
    for at, encoding in enumerate(faces.encoding):
        best = clusters.nearest(encoding)
        if best is not None:
            ids[at] = best[0]
            if shaping[at]:
                clusters.join(best[0], encoding)
                for other, _ in clusters.mergeable(best[0])[:1]:
                    kept, absorbed = sorted((other, best[0]))
                    clusters.merge(kept, absorbed)
                    ids[ids == absorbed] = kept
        elif shaping[at]:
            ids[at] = at
            clusters.found(at, encoding)
    return ids


def separate(ids: np.ndarray) -> np.ndarray:
    """Number clusters from 0; whoever is in none is alone."""
    alone = ids == NOBODY
    return np.unique(np.where(alone, ids.max() + 1 + np.arange(len(ids)), ids), return_inverse=True)[1]


def pairs(counts: np.ndarray) -> float:
    """Return how many pairs there are within groups of so many."""
    return float((counts * (counts - 1) / 2).sum())


def score(ids: np.ndarray, people: np.ndarray) -> Figures:
    """Return the figures of one partition."""
    persons, clusters = np.unique(people, return_inverse=True)[1], separate(ids)
    table = np.zeros((persons.max() + 1, clusters.max() + 1))
    np.add.at(table, (persons, clusters), 1)
    agreed, joined, same = pairs(table), pairs(table.sum(axis=0)), pairs(table.sum(axis=1))
    sizes, several = table.sum(axis=0), table.sum(axis=1) >= 2
    # A false name: a cluster of two or more in which everybody is somebody else.
    false = (sizes >= 2) & (table.max(axis=0) == 1)
    return {
        "precision": agreed / max(joined, 1),
        "recall": agreed / max(same, 1),
        "pair F": 2 * agreed / max(joined + same, 1),
        "purity": table[:, sizes >= 2].max(axis=0).sum() / max(1, sizes[sizes >= 2].sum()),
        "completeness": table[several].max(axis=1).sum() / max(1, table[several].sum()),
        "false names": float(false.sum()),
    }


def may_shape(faces: Faces, parameters: ClusterParameters) -> np.ndarray:
    """Tell which faces may shape clusters, (n,)."""
    measures = zip(faces.norm, faces.quality, strict=True)
    return np.array([parameters.may_shape(norm, quality) for norm, quality in measures])


def measure(faces: Faces, parameters: ClusterParameters, args: argparse.Namespace) -> dict[str, Figures]:
    """Return the mean figures by day, at night, and at night with degraded faces."""
    found: dict[str, list[Figures]] = {"by day": [], "at night": [], "degraded": []}
    for number in range(args.draws):
        for degraded in (False, True):
            drawn, orders = draw(faces, args.people, args.singles, number, degraded), []
            for order in range(args.orders):
                came = np.random.default_rng(1000 + 10 * number + order).permutation(len(drawn.person))
                now = drawn[came]
                shaping = may_shape(now, parameters)
                day = watch(now, shaping, parameters)
                night = recluster(now.encoding, day, shaping, (), (), parameters)
                orders.append(night[np.argsort(came)])
                if not degraded:
                    found["by day"].append(score(day, now.person))
                    found["at night"].append(score(night, now.person))
                    continue
                good = now.kind == "clean"
                found["degraded"].append(
                    {
                        **score(night[shaping], now.person[shaping]),
                        "F of good faces": score(night[good], now.person[good])["pair F"],
                        "F of all faces": score(night, now.person)["pair F"],
                        "good faces used": float(shaping[good].mean()),
                        "good faces placed": float((night[good] != NOBODY).mean()),
                    }
                )
            agreement = score(orders[0], separate(orders[-1]))["pair F"]
            found["degraded" if degraded else "at night"][-1]["F of two orders"] = agreement
    return {name: summarize(rows) for name, rows in found.items()}


def summarize(rows: list[Figures]) -> Figures:
    """Return the mean of each figure, and the worst precision."""
    names = dict.fromkeys(name for row in rows for name in row)
    means = {name: float(np.mean([row[name] for row in rows if name in row])) for name in names}
    return {**means, "worst precision": min(row["precision"] for row in rows)}


def print_centre(faces: Faces) -> None:
    """Print the mean encoding of people, one clean photo each, in thousandths."""
    _, first = np.unique(np.where(faces.kind == "clean", faces.person, ""), return_index=True)
    first = first[faces.kind[first] == "clean"]
    mean = faces.encoding[first].mean(axis=0, dtype=np.float64)
    print(", ".join(str(each) for each in np.rint(1000 * mean).astype(int)))


def main() -> None:
    """Measure the photos and print the figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("photos", type=Path)
    parser.add_argument("--embedder", default="sface", choices=sorted(CLUSTER_PARAMETERS))
    parser.add_argument("--cache", type=Path, help="a .npz file in which the encodings are kept")
    parser.add_argument("--people", type=int, default=60)
    parser.add_argument("--singles", type=int, default=300)
    parser.add_argument("--draws", type=int, default=5)
    parser.add_argument("--orders", type=int, default=2)
    parser.add_argument("--fit", action="store_true", help="print the centre of the encodings instead")
    args = parser.parse_args()
    if args.cache is not None and args.cache.is_file():
        with np.load(args.cache) as kept:
            faces = Faces(**kept)
    else:
        faces = encode(args.photos, args.embedder)
        if args.cache is not None:
            np.savez(args.cache, **{name: getattr(faces, name) for name in Faces.__dataclass_fields__})
    if args.fit:
        print_centre(faces)
        return
    tables = measure(faces, CLUSTER_PARAMETERS[args.embedder], args)
    for name, figures in tables.items():
        print(name)
        for figure, value in figures.items():
            print(f"  {figure:18} {value:.4f}")
    reached = {**tables["at night"], "good faces used": tables["degraded"]["good faces used"]}
    reached["F with degraded"] = tables["degraded"]["pair F"]
    print("targets")
    for figure, (sign, target) in TARGETS.items():
        met = reached[figure] >= target if sign == ">=" else reached[figure] <= target
        print(f"  {figure:18} {reached[figure]:.4f} {sign} {target} {'met' if met else 'MISSED'}")


if __name__ == "__main__":
    main()
