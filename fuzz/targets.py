"""The fuzz targets: one for each reader of untrusted bytes.

Each target is a function that imports what it needs, prepares seeds, and returns a Prepared. Its `run(data)`
returns True if the data was accepted and False if it was refused with a one-line FaceDetError. Any other
exception is a finding.
"""

from __future__ import annotations

import io
import json
import pickle
import random
import struct
import tempfile
import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

LONGEST_MESSAGE = 2000
SMALL_PIXELS = 1_000_000


@dataclass(frozen=True)
class Prepared:
    """`run(data)` returns True if it was accepted; `seeds` are valid files; `words` occur in them."""

    run: Callable[[bytes], bool]
    seeds: Sequence[bytes]
    words: Sequence[bytes] = ()


def _refusing(read: Callable[[bytes], object], *errors: type[Exception]) -> Callable[[bytes], bool]:
    """Turn `read` into a run: FaceDetError and `errors` are refusals, whose messages must be one line."""
    from face_det.errors import ConfigError, FaceDetError

    def run(data: bytes) -> bool:
        try:
            read(data)
        except (FaceDetError, *errors) as error:
            for said in error.faults if isinstance(error, ConfigError) else (str(error),):
                if not said or len(said) > LONGEST_MESSAGE or len(said.splitlines()) > 1:
                    raise AssertionError(f"must be one line, got {said[:LONGEST_MESSAGE]!r}") from error
            return False
        return True

    return run


def _folder() -> Path:
    """Return a temporary folder for readers that take a path; it is removed with the process."""
    memory = Path("/dev/shm")
    folder = tempfile.TemporaryDirectory(prefix="face_det_fuzz", dir=memory if memory.is_dir() else None)
    _KEPT.append(folder)
    return Path(folder.name)


_KEPT: list[Any] = []


def _picture_seeds() -> list[bytes]:
    from PIL import Image

    rng = random.Random(1)
    picture = Image.frombytes("RGB", (24, 18), rng.randbytes(24 * 18 * 3))
    exif = Image.Exif()
    exif[0x0112] = 6

    def packed(kind: str, image: Any = picture, **options: Any) -> bytes:
        file = io.BytesIO()
        image.save(file, kind, **options)
        return file.getvalue()

    frames = {"save_all": True, "append_images": [picture.rotate(90), picture.rotate(180)]}
    return [
        packed("JPEG", exif=exif),
        packed("JPEG", progressive=True, quality=30),
        packed("JPEG", picture.convert("CMYK")),
        packed("PNG"),
        packed("PNG", picture.convert("P")),
        packed("PNG", Image.frombytes("I;16", (9, 7), rng.randbytes(126))),
        packed("BMP"),
        packed("BMP", picture.convert("1")),
        packed("GIF", picture.convert("P"), **frames),
        packed("WEBP", lossless=True),
        packed("WEBP", **frames),
        packed("TIFF", **frames),
        *(packed("TIFF", compression=name) for name in ("tiff_lzw", "tiff_deflate", "packbits", "jpeg")),
        packed("TIFF", picture.convert("1"), compression="group4"),
        packed("PPM"),
        packed("PPM", picture.convert("1")),
        packed("MPO", **frames),
    ]


def picture() -> Prepared:
    """media.load_image: every format, with PNG checksums repaired so that the code behind them is reached."""
    from face_det.media import load_image

    def read(data: bytes) -> None:
        rgb = load_image(_repair_checksums(data), max_pixels=SMALL_PIXELS)
        assert rgb.ndim == 3
        assert rgb.shape[2] == 3
        assert str(rgb.dtype) == "uint8"
        assert rgb.shape[0] * rgb.shape[1] <= SMALL_PIXELS

    return Prepared(_refusing(read), _picture_seeds(), (b"IHDR", b"IDAT", b"\xff\xd9", b"Exif\0\0"))


def _repair_checksums(data: bytes) -> bytes:
    if not data.startswith(b"\x89PNG\r\n\x1a\n"):
        return data
    fixed, at = bytearray(data), 8
    while at + 12 <= len(fixed):
        (size,) = struct.unpack_from(">I", fixed, at)
        end = at + 8 + size
        if end + 4 > len(fixed):
            break
        struct.pack_into(">I", fixed, end, zlib.crc32(fixed[at + 4 : end]))
        at = end + 4
    return bytes(fixed)


