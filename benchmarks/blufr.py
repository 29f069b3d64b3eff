"""Measure BLUFR's open-set protocol: python benchmarks/blufr.py --lfw LFW --config blufr_lfw_config.mat.

LFW holds NAME/NAME_0001.jpg. blufr_lfw_config.mat comes with the toolkit of "A Benchmark Study of Large-scale
Unconstrained Face Recognition" (Liao, Lei, Yi and Li, IJCB 2014), in config/lfw/. Neither is shipped here.

Each of ten trials has people to train on and others to test with. All pairs of test photos give the
verification rate at a false accept rate (FAR) of 0.1 and 0.01 %. A gallery of one photo of each of 1,000
people gives the detection and identification rate (DIR) at rank 1 and FAR 1 %, with strangers among the
probes. As in the paper, a figure is the mean minus the standard deviation over the trials.

Photos are encoded with the shipped settings, and encodings are cached, so that a second run only compares.
A photo in which no face is found scores lowest against everybody. Progress goes to stderr.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import machine
import numpy as np
import numpy.typing as npt
import results
from background import common
from blufr_rates import (
    Floats,
    Scorer,
    adaptive_s_norm,
    centred_cosine,
    cosine,
    identification_rate,
    score_pairs,
    score_with_missing,
    summarise_trials,
    template,
    verification_rate,
    weighted_sum,
)
from scipy.io import loadmat
from scipy.io.matlab import MatReadError

from face_det.classifiers import normalise_encodings
from face_det.embedders import DLIB_AND_SFACE, DLIB_RESNET, EMBEDDERS, SFACE
from face_det.engine import EngineOptions, build_engine
from face_det.errors import DataError, FaceDetError
from face_det.gallery import (
    UNCHANGED_PHOTO,
    EncodingCache,
    OmissionReason,
    encode_portraits,
    evaluation_cache_path,
)
from face_det.storage import make_folder

Indices = npt.NDArray[np.int64]

INDICES = ("trainIndex", "testIndex", "galIndex", "probIndex")
VERIFICATION_FARS = (0.001, 0.0001)
IDENTIFICATION_FAR = 0.01
MEASURES = ("VR at FAR 0.1 %", "VR at FAR 0.01 %", "DIR at rank 1, FAR 1 %")
METHODS = ("cosine", "template", "centred cosine", "adaptive S-norm")
FUSED = "SFace and dlib"
DLIB_SHARE = 0.2
"""dlib's weight beside SFace's. With 20 people and 250 strangers of LFW, .1 to .3 are equally good."""
PHOTOS_PER_REPORT = 200


@dataclass(frozen=True, eq=False)
class Trial:
    """The photos of a trial, as positions in the list of all photos, counted from 0.

    `test` is the union of `gallery` and `probes`. Nobody in `train` is in `test`.
    """

    train: Indices
    test: Indices
    gallery: Indices
    probes: Indices


@dataclass(frozen=True, eq=False)
class Protocol:
    """The names of all photos (NAME_0001.jpg), whose they are, shape (n,), and the trials."""

    photos: tuple[str, ...]
    people: Indices
    trials: tuple[Trial, ...]


def read_protocol(path: Path) -> Protocol:
    """Read blufr_lfw_config.mat. Raises DataError for any other content.

    The file holds imageList, a cell array of n file names; labels, n numbers of people; and trainIndex,
    testIndex, galIndex and probIndex, cell arrays with the positions of photos in imageList, counted
    from 1, for each trial. A probe is genuine if its person is in the gallery.
    """
    try:
        content = loadmat(path, appendmat=False)
        photos = tuple(str(np.ravel(cell)[0]) for cell in np.ravel(content["imageList"]))
        people = np.ravel(content["labels"]).astype(np.int64)
        parts = [
            [np.ravel(cell).astype(np.int64) - 1 for cell in np.ravel(content[name])] for name in INDICES
        ]
    except OSError as error:
        raise DataError(f"{path}: cannot be read: {error.strerror or error}") from error
    except KeyError as error:
        raise DataError(f"{path}: must be BLUFR's blufr_lfw_config.mat, has no {error}") from error
    # loadmat raises these for a file that is no MATLAB file, or one of version 7.3.
    except (MatReadError, ValueError, TypeError, IndexError, NotImplementedError) as error:
        raise DataError(f"{path}: must be BLUFR's blufr_lfw_config.mat, got: {error}") from error
    if len({len(part) for part in parts}) > 1:
        lengths = ", ".join(str(len(part)) for part in parts)
        raise DataError(f"{path}: {', '.join(INDICES)} must have a cell for each trial, got {lengths}")
    trials = tuple(Trial(*indices) for indices in zip(*parts, strict=True))
    protocol = Protocol(photos, people, trials)
    _check(path, protocol)
    return protocol


def _check(path: Path, protocol: Protocol) -> None:
    """Raise DataError if the trials do not separate what the protocol separates."""
    people, count = protocol.people, len(protocol.photos)
    if not protocol.trials or len(people) != count:
        raise DataError(f"{path}: expected a label for each photo and trials, got {len(people)} for {count}")
    for number, trial in enumerate(protocol.trials, 1):
        where = f"{path}: trial {number}"
        everything = np.concatenate([trial.train, trial.test, trial.gallery, trial.probes])
        if not all(map(len, (trial.train, trial.gallery, trial.probes))):
            raise DataError(f"{where}: must have photos to train on, a gallery and probes")
        if everything.min() < 0 or everything.max() >= count:
            raise DataError(f"{where}: positions must be 1 to {count}")
        if not np.array_equal(np.sort(trial.test), np.sort(np.r_[trial.gallery, trial.probes])):
            raise DataError(f"{where}: testIndex must be galIndex and probIndex together")
        if np.isin(people[trial.test], people[trial.train]).any():
            raise DataError(f"{where}: nobody may be both in trainIndex and in testIndex")
        enrolled = np.isin(people[trial.probes], people[trial.gallery])
        if enrolled.all() or not enrolled.any():
            raise DataError(f"{where}: needs probes of people in the gallery, and of others")


def find_photos(lfw: Path, names: tuple[str, ...]) -> list[Path]:
    """Return the photos' paths: LFW/NAME/NAME_0001.jpg. Raises DataError if one is missing."""
    paths = [lfw / name.rpartition("_")[0] / name for name in names]
    missing = [path for path in paths if not path.is_file()]
    if missing:
        found = f"{len(missing)} of {len(paths)} photos are missing, such as {missing[0]}"
        raise DataError(f"{lfw}: must hold all of LFW as NAME/NAME_0001.jpg, {found}")
    return paths


