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

from face_det.errors import BadEncodings, DataError, ModelMismatch, UnsafePickle
from face_det.gallery import gallery as gallery_module
from face_det.gallery.gallery import Gallery

ROW = np.arange(128) / 128
BOTH = np.concatenate([ROW, -ROW])
DLIB_1, SFACE_2 = "dlib_resnet:1", "sface:2"
BOTH_12 = f"both:{DLIB_1}+{SFACE_2}"
VIEWS_3 = "dlib_views:3"
ALL_123 = f"all:{DLIB_1}+{VIEWS_3}+{SFACE_2}"


def written(path: Path, content: Any) -> Path:
    path.write_bytes(pickle.dumps(content))
    return path


def test_original_file_is_read(tmp_path: Path) -> None:
    """A file that the original's script wrote, with numpy 1.16."""
    originals = json.loads(
        (Path(__file__).parents[1] / "support/data/original_files.json").read_text("utf-8")
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
        ({"encodings": [ROW], "names": ["a\0"]}, r"names\[0\]: must be a name, got 'a\\x00'"),
        ({"encodings": [ROW], "names": ["\udc80"]}, r"names\[0\]: must be a name, got '\\udc80'"),
        ({"encodings": [ROW * 1j], "names": ["a"]}, r"encodings\[0\]: must be 128 numbers, got complex ones"),
        ({"encodings": [ROW, ROW * 1e40], "names": ["a", "b"]}, r"encodings\[1\]: must be numbers about 1"),
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
    with pytest.raises(BadEncodings, match=r"must be 128 numbers .dlib_resnet., got shape \(512,\)"):
        Gallery.empty().plus("anna", np.zeros(512))
    with pytest.raises(BadEncodings, match="finite"):
        Gallery.empty().plus("anna", np.full(128, np.inf))
    with pytest.raises(BadEncodings, match=r"must have shape \(n, 128\), got \(1, 512\)"):
        Gallery(np.zeros((1, 512)), ("anna",))


def test_numbers_of_both_embedders() -> None:
    """What `both` made is served whole and by halves, with the fingerprint of each."""
    gallery = Gallery.empty().plus("anna", BOTH, BOTH_12).plus("bob", 2 * BOTH, BOTH_12)
    assert gallery.embedders == ("dlib_resnet", "sface", "both")
    assert np.array_equal(gallery.of("dlib_resnet"), [ROW, 2 * ROW])
    assert np.array_equal(gallery.of("sface"), [-ROW, -2 * ROW])
    assert np.array_equal(gallery.of("both"), [BOTH, 2 * BOTH])
    assert gallery.of("dlib_resnet") is gallery.encodings
    prints = [gallery.fingerprint_of(name) for name in gallery.embedders]
    assert prints == [DLIB_1, SFACE_2, BOTH_12]
    with pytest.raises(ValueError, match="read-only"):
        gallery.of("both")[0, 0] = 1
    bob = gallery.without("anna")
    assert np.array_equal(bob.of("both"), [2 * BOTH])
    assert bob.fingerprint_of("both") == BOTH_12
    chosen = gallery.rows([1, 1, 0])
    assert chosen.names == ("bob", "bob", "anna")
    assert np.array_equal(chosen.of("sface"), [-2 * ROW, -2 * ROW, -ROW])


def test_both_embedders_in_the_originals_file(tmp_path: Path) -> None:
    """The original reads its two keys, of dlib's numbers, and needs no newer numpy for the rest."""
    gallery = Gallery.empty().plus("cnumpy._core.multiarray\n", BOTH, BOTH_12)
    data = gallery.dumps()
    content = pickle.loads(data)
    assert list(content) == ["encodings", "names", "sface", "fingerprints"]
    assert np.array_equal(content["encodings"], [ROW])
    assert np.array_equal(content["sface"], [-ROW])
    assert content["fingerprints"] == {"dlib_resnet": DLIB_1, "sface": SFACE_2}
    steps = [(opcode.name, argument) for opcode, argument, _ in pickletools.genops(data)]
    assert steps[0] == ("PROTO", 3)
    names = {argument for name, argument in steps if name == "GLOBAL"}
    assert names == {"numpy.core.multiarray _reconstruct", "numpy ndarray", "numpy dtype"}
    (tmp_path / "e").write_bytes(data)
    loaded = Gallery.load(tmp_path / "e")
    assert loaded.dumps() == data
    assert np.array_equal(loaded.of("both"), gallery.of("both"))


def test_numbers_of_several_views(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """dlib_views' lie beside dlib's, with and without sface's, and are dropped where a photo lacks them."""
    gallery_module._warn_dropped.cache_clear()
    row = np.concatenate([ROW, 0.5 * ROW, -ROW])
    for fingerprint, embedders in (
        (ALL_123, ("dlib_resnet", "dlib_views", "sface", "both")),
        (f"all_dlib:{DLIB_1}+{VIEWS_3}", ("dlib_resnet", "dlib_views")),
    ):
        numbers = row[: 128 * len([name for name in embedders if name != "both"])]
        gallery = Gallery.empty().plus("anna", numbers, fingerprint).plus("bob", 2 * numbers, fingerprint)
        assert gallery.embedders == embedders
        assert np.array_equal(gallery.of("dlib_resnet"), [ROW, 2 * ROW])
        assert np.array_equal(gallery.of("dlib_views"), [0.5 * ROW, ROW])
        assert gallery.fingerprint_of("dlib_views") == VIEWS_3
        (tmp_path / "e").write_bytes(gallery.dumps())
        loaded = Gallery.load(tmp_path / "e")
        assert loaded.embedders == embedders
        assert loaded.dumps() == gallery.dumps()
        assert (
            Gallery.from_rows([numbers, 2 * numbers], ["anna", "bob"], fingerprint).dumps() == loaded.dumps()
        )
    both = Gallery.load(tmp_path / "e").plus("carl", BOTH, BOTH_12)
    assert both.embedders == ("dlib_resnet",)
    assert "dlib_views: the new photo has no encodings" in caplog.text
    with pytest.raises(BadEncodings, match=r"must be 384 numbers .*, got shape \(256,\)"):
        Gallery.empty().plus("anna", BOTH, ALL_123)


def test_the_originals_gallery_stays_dlibs(caplog: pytest.LogCaptureFixture) -> None:
    """sface's numbers of a new photo are of no use while the others have none; that is said once."""
    gallery_module._warn_dropped.cache_clear()
    old = Gallery([ROW], ("anna",))
    new = old.plus("bob", BOTH, BOTH_12).plus("bob", BOTH, BOTH_12)
    assert new.embedders == ("dlib_resnet",)
    assert np.array_equal(new.encodings, [ROW] * 3)
    assert new.fingerprint_of("dlib_resnet") == DLIB_1
    assert len(caplog.messages) == 1
    assert "sface: the photos before it have no encodings" in caplog.text
    with pytest.raises(BadEncodings, match="must hold those of sface for every photo, got those of dlib_"):
        new.of("sface")


def test_a_photo_without_sface(caplog: pytest.LogCaptureFixture) -> None:
    """Then sface is not known of every photo any more: dlib's remain."""
    gallery_module._warn_dropped.cache_clear()
    gallery = Gallery.empty().plus("anna", BOTH, BOTH_12).plus("bob", ROW, DLIB_1)
    assert gallery.embedders == ("dlib_resnet",)
    assert "the new photo has no encodings" in caplog.text
    assert list(pickle.loads(gallery.dumps())) == ["encodings", "names", "fingerprints"]


def test_encodings_of_two_networks_are_never_mixed() -> None:
    """Neither half may be of other weights; sface's without a fingerprint is never dlib's."""
    gallery = Gallery.empty().plus("anna", BOTH, BOTH_12)
    for other in ("both:dlib_resnet:9+sface:2", "both:dlib_resnet:1+sface:9"):
        with pytest.raises(
            ModelMismatch, match=r"must all be of \w+:\d, got one of \w+:9; run 'face-det enc"
        ):
            gallery.plus("bob", BOTH, other)
    unnoted = Gallery({"dlib_resnet": [ROW], "sface": [-ROW]}, ("anna",))
    assert [unnoted.fingerprint_of(name) for name in unnoted.embedders] == [None, "sface", "both"]
    with pytest.raises(BadEncodings, match="must be those of dlib_resnet, and perhaps dlib_views and sface"):
        Gallery({"sface": [ROW]}, ("anna",))


SOUND = {"encodings": [ROW, ROW], "names": ["a", "b"], "sface": [-ROW, -ROW]}
PRINTS = {"dlib_resnet": DLIB_1, "sface": SFACE_2}


@pytest.mark.parametrize(
    "change",
    [
        {"sface": [-ROW]},
        {"sface": [-ROW, None]},
        {"fingerprints": {"dlib_resnet": DLIB_1}},
        {"encodings": [ROW] * 3, "names": ["a", "b", "c"]},
    ],
)
def test_sface_of_some_photos_is_not_served(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, change: dict[str, Any]
) -> None:
    """As when another program adds a photo to the file: dlib's numbers are right, sface's not used."""
    path = written(tmp_path / "e", {**SOUND, "fingerprints": PRINTS, **change})
    assert Gallery.load(path).embedders == ("dlib_resnet",)
    assert "sface: must be there for every photo" in caplog.text
    assert Gallery.load(written(path, {**SOUND, "fingerprints": PRINTS})).embedders[-1] == "both"


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"fingerprints": "x"}, "fingerprints: must be a table, got str; run 'face-det encode'"),
        (
            {"fingerprints": {**PRINTS, "sface": 3}},
            r"fingerprints\['sface'\]: must be its network's, got 3",
        ),
        (
            {"fingerprints": {**PRINTS, "sface": DLIB_1}},
            r"fingerprints\['sface'\]: must be its network's, got 'dlib_resnet:1'",
        ),
        ({"fingerprints": {**PRINTS, "sface": ""}}, r"must be its network's, got ''"),
        ({"sface": [ROW, ROW[:9]]}, r"sface\[1\]: must be 128 numbers, got shape \(9,\)"),
        ({"sface": [ROW, np.nan * ROW]}, r"sface\[1\]: must be finite numbers"),
    ],
)
def test_damaged_additions(tmp_path: Path, change: dict[str, Any], expected: str) -> None:
    """What is ours in the file is checked as the rest is."""
    path = written(tmp_path / "e", {**SOUND, "fingerprints": PRINTS, **change})
    with pytest.raises(BadEncodings, match=expected) as caught:
        Gallery.load(path)
    assert str(caught.value).startswith(f"{path}: ")


def test_networks_of_the_future_are_passed_over(tmp_path: Path) -> None:
    """A fingerprint of an embedder that is not known here is no fault."""
    more = {**PRINTS, "arcface": "arcface:7"}
    path = written(tmp_path / "e", {**SOUND, "fingerprints": more})
    assert Gallery.load(path).fingerprint_of("sface") == SFACE_2


def test_from_rows() -> None:
    """Rows as an embedder makes them: 128 numbers, or 256 of both; none is nobody."""
    assert Gallery.from_rows([], [], BOTH_12).names == ()
    assert Gallery.from_rows([ROW], ["anna"], DLIB_1).embedders == ("dlib_resnet",)
    assert Gallery.from_rows([BOTH, BOTH], ["anna", "bob"], BOTH_12).fingerprint_of("both") == BOTH_12