def weights() -> Prepared:
    """nets.parse_network: the detector's file and the beginning of the embedder's."""
    from face_det.nets import parse_network, weights_path

    files = [weights_path(name).read_bytes() for name in ("mmod", "resnet")]
    seeds = [files[0], files[0][:3000], files[1][:3000]]
    words = (
        b"loss_mmod_",
        b"con_5",
        b"con_4",
        b"affine_",
        b"relu_",
        b"tag1",
        b"add_prev_",
        b"input_rgb_image",
    )
    return Prepared(_refusing(lambda data: parse_network(data, "net.dat")), seeds, words)


def onnx_folding() -> Prepared:
    """nets.build_sface: a model of the OpenCV Zoo folded into plain arrays."""
    import numpy as np
    from onnx import TensorProto, helper, numpy_helper

    from face_det.nets import build_sface

    rng = np.random.default_rng(1)
    known = {
        "q": rng.integers(-128, 128, (4, 27)).astype(np.int8),
        "scale": rng.random((4, 3), np.float32),
        "zero": rng.integers(-20, 20, (4, 3)).astype(np.int8),
        "shape": np.array([4, 3, 3, 3], np.int64),
        **{name: rng.random(4, np.float32) for name in ("gamma", "beta", "mean", "variance")},
        "slope": rng.random((4, 1, 1), np.float32),
        "matrix": rng.random((128, 4), np.float32),
        "bias": rng.random(128, np.float32),
    }
    nodes = [
        helper.make_node("DequantizeLinear", ["q", "scale", "zero"], ["floats"], axis=1, block_size=9),
        helper.make_node("Reshape", ["floats", "shape"], ["filters"]),
        helper.make_node("Conv", ["data", "filters"], ["mapped"], kernel_shape=[3, 3], strides=[112, 112]),
        helper.make_node(
            "BatchNormalization", ["mapped", "gamma", "beta", "mean", "variance"], ["n"], epsilon=0.1
        ),
        helper.make_node("PRelu", ["n", "slope"], ["bent"]),
        helper.make_node("Flatten", ["bent"], ["flat"]),
        helper.make_node("Gemm", ["flat", "matrix", "bias"], ["fc1"], transB=1),
    ]
    graph = helper.make_graph(
        nodes,
        "small",
        [helper.make_tensor_value_info("data", TensorProto.FLOAT, [1, 3, 112, 112])],
        [helper.make_tensor_value_info("fc1", TensorProto.FLOAT, [1, 128])],
        [numpy_helper.from_array(value, name) for name, value in known.items()],
    )
    seed = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 21)]).SerializeToString()
    path = _folder() / "net.onnx"

    def read(data: bytes) -> None:
        path.write_bytes(data)
        build_sface(path)

    words = (b"DequantizeLinear", b"BatchNormalization", b"PRelu", b"Reshape", b"Constant", b"external")
    return Prepared(_refusing(read), [seed], words)


def config() -> Prepared:
    """config.load_config: the config file."""
    from face_det.config import CONFIG_KEYS, load_config

    path = _folder() / "config.json"

    def read(data: bytes) -> None:
        path.write_bytes(data)
        load_config(path, {})

    whole: dict[str, Any] = {key: field.default for key, field in CONFIG_KEYS.items()}
    seeds = [
        json.dumps({"faceDetServer": whole}, default=list).encode(),
        b'{"faceDetServer": {"imageRoots": ["/a"], "minProba": 0.5}, "comment": "x"}',
        b'\xef\xbb\xbf{"faceDetServer": {}}',
    ]
    words = [b"null", b"true", b"1e999", b"NaN", b"-1", b"{", b"[", b"\\ud800", b"\\u0000", b"tcp://[::1]:1"]
    return Prepared(_refusing(read), seeds, [*words, *(json.dumps(key).encode() for key in CONFIG_KEYS)])


def _pickles() -> dict[str, bytes]:
    import numpy as np
    from sklearn.calibration import CalibratedClassifierCV
    from sklearn.neighbors import KNeighborsClassifier
    from sklearn.preprocessing import LabelEncoder
    from sklearn.svm import SVC
    from xgboost import XGBClassifier

    from face_det.classifiers import NearestClassifier, TemplateClassifier

    rows = np.random.default_rng(1).normal(size=(12, 128))
    classes = np.repeat(np.arange(2), 6)
    made = {
        "encodings": {"encodings": list(rows[:3]), "names": ["Ann", "Bob", "Ann"]},
        "labels": LabelEncoder().fit(["Ann", "Bob"]),
        "svc": SVC(kernel="linear").fit(rows, classes),
        "knn": KNeighborsClassifier(2).fit(rows, classes),
        "calibrated": CalibratedClassifierCV(SVC(kernel="linear"), cv=2, ensemble=False).fit(rows, classes),
        "xgb": XGBClassifier(n_estimators=2, max_depth=2, n_jobs=1).fit(rows, classes),
        "nearest": NearestClassifier().fit(rows, classes),
        "template": TemplateClassifier().fit(rows, classes),
    }
    return {name: pickle.dumps(value, protocol=3) for name, value in made.items()}


