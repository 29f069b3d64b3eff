"""The feed-forward network learns, needs numpy only to answer, and is checked when it is read."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest
from sklearn.neural_network import MLPClassifier

from face_det.classifiers import FeedForward, fit_feed_forward
from face_det.errors import TooFewPeople
from face_det.storage import dump_pickle, parse_pickle


def clouds(people: int, seed: int) -> tuple[npt.NDArray[np.float64], list[str]]:
    """Twenty samples each around a place of their own, in ten dimensions, of which one is always the same."""
    places = 40 * np.random.RandomState(0).standard_normal((people, 10))
    samples = places.repeat(20, axis=0) + 10 * np.random.RandomState(seed).standard_normal((20 * people, 10))
    samples[:, 9] = 7
    return samples, [f"person {number // 20}" for number in range(20 * people)]


@pytest.mark.parametrize("people", [2, 4])
def test_it_learns_and_is_the_same_after_it_was_saved(people: int) -> None:
    """Its probabilities are those of scikit-learn's own network, of two people as of more."""
    network = fit_feed_forward(*clouds(people, 1), *clouds(people, 2), 15)
    samples, names = clouds(people, 3)
    shares = network.probabilities(samples)
    assert shares.sum(axis=1) == pytest.approx(1)
    right = np.mean(
        [network.names[place] == name for place, name in zip(shares.argmax(axis=1), names, strict=True)]
    )
    assert right > 0.95
    saved = FeedForward.from_table(parse_pickle(dump_pickle(network.as_table()), "speakers.pickle"))
    assert np.array_equal(saved.probabilities(samples), shares)
    theirs = MLPClassifier([len(one) for one in network.biases[:-1]], batch_size=1)
    theirs.partial_fit(np.zeros((people, 10)), np.arange(people), classes=np.arange(people))
    theirs.coefs_, theirs.intercepts_ = [*network.weights], [*network.biases]
    if people == 2:
        theirs.coefs_[-1], theirs.intercepts_[-1] = network.weights[-1][:, 1:], network.biases[-1][1:]
    assert theirs.predict_proba((samples - network.mean) / network.scale) == pytest.approx(shares)


def test_the_epoch_that_validates_best_is_kept() -> None:
    """Validated by the wrong names, it is taken before it is sure of the right ones."""
    samples, names = clouds(2, 1)
    swapped = fit_feed_forward(samples, names, samples, names[::-1], 15)
    assert swapped.probabilities(samples).max(axis=1).mean() < 0.9


def test_what_it_cannot_learn_or_read_is_an_error() -> None:
    """One person, nobody to validate, and layers that do not fit."""
    samples, names = clouds(2, 1)
    for arguments in ((samples[:20], names[:20], samples, names), (samples, names, samples, ["C"] * 40)):
        with pytest.raises(TooFewPeople, match="two people or more"):
            fit_feed_forward(*arguments)
    table = fit_feed_forward(samples, names, samples, names, 1).as_table()
    for wrong in (
        [],
        {"names": ["A"]},
        table | {"names": ["A"]},
        table | {"biases": table["biases"][:-1]},
        table | {"weights": [*table["weights"][:-1], table["weights"][0]]},
        table | {"mean": table["mean"] * np.nan},
        table | {"scale": table["scale"][:3]},
    ):
        with pytest.raises(ValueError, match="must hold a feed-forward network"):
            FeedForward.from_table(wrong)
