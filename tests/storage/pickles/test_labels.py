"""A LabelEncoder is read and written without scikit-learn, as scikit-learn would."""

from __future__ import annotations

import pickle
import warnings

import numpy as np
import pytest
from sklearn.preprocessing import LabelEncoder

from face_det.errors import UnsafePickle
from face_det.storage.pickles import safe_unpickler
from face_det.storage.pickles.labels import PlainLabelEncoder


def test_the_bytes_are_scikit_learns() -> None:
    """Whatever reads label files reads ours, without a warning."""
    real = LabelEncoder().fit(["Ann", "Zoë"])
    real.of_ours = {"a": "b"}
    plain = PlainLabelEncoder(np.array(["Ann", "Zoë"]), {"of_ours": {"a": "b"}})
    data = safe_unpickler.dump_pickle(plain)
    assert data == pickle.dumps(real, protocol=4)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert pickle.loads(data).transform(["Zoë"]).tolist() == [1]


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_scikit_learns_bytes_are_read(protocol: int) -> None:
    """In every protocol, with all attributes; asked for nothing special, it is scikit-learn's class."""
    data = pickle.dumps(LabelEncoder().fit(["Ann", "Bob"]), protocol=protocol)
    plain = safe_unpickler.parse_pickle(data, "x", plain_labels=True)
    assert isinstance(plain, PlainLabelEncoder)
    assert plain.classes_.tolist() == ["Ann", "Bob"]
    assert isinstance(safe_unpickler.parse_pickle(data, "x"), LabelEncoder)


def test_nothing_else_is_let_in() -> None:
    """The list of allowed classes holds for label files, too."""
    with pytest.raises(UnsafePickle, match=r"names builtins.print"):
        safe_unpickler.parse_pickle(pickle.dumps(print), "x", plain_labels=True)