_PICKLE_WORDS = (
    b"cbuiltins\neval\n",
    b"cos\nsystem\n", b"cnumpy.core.multiarray\n_reconstruct\n", b"\x93", b"\x81", b"R", b"b",
    b"(", b"t", b"}", b"]", b"\x85", b"h\0", b"q\0", b".",
)  # fmt: skip


def safe_pickle() -> Prepared:
    """storage.parse_pickle: pickles of encodings, labels and every classifier."""
    from face_det.storage import parse_pickle

    return Prepared(
        _refusing(lambda data: parse_pickle(data, "x.pickle")), [*_pickles().values()], _PICKLE_WORDS
    )


def encodings() -> Prepared:
    """gallery.Gallery.load: the encodings file."""
    from face_det.gallery import Gallery

    path = _folder() / "encodings.pickle"

    def read(data: bytes) -> None:
        path.write_bytes(data)
        Gallery.load(path)

    return Prepared(_refusing(read), [_pickles()["encodings"]], _PICKLE_WORDS)


def model() -> Prepared:
    """recognition.load_model: a classifier or its labels, by the first byte; the other is valid."""
    from face_det.recognition import load_model

    folder = _folder()
    paths = (folder / "model.pickle", folder / "labels.pickle")
    made = _pickles()
    labels = made.pop("labels")
    del made["encodings"]
    seeds = [b"\1" + labels, *(b"\0" + content for content in made.values())]

    def read(data: bytes) -> None:
        good = (made["calibrated"], labels)
        which = data[0] % 2 if data else 0
        for index, path in enumerate(paths):
            path.write_bytes(data[1:] if index == which else good[index])
        load_model(*paths)

    return Prepared(_refusing(read), seeds, _PICKLE_WORDS)


def request() -> Prepared:
    """service.parse_images and render_reply: anything msgpack can express."""
    import msgpack

    from face_det.service import PersonAnswer, parse_images, render_reply
    from face_det.types import Reason

    box = {"ymin": 1.0, "xmin": 2, "ymax": 30.0, "xmax": 1e300}
    label = {"id": 1, "name": "person", "score": 0.9, "box": box}
    entry = {"image": "/a.jpg", "labels": [label, {"name": "car", 5: b"x"}], "n": [None, True, float("nan")]}
    seeds = [msgpack.packb(value) for value in ([], [entry], [entry, entry], [{**entry, "faces": [1]}])]

    def read(data: bytes) -> None:
        try:
            images = msgpack.unpackb(data, raw=False, strict_map_key=False)
        except (ValueError, TypeError, OverflowError, RecursionError, msgpack.UnpackException):
            return
        parsed = parse_images(images, 100)
        answer = PersonAnswer(reason=Reason.NO_FACE)
        places = {(at, person.label): answer for at, one in enumerate(parsed) for person in one.persons}
        assert len(json.loads(render_reply(images, places))) == len(images)

    return Prepared(
        _refusing(read), seeds, [msgpack.packb(word) for word in ("image", "labels", "box", "xmin")]
    )


def message() -> Prepared:
    """rpc.unpack_message: frames of a ROUTER socket; the first byte says where they are split."""
    import msgpack

    from face_det.rpc import MalformedMessage, pack_message, unpack_message

    header = {"message_id": b"1", "v": 3, "response_to": None}
    seeds = [b"\x04" + b"id\0\0" + msgpack.packb([header, "people", []])]
    seeds.append(b"\0" + msgpack.packb([{"message_id": "1"}, "status", [[1, {"a": b"b"}]]]))

    def read(data: bytes) -> None:
        cut = 1 + (data[0] % 8 if data else 0)
        message = unpack_message([data[1:cut], b"", data[cut:]])
        frames = pack_message(message.route, message.id, message.name, ())
        assert unpack_message(frames).response_to == message.id

    words = [msgpack.packb(word) for word in ("message_id", "response_to", "_zpc_hb", "v")]
    return Prepared(_refusing(read, MalformedMessage), seeds, words)


