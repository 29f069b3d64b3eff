"""Sessions: which library runs a model, what they reject, and how they report it."""

from __future__ import annotations

import builtins
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from face_det.errors import ConfigError, ModelError
from face_det.nets.compute import Compute
from face_det.nets.sessions import onnx_session, openvino_session
from face_det.nets.sessions.session import Session, load_dlib_session
from face_det.nets.winograd import convolution, kernels


def doubling() -> bytes:
    """A model that adds `x`, two numbers a row, to itself."""
    graph = helper.make_graph(
        [helper.make_node("Add", ["x", "x"], ["y"])],
        "doubling",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["n", 2])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["n", 2])],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    serialised: bytes = onnx.ModelProto.SerializeToString(model)
    return serialised


@pytest.fixture(params=["onnxruntime", "openvino"])
def runtime(request: pytest.FixtureRequest) -> str:
    """Each runtime that is installed."""
    pytest.importorskip(request.param)
    name: str = request.param
    return name


def fault(compute: Compute) -> str:
    """Return the only fault of a session that is rejected."""
    with pytest.raises(ConfigError) as error:
        Session(doubling(), compute)
    (only,) = error.value.faults
    assert "\n" not in only
    return only


@pytest.mark.parametrize("threads", [1, 2])
def test_runs(runtime: str, threads: int) -> None:
    """A session computes all outputs, in the model's order."""
    session = Session(doubling(), Compute(runtime, threads=threads))
    (doubled,) = session.run({"x": np.array([[1, 2], [3, 4]], np.float32)})
    assert doubled.tolist() == [[2, 4], [6, 8]]
    assert session.name == runtime


def test_threads_share_a_session(runtime: str) -> None:
    """Each caller gets and keeps its own answer, whatever runs at the same time."""
    session = Session(doubling(), Compute(runtime))

    def run(number: int) -> bool:
        given = np.full((number * 1000, 2), number, np.float32)
        (first,) = session.run({"x": given})
        session.run({"x": np.zeros((number, 2), np.float32)})
        return bool((first == 2 * number).all()) and first.shape == given.shape

    with ThreadPoolExecutor(4) as pool:
        assert all(pool.map(run, range(1, 100)))


@pytest.mark.parametrize("model", [b"", b"no model", doubling()[:-7]])
def test_a_model_that_does_not_load_is_said(runtime: str, model: bytes) -> None:
    """The error is one line with the runtime's version."""
    with pytest.raises(ModelError, match=r"must load in (ONNX Runtime|OpenVINO) \d+\.[\d.]+, got") as error:
        Session(model, Compute(runtime))
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    "feeds",
    [
        {"x": np.zeros((1, 3), np.float32)},
        {"x": np.zeros((1, 2, 1), np.float32)},
        {"x": np.zeros((1, 2), np.int64)},
        {"z": np.zeros((1, 2), np.float32)},
        {"x": np.zeros((1, 2), np.float32), "z": np.zeros((1, 2), np.float32)},
        {},
    ],
)
def test_inputs_that_do_not_fit_are_said(runtime: str, feeds: dict[str, Any]) -> None:
    """A wrong shape, type or name is reported in one line, and the next call is right again."""
    session = Session(doubling(), Compute(runtime))
    with pytest.raises(ModelError, match="inputs must fit the model, got") as error:
        session.run(feeds)
    assert "\n" not in str(error.value)
    (doubled,) = session.run({"x": np.ones((1, 2), np.float32)})
    assert doubled.tolist() == [[2, 2]]


@pytest.mark.parametrize(
    ("options", "faults"),
    [
        ({"runtime": "tf"}, ("runtime: must be one of auto, native, onnxruntime, openvino, got 'tf'",)),
        ({"precision": "int8"}, ("precision: must be one of fp32, bf16, got 'int8'",)),
        ({"device": "gpu"}, ("device: must be one of cpu, cuda, got 'gpu'",)),
        ({"threads": 0}, ("threads: must be 1 or more, got 0",)),
        (
            {"precision": "bf16", "runtime": "onnxruntime", "device": "cuda"},
            (
                "precision: must be fp32 with runtime onnxruntime, got bf16; only openvino has it",
                "precision: must be fp32 with device cuda, got bf16",
            ),
        ),
        (
            {"precision": "bf16", "runtime": "native"},
            ("precision: must be fp32 with runtime native, got bf16; only openvino has it",),
        ),
        (
            {"runtime": "native", "device": "cuda"},
            ("device: must be cpu with runtime native, got cuda; only onnxruntime has it",),
        ),
        (
            {"runtime": "openvino", "device": "cuda"},
            ("device: must be cpu with runtime openvino, got cuda; only onnxruntime has it",),
        ),
    ],
)
def test_what_cannot_be_is_refused(options: dict[str, Any], faults: tuple[str, ...]) -> None:
    """Unknown names, and what no runtime supports: each fault names its key."""
    with pytest.raises(ConfigError) as error:
        Compute(**options)
    assert error.value.faults == faults


