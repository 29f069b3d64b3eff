"""A small feed-forward network with softmax, which always names somebody: adam on the cross-entropy."""

from __future__ import annotations

import copy
import itertools
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from face_det.classifiers.folds import TRAINING_SEED
from face_det.errors import TooFewPeople

Floats = npt.NDArray[np.float64]

HIDDEN = (193, 128, 128)
"""Neurons of each hidden layer; their activation is relu."""

MOST_EPOCHS, PATIENCE = 200, 30
"""Training ends after so many epochs, or after so many without a lower loss on the validation samples."""
_BATCH = 32


@dataclass(frozen=True, eq=False, slots=True)
class FeedForward:
    """The trained network, which needs only numpy.

    Features are first shifted by `mean` and divided by `scale`, both of shape (d,). Layer i has `weights[i]`,
    shape (n, m), and `biases[i]`, shape (m,); the last has one output for each of `names`.
    """

    names: tuple[str, ...]
    mean: Floats
    scale: Floats
    weights: tuple[Floats, ...]
    biases: tuple[Floats, ...]

    def probabilities(self, features: npt.ArrayLike) -> Floats:
        """Return the softmax of features, shape (n, d) -> (n, people); rows sum to 1."""
        found = (np.asarray(features, np.float64) - self.mean) / self.scale
        for number, (weights, biases) in enumerate(zip(self.weights, self.biases, strict=True)):
            found = (found if number == 0 else np.maximum(found, 0)) @ weights + biases
        raised = np.exp(found - found.max(axis=1, keepdims=True))
        shares: Floats = raised / raised.sum(axis=1, keepdims=True)
        return shares

    def as_table(self) -> dict[str, Any]:
        """Return plain values, for a file."""
        return {
            "names": list(self.names),
            "mean": self.mean,
            "scale": self.scale,
            "weights": list(self.weights),
            "biases": list(self.biases),
        }

    @classmethod
    def from_table(cls, table: object) -> FeedForward:
        """Return the network of a table that `as_table` made; raises ValueError for anything else."""
        if not isinstance(table, dict) or not {"names", "mean", "scale", "weights", "biases"} <= table.keys():
            raise ValueError("must hold a feed-forward network")
        found = cls(
            tuple(map(str, table["names"])),
            np.asarray(table["mean"], np.float64),
            np.asarray(table["scale"], np.float64),
            tuple(np.asarray(one, np.float64) for one in table["weights"]),
            tuple(np.asarray(one, np.float64) for one in table["biases"]),
        )
        sizes = [len(found.mean), *(len(one) for one in found.biases)]
        fits = [
            one.shape == shape for one, shape in zip(found.weights, itertools.pairwise(sizes), strict=False)
        ]
        parts = (found.mean, found.scale, *found.weights, *found.biases)
        if (
            not all(fits)
            or len(found.weights) != len(found.biases)
            or sizes[-1] != len(found.names)
            or found.scale.shape != found.mean.shape
            or not all(np.isfinite(one).all() for one in parts)
        ):
            raise ValueError("must hold a feed-forward network whose layers fit each other")
        return found


def fit_feed_forward(
    features: npt.ArrayLike,
    names: Sequence[str],
    validation: npt.ArrayLike,
    validation_names: Sequence[str],
    epochs: int = MOST_EPOCHS,
) -> FeedForward:
    """Train on features, shape (n, d), and keep the epoch with the lowest loss on those for validation.

    Raises TooFewPeople unless there are two people or more, and some validation samples of them.
    """
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.neural_network import MLPClassifier
    from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

    x, held_out = np.asarray(features, np.float64), np.asarray(validation, np.float64)
    people = sorted({*names})
    known = [row for row, name in enumerate(validation_names) if name in people]
    if len(people) < 2 or not known:
        raise TooFewPeople(
            f"the network needs two people or more, each with samples to train on and to validate, "
            f"got {len(people)} with {len(known)} to validate"
        )
    mean, scale = x.mean(axis=0), x.std(axis=0)
    scale[scale < 1e-12] = 1.0
    targets = np.array([people.index(name) for name in names])
    held_out = held_out[known]
    truth = np.array([people.index(validation_names[row]) for row in known])
    network = MLPClassifier(HIDDEN, solver="adam", batch_size=min(_BATCH, len(x)), random_state=TRAINING_SEED)
    best, best_loss, best_epoch = None, np.inf, 0
    for epoch in range(epochs):
        # Layers this small are slower on several threads, many times so if the processor is busy.
        with warnings.catch_warnings(), threadpool_limits(1, "blas"):
            warnings.simplefilter("ignore", ConvergenceWarning)
            network.partial_fit((x - mean) / scale, targets, classes=np.arange(len(people)))
        found = _freeze(network, people, mean, scale)
        shares = found.probabilities(held_out)[np.arange(len(truth)), truth]
        loss = -float(np.mean(np.log(np.maximum(shares, 1e-300))))
        if loss < best_loss:
            best, best_loss, best_epoch = found, loss, epoch
        elif epoch - best_epoch >= PATIENCE:
            break
    assert best is not None
    return best


def _freeze(network: Any, people: Sequence[str], mean: Floats, scale: Floats) -> FeedForward:
    weights, biases = copy.deepcopy(network.coefs_), copy.deepcopy(network.intercepts_)
    if len(people) == 2:
        # scikit-learn has a single logistic output for two; beside a constant 0 its softmax is the same.
        weights[-1] = np.hstack([np.zeros_like(weights[-1]), weights[-1]])
        biases[-1] = np.append(0.0, biases[-1])
    return FeedForward(tuple(people), mean, scale, tuple(weights), tuple(biases))