def json_text() -> Prepared:
    """storage.parse_json, repeated_keys and abbreviate_json."""
    from face_det.storage import abbreviate_json, parse_json, repeated_keys

    def read(data: bytes) -> None:
        value = parse_json(data)
        assert all(isinstance(place, str) for place in repeated_keys(value))
        assert len(abbreviate_json(value)) <= 60

    seeds = [
        b'{"a": {"b": [1, 2.5e3, null, "\\u00e4"], "b": true}}',
        b"[[[[[[]]]]]]",
        b'"\\ud83d\\ude00"',
        b"-0",
    ]
    words = [
        b"1" * 5000,
        b"[" * 2000,
        b"{" + b'"a":' * 2,
        b"1e400",
        b"NaN",
        b"-Infinity",
        b"\\ud800",
        b"\xed\xa0\x80",
    ]
    return Prepared(_refusing(read, ValueError), seeds, words)


def quarantine() -> Prepared:
    """The journal of quarantined photos."""
    from pathlib import PurePosixPath

    from face_det.gallery import (
        JOURNAL_NAME,
        QUARANTINE_FOLDER,
        QuarantinedPhoto,
        format_entry,
        is_photo_path,
        read_journal,
    )

    folder = _folder()
    path = folder / JOURNAL_NAME

    def read(data: bytes) -> None:
        path.write_bytes(data)
        for aside in read_journal(path):
            where = (folder / aside.place).resolve()
            assert where.is_relative_to(folder), aside
            assert is_photo_path(aside.source), aside

    source = PurePosixPath("Ann/1.jpg")
    line = format_entry(
        QuarantinedPhoto("b", source, PurePosixPath(QUARANTINE_FOLDER, "b", *source.parts), "why")
    ).encode()
    words = [b"..", b"/", b"\\u0000", b"\\n", b'"from"', b'"to"', b"\x85", b"\\ud800"]
    return Prepared(_refusing(read), [line, line * 3, line + line[:40]], words)


def journal() -> Prepared:
    """The journal of a transaction over several files, from which an interrupted one is completed."""
    from face_det.storage import TRANSACTION_JOURNAL, recover_folder

    folder = _folder()
    inner, outer = folder / "in", folder / "out"
    outer.mkdir()

    def read(data: bytes) -> None:
        inner.mkdir(exist_ok=True)
        (inner / "a").write_text("a")
        (inner / TRANSACTION_JOURNAL).write_bytes(data)
        try:
            recover_folder(inner)
        finally:
            assert inner.is_dir()
            assert not [*outer.iterdir()]

    changes = {"a": None, "b": ".face_det-0123456789abcdef.tmp"}
    seeds = [
        json.dumps({"id": "x", "folders": {".": changes}}).encode(),
        b'{"id": "x", "folders": {"../out": {}}}',
    ]
    words = [b"..", b"/", b"\\u0000", b"null", b"[" * 2000, b"9" * 5000, b'""', b"\\ud800"]
    return Prepared(_refusing(read), seeds, words)


def facts() -> Prepared:
    """encodings.facts.json, which is ignored with a log line if it is damaged."""
    import logging

    from face_det.gallery import read_facts

    logging.getLogger("face_det").setLevel(logging.ERROR)
    path = _folder() / "encodings.facts.json"

    def read(data: bytes) -> None:
        path.write_bytes(data)
        for sha256, one in read_facts(path, "s").items():
            assert isinstance(sha256, str)
            assert one.face_px is None or isinstance(one.face_px, (int, float))
            bytes.fromhex(one.picture_hash)

    content = {"settings": "s", "photos": {"ab": [30.5, 100.0, "00" * 32], "cd": [None, None, "ff" * 32]}}
    words = [b"null", b"true", b"1e999", b"NaN", b'""', b"{}", b"[]", b"[" * 2000, b"9" * 5000]
    return Prepared(_refusing(read), [json.dumps(content).encode()], words)


def keys() -> Prepared:
    """Key files of clients and of the server."""
    from face_det.rpc import generate_key_pair, load_client_keys, load_server_keys

    path = _folder() / "server.json"
    path.touch(mode=0o600)
    pair = generate_key_pair()
    good = {"server": "0" * 40, "public": pair.public, "secret": pair.secret}

    def read(data: bytes) -> None:
        path.write_bytes(data)
        load_server_keys(path.parent)
        load_client_keys(path)

    return Prepared(
        _refusing(read), [json.dumps(good).encode()], [b'"secret"', b'"public"', b"#" * 40, b"\\u0000"]
    )


TARGETS: dict[str, Callable[[], Prepared]] = {
    target.__name__: target
    for target in (
        picture, weights, onnx_folding, config, safe_pickle, encodings, model, request, message, json_text,
        quarantine, journal, facts, keys,
    )
}  # fmt: skip
"""By name."""
