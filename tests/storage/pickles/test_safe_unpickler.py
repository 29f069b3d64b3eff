"""Pickles are read as data: nothing in them runs, and files that the original wrote still load."""

from __future__ import annotations

import base64
import collections
import contextlib
import functools
import json
import logging
import os
import pickle
import pickletools
import re
import struct
import subprocess
import warnings
import zlib
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.calibration import CalibratedClassifierCV
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import LabelEncoder, StandardScaler
from sklearn.svm import SVC, LinearSVC

from face_det.errors import DataError, UnsafePickle
from face_det.storage.pickles import allow_list, safe_unpickler, values

ORIGINALS = json.loads((Path(__file__).parents[2] / "support/data/original_files.json").read_text("utf-8"))
PROTOCOLS = range(pickle.HIGHEST_PROTOCOL + 1)
REFUSED = "not on the list of allowed classes; none of it was run"

X = np.random.RandomState(0).randn(30, 128)
Y = np.repeat([0, 1, 2], 10)


def unpacked(text: str) -> bytes:
    return zlib.decompress(base64.b64decode(text))


def svc(**options: Any) -> SVC:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)  # probability=True is deprecated
        return SVC(probability=True, **options).fit(X, Y)


class Calls:
    """An object whose pickle calls any function."""

    def __init__(self, function: Any, *arguments: Any) -> None:
        self.call = (function, arguments)

    def __reduce__(self) -> Any:
        """Return the call."""
        return self.call


class Mine:
    """A class of the reading program whose state would run something."""

    def __setstate__(self, state: Any) -> None:
        """Leave a trace."""
        Path(state).touch()

    def __getstate__(self) -> str:
        """Where the trace would be."""
        return os.environ["SIDE_EFFECT"]