def encode(paths: list[Path], embedder: str, cache: Path, jobs: int) -> Floats:
    """Return an encoding of length 1 of each photo's main face, shape (n, d); NaN for photos without one."""
    make_folder(cache.parent)
    engine = build_engine(EngineOptions(embedder=embedder))
    with EncodingCache(cache) as encodings:
        found = encode_portraits(paths, engine, encodings, jobs=jobs, on_progress=_report_progress)
    faces = [found[path, UNCHANGED_PHOTO] for path in paths]
    for path, face in zip(paths, faces, strict=True):
        if face.reason is OmissionReason.BAD_IMAGE:
            raise DataError(f"{path}: must be a photo that can be read")
    known = [face.encoding for face in faces if face.encoding is not None]
    if not known:
        raise DataError(f"{paths[0].parent.parent}: must hold photos of faces, found no face in any photo")
    encoded = np.full((len(paths), len(known[0])), np.nan)
    encoded[[face.encoding is not None for face in faces]] = normalise_encodings(np.array(known))
    return encoded


def _report_progress(done: int, total: int) -> None:
    # Threads finish a few photos at a time, so that `done` skips round numbers.
    if done == total or done % PHOTOS_PER_REPORT < 8:
        _say(f"encoded {done} of {total} photos")


def average_people(encodings: Floats, people: Indices) -> Floats:
    """Return each person's mean encoding, shape (people, d); photos without a face are left out.

    LFW has 530 photos of one person; so everybody counts once.
    """
    seen = ~np.isnan(encodings).any(axis=1)
    groups = [encodings[seen & (people == person)] for person in np.unique(people[seen])]
    return np.array([group.mean(axis=0) for group in groups])


def build_scorers(encodings: Floats, people: Indices, embedder: str) -> dict[str, Scorer]:
    """Return the scores to compare, by name, from the photos that a trial trains on.

    The mean face is that of the training photos, because the shipped one comes from photos of LFW, some of
    which each trial tests. Raises DataError if no training photo has a face.
    """
    means = average_people(encodings, people)
    if not len(means):
        raise DataError("trainIndex: must list photos of faces, found no face in any of them")
    scorers = (
        cosine,
        template(common(embedder, means)),
        centred_cosine(means.mean(axis=0)),
        adaptive_s_norm(normalise_encodings(means)),
    )
    found = dict(zip(METHODS, scorers, strict=True))
    return found | {FUSED: _fuse(encodings, people)} if embedder == DLIB_AND_SFACE else found


