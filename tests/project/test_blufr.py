"""BLUFR's rates are right where the answer is known, and the whole protocol runs on real photos."""

from __future__ import annotations

import itertools
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from benchmark_modules import BENCHMARKS, module
from PIL import Image
from scipy.io import savemat

from face_det.errors import DataError

INF = float("inf")

PHOTOS = {
    "Barack_Obama_0001.jpg": "obama",
    "Barack_Obama_0002.jpg": "obama2",
    "Barack_Obama_0003.jpg": "obama3",
    "Barack_Obama_0004.jpg": "nobody",
    "Joe_Biden_0001.jpg": "biden",
    "Tom_Hanks_0001.jpg": "hanks",
    "Car_Phone_0001.jpg": "carphone",
    "Car_Phone_0002.jpg": "carphone2",
    "Eileen_Collins_0001.jpg": "astronaut",
    "Grace_Hopper_0001.jpg": "grace_hopper",
}
"""LFW in small: which of the tests' photos stands for which. Obama's fourth shows a cup, and no face."""

TRIALS = [
    {"train": (9, 10), "gallery": (1, 5), "probes": (2, 3, 4, 6, 7, 8)},
    {"train": (5, 6), "gallery": (2, 7), "probes": (1, 3, 8, 9, 10)},
]
"""Positions in PHOTOS, counted from 1. The second trial leaves out the photo without a face."""


def config(**changes: Any) -> dict[str, Any]:
    """The variables of blufr_lfw_config.mat, in its layout: cells and numbers are columns."""

    def column(values: list[Any]) -> Any:
        cells = np.empty((len(values), 1), object)
        cells[:, 0] = values
        return cells

    def indices(*parts: str) -> Any:
        of_trials = [sorted(sum((trial[part] for part in parts), ())) for trial in TRIALS]
        return column([np.array(one, np.uint16)[:, None] for one in of_trials])

    people = sorted({name.rpartition("_")[0] for name in PHOTOS})
    labels = [people.index(name.rpartition("_")[0]) + 1.0 for name in PHOTOS]
    return {
        "imageList": column(list(PHOTOS)),
        "labels": np.array(labels)[:, None],
        "devTrainIndex": np.array([[1.0], [2.0]]),
        "devTestIndex": np.array([[3.0], [4.0]]),
        "trainIndex": indices("train"),
        "testIndex": indices("gallery", "probes"),
        "galIndex": indices("gallery"),
        "probIndex": indices("probes"),
        **changes,
    }


@pytest.fixture
def mat(tmp_path: Path) -> Path:
    """A file as BLUFR's, about PHOTOS."""
    path = tmp_path / "blufr_lfw_config.mat"
    savemat(path, config())
    return path


rates = module("blufr_rates")


@pytest.mark.parametrize(
    ("impostor", "accepts", "threshold"),
    [
        ([0.1, 0.4, 0.3, 0.2], 1, 0.4),
        ([0.1, 0.4, 0.3, 0.2], 3, 0.2),
        ([0.1, 0.4, 0.3, 0.2], 4, 0.1),
        ([0.1, 0.4, 0.3, 0.2], 0, np.nextafter(0.4, 1)),
        ([0.1, 0.4, 0.4, 0.2], 1, np.nextafter(0.4, 1)),
        ([0.1, 0.4, 0.4, 0.2], 2, 0.4),
        ([0.4, -INF, -INF], 2, -sys.float_info.max),
        ([0.4, -INF], 2, -sys.float_info.max),
        ([-INF, -INF], 0, -sys.float_info.max),
    ],
)
def test_no_more_impostors_pass_than_allowed(impostor: list[float], accepts: int, threshold: float) -> None:
    """The threshold is a score of an impostor; where others share it, it is above; -inf never passes."""
    assert rates.find_threshold(np.array(impostor), accepts) == threshold
    assert sum(score >= threshold for score in impostor) <= accepts


