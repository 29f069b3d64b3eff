"""face-det install-service, below a folder that stands for a system."""

from __future__ import annotations

import os
import shutil
import stat
import subprocess
import sys

import pytest

from face_det.config import load
from face_det.errors import FaceDetError
from face_det.systemd import installation

UNIT = "etc/systemd/system/face-detect.service"
CONFIG = "etc/face-detect/config.json"
ORIGINAL_UNIT = """\
[Unit]
Description=smart-zoneminder's face detection service

[Service]
Type=simple
User=lindo
WorkingDirectory=/home/lindo/smart-zoneminder/face-det-rec
ExecStart=/home/lindo/.virtualenvs/szm/bin/python3 face_detect_server.py

[Install]
WantedBy=multi-user.target
"""

needs_sysusers = pytest.mark.skipif(
    os.geteuid() != 0 or shutil.which("systemd-sysusers") is None, reason="needs root and systemd-sysusers"
)


@pytest.fixture
def root(tmp_path):
    """A system's folder; its path is absolute."""
    folder = tmp_path / "root"
    folder.mkdir()
    return folder


def run(*words):
    """The command as a process, at its end."""
    argv = [sys.executable, "-m", "face_det.cli.main", "install-service", *map(str, words)]
    return subprocess.run(argv, capture_output=True, text=True, timeout=300)


def tree(root):
    """Path -> (mode, content) of all below it that is not the users' tables."""
    return {
        str(path.relative_to(root)): (
            stat.S_IMODE(path.stat().st_mode),
            path.read_text() if path.is_file() else None,
        )
        for path in sorted(root.rglob("*"))
        if path.name not in (".pwd.lock", "passwd", "group", "shadow", "gshadow")
    }


@needs_sysusers
def test_installs_unit_user_folders_and_settings(root):
    """All in its place, with its mode; the settings can be loaded and lead into the state folder."""
    done = run("--root", root)
    assert done.returncode == 0, done.stderr
    modes = {path: mode for path, (mode, _) in tree(root).items()}
    assert (modes[UNIT], modes[CONFIG], modes["var/lib/face-detect"]) == (0o644, 0o640, 0o700)
    assert "face-detect:x:" in (root / "etc/passwd").read_text()
    group = next(line for line in (root / "etc/group").read_text().splitlines() if "face-detect" in line)
    assert (root / CONFIG).stat().st_gid == int(group.split(":")[2])
    config = load.load_config(root / CONFIG, {})
    assert config.zerorpc_pipe.startswith("ipc:///run/face-detect/")
    for path in (config.dataset_path, config.model_path, config.encodings_path, config.label_path):
        assert path.is_relative_to("/var/lib/face-detect")
    assert f"next, in {root}: systemctl enable face-detect" in done.stderr


@needs_sysusers
def test_again_changes_nothing_but_an_old_unit(root):
    """Settings that somebody has changed stay; a unit that is out of date is replaced."""
    run("--root", root)
    before = tree(root)
    (root / UNIT).write_text("[Service]\nExecStart=/old/bin/face-det serve\n")
    (root / CONFIG).write_text('{"faceDetServer": {"zerorpcPipe": "ipc:///run/face-detect/mine"}}')
    before[CONFIG] = (before[CONFIG][0], (root / CONFIG).read_text())
    done = run("--root", root)
    assert tree(root) == before
    assert f"done      file /{UNIT}" in done.stdout
    assert f"unchanged file /{CONFIG}" in done.stdout


@needs_sysusers
@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ('"zerorpcPipe": "tcp://127.0.0.1:1"', "the unit has no network"),
        ('"zerorpcPipe": "ipc:///tmp/s"', "must be in /run/face-detect, got ipc:///tmp/s"),
        ('"minProba": 7', "minProba"),
    ],
)
def test_says_what_the_unit_does_not_allow(root, settings, said):
    """Settings that were there before are not touched, but judged."""
    (root / CONFIG).parent.mkdir(parents=True)
    (root / CONFIG).write_text(f'{{"faceDetServer": {{{settings}}}}}')
    assert said in run("--root", root).stderr


@needs_sysusers
def test_a_unit_of_the_same_name_is_kept_and_comes_back(root):
    """smart-zoneminder's unit is called face-detect.service, too: it is put aside once, and is never lost."""
    unit, kept = root / UNIT, root / f"{UNIT}.before-face_det"
    unit.parent.mkdir(parents=True)
    unit.write_text(ORIGINAL_UNIT)
    before = unit.stat()
    done = run("--root", root)
    assert done.returncode == 0, done.stderr
    assert "face-det serve" in unit.read_text()
    assert (kept.read_text(), kept.stat().st_mode) == (ORIGINAL_UNIT, before.st_mode)
    back = f"kept: /{UNIT}.before-face_det: another program's unit; to go back: mv '/{UNIT}.b"
    assert back in done.stderr
    assert run("--root", root).returncode == 0
    assert kept.read_text() == ORIGINAL_UNIT
    gone = run("--root", root, "--uninstall")
    assert back in gone.stderr
    assert not unit.exists()
    kept.rename(unit)
    for words in (["--uninstall"], ["--uninstall", "--purge"]):
        assert run("--root", root, *words).returncode == 0
        assert unit.read_text() == ORIGINAL_UNIT, "what is not ours is not removed"


