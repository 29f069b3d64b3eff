"""The rooms: one order, one door each, and one home for each heavy library."""

from __future__ import annotations

import ast
import importlib
import os
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest
from house import PACKAGE, RANK

LARGEST_SHARE = 0.15
"""The share of the package's lines that one room may hold."""

HOMES = {
    # library: where it may be imported
    "zerorpc": {"rpc"},
    "gevent": {"rpc", "daemon"},
    "zmq": {"rpc"},
    "msgpack": {"rpc", "engine", "sightings"},
    "click": {"cli"},
    "rich": {"cli"},
    "tkinter": {"cli"},
    "dlib": {"detectors", "embedders"},
    "onnx": {"nets"},
    "onnxruntime": {"nets"},
    "openvino": {"nets"},
    "sklearn": {"storage", "classifiers", "training", "evaluation", "sources"},
    "xgboost": {"storage", "classifiers"},
    "matplotlib": {"evaluation"},
    "PIL": {"media"},
    "fontTools": {"media"},
    "pi_heif": {"media"},
    "cv2": {"media", "video", "cameras", "extraction", "nets", "detectors", "classifiers", "bodies"},
    "pydantic": {"config", "gateway", "nets", "detectors", "embedders", "attributes"},
    "fastapi": {"gateway", "tuning"},
    "starlette": {"gateway", "tuning"},
    "uvicorn": {"gateway"},
    "httpx": {"cameras", "integrations", "exchange"},
    "prometheus_client": {"gateway"},
    "h11": {"gateway"},
    "paho": {"integrations"},
    "argon2": {"gateway"},
    "gpiozero": {"integrations"},
    "botocore": {"extraction"},
    "urllib3": {"extraction"},
    "pymongo": {"tuning"},
    "bson": {"tuning"},
    "soundfile": {"voices"},
    "av": {"voices"},
    "sounddevice": {"voices"},
}


@cache
def modules() -> dict[str, ast.Module]:
    """Every module's tree, by its name below face_det. The package's own __init__ is left out."""
    found = {}
    for path in sorted(PACKAGE.rglob("*.py")):
        parts = path.relative_to(PACKAGE).with_suffix("").parts
        if parts != ("__init__",):
            found[".".join(parts).removesuffix(".__init__")] = ast.parse(path.read_text("utf-8"))
    return found


def room_of(name: str) -> str:
    """The room that a module is in, both below face_det."""
    return name.split(".")[0]


@cache
def face(room: str) -> dict[str, str]:
    """What a room shows: each name and the module that it comes from. Empty for a room of one module."""
    stub = PACKAGE / room / "__init__.pyi"
    if not stub.is_file():
        return {}
    return {
        alias.asname or alias.name: f"{room}.{node.module}"
        for node in ast.parse(stub.read_text("utf-8")).body
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    }