@pytest.mark.parametrize(
    ("genuine", "impostor", "rate"),
    [
        pytest.param([0.9, 0.8], [0.7] * 50 + [0.1] * 50, 1, id="perfect separation"),
        pytest.param([0.5, 0.5], [0.5] * 100, 0, id="all equal"),
        pytest.param([0.9, 0.7], [0.7] + [0.1] * 99, 1, id="a genuine pair at the threshold"),
        pytest.param([0.9, 0.7], [0.7] * 2 + [0.1] * 98, 0.5, id="one impostor too many at the threshold"),
        pytest.param([0.9, 0.75], [0.8, 0.76] + [0.1] * 98, 0.5, id="two impostors above, one allowed"),
        pytest.param([0.9, -INF], [0.8, *[-INF] * 99], 0.5, id="no face"),
    ],
)
def test_verification_rate(genuine: list[float], impostor: list[float], rate: float) -> None:
    """The share of genuine pairs that pass where one impostor pair in a hundred may."""
    assert rates.verification_rate(np.array(genuine), np.array(impostor), 0.01) == rate


@pytest.mark.parametrize(
    ("own", "other", "best_impostor", "rate"),
    [
        pytest.param([0.9, 0.8], [0.1, 0.1], [0.7, 0.6], 1, id="perfect separation"),
        pytest.param([0.5, 0.5], [0.5, 0.5], [0.5, 0.5], 0, id="all equal"),
        pytest.param([0.9, 0.8], [0.1, 0.85], [0.7, 0.6], 0.5, id="somebody else ranks first"),
        pytest.param([0.9, 0.8], [0.1, 0.8], [0.7, 0.6], 0.5, id="a tie for the first rank"),
        pytest.param([0.9, 0.8], [0.1, 0.1], [0.8, 0.6], 1, id="level with the impostor that is allowed"),
        pytest.param([0.9, 0.8], [0.1, 0.1], [0.8, 0.8], 0.5, id="one impostor too many"),
        pytest.param([0.9, 0.7], [0.1, 0.1], [0.8, 0.6], 0.5, id="below the impostor that is allowed"),
        pytest.param([0.9, -INF], [0.1, -INF], [-INF, -INF], 0.5, id="no face"),
    ],
)
def test_identification_rate(
    own: list[float], other: list[float], best_impostor: list[float], rate: float
) -> None:
    """The share of genuine probes that rank first and pass where one impostor in a hundred may."""
    genuine = [(own[0], other[0]), (other[1], own[1])]
    strangers = [(score, -INF) for score in best_impostor] + [(-INF, 0.0)] * 98
    scores = np.array([*genuine, *strangers])
    probes = ["ann", "bob", *["eve"] * 100]
    assert rates.identification_rate(scores, ["ann", "bob"], probes, 0.01) == rate


def test_every_pair_is_compared_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """In blocks, with photos without a face: the same rates as from a matrix of all scores."""
    rng = np.random.default_rng(3)
    people = rng.integers(0, 12, 60)
    encodings = rng.normal(size=(12, 8))[people] + rng.normal(size=(60, 8))
    encodings /= np.linalg.norm(encodings, axis=1, keepdims=True)
    encodings[[4, 31]] = np.nan
    pairs = list(itertools.combinations(range(60), 2))
    scores = np.array([np.nan_to_num(encodings[a] @ encodings[b], nan=-INF) for a, b in pairs])
    same = np.array([people[a] == people[b] for a, b in pairs])
    monkeypatch.setattr(rates, "PHOTOS_PER_BLOCK", 7)
    for far in (0.0, 0.02, 0.3, 1.0):
        genuine, impostor, count = rates.score_pairs(rates.cosine, encodings, people, far)
        assert np.sort(genuine) == pytest.approx(np.sort(scores[same]))
        assert count == sum(~same)
        expected = rates.verification_rate(scores[same], scores[~same], far)
        assert rates.verification_rate(genuine, impostor, far, count) == expected