@pytest.fixture
def side_effect(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A file that exists if something was run."""
    path = tmp_path / "it-ran"
    monkeypatch.setenv("SIDE_EFFECT", str(path))
    yield path
    assert not path.exists()


def hostile(path: Path) -> dict[str, Any]:
    """Hostile content, by the name in its refusal."""
    touch = f"touch {path}"
    mine = Mine()
    mine.__class__.__module__ = "__main__"
    return {
        "posix.system": Calls(os.system, touch),
        "subprocess.Popen": Calls(subprocess.Popen, ["touch", str(path)]),
        "builtins.eval": Calls(eval, f"open({str(path)!r}, 'w')"),
        "builtins.exec": Calls(exec, f"open({str(path)!r}, 'w')"),
        "builtins.getattr": Calls(getattr, "os", "system"),
        "posix.mkdir": Calls(os.mkdir, str(path)),
        "functools.partial": Calls(functools.partial, os.system, touch),
        "numpy.memmap": Calls(np.memmap, str(path), "uint8", "w+", 0, (1,)),
        "numpy.save": Calls(np.save, str(path), 1),
        "sklearn.utils._bunch.Bunch": Calls(__import__("sklearn.utils").utils.Bunch),
        "__main__.Mine": mine,
        "collections.defaultdict": collections.defaultdict(list),
    }


@pytest.mark.parametrize("name", sorted(hostile(Path("x"))))
@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_what_is_off_the_list_is_refused_by_name(
    name: str, protocol: int, side_effect: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The message names the file, module and class, and nothing in the pickle was run."""
    monkeypatch.setattr("__main__.Mine", Mine, raising=False)
    data = pickle.dumps({"encodings": [hostile(side_effect)[name]], "names": ["x"]}, protocol)
    with pytest.raises(UnsafePickle) as caught:
        safe_unpickler.parse_pickle(data, "encodings.pickle")
    message = str(caught.value)
    # Protocols below 3 use Python 2's module names, and numpy moves its own around.
    module = r"\S+" if protocol < 3 or name.startswith("numpy") else re.escape(name.rpartition(".")[0])
    function = re.escape(name.rpartition(".")[2])
    assert re.fullmatch(rf"encodings\.pickle: names {module}\.{function}, which is {REFUSED}", message)
    assert not side_effect.exists()


def test_a_lambda_is_refused(side_effect: Path) -> None:
    """A lambda pickled by cloudpickle is refused, with the name of the function that would rebuild it."""
    cloudpickle = pytest.importorskip("cloudpickle")
    data = cloudpickle.dumps(lambda: None)
    with pytest.raises(UnsafePickle, match=rf"labels: names cloudpickle\.\S+, which is {REFUSED}"):
        safe_unpickler.parse_pickle(data, "labels")
    assert not side_effect.exists()


def text(value: str) -> bytes:
    return b"\x8c" + bytes([len(value)]) + value.encode()


def name(module: str, attribute: str) -> bytes:
    return text(module) + text(attribute) + b"\x93"


def array(shape: bytes, dtype: bytes, content: bytes) -> bytes:
    """The opcodes of an array with any shape, type and content."""
    made = name("numpy.core.multiarray", "_reconstruct") + name("numpy", "ndarray") + b"K\0\x85C\1b\x87R"
    return made + b"(K\1" + shape + dtype + b"\x89" + content + b"tb"


def dtype(spec: str, state: bytes = b"") -> bytes:
    return name("numpy", "dtype") + text(spec) + b"\x89\x88\x87R" + state


BOMB = b"N\x85" + b"q\0h\0\x86" * 25  # deeply nested tuples: a few more levels, and hashing takes forever


@pytest.mark.parametrize(
    ("what", "program"),
    [
        (
            "numpy.core.multiarray.os.system",
            name("numpy.core.multiarray", "os.system") + text("id") + b"\x85R",
        ),
        ("sklearn.svm._classes.SVC.fit", name("sklearn.svm._classes", "SVC.fit") + b")R"),
        ("the extension registry", b"\x82\x01"),
        ("persistent id", b"Pos\n"),
        ("persistent id", text("os") + b"Q"),
        ("instance made by its constructor", b"(iposix\nsystem\n"),
        ("instance made by its constructor", b"(" + name("collections", "OrderedDict") + b"o"),
        ("instance made with named arguments", name("collections", "OrderedDict") + b")}\x92"),
        ("buffer outside the file", b"\x97"),
        # a number where content should be
        (
            "bytes that cannot be int",
            name("builtins", "bytearray") + b"\x8a\x05" + bytes(4) + b"\1" + b"\x85R",
        ),
        ("array of 1099511627776 bytes", b"\x96" + struct.pack("<Q", 2**40)),
        # arrays that are larger than their content, or not arrays at all
        ("array of shape", array(b"\x8a\x05" + bytes(4) + b"\1\x85", dtype("f8"), b"C\0")),
        ("array of shape", array(b"\x8a\x05" + bytes(4) + b"\1\x85", dtype("O"), b"]")),
        ("array of shape", array(b"\x8a\x05" + bytes(4) + b"\1\x85", dtype("U0"), b"C\0")),
        ("shape that cannot be tuple", array(b"J\xff\xff\xff\xff\x85", dtype("f8"), b"C\0")),
        ("array's type that cannot be str", array(b"K\0\x85", text("f8"), b"C\0")),
        ("a call of numpy.ndarray, which is a class", name("numpy", "ndarray") + b"K\1\x85\x85R"),
        (
            "an array that starts with a shape",
            name("numpy.core.multiarray", "_reconstruct") + name("numpy", "ndarray") + b"K\x7f\x85C\1b\x87R",
        ),
        ("array of 'f8,O'", dtype("f8,O")),
        ("array of structures", dtype("f8", b"(K\3" + text("<") + b"N)NK\1K\1K\0tb")),
        # state for objects that take none
        ("state for GlobalName", name("sklearn.svm._classes", "SVC") + b"N}" + text("fit") + b"K\1s\x86b"),
        ("state for dict", b"}}b"),
        ("items for GlobalName", name("sklearn.svm._classes", "SVC") + text("fit") + b"K\1s"),
        ("a call of str, which is data", text("x") + b")R"),
        ("an instance of collections.OrderedDict made from", name("collections", "OrderedDict") + b")\x81"),
        (
            "an instance of sklearn.svm._classes.SVC made from",
            name("sklearn.svm._classes", "SVC") + b"N\x85\x81",
        ),
        ("not a table of attributes", name("sklearn.svm._classes", "SVC") + b")\x81(]tb"),
        (
            "not a table of attributes",
            name("sklearn.svm._classes", "SVC") + b")\x81}" + text("__class__") + b"Nsb",
        ),
        (
            "a Booster without a model",
            name("xgboost.core", "Booster") + b")\x81}" + text("handle") + b"K\1sb",
        ),
        ("must hold an object, got the name", name("sklearn.svm._classes", "SVC")),
        # keys that take forever to hash
        ("key that cannot be tuple", b"}" + BOMB + b"Ns"),
        ("key that cannot be tuple", b"}(" + BOMB + b"Nu"),
        ("key that cannot be tuple", b"\x8f(" + BOMB + b"\x90"),
        ("key that cannot be tuple", b"(" + BOMB + b"\x91"),
        ("key that cannot be tuple", name("builtins", "frozenset") + b"]" + BOMB + b"a\x85R"),
        ("key that cannot be list", b"(]Nd"),
    ],
)
def test_hostile_programs(what: str, program: bytes, side_effect: Path) -> None:
    """Tricks of the format, and allowed classes with wrong arguments, end in a one-line error."""
    with pytest.raises(UnsafePickle) as caught:
        safe_unpickler.parse_pickle(b"\x80\x05" + program + b".", "x.pickle")
    message = str(caught.value)
    assert what in message
    assert message.startswith("x.pickle: ")
    assert "\n" not in message
    assert not side_effect.exists()


def test_names_are_shown_in_one_line() -> None:
    """A name with a line break cannot forge a line in a log."""
    with pytest.raises(UnsafePickle) as caught:
        safe_unpickler.parse_pickle(b"\x80\x04" + name("a\nface-det: ok", "b") + b".", "x")
    assert "\n" not in str(caught.value)


def test_nothing_is_imported_for_a_name() -> None:
    """A refused module is not even imported, because importing would run it."""
    import sys

    sys.modules.pop("this", None)
    with pytest.raises(UnsafePickle, match=r"names this\.s"):
        safe_unpickler.parse_pickle(b"\x80\x04" + name("this", "s") + b".", "x")
    assert "this" not in sys.modules


def test_every_name_on_the_list_can_be_had() -> None:
    """Otherwise a typo in the list would only show when somebody's model does not load."""
    for text_, where in allow_list.ALLOWED_CLASSES.items():
        module, _, attribute = text_.rpartition(".")
        if module.startswith("sklearn.frozen") and find_spec("sklearn.frozen") is None:
            continue  # before scikit-learn 1.6
        assert allow_list.new_instance(values.GlobalName(module, attribute), ()) is not None, where


def test_steps_are_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    """A short file that is a long program is stopped."""
    monkeypatch.setattr(safe_unpickler, "MAX_PICKLE_STEPS", 1000)
    with pytest.raises(UnsafePickle, match="more than 1000 steps"):
        safe_unpickler.parse_pickle(b"\x80\x04" + b"]0" * 1000 + b"N.", "x")


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (b"", "got an empty file"),
        (b"hello, this is text\n", "must be a whole pickle, got a damaged one or something else"),
        (b"\xff\xd8\xff\xe0 a photo", "must be a whole pickle"),
        (b"\x80\x09N.", "unsupported pickle protocol: 9"),
        (pickle.dumps([1, 2])[:-1], "must be a whole pickle"),
        (b".", "must be a whole pickle"),
        (b"\x80\x04}q\0h\7.", "must be a whole pickle"),
    ],
)
def test_no_pickle(data: bytes, expected: str) -> None:
    """An empty file, text, a picture and a truncated pickle are each named as such."""
    with pytest.raises(UnsafePickle, match=expected):
        safe_unpickler.parse_pickle(data, "x")