def test_auto_is_openvino_for_bf16_alone() -> None:
    """auto stands for one runtime; a named runtime is that one."""
    assert Compute().library == "onnxruntime"
    assert Compute(device="cuda").library == "onnxruntime"
    assert Compute(precision="bf16").library == "openvino"
    assert Compute(runtime="openvino").library == "openvino"


def test_cuda_that_is_not_there_is_refused() -> None:
    """The processor never silently takes over: the fault says what to install."""
    if onnx_session.CUDA_PROVIDER in onnx_session.onnxruntime.get_available_providers():
        pytest.skip("this onnxruntime has CUDA")
    said = fault(Compute(device="cuda"))
    assert said.startswith("device: cuda needs onnxruntime-gpu, got ONNX Runtime ")
    assert "install 'onnxruntime-gpu[cuda,cudnn]'; or set cpu" in said


def test_cuda_that_does_not_start_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """With a card whose driver is missing, ONNX Runtime would silently use the processor."""
    real = onnx_session.onnxruntime.InferenceSession
    asked: dict[str, Any] = {}

    def without_a_card(*args: Any, **options: Any) -> Any:
        asked.update(options)
        return real(*args, **{**options, "providers": ["CPUExecutionProvider"]})

    monkeypatch.setattr(onnx_session, "_require_cuda", lambda: None)
    monkeypatch.setattr(onnx_session.onnxruntime, "InferenceSession", without_a_card)
    said = fault(Compute(device="cuda"))
    assert said.startswith("device: cuda does not start in ONNX Runtime ")
    assert said.endswith("or set cpu")
    assert asked["enable_fallback"] == 0
    (provider, settings), *others = asked["providers"]
    assert (provider, settings["use_tf32"], others) == (onnx_session.CUDA_PROVIDER, "0", [])


@pytest.mark.parametrize(
    ("compute", "start", "end"),
    [
        (Compute(precision="bf16"), "precision: bf16 needs OpenVINO, which is not installed", "or set fp32"),
        (Compute("openvino"), "runtime: openvino needs OpenVINO, which is not", "or set onnxruntime"),
    ],
)
def test_openvino_that_is_not_installed_is_refused(
    monkeypatch: pytest.MonkeyPatch, compute: Compute, start: str, end: str
) -> None:
    """The fault names the key that asked for it, and says what to install."""
    real = builtins.__import__

    def without_it(name: str, *args: Any) -> Any:
        if name == "openvino":
            raise ModuleNotFoundError("No module named 'openvino'")
        return real(name, *args)

    monkeypatch.setattr(builtins, "__import__", without_it)
    said = fault(compute)
    assert said.startswith(start)
    assert "python -m pip install 'openvino>=2025.0'" in said
    assert said.endswith(end)


def test_openvino_that_is_too_old_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """An old version would keep the memory of the largest image."""
    old = type(sys)("openvino")
    old.__version__ = "2024.6.0-17404-4c0f47d2335"  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "openvino", old)
    said = fault(Compute("openvino"))
    assert said.startswith("runtime: openvino needs OpenVINO 2025.0 or newer, got 2024.6.0")