def test_scores() -> None:
    """Orthogonal faces: the template's score and the normalised one, against values by hand."""
    x = np.eye(4)
    mean = np.array([0.5, 0, 0, 0])
    # c - x . mean is .5 for the first face against itself and 0 - .5 against the second.
    found = rates.template(mean)(x[:1], x[:2])
    assert found == pytest.approx(-np.log([[2 - 2 * 0.5, 2 - 2 * -0.5]]))
    # The cosines with the background are 1 and 0 for the first face: mean and deviation are .5; the other
    # face has .6 and .8: .7 and .1.
    other = np.array([[0.6, 0.8, 0, 0]])
    assert rates.adaptive_s_norm(x[:2])(x[:1], other) == pytest.approx(((0.6 - 0.5) / 0.5 + -0.1 / 0.1) / 2)


def test_a_centred_cosine_leaves_out_what_all_faces_share() -> None:
    """Faces that differ only in a common part are the same; without it, these two are opposite."""
    x = np.eye(3)
    faces = np.array([x[0] + x[2], x[0] - x[2]]) / 2**0.5
    assert rates.cosine(faces[:1], faces) == pytest.approx(np.array([[1, 0]]))
    assert rates.centred_cosine(x[0] / 2**0.5)(faces[:1], faces) == pytest.approx(np.array([[1, -1]]))


def test_scores_of_two_embedders_are_added_on_one_scale() -> None:
    """Each part is standardised by the scores of different people, and weighted, by hand."""
    angles = np.array([0, 1.0, 2.5])
    around = np.column_stack([np.cos(angles), np.sin(angles)])
    parts = [
        (slice(0, 2), 0.8, rates.cosine, around),
        (slice(2, 4), 0.2, lambda p, e: 100 * rates.cosine(p, e), around),
    ]
    faces = np.hstack([around, 7 * around])
    pairs = np.cos([1.0, 2.5, 1.5])
    expected = (np.cos(1.0) - pairs.mean()) / pairs.std()
    # Neither the second part's length nor the range of its scores counts, so both parts agree.
    assert rates.weighted_sum(parts)(faces[:1], faces[1:2])[0, 0] == pytest.approx(expected)
    assert np.isfinite(rates.weighted_sum([(*parts[0][:3], around[:1])])(faces, faces)).all()


def test_both_embedders_have_a_score_of_their_own() -> None:
    """For `both`, SFace's centred cosine and dlib's cosine are added, and SFace's counts more."""
    rng = np.random.default_rng(4)
    people = np.arange(30)
    encodings = rng.normal(size=(30, 256))
    encodings[7] = np.nan
    blufr = module("blufr")
    assert "SFace and dlib" not in blufr.build_scorers(encodings[:, 128:], people, "sface")
    score = blufr.build_scorers(encodings, people, "both")["SFace and dlib"]
    by_dlib = np.hstack([encodings[:1, :128], encodings[1:2, 128:]])
    by_sface = np.hstack([encodings[1:2, :128], encodings[:1, 128:]])
    alike = score(encodings[:1], encodings[:1])
    assert alike > score(encodings[:1], by_sface) > score(encodings[:1], by_dlib)


def test_the_paper_reports_mean_minus_deviation() -> None:
    """The deviation divides by n - 1, as MATLAB's does; one trial has none."""
    found = rates.summarise_trials([0.6, 0.8])
    assert found.pop("trials") == [0.6, 0.8]
    assert found == pytest.approx({"fused": 0.7 - 0.02**0.5, "mean": 0.7, "std": 0.02**0.5})
    assert rates.summarise_trials([0.6])["fused"] == 0.6


def test_the_config_is_read(mat: Path) -> None:
    """Names, labels and trials; positions count from 0 from there on."""
    protocol = module("blufr").read_protocol(mat)
    assert protocol.photos == tuple(PHOTOS)
    assert protocol.people.tolist() == [1, 1, 1, 1, 5, 6, 2, 2, 3, 4]
    for trial, given in zip(protocol.trials, TRIALS, strict=True):
        for part in ("train", "gallery", "probes"):
            assert getattr(trial, part).tolist() == [position - 1 for position in given[part]]
        assert sorted(trial.test) == sorted([*trial.gallery, *trial.probes])


