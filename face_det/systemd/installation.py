"""Plans what `face-det install-service` does, as a list of steps."""

from __future__ import annotations

import re
import shutil
import stat
import sys
import sysconfig
from collections.abc import Iterable, Iterator
from pathlib import Path

import face_det
from face_det.errors import FaceDetError
from face_det.systemd.steps import (
    BackupStep,
    CommandStep,
    FileStep,
    FolderStep,
    Owner,
    RemovalStep,
    Step,
    find_id,
    is_foreign,
    path_in_root,
)

SERVICE_NAME = "face-detect"
"""The name of the unit, its user and group, and its folders below /etc, /run, /var/lib and /var/cache."""
UNIT_FILE = Path("/etc/systemd/system/face-detect.service")
SYSUSERS_FILE = Path("/etc/sysusers.d/face-detect.conf")
CONFIG_FILE = Path("/etc/face-detect/config.json")
STATE_FOLDER = Path("/var/lib/face-detect")
CACHE_FOLDER = Path("/var/cache/face-detect")

TEMPLATE = Path(__file__).with_name("face-detect.service")
TEMPLATE_COMMAND = "/opt/face_det/.venv/bin/face-det"
UNIT_MARK = "/face-det serve"
"""In every unit of ours. The unit of smart-zoneminder has the same name, and runs something else."""
SYSUSERS_CONTENT = f'u {SERVICE_NAME} - "Face detection and recognition" {STATE_FOLDER}\n'
CONFIG_CONTENT = f"""\
{{
    "faceDetServer": {{
        "comment": "Settings of the face-detect service; docs/reference/config.md explains each.",
        "modelPath": "{STATE_FOLDER}/svm_face_recognizer.pickle",
        "labelPath": "{STATE_FOLDER}/face_labels.pickle",
        "encodingsPath": "{STATE_FOLDER}/encodings.pickle",
        "datasetPath": "{STATE_FOLDER}/dataset",
        "statePath": "{STATE_FOLDER}/state",
        "zerorpcPipe": "ipc:///run/{SERVICE_NAME}/face_detect_zmq.pipe"
    }}
}}
"""

HIDDEN_FOLDERS = ("/home", "/root", "/run/user", "/tmp", "/var/tmp")
"""The folders that the unit's ProtectHome and PrivateTmp hide."""
_PLAIN = re.compile(r"[\w./@+,~=-]+")


def plan_installation(root: Path) -> list[Step]:
    """Return the steps that install the service.

    Raises FaceDetError if the service's user could not run this installation.
    """
    ours = Owner(SERVICE_NAME, SERVICE_NAME)
    return [
        FileStep(SYSUSERS_FILE, SYSUSERS_CONTENT),
        user_step(root, SERVICE_NAME, SYSUSERS_FILE, str(STATE_FOLDER)),
        FolderStep(CONFIG_FILE.parent, 0o755),
        FileStep(CONFIG_FILE, CONFIG_CONTENT, 0o640, Owner("root", SERVICE_NAME), keep_existing=True),
        FolderStep(STATE_FOLDER, 0o700, ours),
        FolderStep(STATE_FOLDER / "dataset", 0o700, ours),
        BackupStep(UNIT_FILE, UNIT_MARK),
        FileStep(UNIT_FILE, render_unit()),
        *systemctl_steps(root, "daemon-reload"),
    ]


def plan_removal(root: Path, purge: bool) -> list[Step]:
    """Return the steps that remove the service; another program's unit of its name stays and runs on.

    `purge` also removes settings, photos, models and the user.
    """
    unit = path_in_root(root, UNIT_FILE)
    steps: list[Step] = []
    if not is_foreign(unit, UNIT_MARK):
        steps += systemctl_steps(root, "disable", "--now", SERVICE_NAME) if unit.exists() else ()
        steps += [RemovalStep(UNIT_FILE), *systemctl_steps(root, "daemon-reload")]
    steps.append(RemovalStep(SYSUSERS_FILE))
    if purge:
        steps += [RemovalStep(path) for path in (CONFIG_FILE.parent, STATE_FOLDER, CACHE_FOLDER)]
        steps += user_removal_steps(root, SERVICE_NAME)
    return steps