@pytest.mark.parametrize(
    ("flags", "right"),
    [
        ("fpu avx512f avx512_bf16", True),
        ("fpu avx512f amx_bf16 amx_tile", True),
        ("fpu avx2 avx512f avx512_vnni", False),
        ("", False),
        (None, False),
    ],
)
def test_bf16_needs_a_processor_that_has_it(tmp_path: Path, flags: str | None, right: bool) -> None:
    """Without bf16 instructions it would be fp32 in disguise: the fault names the processor."""
    cpuinfo = tmp_path / "cpuinfo"
    if flags is not None:
        cpuinfo.write_text(f"model name\t: Some One\nflags\t\t: {flags}\n")
    if right:
        openvino_session.require_bf16(cpuinfo)
        return
    with pytest.raises(ConfigError, match="precision: bf16 needs a processor with amx_bf16 or avx512_bf16"):
        openvino_session.require_bf16(cpuinfo)


@pytest.fixture
def forgetful() -> Iterator[None]:
    """Cached knowledge of this machine's kernels is cleared before and after."""
    for found in (kernels.load_kernels, convolution.load_checked_kernels):
        found.cache_clear()
    yield
    for found in (kernels.load_kernels, convolution.load_checked_kernels):
        found.cache_clear()


LIBRARIES = {
    "they were not built, which takes a C compiler (gcc) when face_det is installed": None,
    kernels.UNSUPPORTED_PROCESSOR: SimpleNamespace(
        face_det_version=lambda: kernels.ABI_VERSION, face_det_lanes=lambda: 0, face_det_tiles=lambda: 24
    ),
    "they were built from other sources; install face_det again (make setup)": SimpleNamespace(
        face_det_version=lambda: kernels.ABI_VERSION - 1
    ),
    "they compute wrong results; install face_det again, with another compiler": SimpleNamespace(
        face_det_version=lambda: kernels.ABI_VERSION,
        face_det_lanes=lambda: 8,
        face_det_tiles=lambda: 24,
        face_det_convolve=lambda *_: 0,
    ),
}
"""The reasons why there are no kernels, and the library that leads to each."""


@pytest.mark.usefixtures("forgetful")
@pytest.mark.parametrize("why", LIBRARIES)
def test_without_kernels_auto_does_without_and_native_says_why(
    monkeypatch: pytest.MonkeyPatch, why: str
) -> None:
    """One fault in one line, with the key and what to set; auto runs the same networks in ONNX Runtime."""
    monkeypatch.setattr(kernels, "_load_library", lambda: LIBRARIES[why])
    for name in ("mmod", "resnet"):
        assert load_dlib_session(name).name == "onnxruntime"
        with pytest.raises(ConfigError) as error:
            load_dlib_session(name, Compute("native"))
        assert error.value.faults == (
            f"runtime: native needs face_det's own kernels, but {why}; or set auto",
        )


def test_kernels_are_taken_where_they_are_wanted() -> None:
    """auto and native use them, in fp32; a named runtime is never overridden."""
    found = convolution.load_checked_kernels()
    if found.kernels is None:
        pytest.skip(f"no kernels: {found.reason}")
    assert load_dlib_session("mmod").name == "onnxruntime+native"
    assert load_dlib_session("resnet", Compute("native", threads=2)).name == "onnxruntime+native"
    assert load_dlib_session("mmod", Compute("onnxruntime")).name == "onnxruntime"
    assert not Compute(device="cuda").native
    assert not Compute(precision="bf16").native
    assert not Compute("openvino").native


def test_wrong_inputs_of_a_network_in_parts_are_said() -> None:
    """Errors are one line, as with a whole network, and the next call is right again."""
    session = load_dlib_session("resnet")
    wrong: list[dict[str, Any]] = [
        {"chips": np.zeros((1, 96, 96, 3), np.uint8)},
        {"chips": np.zeros((1, 150, 150, 3), np.float32)},
        {"maps": np.zeros((1, 150, 150, 3), np.uint8)},
        {"chips": np.zeros((1, 150, 150, 3), np.uint8), "maps": np.zeros((1, 35, 35, 32), np.float32)},
        {},
    ]
    for feeds in wrong:
        with pytest.raises(ModelError, match="inputs must fit the model, got") as error:
            session.run(feeds)
        assert "\n" not in str(error.value)
    (encodings,) = session.run({"chips": np.zeros((2, 150, 150, 3), np.uint8)})
    assert encodings.shape == (2, 128)
    detector = load_dlib_session("mmod")
    with pytest.raises(ModelError, match=r"inputs must fit the model, got tile \(1, 3, 16, 16\)"):
        detector.run({"tile": np.zeros((1, 3, 16, 16), np.float32)})
