"""What `face-det install-service` does, as a list of steps."""

from __future__ import annotations

import re
import shutil
import stat
import sys
import sysconfig
from collections.abc import Iterable, Iterator
from pathlib import Path

import face_det
from face_det.doors.steps import File, Folder, Owner, Removal, Run, Step, below, number_of
from face_det.errors import FaceDetError

NAME = "face-detect"
"""Of the unit, its user and group, and its folders below /etc, /run, /var/lib and /var/cache."""
UNIT = Path("/etc/systemd/system/face-detect.service")
SYSUSERS = Path("/etc/sysusers.d/face-detect.conf")
CONFIG = Path("/etc/face-detect/config.json")
STATE = Path("/var/lib/face-detect")
CACHE = Path("/var/cache/face-detect")

TEMPLATE = Path(__file__).with_name("face-detect.service")
TEMPLATE_COMMAND = "/opt/face_det/.venv/bin/face-det"
USER = f'u {NAME} - "Face detection and recognition" {STATE}\n'
SETTINGS = f"""\
{{
    "faceDetServer": {{
        "comment": "Settings of the face-detect service; docs/reference/config.md explains each.",
        "modelPath": "{STATE}/svm_face_recognizer.pickle",
        "labelPath": "{STATE}/face_labels.pickle",
        "encodingsPath": "{STATE}/encodings.pickle",
        "datasetPath": "{STATE}/dataset",
        "zerorpcPipe": "ipc:///run/{NAME}/face_detect_zmq.pipe"
    }}
}}
"""

HIDDEN = ("/home", "/root", "/run/user", "/tmp", "/var/tmp")
"""What the unit's ProtectHome and PrivateTmp put an empty folder over."""
_PLAIN = re.compile(r"[\w./@+,~=-]+")


def install(root: Path) -> list[Step]:
    """What makes the service; FaceDetError if its user could not run this installation."""
    ours = Owner(NAME, NAME)
    return [
        File(SYSUSERS, USER),
        _make_user(root),
        Folder(CONFIG.parent, 0o755),
        File(CONFIG, SETTINGS, 0o640, Owner("root", NAME), kept=True),
        Folder(STATE, 0o700, ours),
        Folder(STATE / "dataset", 0o700, ours),
        File(UNIT, unit()),
        *_systemctl(root, "daemon-reload"),
    ]


def uninstall(root: Path, purge: bool) -> list[Step]:
    """What ends the service; `purge` forgets everybody, too: settings, photos, models, user."""
    installed = below(root, UNIT).exists()
    steps: list[Step] = [*(_systemctl(root, "disable", "--now", NAME) if installed else ())]
    steps += [Removal(UNIT), *_systemctl(root, "daemon-reload"), Removal(SYSUSERS)]
    if purge:
        steps += [Removal(path) for path in (CONFIG.parent, STATE, CACHE)]
        if number_of(root, "passwd", NAME):
            steps.append(Run(("userdel", *_prefix(root), NAME)))
    return steps


def unit() -> str:
    """The unit's text with the paths of this installation; FaceDetError if the service could not use them."""
    command = Path(sysconfig.get_path("scripts"), "face-det")
    package = Path(face_det.__file__).parent
    # Dependencies lie beside a package that is installed; a checkout stands alone.
    code = package.parent if package.parent.name in ("site-packages", "dist-packages") else package
    roots = dict.fromkeys(Path(path) for path in (sys.prefix, sys.base_prefix, code))
    shown = [path for path in roots if path.is_relative_to("/") and _hidden(path)]
    shown = [
        path for path in shown if not any(path != other and path.is_relative_to(other) for other in shown)
    ]
    for path in (command, *shown):
        if not _PLAIN.fullmatch(str(path)):
            raise FaceDetError(
                f"{path}: must have a path of letters, digits and ./@+,~=-; install under /opt"
            )
    for path in (command, Path(sys.executable).resolve(), package / "__init__.py"):
        _check_open(path, shown)
    text = TEMPLATE.read_text("utf-8").replace(TEMPLATE_COMMAND, str(command))
    if not shown:
        return text
    lines = "".join(f"BindReadOnlyPaths={path}\n" for path in shown)
    return text.replace(
        "ProtectHome=yes\n", f"# This installation is all that is in them.\nProtectHome=tmpfs\n{lines}"
    )


def _hidden(path: Path) -> bool:
    return any(path.is_relative_to(folder) for folder in HIDDEN)


def _check_open(path: Path, shown: Iterable[Path]) -> None:
    """Whether others than the owner may read it; what lies above a folder that is shown does not matter."""
    for place in _way(path, shown):
        try:
            mode = place.stat().st_mode
        except OSError as error:
            raise FaceDetError(f"{place}: must be there, got {error.strerror}; install again") from error
        needed = stat.S_IXOTH if stat.S_ISDIR(mode) else stat.S_IROTH
        if not mode & needed:
            raise FaceDetError(
                f"{place}: must be open to all, for the service's user is {NAME}, got mode "
                f"{stat.S_IMODE(mode):04o}; chmod o+rX it, or install under /opt"
            )


def _way(path: Path, shown: Iterable[Path]) -> Iterator[Path]:
    yield path
    for folder in path.parents:
        if any(folder != top and top.is_relative_to(folder) and path.is_relative_to(top) for top in shown):
            return
        yield folder


def _make_user(root: Path) -> Step:
    if shutil.which("systemd-sysusers"):
        return Run(("systemd-sysusers", *([] if root == Path("/") else [f"--root={root}"]), SYSUSERS.name))
    if number_of(root, "passwd", NAME):
        return Run(("true",))
    home = ("--home-dir", str(STATE), "--no-create-home", "--shell", "/usr/sbin/nologin")
    return Run(("useradd", *_prefix(root), "--system", "--user-group", *home, NAME))


def _prefix(root: Path) -> list[str]:
    return [] if root == Path("/") else ["--prefix", str(root)]


def _systemctl(root: Path, *words: str) -> list[Step]:
    """Nothing where systemd does not run, or runs another system than the one at `root`."""
    running = root == Path("/") and Path("/run/systemd/system").is_dir()
    return [Run(("systemctl", *words))] if running else []
