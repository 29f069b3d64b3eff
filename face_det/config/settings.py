"""Every setting: its key, type, range, default and description.

docs/reference/config.md is generated from this module. config/load.py reads the values.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from pydantic import StringConstraints, ValidationInfo, field_validator, model_validator
from pydantic.alias_generators import to_camel, to_snake

from face_det.classifiers import required_embedder
from face_det.config.choices import CHOICES, FILE_MENUS, list_choices, takes_file
from face_det.config.fields import STRICT, absolute, choice, field, integer, list_to_tuple, number, path
from face_det.config.overrides import Overridable
from face_det.config.sections.action import OnRecognition
from face_det.config.sections.body import Body
from face_det.config.sections.camera import Camera
from face_det.config.sections.frigate import Frigate
from face_det.config.sections.http import Http
from face_det.config.sections.liveness import Liveness
from face_det.config.sections.mqtt import Mqtt
from face_det.config.sections.pyzm import Pyzm
from face_det.config.sections.sightings import Sightings
from face_det.config.sections.video import VideoSettings
from face_det.config.sections.zoneminder import ZoneMinder
from face_det.embedders import know_file
from face_det.errors import ConfigError
from face_det.nets import Compute
from face_det.registry import FILE_PREFIX
from face_det.rpc import MAX_SOCKET_PATH, parse_endpoint

CameraName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_-]{1,64}$")]
"""What a camera may be called, because its name appears in addresses and topics."""


class Config(Overridable):
    """All settings, validated. Paths are absolute; `min_proba` here is `minProba` in the file."""

    model_config = STRICT

    model_path: Path = path(
        "./svm_face_recognizer.pickle",
        "The classifier file. If it has the name of one kind and another kind is in use, that one is beside "
        "it under its own name, such as template_face_recognizer.pickle, and the labels say so.",
    )
    label_path: Path = path("./face_labels.pickle", "The label encoder that goes with modelPath.")
    encodings_path: Path = path(
        "./encodings.pickle", 'The encodings file: `{"encodings": [128-d arrays], "names": [str]}`.'
    )
    dataset_path: Path = path(
        "./dataset", "The photos, one folder per person. Everything else is made from them."
    )
    audit_path: Path | None = field(
        None,
        "a path",
        "The log of who enrolled, forgot and trained, and when. Default: audit.jsonl beside encodingsPath.",
    )
    auto_retrain: bool = field(
        False, "true or false", "Retrain in the background if the model does not fit the installed libraries."
    )
    min_proba: float = number(
        0,
        0,
        1,
        "Faces with a lower probability are not named. With 0, falseAcceptRate alone decides; models of the "
        "original, and `decision` `proba`, then use the original's 0.9.",
    )
    focus_measure_threshold: float = number(
        0,
        0,
        10**9,
        "Faces whose variance of the Laplacian is lower count as too blurry. 0 means that none does. It says "
        "little about whether a face can be recognised: the original's 200 refuses every second photo.",
    )
    min_face: float = number(
        16,
        0,
        10**5,
        "Pixels. Faces that are narrower or shorter count as too small. `auto` searches at the scale that "
        "this requires, so a larger value saves work. From 41 on (81 without upsampling), `cnn` skips faces "
        "it could not report anyway; they may be answered `no_face`.",
    )
    num_face_img_upsample: int = integer(
        1,
        0,
        4,
        "How many times an image is doubled in size before detection. Each doubling finds faces half the "
        "size, at 4 times the cost. `auto` does not use it.",
    )
    face_det_model: str = choice(
        "auto",
        "The face detector. `auto` is YuNet, at the scale that minFace requires; [the others](detectors.md) "
        "may need files of their own. `onnx:PATH` is a model that you bring "
        "([how-to/own-detector.md](../how-to/own-detector.md)).",
    )
    embedder: str = choice(
        "auto",
        "What encodes faces. `auto` is the model's own and, for a new model, the best. The original's is "
        "`dlib_resnet`; `both` is two networks, `grey` none, `onnx:PATH` [yours](../how-to/own-embedder.md).",
    )
    classifier: str = choice(
        "auto",
        "The classifier that the daemon trains. `auto` keeps the kind in use, or uses `template` if there is "
        "none. Those from `eigenfaces` on are for comparison ([recognisers.md](recognisers.md)).",
    )
    decision: str = choice(
        "auto",
        "How a face gets its name: `auto` applies falseAcceptRate and minProba; `proba` applies minProba "
        "alone, as the original does.",
    )
    false_accept_rate: float = field(
        0.001,
        "a number above 0.000001, up to 0.1",
        "The share of strangers wrongly named that you accept. A lower value names fewer people. It takes "
        "effect with the next training; the call set_false_accept_rate sets one at once.",
        gt=1e-6,
        le=0.1,
    )
    num_jitters: int = integer(
        1, 1, 10_000, "How many random variations of each face are encoded and averaged."
    )
    jitter: str = choice(
        "dlib",
        "How the variations are made: `dlib` uses dlib's own code; `fast` is just as good, faster and "
        "deterministic.",
    )
    runtime: str = choice(
        "auto",
        "What runs the networks. `auto` uses openvino for bf16 and onnxruntime otherwise, with our own "
        "compiled kernels if they were built; `native` requires the kernels, `onnxruntime` never uses them.",
    )
    precision: str = choice(
        "fp32", "`bf16` is faster and less exact. It needs openvino and a processor that supports it."
    )
    device: str = choice("cpu", "`cuda` uses an NVIDIA graphics card. It needs onnxruntime-gpu.")
    threads: int = integer(1, 1, 256, "How many threads each network uses.")
    workers: int = integer(1, 1, 64, "How many calls the daemon computes at the same time.")
    isolation: str = choice(
        "none",
        "`process` analyses images in separate processes, one per worker. An image that crashes native code "
        "is then answered `bad_image` and the daemon keeps running.",
    )
    worker_memory: int = integer(
        0,
        0,
        10**7,
        "MB. With `isolation`, a process that has grown beyond this is replaced between two images; 0 means "
        "no limit.",
    )
    call_timeout: float = number(
        25,
        0,
        86_400,
        "Seconds from the arrival of a detect_faces call. Anything not done by then is answered `timeout`, "
        "the rest as usual. 0 means no limit. The Node client gives up after 30.",
    )
    queue_size: int = integer(64, 1, 100_000, "How many calls may wait. Further calls are answered `Busy`.")
    max_images: int = integer(1000, 1, 1_000_000, "The most images in one detect_faces call.")
    max_pixels: int = integer(
        100_000_000,
        1,
        10**10,
        "Images with more pixels are rejected from their header alone, before memory is allocated.",
    )
    max_file_bytes: int = integer(100_000_000, 1, 10**10, "Larger image files are rejected unread.")
    zerorpc_heart_beat: int = integer(
        60_000,
        100,
        3_600_000,
        "Milliseconds, as in the Node client. Client and daemon must use the same value.",
    )
    zerorpc_pipe: str = field(
        "ipc:///tmp/face_detect_zmq.pipe",
        f"ipc:///absolute/path (at most {MAX_SOCKET_PATH} bytes) or tcp://host:port",
        "Where the daemon listens.",
    )
    insecure_tcp: bool = field(
        False,
        "true or false",
        "Accept connections from other machines without keys. Anyone who can reach the port may then "
        "recognise, enrol and forget people.",
    )
    keys_path: Path = path(
        "./keys",
        "The folder that `face-det keys` manages. If it holds a server key, tcp is encrypted and only "
        "clients whose keys are in it are answered. In a git checkout elsewhere by default, as above.",
    )
    mount_point: str = field(
        "",
        "text",
        "A prefix for every image path, for a daemon that sees the caller's disk under another path.",
    )
    image_roots: tuple[Path, ...] = field(
        (), "a list of paths", "If set, the only folders that image paths in calls may point into."
    )
    ascii_names: bool = field(
        False,
        "true or false",
        "Answer detect_faces with names in ASCII: `Zoë` is answered `Zo%C3%AB`. ZoneMinder's alarm uploader "
        "needs this if somebody's name has other letters.",
    )
    state_path: Path = path(
        "./state",
        "The folder for what the daemon keeps: photos that were removed and can be put back, models that "
        "were replaced, settings that callers changed, backups, and the sightings, if `sightings` is set. "
        "In a git checkout elsewhere by default, as above.",
    )
    sightings: Sightings | None = field(
        None,
        "an object of settings, such as {}",
        "If set, the daemon remembers who was seen, gives unknown people numbers, and reports events; `{}` "
        "takes the defaults below. Without it nothing is remembered.",
    )
    body: Body | None = field(
        None,
        "an object of settings, such as {}",
        "If set, detect_faces may name somebody whose face cannot be seen by body and clothes, and says by "
        "what it named each; `{}` takes the defaults below.",
    )
    head_pose: bool = field(
        False,
        "true or false",
        "Tell where each head is turned ([attributes.md](attributes.md#head-pose)), in all answers.",
    )
    liveness: Liveness | None = field(
        None,
        'an object of settings, such as {"network": "onnx:/models/liveness.onnx"}',
        "If set, a network of your own says how alive each face looks, for information only.",
    )
    http: Http = field(
        {},
        "an object of settings, such as {}",
        "How `face-det web` serves the page and the HTTP routes.",
    )
    video: VideoSettings = field(
        {},
        "an object of settings, such as {}",
        "How much of a video `face-det video` looks at.",
    )
    cameras: dict[CameraName, Camera] = field(
        {},
        'an object of cameras, such as {"front": {"url": "http://192.168.1.20/snapshot.jpg"}}, with names of '
        "letters, digits, _ and -",
        "The cameras that HTTP routes may ask, by name; the first one is asked if no name is given.",
    )
    mqtt: Mqtt | None = field(
        None,
        'an object of settings, such as {"host": "192.168.1.2"}',
        "If set, the broker to which `face-det mqtt` publishes events, for Home Assistant and others.",
    )
    zoneminder: ZoneMinder | None = field(
        None,
        'an object of settings, such as {"url": "http://127.0.0.1/zm"}',
        "If set, the ZoneMinder in whose events `face-det zm-event` and POST /zoneminder/events/EID name "
        "people.",
    )
    on_recognition: tuple[OnRecognition, ...] = field(
        (),
        'a list of objects, such as [{"name": "bell", "command": ["/usr/local/bin/bell"]}]',
        "What `face-det actions` does when somebody is seen: run a command, call a webhook, switch a pin.",
    )
    never_unlock: tuple[str, ...] = field(
        (),
        "a list of names",
        "People for whom no action with `opens` runs, whatever `onRecognition` says: children, say.",
    )
    frigate: Frigate | None = field(
        None,
        'an object of settings, such as {"url": "http://127.0.0.1:5000"}',
        "If set, the Frigate in whose events `face-det frigate` names people. It needs `mqtt` and "
        "`sightings`.",
    )
    pyzm: Pyzm | None = field(
        None,
        'an object of settings, such as {"upstream": "http://127.0.0.1:5000"}',
        "If set, the `pyzm.serve` to which face_det relays requests about anything but faces, where it "
        "stands in for one.",
    )
    shutdown_timeout: float = number(
        30, 0, 3600, "How many seconds connected callers are still answered when the daemon is stopped."
    )
    stuck_after: float = number(
        600,
        1,
        86_400,
        "Seconds. A thread that takes longer over one image counts as hung, and the daemon is restarted.",
    )
    log_level: str = choice("info", "The lowest severity of message that the daemon logs.")
    comment: str = field("", "text", "A note to the reader, otherwise ignored.")

    _paths = field_validator(
        *(
            "model_path",
            "label_path",
            "encodings_path",
            "dataset_path",
            "keys_path",
            "audit_path",
            "state_path",
        ),
        mode="before",
    )(absolute)

    @field_validator("image_roots", mode="before")
    @classmethod
    def _roots_are_absolute(cls, value: object, info: ValidationInfo) -> object:
        return tuple(absolute(root, info) for root in value) if isinstance(value, list | tuple) else value

    _lists = field_validator("on_recognition", "never_unlock", mode="before")(list_to_tuple)

    @field_validator(*map(to_snake, CHOICES))
    @classmethod
    def _is_on_the_menu(cls, value: str, info: ValidationInfo) -> str:
        key = to_camel(info.field_name or "")
        path = FILE_MENUS[key].path_in(value) if takes_file(key) else None
        if path is not None:
            own = f"{FILE_PREFIX}{absolute(path, info)}"
            return know_file(own) if key == "embedder" else own
        if value not in list_choices(key):
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
    def _classifier_sees_what_it_learns_from(self) -> Config:
        required = required_embedder(self.classifier)
        if required is not None and self.embedder not in ("auto", required):
            raise ValueError(f"embedder: must be {required} or auto for classifier {self.classifier}")
        return self

    @model_validator(mode="after")
    def _certificate_has_a_key(self) -> Config:
        if (self.http.tls_certificate is None) != (self.http.tls_key is None):
            raise ValueError("http.tlsCertificate and http.tlsKey: set both, or none")
        return self

    @model_validator(mode="after")
    def _actions_go_together(self) -> Config:
        names = [one.name for one in self.on_recognition]
        if twice := sorted({name for name in names if names.count(name) > 1}):
            raise ValueError(f"onRecognition: each needs a name of its own, got {twice[0]} twice")
        pins = {one.gpio: one.active_low for one in self.on_recognition if one.gpio}
        for one in self.on_recognition:
            if one.gpio and one.active_low != pins[one.gpio]:
                raise ValueError(f"onRecognition: activeLow must be the same wherever gpio is {one.gpio}")
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
        """Runtime, precision, device and threads of the networks."""
        return Compute(self.runtime, self.precision, self.device, self.threads)