def cells(*trials: list[int]) -> Any:
    found = np.empty((len(trials), 1), object)
    for number, positions in enumerate(trials):
        found[number, 0] = np.array(positions, np.uint16)[:, None]
    return found


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"labels": np.ones((3, 1))}, "a label for each photo"),
        ({"galIndex": cells([1, 5])}, "a cell for each trial, got 2, 2, 1, 2"),
        ({"galIndex": cells([1, 5], [2, 99])}, "trial 2: positions must be 1 to 10"),
        ({"galIndex": cells([0, 5], [2, 7])}, "trial 1: positions must be 1 to 10"),
        ({"galIndex": cells([1], [2, 7])}, "trial 1: testIndex must be galIndex and probIndex together"),
        ({"trainIndex": cells([9, 1], [5, 6])}, "trial 1: nobody may be both"),
        ({"trainIndex": cells([], [5, 6])}, "trial 1: must have photos to train on"),
    ],
)
def test_a_config_that_is_not_blufrs_is_refused(
    tmp_path: Path, changes: dict[str, Any], message: str
) -> None:
    """A file whose figures would not be the protocol's."""
    savemat(tmp_path / "other.mat", config(**changes))
    with pytest.raises(DataError, match=message):
        module("blufr").read_protocol(tmp_path / "other.mat")


@pytest.mark.parametrize("content", [None, b"", b"not MATLAB's" * 50, b"\x89HDF\r\n\x1a\n" + bytes(600)])
def test_a_file_that_is_no_config_is_refused(tmp_path: Path, content: bytes | None) -> None:
    """Missing, empty, or of another format: one line that names it."""
    path = tmp_path / "file.mat"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(DataError, match=r"file\.mat: ") as caught:
        module("blufr").read_protocol(path)
    assert "\n" not in str(caught.value)
    savemat(path, {"labels": np.ones((2, 1))})
    with pytest.raises(DataError, match="imageList"):
        module("blufr").read_protocol(path)


def run(*options: str | Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(BENCHMARKS / "blufr.py"), "--jobs", "1", *map(str, options)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


@pytest.mark.slow
def test_the_protocol_runs(tmp_path: Path, mat: Path, photos: dict[str, Path]) -> None:
    """On real photos: rates that can be counted by hand, and the same ones from the cache."""
    for name, photo in PHOTOS.items():
        folder = tmp_path / "lfw" / name.rpartition("_")[0]
        folder.mkdir(parents=True, exist_ok=True)
        with Image.open(photos[photo]) as image:
            small = image.convert("RGB")
        small.thumbnail((400, 400))
        small.save(folder / name)
    output, cache = tmp_path / "found.json", tmp_path / "cache.sqlite"
    options = ("--lfw", tmp_path / "lfw", "--config", mat, "--cache", cache, "--json", output)
    done = run(*options)
    assert done.returncode == 0, done.stderr
    assert "encoded 10 of 10 photos" in done.stderr
    assert "10 photos, 1 without a face" in done.stdout
    found = json.loads(output.read_text("utf-8"))
    assert list(found["methods"]) == ["cosine", "template", "centred cosine", "adaptive S-norm"]
    # Two people to train on are too few to normalise by, so only the other three can be foretold.
    for method in ("cosine", "template", "centred cosine"):
        # Obama's six pairs, three of them with the cup, and the pair of the man in the car; then 3 + 1.
        assert found["methods"][method]["VR at FAR 0.1 %"]["trials"] == pytest.approx([4 / 7, 1])
        # One of Obama's three probes shows the cup; the second trial has two probes, both named.
        assert found["methods"][method]["DIR at rank 1, FAR 1 %"]["trials"] == pytest.approx([2 / 3, 1])
    assert f"{100 * (5 / 6 - (1 / 18) ** 0.5):.2f} (83.33, 23.57)" in done.stdout
    again = run(*options)
    assert (again.stdout, again.stderr.count("encoded 10 of 10")) == (done.stdout, 1)

    (tmp_path / "lfw/Joe_Biden/Joe_Biden_0001.jpg").unlink()
    without = run(*options)
    assert without.returncode == 1
    assert "1 of 10 photos are missing" in without.stderr.splitlines()[-1]