def _fuse(encodings: Floats, people: Indices) -> Scorer:
    """Return SFace's centred cosine and dlib's cosine, added, from the encodings of `both`."""
    split = EMBEDDERS[DLIB_RESNET].dimensions
    columns = {DLIB_RESNET: slice(None, split), SFACE: slice(split, None)}
    means = {
        name: average_people(normalise_encodings(encodings[:, own]), people) for name, own in columns.items()
    }
    centred = centred_cosine(means[SFACE].mean(axis=0))
    return weighted_sum(
        [
            (columns[SFACE], 1 - DLIB_SHARE, centred, normalise_encodings(means[SFACE])),
            (columns[DLIB_RESNET], DLIB_SHARE, cosine, normalise_encodings(means[DLIB_RESNET])),
        ]
    )


def measure(protocol: Protocol, encodings: Floats, embedder: str) -> Iterator[dict[str, list[float]]]:
    """Yield, for each trial, the rates of each method, in the order of MEASURES."""
    for trial in protocol.trials:
        training = protocol.people[trial.train]
        scorers = build_scorers(encodings[trial.train], training, embedder)
        yield {name: _rates(protocol, trial, encodings, scorer) for name, scorer in scorers.items()}


def _rates(protocol: Protocol, trial: Trial, encodings: Floats, scorer: Scorer) -> list[float]:
    people = protocol.people
    genuine, impostor, count = score_pairs(
        scorer, encodings[trial.test], people[trial.test], max(VERIFICATION_FARS)
    )
    rates = [verification_rate(genuine, impostor, far, count) for far in VERIFICATION_FARS]
    scores = score_with_missing(scorer, encodings[trial.probes], encodings[trial.gallery])
    found = identification_rate(scores, people[trial.gallery], people[trial.probes], IDENTIFICATION_FAR)
    return [*rates, found]


def summarise(trials: list[dict[str, list[float]]]) -> dict[str, dict[str, Any]]:
    """Return method -> measure -> mean, standard deviation, their difference, and the trials' rates."""
    return {
        method: {
            name: summarise_trials([trial[method][at] for trial in trials])
            for at, name in enumerate(MEASURES)
        }
        for method in trials[0]
    }


def draw_table(methods: dict[str, dict[str, Any]]) -> str:
    """Draw a table with a row for each method: per cent, mean minus standard deviation (mean, deviation)."""
    lines = ["".join([f"{'':17}", *(f"{name:>26}" for name in MEASURES)])]
    for method, measures in methods.items():
        cells = [
            f"{100 * one['fused']:.2f} ({100 * one['mean']:.2f}, {100 * one['std']:.2f})"
            for one in measures.values()
        ]
        lines.append("".join([f"{method:17}", *(f"{cell:>26}" for cell in cells)]))
    return "\n".join(lines)


def main() -> int:
    """Encode the photos, run the trials, print the table and write the findings."""
    args = _arguments()
    try:
        protocol = read_protocol(args.config)
        paths = find_photos(args.lfw, protocol.photos)
        encodings = encode(paths, args.embedder, args.cache, args.jobs)
        trials = []
        for trial in measure(protocol, encodings, args.embedder):
            trials.append(trial)
            _say(f"trial {len(trials)} of {len(protocol.trials)} done")
    except FaceDetError as error:
        _say(f"blufr: {error}")
        return 1
    methods = summarise(trials)
    without = int(np.isnan(encodings).any(axis=1).sum())
    print(
        f"BLUFR on LFW, {args.embedder}: {len(paths)} photos, {without} without a face, {len(trials)} trials"
    )
    print("Per cent: mean minus standard deviation (mean, standard deviation)\n")
    print(draw_table(methods))
    if args.json:
        content = {"measured": machine.now(), "embedder": args.embedder, "versions": machine.versions()}
        content |= {"photos": len(paths), "without_face": without, "methods": methods}
        results.write(args.json, content)
    return 0


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=(__doc__ or "").partition("\n\n")[0],
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    parser.add_argument("--lfw", type=Path, required=True, help="folder with NAME/NAME_0001.jpg")
    parser.add_argument("--config", type=Path, required=True, help="BLUFR's blufr_lfw_config.mat")
    parser.add_argument("--embedder", choices=list(EMBEDDERS), default="sface")
    parser.add_argument("--jobs", type=int, default=len(os.sched_getaffinity(0)), help="threads that encode")
    parser.add_argument("--cache", type=Path, default=evaluation_cache_path(), help="file for encodings")
    parser.add_argument("--json", type=Path, help="file for the findings")
    args = parser.parse_args()
    if args.jobs < 1:
        parser.error("--jobs must be 1 or more")
    if args.json and not args.json.absolute().parent.is_dir():
        parser.error(f"--json must be in an existing folder, {args.json.parent} does not exist")
    return args


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