def test_truncated_anywhere() -> None:
    """A file truncated anywhere is refused with the right error."""
    data = pickle.dumps({"encodings": [np.ones(3)], "names": ["x"], "more": {1, 2}, "b": bytearray(b"x")}, 5)
    for end in range(len(data)):
        with pytest.raises(UnsafePickle):
            safe_unpickler.parse_pickle(data[:end], "x")


@settings(deadline=None)
@given(st.binary(max_size=60))
def test_noise(noise: bytes) -> None:
    """Random bytes are refused or are plain data; they raise nothing else."""
    for data in (noise, b"\x80\x04" + noise + b"."):
        try:
            safe_unpickler.parse_pickle(data, "x")
        except UnsafePickle:
            continue


@settings(deadline=None)
@given(st.data())
def test_damage_in_a_model(data: Any) -> None:
    """A model with changed bytes loads or is refused; it raises nothing else."""
    model = bytearray(
        unpacked(
            ORIGINALS["scikit-learn 0.20.4, xgboost 0.90"]["models"][
                data.draw(st.sampled_from(["linear", "xgb"]))
            ]
        )
    )
    for _ in range(3):
        model[data.draw(st.integers(0, len(model) - 1))] = data.draw(st.integers(0, 255))
    try:
        safe_unpickler.parse_pickle(bytes(model), "x")
    except UnsafePickle:
        return


