"""From probabilities to names."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest

from face_det.faces import Match, Reason
from face_det.identity.decision import decide
from face_det.identity.model import Card, Model

ROWS = {
    "sure": [0.95, 0.03, 0.02],
    "at the gate": [0.05, 0.9, 0.05],
    "torn": [0.5, 0.4, 0.1],
    "stranger": [0, 0.04, 0.96],
}


@pytest.fixture
def family() -> Model:
    """A classifier that answers with ROWS, whatever it is shown."""
    rows = np.array(list(ROWS.values()))
    classifier = SimpleNamespace(classes_=np.arange(3), predict_proba=lambda X: rows[: len(X)])
    labels = ("Alice", "Bob", "Unknown")
    return Model(classifier, labels, Card("svm", "svm", {}, labels, None, None), "")


def test_the_likeliest_is_the_name_if_it_is_likely_enough(family: Model) -> None:
    """minProba itself is enough; Unknown is a name like any other; the rest keeps its probability."""
    assert decide(family, np.zeros((4, 128)), 0.9) == [
        Match("Alice", 0.95, None),
        Match("Bob", 0.9, None),
        Match(None, 0.5, Reason.UNRECOGNISED),
        Match("Unknown", 0.96, None),
    ]


def test_a_lower_gate_names_more(family: Model) -> None:
    """minProba 0 names everybody."""
    names = [match.name for match in decide(family, np.zeros((4, 128)), 0.0)]
    assert names == ["Alice", "Bob", "Alice", "Unknown"]


def test_without_a_model_nobody_is_known() -> None:
    """One answer a face all the same."""
    assert decide(None, np.zeros((2, 128)), 0.0) == [Match(None, None, Reason.UNRECOGNISED)] * 2


def test_no_faces_no_answers(family: Model) -> None:
    """An empty picture is no special case for the caller."""
    assert decide(family, np.empty((0, 128)), 0.9) == []


def test_plain_numbers(family: Model) -> None:
    """What goes over the wire is Python's float: zerorpc cannot send numpy's."""
    assert type(decide(family, np.zeros((1, 128)), 0.9)[0].probability) is float
