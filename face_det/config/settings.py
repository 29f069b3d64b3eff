"""Every setting: its key, type, limits, default, and what it does.

docs/reference/config.md is made from this page. How values get here is in config.py.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationInfo, field_validator, model_validator
from pydantic.alias_generators import to_camel, to_snake

from face_det.classifiers import CLASSIFIERS
from face_det.detectors import DETECTORS
from face_det.embedders import CONFIGURABLE_EMBEDDERS, JITTERS
from face_det.errors import ConfigError
from face_det.nets import DEVICES, PRECISIONS, RUNTIMES, Compute
from face_det.rpc import MAX_SOCKET_PATH, parse_endpoint

CHOICES: dict[str, Iterable[str]] = {
    "faceDetModel": DETECTORS,
    "embedder": ("auto", *CONFIGURABLE_EMBEDDERS),
    "jitter": JITTERS,
    "runtime": RUNTIMES,
    "precision": PRECISIONS,
    "device": DEVICES,
    "classifier": ("auto", *CLASSIFIERS),
    "decision": ("auto", "proba"),
    "isolation": ("none", "process"),
    "logLevel": ("debug", "info", "warning", "error"),
}
"""The keys whose value is one of a few names."""


def _field(default: Any, expected: str, about: str, **limits: Any) -> Any:
    return Field(default, description=about, json_schema_extra={"expected": expected}, **limits)


def _number(default: float, low: int, high: int, about: str) -> Any:
    return _field(default, f"a number from {low} to {high}", about, ge=low, le=high)


def _integer(default: int, low: int, high: int, about: str) -> Any:
    return _field(default, f"a whole number from {low} to {high}", about, ge=low, le=high)


def _path(default: str, about: str) -> Any:
    return _field(default, "a path", about)


def _choice(default: str, about: str) -> Any:
    return _field(default, "", about)


class Config(BaseModel):
    """All settings, checked; paths are absolute. `min_proba` here is `minProba` in the file."""

    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        strict=True,
        validate_default=True,
        alias_generator=to_camel,
        populate_by_name=True,
    )

    model_path: Path = _path("./svm_face_recognizer.pickle", "The classifier.")
    label_path: Path = _path("./face_labels.pickle", "The label encoder that belongs to modelPath.")
    encodings_path: Path = _path(
        "./encodings.pickle", 'The encodings: `{"encodings": [128-d arrays], "names": [str]}`.'
    )
    dataset_path: Path = _path(
        "./dataset", "The photos, a folder for each person: what all else is made from."
    )
    audit_path: Path | None = _field(
        None, "a path", "Who enrolled, forgot, trained, and when; default: audit.jsonl beside encodingsPath."
    )
    auto_retrain: bool = _field(
        False, "true or false", "Train again, in the background, if the model does not fit what is installed."
    )
    min_proba: float = _number(0.9, 0, 1, "A face whose probability is lower is not named.")
    focus_measure_threshold: float = _number(
        200, 0, 10**9, "A face whose variance of the Laplacian is lower is too blurry."
    )
    min_face: float = _number(
        20,
        0,
        10**5,
        "Pixels. A face that is narrower or lower is too small. From 41 on (81 without a doubling) `cnn` "
        "does not look for all that are, which saves work: then they may be no face at all.",
    )
    num_face_img_upsample: int = _integer(
        1,
        0,
        4,
        "Doublings of a picture before detection: each finds faces half the size, at 4 times the cost.",
    )
    face_det_model: str = _choice("cnn", "The detector.")
    embedder: str = _choice(
        "auto",
        "The network that encodes a face; `auto` is the one that the model was trained on, and for a new "
        "training the one that decides best. The original's files are of `dlib_resnet`. `both` are two.",
    )
    classifier: str = _choice(
        "auto",
        "What the daemon trains; `auto` is what the model file holds, or `template` where there is none.",
    )
    decision: str = _choice(
        "auto",
        "When a face is named: `auto` as falseAcceptRate and minProba say; `proba` is the original's rule, "
        "minProba alone.",
    )
    false_accept_rate: float = _field(
        0.002,
        "a number above 0.000001, up to 0.1",
        "The share of strangers who may be taken for somebody enrolled; what is lower names fewer people. "
        "It counts from the next training on.",
        gt=1e-6,
        le=0.1,
    )
    num_jitters: int = _integer(1, 1, 10_000, "Re-samples of each face that are encoded and averaged.")
    jitter: str = _choice(
        "dlib", "The re-samples: `dlib` are its own; `fast` are as good, sooner made, always the same."
    )
    runtime: str = _choice(
        "auto",
        "What runs the networks: `auto` is openvino for bf16, else onnxruntime, with face_det's own kernels "
        "where a C compiler built them; `native` insists on these, `onnxruntime` leaves them out.",
    )
    precision: str = _choice(
        "fp32", "`bf16` is faster and less exact. It needs openvino, and a processor that has it."
    )
    device: str = _choice("cpu", "`cuda` is a graphics card. It needs onnxruntime-gpu.")
    threads: int = _integer(1, 1, 256, "Threads that a network uses.")
    workers: int = _integer(1, 1, 64, "Calls that the daemon computes at the same time.")
    isolation: str = _choice(
        "none",
        "`process`: pictures are looked at in processes of their own, one for each of `workers`, so that a "
        "picture that makes native code crash does not end the daemon: it is a `bad_image`.",
    )
    worker_memory: int = _integer(
        0,
        0,
        10**7,
        "MB. With `isolation`, a process that has come to hold more is replaced between two pictures; 0 is "
        "no limit.",
    )
    call_timeout: float = _number(
        25,
        0,
        86_400,
        "Seconds. What of a detect_faces call is not done by then is answered `timeout`, the rest as usual. "
        "It counts from when the call arrives; 0 is no limit. The Node client gives up after 30.",
    )
    queue_size: int = _integer(64, 1, 100_000, "Calls that may wait; one more is answered `Busy`.")
    max_images: int = _integer(1000, 1, 1_000_000, "Pictures in one call of detect_faces.")
    max_pixels: int = _integer(
        100_000_000, 1, 10**10, "A picture with more is refused by its header, before memory is taken."
    )
    max_file_bytes: int = _integer(100_000_000, 1, 10**10, "A picture's file with more is refused unread.")
    zerorpc_heart_beat: int = _integer(
        60_000, 100, 3_600_000, "Milliseconds, as in the Node client; client and daemon must agree."
    )
    zerorpc_pipe: str = _field(
        "ipc:///tmp/face_detect_zmq.pipe",
        f"ipc:///absolute/path (at most {MAX_SOCKET_PATH} bytes) or tcp://host:port",
        "Where the daemon listens.",
    )
    insecure_tcp: bool = _field(
        False,
        "true or false",
        "Listen beyond this machine without keys: whoever reaches the port may then ask, enrol and forget.",
    )
    keys_path: Path = _path(
        "./keys",
        "The folder of `face-det keys`. With a server's key in it, tcp is encrypted and answers only clients "
        "whose keys are there too.",
    )
    mount_point: str = _field(
        "", "text", "Put before each image path of a call, when the daemon sees the caller's disk elsewhere."
    )
    image_roots: tuple[Path, ...] = _field(
        (), "a list of paths", "If given, the only folders that a caller's paths may point into."
    )
    shutdown_timeout: float = _number(
        30, 0, 3600, "Seconds that calls in progress get to finish when the daemon is stopped."
    )
    stuck_after: float = _number(
        600, 1, 86_400, "Seconds. A thread that is longer at one picture hangs: the watchdog starts anew."
    )
    log_level: str = _choice("info", "What the daemon logs.")
    comment: str = _field("", "text", "A note to the reader; not used.")

    @field_validator(
        "model_path", "label_path", "encodings_path", "dataset_path", "keys_path", "audit_path", mode="before"
    )
    @classmethod
    def _path_is_absolute(cls, value: object, info: ValidationInfo) -> object:
        return _absolute(value, info)

    @field_validator("image_roots", mode="before")
    @classmethod
    def _roots_are_absolute(cls, value: object, info: ValidationInfo) -> object:
        return tuple(_absolute(root, info) for root in value) if isinstance(value, list | tuple) else value

    @field_validator(*map(to_snake, CHOICES))
    @classmethod
    def _is_on_the_menu(cls, value: str, info: ValidationInfo) -> str:
        if value not in CHOICES[to_camel(info.field_name or "")]:
            raise ValueError("not on the menu")
        return value

    @field_validator("zerorpc_pipe")
    @classmethod
    def _is_an_endpoint(cls, value: str) -> str:
        try:
            parse_endpoint(value)
        except ConfigError as error:
            raise ValueError("no endpoint") from error
        return value

    @model_validator(mode="after")
    def _files_differ(self) -> Config:
        if len({self.model_path, self.label_path, self.encodings_path}) < 3:
            raise ValueError("modelPath, labelPath and encodingsPath: must be three different files")
        return self

    @model_validator(mode="after")
    def _networks_can_be_run_so(self) -> Config:
        try:
            _ = self.compute
        except ConfigError as error:
            raise ValueError(str(error)) from error
        return self

    @property
    def compute(self) -> Compute:
        """What the networks are run by, on and with."""
        return Compute(self.runtime, self.precision, self.device, self.threads)


def _absolute(value: object, info: ValidationInfo) -> object:
    """A path as text -> an absolute Path; anything else as it is, for the type check to refuse."""
    if not isinstance(value, str | Path):
        return value
    if not str(value).strip() or "\0" in str(value):
        raise ValueError("no path")
    return Path((info.context or {}).get("base") or Path.cwd(), value)


CONFIG_KEYS = {to_camel(name): field for name, field in Config.model_fields.items()}
"""Every key of the file, in the order above."""


def describe_expected_value(key: str) -> str:
    """What the value of a key must be, in the words of a fault: "a number from 0 to 1"."""
    if key in CHOICES:
        names = list(CHOICES[key])
        return f"one of {', '.join(names)}" if len(names) > 1 else names[0]
    extra = CONFIG_KEYS[key].json_schema_extra
    return str(extra["expected"]) if isinstance(extra, dict) else ""