def imported(tree: ast.Module) -> Iterator[tuple[str, str | None]]:
    """(module, name) of everything imported, also inside functions; the name is None for `import x`."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((alias.name, None) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "imports are absolute"
            assert node.module is not None
            yield from ((node.module, alias.name) for alias in node.names)


def arrows() -> Iterator[tuple[str, str]]:
    """(module, module that it imports), both below face_det, looked up through the faces of rooms."""
    for name, tree in modules().items():
        for source, symbol in imported(tree):
            if source == "face_det" and symbol in RANK:
                yield name, symbol
            elif source.startswith("face_det."):
                below = source.removeprefix("face_det.")
                if symbol is not None and f"{below}.{symbol}" in modules():
                    below = f"{below}.{symbol}"
                elif symbol is not None and below in RANK:
                    below = face(below).get(symbol, below)
                yield name, below


def test_every_room_has_its_place() -> None:
    """Whoever builds a room says where it stands."""
    assert {room_of(name) for name in modules()} == RANK.keys()


def test_arrows_point_to_the_ground() -> None:
    """A room imports only rooms of the lines above it in ORDER, also inside functions."""
    wrong = [
        f"{name} imports {target}"
        for name, target in arrows()
        if room_of(name) != room_of(target) and RANK[room_of(target)] >= RANK[room_of(name)]
    ]
    assert not wrong, "\n".join(wrong)


def test_no_circle_within_a_room_either() -> None:
    """Modules do not import each other, not even by way of others or inside functions."""
    after: dict[str, set[str]] = {}
    for name, target in arrows():
        after.setdefault(name, set()).add(target)
    done: set[str] = set()

    def visit(name: str, way: tuple[str, ...]) -> None:
        assert name not in way, " -> ".join([*way[way.index(name) :], name])
        if name not in done:
            for target in sorted(after.get(name, set()) - {name}):
                visit(target, (*way, name))
            done.add(name)

    for name in sorted(after):
        visit(name, ())


def test_rooms_are_entered_by_their_door() -> None:
    """No outsider imports deeper than the room itself, and a room shows no name that it does not have."""
    wrong = []
    outsiders = dict(modules())
    for folder in ("scripts", "benchmarks", "docs"):
        for path in sorted((PACKAGE.parent / folder).rglob("*.py")):
            outsiders[f"<{folder}>.{path.stem}"] = ast.parse(path.read_text("utf-8"))
    for name, tree in outsiders.items():
        for source, symbol in imported(tree):
            parts = source.split(".")
            if parts[0] != "face_det" or len(parts) == 1 or parts[1] == room_of(name):
                continue
            if len(parts) > 2 or (face(parts[1]) and symbol is not None and symbol not in face(parts[1])):
                wrong.append(f"{name} imports {symbol} from {source}")
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize("room", sorted(room for room in RANK if face(room)))
def test_a_room_shows_what_it_has(room: str) -> None:
    """The face and its docstring: one sentence, and names that can really be had."""
    module = importlib.import_module(f"face_det.{room}")
    assert module.__doc__
    assert "\n" not in module.__doc__.strip()
    assert set(module.__all__) == set(face(room))
    for name in face(room):
        assert getattr(module, name) is not None


def test_no_room_is_a_drawer() -> None:
    """No room holds more than its share of the lines, and no three files of a folder share a prefix."""
    lines: dict[str, int] = {}
    for path in PACKAGE.rglob("*.py"):
        room = path.relative_to(PACKAGE).with_suffix("").parts[0]
        lines[room] = lines.get(room, 0) + len(path.read_text("utf-8").splitlines())
    most = LARGEST_SHARE * sum(lines.values())
    assert not {room: count for room, count in lines.items() if count > most}
    families: dict[tuple[Path, str], list[str]] = {}
    for path in PACKAGE.rglob("*.py"):
        if not path.name.startswith("__"):
            families.setdefault((path.parent, path.stem.split("_")[0]), []).append(path.name)
    assert not [names for names in families.values() if len(names) > 2]


def test_heavy_libraries_have_one_home() -> None:
    """Whoever wants dlib, zerorpc or scikit-learn asks the room that has it."""
    wrong = [
        f"{name} imports {source}"
        for name, tree in modules().items()
        for source, _ in imported(tree)
        if room_of(name) not in HOMES.get(source.split(".")[0], {room_of(name)})
    ]
    assert not wrong, "\n".join(wrong)


def test_config_stops_at_the_roots() -> None:
    """Below the programs there are plain values."""
    readers = {name for name, target in arrows() if room_of(target) == "config" and room_of(name) != "config"}
    assert {room_of(name) for name in readers} <= {"cli", "daemon", "doctor", "gateway", "service", "rpc"}
    assert {name for name in readers if room_of(name) == "service"} <= {"service.assembly"}


@pytest.mark.parametrize(
    "modules",
    [
        ["face_det"],
        ["face_det.cli.main"],
        ["face_det.config.load"],
        ["face_det.errors"],
        [f"face_det.{room}" for room in sorted(RANK) if face(room)],
    ],
    ids=["face_det", "cli", "config", "errors", "rooms"],
)
def test_importing_is_cheap(modules: list[str]) -> None:
    """No network, no server and no classifier is loaded before somebody asks for it."""
    heavy = "dlib sklearn xgboost zerorpc gevent matplotlib onnxruntime openvino cv2 scipy"
    code = f"import sys, {', '.join(modules)}; print([x for x in {heavy.split()!r} if x in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_the_doctor_can_say_what_is_missing() -> None:
    """It starts without the packages of the daemon and the networks, which it may have to report."""
    checked = ["zmq", "zerorpc", "gevent", "msgpack", "dlib", "onnxruntime", "sklearn", "xgboost"]
    code = f"import sys, face_det.cli.doctor; print([x for x in {checked!r} if x in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_a_daemon_without_a_model_starts_light() -> None:
    """And so does `face-det encode`: scikit-learn, which classifiers need, takes long to import, and onnx,
    which a user's own networks need, 9 MB."""
    heavy = ["sklearn", "xgboost", "matplotlib", "scipy", "onnx"]
    modules = "face_det.service.assembly, face_det.daemon.daemon, face_det.cli.encode"
    code = f"import sys, {modules}; print([x for x in {heavy!r} if x in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_a_process_that_looks_at_pictures_is_light() -> None:
    """A daemon has several, and starts another for each that dies: what only training needs is not loaded."""
    heavy = ["sklearn", "scipy", "xgboost", "matplotlib", "zerorpc", "gevent"]
    code = f"import sys, face_det.engine.engine_process; print([x for x in {heavy!r} if x in sys.modules])"
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