@needs_sysusers
def test_a_kept_unit_is_never_replaced_by_another(root):
    """Two units and one place to keep them: refused, and both are still there."""
    unit, kept = root / UNIT, root / f"{UNIT}.before-face_det"
    unit.parent.mkdir(parents=True)
    unit.write_text(ORIGINAL_UNIT)
    kept.write_text("another")
    done = run("--root", root)
    assert done.returncode == FaceDetError.exit_code
    assert f"/{UNIT}.before-face_det: must be free, to keep the unit of another program" in done.stderr
    assert (unit.read_text(), kept.read_text()) == (ORIGINAL_UNIT, "another")


@needs_sysusers
def test_uninstall_keeps_people_and_purge_does_not(root):
    """Twice is as good as once; with --purge nothing is left of photos and settings."""
    run("--root", root)
    photo = root / "var/lib/face-detect/dataset/Alice/1.jpg"
    photo.parent.mkdir()
    photo.touch()
    for _ in range(2):
        done = run("--root", root, "--uninstall")
        assert done.returncode == 0
        assert "kept: /etc/face-detect, /var/lib/face-detect" in done.stderr
    assert not (root / UNIT).exists()
    assert not (root / "etc/sysusers.d/face-detect.conf").exists()
    assert photo.exists()
    assert run("--root", root, "--uninstall", "--purge").returncode == 0
    assert list(root.rglob("*face-detect*")) == []
    assert "face-detect" not in (root / "etc/passwd").read_text()


def test_a_dry_run_prints_all_and_does_nothing(root):
    """Every step, and the files with their content."""
    done = run("--root", root, "--dry-run")
    assert done.returncode == 0
    assert list(root.iterdir()) == []
    for told in (f"file /{UNIT}", "    [Service]", "folder /var/lib/face-detect (0700", "zerorpcPipe"):
        assert told in done.stdout
    assert "remove /var/lib/face-detect" in run("--root", root, "--dry-run", "--uninstall", "--purge").stdout


def test_the_unit_runs_this_installation():
    """The command beside this interpreter; what homes hide of it is shown to the service again."""
    lines = installation.render_unit().splitlines()
    (start,) = [line for line in lines if line.startswith("ExecStart=")]
    assert start == f"ExecStart={sys.prefix}/bin/face-det serve --config /etc/face-detect/config.json"
    shown = [line.partition("=")[2] for line in lines if line.startswith("BindReadOnlyPaths=")]
    assert all(path.startswith(installation.HIDDEN_FOLDERS) for path in shown)
    assert ("ProtectHome=tmpfs" in lines) is bool(shown)
    assert any(path == sys.base_prefix for path in shown) is sys.base_prefix.startswith(
        installation.HIDDEN_FOLDERS
    )


def test_an_installation_that_the_user_cannot_read_is_refused(tmp_path, monkeypatch):
    """The place, its mode and what to do."""
    closed = tmp_path / "closed"
    (closed / "bin").mkdir(parents=True)
    (closed / "bin/face-det").touch(0o755)
    closed.chmod(0o700)
    monkeypatch.setattr(installation.sysconfig, "get_path", lambda name: str(closed / "bin"))
    with pytest.raises(
        FaceDetError, match=f"{closed}: must be readable by the service's user face-detect, got mode 0700"
    ):
        installation.render_unit()


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root, to be somebody else")
def test_without_root_it_says_so():
    """Exit 2, and nothing done."""
    code = (
        "import os; from face_det.cli.main import run_cli; from face_det.cli import install_service;"
        "os.setuid(65534); run_cli(['install-service'])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=300)
    assert done.returncode == 2
    assert "must be run as root, got user 65534: sudo face-det install-service" in done.stderr


def test_a_step_that_fails_is_named(root):
    """Which, and why."""
    (root / "etc").touch()
    done = run("--root", root)
    assert done.returncode == FaceDetError.exit_code
    assert "face-det: file /etc/sysusers.d/face-detect.conf (0644, root:root): cannot be done:" in done.stderr


def test_everything_is_kept_where_the_service_may_write(tmp_path):
    """The unit can write to its state folder, but not beside its settings, where relative paths lead."""
    path = tmp_path / "config.json"
    path.write_text(installation.CONFIG_CONTENT)
    config = load.load_config(path, {})
    kept = (config.model_path, config.label_path, config.encodings_path, config.dataset_path)
    for place in (*kept, config.state_path):
        assert installation.STATE_FOLDER in place.parents
