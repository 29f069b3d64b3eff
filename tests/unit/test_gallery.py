"""encodings.pickle: what the original writes is read, what is written the original reads."""

from __future__ import annotations

import base64
import json
import pickle
import pickletools
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from face_det.errors import BadEncodings, DataError, UnsafePickle
from face_det.identity.gallery import Gallery

ROW = np.arange(128) / 128


def written(path: Path, content: Any) -> Path:
    path.write_bytes(pickle.dumps(content))
    return path


def test_original_file_is_read(tmp_path: Path) -> None:
    """A file that the original's script wrote, with numpy 1.16."""
    originals = json.loads(
        Path(__file__).with_name("data").joinpath("original_files.json").read_text("utf-8")
    )
    packed = originals["scikit-learn 0.20.4, xgboost 0.90"]["encodings"]
    (tmp_path / "e").write_bytes(zlib.decompress(base64.b64decode(packed)))
    gallery = Gallery.load(tmp_path / "e")
    assert gallery.encodings.shape == (12, 128)
    assert gallery.people == ("Unknown", "anna", "bob")


def test_what_is_written_is_the_originals_dictionary() -> None:
    """Plain pickle reads a list of float64 arrays and a list of str."""
    gallery = Gallery.empty().plus("anna", ROW).plus("bob", ROW.astype(np.float32))
    content = pickle.loads(gallery.dumps())
    assert list(content) == ["encodings", "names"]
    assert content["names"] == ["anna", "bob"]
    assert [type(row) for row in content["encodings"]] == [np.ndarray] * 2
    assert [(row.dtype, row.shape) for row in content["encodings"]] == [(np.float64, (128,))] * 2
    assert np.array_equal(content["encodings"][0], ROW)


def test_what_is_written_needs_no_new_python_or_numpy() -> None:
    """Protocol 3, and only names that numpy 1 has as well."""
    data = Gallery.empty().plus("cnumpy._core.multiarray\n", ROW).plus("anna", ROW).dumps()
    steps = [(opcode.name, argument) for opcode, argument, _ in pickletools.genops(data)]
    assert steps[0] == ("PROTO", 3)
    names = {argument for name, argument in steps if name == "GLOBAL"}
    assert names == {"numpy.core.multiarray _reconstruct", "numpy ndarray", "numpy dtype"}
    # ... and a person's name is left alone.
    assert pickle.loads(data)["names"][0] == "cnumpy._core.multiarray\n"


def test_round_trip(tmp_path: Path) -> None:
    """What was saved is loaded: numbers to the last bit, names and order."""
    random = np.random.RandomState(1)
    gallery = Gallery(random.randn(5, 128), ("b", "a", "é", "a", "名"))
    (tmp_path / "e").write_bytes(gallery.dumps())
    loaded = Gallery.load(tmp_path / "e")
    assert loaded.names == gallery.names
    assert np.array_equal(loaded.encodings, gallery.encodings)
    assert gallery.dumps() == loaded.dumps()


def test_no_file_is_nobody(tmp_path: Path) -> None:
    """Before the first encoding there is an empty gallery, which can be saved and loaded."""
    gallery = Gallery.load(tmp_path / "e")
    assert gallery.names == gallery.people == ()
    assert gallery.encodings.shape == (0, 128)
    (tmp_path / "e").write_bytes(gallery.dumps())
    assert Gallery.load(tmp_path / "e").names == ()


def test_plus_and_without() -> None:
    """Each makes a new gallery and leaves the old one as it was."""
    one = Gallery.empty().plus("anna", ROW)
    two = one.plus("bob", -ROW).plus("anna", 2 * ROW)
    assert one.names == ("anna",)
    assert two.people == ("anna", "bob")
    assert two.without("anna").names == ("bob",)
    assert np.array_equal(two.without("anna").encodings, [-ROW])
    assert two.without("nobody").names == two.names
    assert two.without("anna").without("bob").encodings.shape == (0, 128)


def test_nothing_returned_is_changed_later() -> None:
    """The arrays cannot be written to, and are not the caller's."""
    mine = ROW.copy().reshape(1, 128)
    gallery = Gallery(mine, ("anna",))
    mine[:] = 0
    assert np.array_equal(gallery.encodings[0], ROW)
    with pytest.raises(ValueError, match="read-only"):
        gallery.encodings[0, 0] = 1


@pytest.mark.parametrize(
    "content",
    [
        {"encodings": [ROW], "names": [np.str_("anna")]},
        {"encodings": [ROW.tolist()], "names": ("anna",)},
        {"encodings": np.array([ROW]), "names": np.array(["anna"])},
        {"encodings": [ROW.astype(np.float32)], "names": ["anna"], "more": 1},
    ],
)
def test_other_spellings_are_read(tmp_path: Path, content: Any) -> None:
    """Lists, arrays, float32, numpy's texts: names become str, numbers float64."""
    gallery = Gallery.load(written(tmp_path / "e", content))
    assert [type(name) for name in gallery.names] == [str]
    assert gallery.encodings.dtype == np.float64
    assert np.allclose(gallery.encodings[0], ROW, atol=1e-7)


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ([1], 'must hold {"encodings": .*got list'),
        ({"encodings": []}, r"got dict with \['encodings'\]"),
        ({"encodings": ROW[0], "names": []}, "encodings: must be a list, got float64"),
        ({"encodings": [ROW], "names": []}, "must have a name for each encoding, got 0 for 1"),
        (
            {"encodings": [ROW, ROW[:64]], "names": ["a", "b"]},
            r"encodings\[1\]: must be 128 numbers, got shape \(64,\)",
        ),
        (
            {"encodings": [["x"] * 128], "names": ["a"]},
            r"encodings\[0\]: must be 128 numbers, got could not convert",
        ),
        ({"encodings": [ROW, ROW * np.nan], "names": ["a", "b"]}, r"encodings\[1\]: must be finite numbers"),
        ({"encodings": [ROW], "names": [b"a"]}, r"names\[0\]: must be a name, got b'a'"),
        ({"encodings": [ROW], "names": [""]}, r"names\[0\]: must be a name, got ''"),
    ],
)
def test_something_else(tmp_path: Path, content: Any, expected: str) -> None:
    """A pickle of something else says where, what was expected and what was there."""
    with pytest.raises(BadEncodings, match=expected) as caught:
        Gallery.load(written(tmp_path / "e", content))
    assert str(caught.value).startswith(f"{tmp_path / 'e'}: ")


def test_no_pickle_at_all(tmp_path: Path) -> None:
    """Text and a cut file are errors of the data; the file is named."""
    for data in (b"hello\n", Gallery.empty().plus("a", ROW).dumps()[:-5], b""):
        (tmp_path / "e").write_bytes(data)
        with pytest.raises(UnsafePickle, match=str(tmp_path / "e")) as caught:
            Gallery.load(tmp_path / "e")
        assert isinstance(caught.value, DataError)


def test_wrong_shape_is_refused() -> None:
    """An encoding of another network does not get in."""
    with pytest.raises(BadEncodings, match=r"must be 128 numbers, got shape \(512,\)"):
        Gallery.empty().plus("anna", np.zeros(512))
    with pytest.raises(BadEncodings, match="finite"):
        Gallery.empty().plus("anna", np.full(128, np.inf))
    with pytest.raises(BadEncodings, match=r"must have shape \(n, 128\), got \(1, 512\)"):
        Gallery(np.zeros((1, 512)), ("anna",))