def test_too_large(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An oversized file is refused before it is read."""
    monkeypatch.setattr(safe_unpickler, "MAX_PICKLE_BYTES", 100)
    (tmp_path / "x").write_bytes(bytes(101))
    with pytest.raises(DataError, match="must not be larger than 100 bytes"):
        safe_unpickler.load_pickle(tmp_path / "x")
    with pytest.raises(UnsafePickle, match="must not be larger than 100 bytes"):
        safe_unpickler.parse_pickle(bytes(101), "x")


def test_missing_file(tmp_path: Path) -> None:
    """The caller decides what a missing file means."""
    with pytest.raises(FileNotFoundError):
        safe_unpickler.load_pickle(tmp_path / "x")


VALUES = [
    np.arange(6.0).reshape(2, 3),
    np.asfortranarray(np.arange(6.0).reshape(2, 3)),
    np.array(["a", "bcé", ""]),
    np.array(["a", None, 1], dtype=object),
    np.array([b"ab"]),
    np.array([True, False]),
    np.zeros((0, 128)),
    np.array(5, dtype=np.int8),
    np.ones((2, 1, 2), dtype=np.complex64),
    np.float32(3.5),
    np.str_("é"),
    np.int64(4),
    np.bool_(True),
    {1, 2},
    frozenset("a"),
    frozenset({1, 2}),
    bytearray(b"x\xff"),
    bytearray(),
    b"",
    b"\xff\0",
    1j,
    10**400,
    -0.5,
    None,
    True,
    {"a": (1, [2, {3: "é"}]), ("b", 1): b"c"},
    collections.OrderedDict([("z", 1), ("a", 2)]),
    slice(1, None, 2),
]


@pytest.mark.parametrize("protocol", PROTOCOLS)
@pytest.mark.parametrize("value", VALUES, ids=repr)
def test_data_comes_back(value: Any, protocol: int) -> None:
    """Arrays, numbers and Python's built-in types survive in every protocol."""
    loaded = safe_unpickler.parse_pickle(pickle.dumps(value, protocol), "x")
    assert type(loaded) is type(value)
    if isinstance(value, (np.ndarray, np.generic)):
        assert loaded.dtype == value.dtype  # type: ignore[attr-defined]
        assert np.array_equal(loaded, value)  # type: ignore[arg-type]
        assert loaded.flags.f_contiguous == value.flags.f_contiguous  # type: ignore[attr-defined]
    else:
        assert loaded == value


def test_shared_and_circular_data_comes_back() -> None:
    """One object in the file is one object in memory."""
    row = np.ones(3)
    ring: list[Any] = [row, row]
    ring.append(ring)
    loaded: Any = safe_unpickler.parse_pickle(pickle.dumps(ring), "x")
    assert loaded[0] is loaded[1]
    assert loaded[2] is loaded


def test_array_that_python_2_wrote() -> None:
    """Python 2 pickled the bytes of an array as text."""
    data = (
        b"\x80\x02cnumpy.core.multiarray\n_reconstruct\ncnumpy\nndarray\nK\0\x85U\1b\x87R(K\1K\2\x85cnumpy\n"
        b"dtype\nU\2f8K\0K\1\x87R(K\3U\1<NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\0tb\x89U\x10"
        + struct.pack("<2d", 1.5, -2.0)
        + b"tb."
    )
    assert np.array_equal(safe_unpickler.parse_pickle(data, "x"), [1.5, -2.0])  # type: ignore[arg-type]


def estimators() -> dict[str, Any]:
    from xgboost import XGBClassifier

    return {
        "svc": svc(),
        "calibrated": CalibratedClassifierCV(SVC(), ensemble=False, cv=3).fit(X, Y),
        "isotonic": CalibratedClassifierCV(LinearSVC(), method="isotonic", cv=3).fit(X, Y),
        "neighbours": KNeighborsClassifier(algorithm="brute").fit(X, Y),
        "kd tree": KNeighborsClassifier(algorithm="kd_tree", leaf_size=5).fit(X, Y),
        "ball tree": KNeighborsClassifier(algorithm="ball_tree", metric="manhattan", leaf_size=5).fit(X, Y),
        "pipeline": make_pipeline(StandardScaler(), KNeighborsClassifier()).fit(X, Y),
        "xgboost": XGBClassifier(n_estimators=2).fit(X, Y),
    }


ESTIMATORS = estimators()


@pytest.mark.parametrize("protocol", PROTOCOLS)
@pytest.mark.parametrize("kind", sorted(ESTIMATORS))
def test_estimators_come_back(kind: str, protocol: int) -> None:
    """Estimators that we train, or that others may have, load and give the same answers."""
    loaded: Any = safe_unpickler.parse_pickle(pickle.dumps(ESTIMATORS[kind], protocol), "x")
    assert type(loaded) is type(ESTIMATORS[kind])
    assert np.array_equal(loaded.predict_proba(X), ESTIMATORS[kind].predict_proba(X))


@pytest.mark.parametrize("kind", ["kd tree", "ball tree"])
def test_search_trees_are_grown_again(kind: str) -> None:
    """The tree in the file is not trusted: even a forged one gives the same answers."""
    import copy

    bent = copy.deepcopy(ESTIMATORS[kind])
    state = list(bent._tree.__getstate__())
    state[1] = np.full_like(state[1], 2**40)  # indices of the points
    bent._tree.__setstate__(tuple(state))
    loaded: Any = safe_unpickler.parse_pickle(pickle.dumps(bent), "x")
    assert np.array_equal(loaded.predict_proba(X), ESTIMATORS[kind].predict_proba(X))


@pytest.mark.parametrize(
    ("part", "value"),
    [
        ("_n_support", np.array([2**30, 0, 0], dtype=np.int32)),
        ("_n_support", np.array([-30, 60, 0], dtype=np.int32)),
        ("_probA", np.zeros(1)),
        ("_dual_coef_", np.zeros((2, 1))),
        ("_intercept_", np.zeros(1)),
        ("support_", np.zeros(1, dtype=np.int32)),
        ("kernel", "precomputed"),
        ("_sparse", True),
        ("n_features_in_", 4),
        ("_gamma", float("nan")),
        ("_intercept_", np.full(3, np.inf)),
    ],
)
def test_svc_whose_parts_do_not_fit(part: str, value: Any) -> None:
    """A file that would make libsvm read beyond its arrays does not load."""
    bent = svc()
    setattr(bent, part, value)
    with pytest.raises(UnsafePickle, match="an SVC whose parts do not fit together"):
        safe_unpickler.parse_pickle(pickle.dumps(bent), "x")


@pytest.mark.parametrize("packages", sorted(ORIGINALS))
@pytest.mark.parametrize("kind", ["rbf", "linear", "default", "two", "xgb", "xgb_pruned", "xgb_two"])
def test_original_classifiers_answer_as_they_did(
    packages: str, kind: str, capfd: pytest.CaptureFixture[str]
) -> None:
    """Classifiers written by the original's packages give the same probabilities as they did then."""
    files = ORIGINALS[packages]
    asked = np.array(files["asked"])[:, : 9 if kind == "xgb_pruned" else 128]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        loaded: Any = safe_unpickler.parse_pickle(unpacked(files["models"][kind]), "x")
        answers = loaded.predict_proba(asked)
    assert np.allclose(answers, files["answers"][kind], atol=1e-6 if "xgb" in kind else 1e-12)
    assert capfd.readouterr().err == ""
    # ... and can be written and read again, and trained again with their parameters.
    again: Any = safe_unpickler.parse_pickle(safe_unpickler.dump_pickle(loaded), "x")
    assert np.array_equal(again.predict_proba(asked), answers)
    if "xgb" not in kind:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", FutureWarning)
            SVC(**loaded.get_params()).fit(X, Y)


@pytest.mark.parametrize("packages", sorted(ORIGINALS))
def test_original_labels_and_encodings(packages: str) -> None:
    """The label encoder and the encodings of the original load."""
    files = ORIGINALS[packages]
    encoder: Any = safe_unpickler.parse_pickle(unpacked(files["labels"]), "x")
    assert isinstance(encoder, LabelEncoder)
    assert encoder.inverse_transform([2, 0]).tolist() == ["bob", "Unknown"]
    content: Any = safe_unpickler.parse_pickle(unpacked(files["encodings"]), "x")
    assert np.array(content["encodings"]).shape == (12, 128)
    assert content["names"][0] == "Unknown"


def _circle(model: dict[str, Any], tree: dict[str, Any]) -> None:
    tree["left_children"][1] = tree["left_children"][0]


def _lost(model: dict[str, Any], tree: dict[str, Any]) -> None:
    tree["right_children"][0] = 10**6


def _feature(model: dict[str, Any], tree: dict[str, Any]) -> None:
    tree["split_indices"][0] = 128


def _short(model: dict[str, Any], tree: dict[str, Any]) -> None:
    tree["split_conditions"].pop()


def _classes(model: dict[str, Any], tree: dict[str, Any]) -> None:
    model["learner"]["learner_model_param"]["num_class"] = "2"


def _many(model: dict[str, Any], tree: dict[str, Any]) -> None:
    model["learner"]["learner_model_param"]["num_class"] = str(2**31)


def _kind(model: dict[str, Any], tree: dict[str, Any]) -> None:
    model["learner"]["objective"]["name"] = "rank:pairwise"


@pytest.mark.parametrize(
    ("bend", "expected"),
    [
        (_circle, "an xgboost tree that loops"),
        (_lost, "branches that lead nowhere"),
        (_feature, "splits on a feature that does not exist"),
        (_short, "parts do not fit together"),
        (_classes, "trees for classes that it does not have"),
        (_many, "do not fit together"),
        (_kind, "rank:pairwise, which is not used here"),
    ],
)
def test_trees_are_looked_at(bend: Any, expected: str) -> None:
    """xgboost itself would follow these anywhere in memory."""
    from face_det.storage.pickles import xgboost_compat

    booster = ESTIMATORS["xgboost"].get_booster()
    model = json.loads(bytes(booster.save_raw("json")))
    bend(model, model["learner"]["gradient_booster"]["model"]["trees"][0])
    state = {"handle": bytearray(json.dumps({"Model": model}).encode())}
    with pytest.raises(ValueError, match=expected):
        xgboost_compat.restore_booster(type(booster)(), state)


@settings(deadline=None)
@given(st.binary(max_size=40))
def test_ubjson_noise(noise: bytes) -> None:
    """Random bytes raise nothing but the documented errors."""
    from face_det.storage.pickles import ubjson

    for data in (noise, b"{" + noise, b"[$l#" + noise):
        with contextlib.suppress(ValueError, RecursionError):
            ubjson.parse_ubjson(data)


def test_older_scikit_learn_is_a_line_in_the_log(caplog: pytest.LogCaptureFixture) -> None:
    """It is not a warning on stderr, and it is logged once, not for each part of a model."""
    files = ORIGINALS["scikit-learn 0.20.4, xgboost 0.90"]
    with caplog.at_level(logging.INFO):
        for data in (files["models"]["rbf"], files["labels"]):
            # A version of its own: each is logged once in a process, and other tests load these files too.
            safe_unpickler.parse_pickle(unpacked(data).replace(b"0.20.4", b"0.20.X"), "x")
    assert len([record for record in caplog.records if "scikit-learn '0.20.X'" in record.getMessage()]) == 1


def test_what_is_written_can_be_read() -> None:
    """Whatever could not be loaded is refused before it is written."""
    with pytest.raises(UnsafePickle, match=r"pickle of dict: names posix\.system"):
        safe_unpickler.dump_pickle({"x": os.system})
    assert safe_unpickler.parse_pickle(safe_unpickler.dump_pickle({"x": [1]}), "x") == {"x": [1]}


def test_every_refused_step_is_known_to_python() -> None:
    """The opcodes are listed by number, so a slip would refuse the wrong ones."""
    known = {
        opcode.name
        for opcode in pickletools.opcodes
        if opcode.code.encode("latin1") in safe_unpickler._REFUSED_OPCODES
    }
    assert known == {
        "PERSID",
        "BINPERSID",
        "EXT1",
        "EXT2",
        "EXT4",
        "INST",
        "OBJ",
        "NEWOBJ_EX",
        "NEXT_BUFFER",
        "READONLY_BUFFER",
    }
