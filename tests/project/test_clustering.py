"""benchmarks/clustering.py counts right where the answer is known, and runs from photos to figures."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest
from benchmark_modules import BENCHMARKS, module
from PIL import Image

PEOPLE = np.array(list("aaaabbcde"))


@pytest.fixture(scope="module")
def score() -> object:
    """The benchmark's own counting."""
    return module("clustering").score


@pytest.mark.parametrize(
    ("ids", "precision", "recall", "purity", "completeness", "false"),
    [
        ([1, 1, 1, 1, 2, 2, 3, 4, 5], 1, 1, 1, 1, 0),
        ([1, 1, 1, 1, 2, 2, 3, 3, -1], 7 / 8, 1, 7 / 8, 1, 1),
        ([1, 1, 2, 2, 2, -1, -1, -1, -1], 2 / 4, 2 / 7, 4 / 5, 3 / 6, 0),
    ],
    ids=["right", "a false name", "a person in two"],
)
def test_counts(
    score: object,
    ids: list[int],
    precision: float,
    recall: float,
    purity: float,
    completeness: float,
    false: int,
) -> None:
    """Pairs, clusters of two or more, people seen twice, and clusters in which nobody is twice."""
    found = score(np.array(ids), PEOPLE)  # type: ignore[operator]
    assert found["precision"] == pytest.approx(precision)
    assert found["recall"] == pytest.approx(recall)
    assert found["pair F"] == pytest.approx(2 * precision * recall / (precision + recall))
    assert found["purity"] == pytest.approx(purity)
    assert found["completeness"] == pytest.approx(completeness)
    assert found["false names"] == false


@pytest.mark.slow
def test_from_photos_to_figures(photos: Mapping[str, Path], tmp_path: Path) -> None:
    """One person with eight photos, two with one: everybody is found, and every target is listed."""
    folder = tmp_path / "photos"
    for person, number, name in (
        *(("Obama", number, ("obama", "obama3")[number % 2]) for number in range(8)),
        ("Biden", 0, "biden"),
        ("Astronaut", 0, "astronaut"),
    ):
        (folder / person).mkdir(parents=True, exist_ok=True)
        with Image.open(photos[name]) as picture:
            picture.thumbnail((300, 300))
            picture.convert("RGB").save(folder / person / f"{number}.jpg")
    cache = tmp_path / "faces.npz"
    command = [sys.executable, str(BENCHMARKS / "clustering.py"), str(folder), "--cache", str(cache)]
    done = subprocess.run([*command, "--draws", "1"], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    night, targets = done.stdout.partition("at night")[2].split("targets")
    assert "pair F             1.0000" in night.partition("degraded")[0]
    assert targets.count(">=") + targets.count("<=") == 8
    with np.load(cache) as kept:
        assert set(kept["kind"]) > {"clean"}
    fit = subprocess.run([*command, "--fit"], capture_output=True, text=True, check=True)
    assert len(fit.stdout.split(",")) == 128