def render_unit(template: Path = TEMPLATE) -> str:
    """Return a unit file with the paths of this installation.

    Raises FaceDetError if the service could not use them.
    """
    command = Path(sysconfig.get_path("scripts"), "face-det")
    package = Path(face_det.__file__).parent
    # The dependencies of an installed package are beside it; a checkout stands alone.
    code = package.parent if package.parent.name in ("site-packages", "dist-packages") else package
    roots = dict.fromkeys(Path(path) for path in (sys.prefix, sys.base_prefix, code))
    shown = [path for path in roots if path.is_relative_to("/") and _is_hidden(path)]
    shown = [
        path for path in shown if not any(path != other and path.is_relative_to(other) for other in shown)
    ]
    for path in (command, *shown):
        if not _PLAIN.fullmatch(str(path)):
            raise FaceDetError(
                f"{path}: the path may hold only letters, digits and ./@+,~=-; install under /opt"
            )
    for path in (command, Path(sys.executable).resolve(), package / "__init__.py"):
        _require_readable_by_all(path, shown)
    text = template.read_text("utf-8").replace(TEMPLATE_COMMAND, str(command))
    if not shown:
        return text
    lines = "".join(f"BindReadOnlyPaths={path}\n" for path in shown)
    return text.replace(
        "ProtectHome=yes\n", f"# Only this installation is visible in them.\nProtectHome=tmpfs\n{lines}"
    )


def list_unit_conflicts(root: Path, endpoint: str, written: Iterable[Path]) -> list[str]:
    """Say which settings the unit at `root` does not allow: the endpoint, or paths that are written.

    >>> list_unit_conflicts(Path("/"), "ipc:///run/face-detect/s", [STATE_FOLDER / "encodings.pickle"])
    []
    """
    advice = "docs/how-to/service.md shows how to allow it"
    conflicts = []
    if endpoint.startswith("tcp:"):
        conflicts.append(f"zerorpcPipe is {endpoint}, but the unit has no network access; {advice}")
    elif not endpoint.startswith(f"ipc:///run/{SERVICE_NAME}/"):
        conflicts.append(f"zerorpcPipe must be in /run/{SERVICE_NAME}, got {endpoint}; {advice}")
    conflicts += [
        f"the unit can write only to {STATE_FOLDER}, not to {path}; {advice}"
        for path in written
        if root == Path("/") and not path.is_relative_to(STATE_FOLDER)
    ]
    return conflicts


def _is_hidden(path: Path) -> bool:
    return any(path.is_relative_to(folder) for folder in HIDDEN_FOLDERS)


def _require_readable_by_all(path: Path, shown: Iterable[Path]) -> None:
    """Raise FaceDetError unless all users may read `path`; folders above a visible one do not matter."""
    for place in _path_and_visible_parents(path, shown):
        try:
            mode = place.stat().st_mode
        except OSError as error:
            raise FaceDetError(f"{place}: cannot be read: {error.strerror}; reinstall face_det") from error
        needed = stat.S_IXOTH if stat.S_ISDIR(mode) else stat.S_IROTH
        if not mode & needed:
            raise FaceDetError(
                f"{place}: must be readable by the service's user {SERVICE_NAME}, got mode "
                f"{stat.S_IMODE(mode):04o}; chmod o+rX it, or install under /opt"
            )


def _path_and_visible_parents(path: Path, shown: Iterable[Path]) -> Iterator[Path]:
    yield path
    for folder in path.parents:
        if any(folder != top and top.is_relative_to(folder) and path.is_relative_to(top) for top in shown):
            return
        yield folder


def user_step(root: Path, name: str, sysusers_file: Path, home: str) -> Step:
    """Return the step that creates the user and group that `sysusers_file` describes."""
    if shutil.which("systemd-sysusers"):
        return CommandStep(
            ("systemd-sysusers", *([] if root == Path("/") else [f"--root={root}"]), sysusers_file.name)
        )
    if find_id(root, "passwd", name):
        return CommandStep(("true",))
    options = ("--home-dir", home, "--no-create-home", "--shell", "/usr/sbin/nologin")
    return CommandStep(("useradd", *_prefix_option(root), "--system", "--user-group", *options, name))


def user_removal_steps(root: Path, name: str) -> list[Step]:
    """Return the step that removes a user, or none if there is no such user."""
    if find_id(root, "passwd", name) is None:
        return []
    return [CommandStep(("userdel", *_prefix_option(root), name))]


def _prefix_option(root: Path) -> list[str]:
    return [] if root == Path("/") else ["--prefix", str(root)]


def systemctl_steps(root: Path, *words: str) -> list[Step]:
    """Return a systemctl step, or none if systemd does not run the system at `root`."""
    running = root == Path("/") and Path("/run/systemd/system").is_dir()
    return [CommandStep(("systemctl", *words))] if running else []
