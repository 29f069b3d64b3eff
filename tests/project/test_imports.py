"""Arrows between the rooms point one way, and heavy libraries have one home each."""

from __future__ import annotations

import ast
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[2] / "face_det"

# A room may import the rooms of the lines above it, and itself.
ORDER = [
    {"errors"},
    {"faces", "strict_json", "geometry", "budget", "memory"},
    {"registry", "compute", "known_answer", "address"},
    {"settings"},
    {"config"},
    {"media"},
    {"nets"},
    {"detectors", "embedders", "classifiers"},
    {"engine", "face_recognition"},
    {"identity"},
    {"sources"},
    {"wire", "arguments"},
    {"batch"},
    {"service", "doctor"},
    {"doctor_kernels", "doctor_privacy"},
    {"doors"},
]
RANK = {room: rank for rank, rooms in enumerate(ORDER) for room in rooms}

HOMES = {
    # library: where it may be imported
    "zerorpc": {"doors"},
    "gevent": {"doors"},
    "zmq": {"doors"},
    "msgpack": {"doors"},
    "click": {"doors"},
    "rich": {"doors"},
    "dlib": {"detectors", "embedders"},
    "onnx": {"nets"},
    "onnxruntime": {"nets"},
    "openvino": {"nets"},
    "sklearn": {"classifiers", "identity", "sources"},
    "xgboost": {"classifiers", "identity"},
    "matplotlib": {"identity"},
    "PIL": {"media"},
    "cv2": {"media"},
    "pydantic": {"settings", "config"},
}


def modules() -> Iterator[tuple[str, str, ast.Module]]:
    """(name, room, tree) of every module but the package's own __init__, which opens all rooms."""
    for path in sorted(PACKAGE.rglob("*.py")):
        parts = path.relative_to(PACKAGE).with_suffix("").parts
        if parts != ("__init__",):
            yield ".".join(parts), parts[0], ast.parse(path.read_text("utf-8"))


def imported(tree: ast.Module) -> Iterator[str]:
    """Dotted names of everything imported, also inside functions."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "imports are absolute"
            assert node.module is not None
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def test_arrows_point_up_only() -> None:
    """A module imports only what stands above it in ORDER."""
    wrong = []
    for name, room, tree in modules():
        assert room in RANK, f"{name}: give the room {room} a line in ORDER"
        for target in imported(tree):
            if target.startswith("face_det."):
                other = target.split(".")[1]
                if other in RANK and other != room and RANK[other] >= RANK[room]:
                    wrong.append(f"{name} imports {target}")
    assert not wrong, "\n".join(wrong)


def test_heavy_libraries_have_one_home() -> None:
    """Whoever wants dlib, zerorpc or scikit-learn asks the room that has it."""
    wrong = [
        f"{name} imports {target}"
        for name, room, tree in modules()
        for target in imported(tree)
        if room not in HOMES.get(target.split(".")[0], {room})
    ]
    assert not wrong, "\n".join(wrong)


def test_config_stops_at_the_roots() -> None:
    """Below the doors there are plain values."""
    readers = {
        name
        for name, _, tree in modules()
        for target in imported(tree)
        if target.startswith(("face_det.config.load", "face_det.config.settings"))
    }
    assert {name for name in readers if not name.startswith("doors.")} <= {
        "config",
        "doctor",
        "doctor_privacy",
    }


@pytest.mark.parametrize(
    "module", ["face_det", "face_det.cli.main", "face_det.config.load", "face_det.errors"]
)
def test_importing_is_cheap(module: str) -> None:
    """No network, no server and no classifier is loaded before somebody asks for it."""
    heavy = "dlib sklearn xgboost zerorpc gevent matplotlib onnxruntime openvino cv2 scipy"
    code = f"import sys, {module}; print([name for name in {heavy.split()!r} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_nothing_is_sent_to_anybody(tmp_path: Path) -> None:
    """ONNX Runtime's usage data is off: not even the file is made that numbers its sessions."""
    environ = {name: value for name, value in os.environ.items() if name != "ORT_DISABLE_TELEMETRY"}
    environ |= {"TMPDIR": str(tmp_path), "HOME": str(tmp_path), "XDG_CACHE_HOME": str(tmp_path)}
    code = "import face_det.nets.sessions.onnx_session"
    subprocess.run([sys.executable, "-B", "-c", code], env=environ, check=True)
    assert not list(tmp_path.iterdir())


def test_public_names_are_there() -> None:
    """Every name that the package promises can be had, and nothing else."""
    import face_det

    assert sorted(face_det.__all__) == sorted([*face_det._PUBLIC, "__version__"])
    for name in face_det.__all__:
        assert getattr(face_det, name) is not None
    with pytest.raises(AttributeError, match="no attribute 'Nobody'"):
        _ = face_det.Nobody
