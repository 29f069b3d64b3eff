"""The documentation says what the code does: every key, verb, error, reason, command and link."""

from __future__ import annotations

import importlib.util
import inspect
import re
from pathlib import Path
from types import ModuleType

import pytest

from face_det import errors
from face_det.cli.main import COMMANDS
from face_det.config import CONFIG_KEYS, SECTION_KEYS
from face_det.daemon.backup_methods import BackupMethods
from face_det.daemon.camera_methods import CameraMethods
from face_det.daemon.command_methods import CommandMethods
from face_det.daemon.methods import DaemonMethods
from face_det.daemon.model_methods import ModelMethods
from face_det.daemon.photo_methods import PhotoMethods
from face_det.daemon.sighting_methods import CorrectionMethods, SightingMethods
from face_det.daemon.video_methods import VideoMethods
from face_det.daemon.voice_methods import VoiceMethods
from face_det.daemon.workers import Workers
from face_det.errors import FaceDetError
from face_det.service.service import Service
from face_det.sightings import events
from face_det.types import Reason

REPOSITORY = Path(__file__).parents[2]
RPC = (REPOSITORY / "docs/reference/rpc.md").read_text("utf-8")
README = (REPOSITORY / "README.md").read_text("utf-8")
PAGES = sorted(
    [*REPOSITORY.glob("*.md"), *(REPOSITORY / "docs").rglob("*.md"), REPOSITORY / "dataset/README.md"]
)


def generator() -> ModuleType:
    spec = importlib.util.spec_from_file_location("generate", REPOSITORY / "docs/generate.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def section(page: str, title: str) -> str:
    """The part of a page under a heading of the second level."""
    return page.partition(f"\n## {title}\n")[2].partition("\n## ")[0]


def first_column(table: str) -> set[str]:
    return set(re.findall(r"^\| `(\w+)` \|", table, re.M))


@pytest.mark.parametrize("name", ["config.md", "commands.md", "http.md"])
def test_generated_pages_are_up_to_date(name: str) -> None:
    """What `make docs` would write is what is there."""
    written = (REPOSITORY / "docs/reference" / name).read_text("utf-8")
    assert written == generator().PAGES[name](), "run make docs"


def test_every_key_is_documented() -> None:
    """config.md has a row for each key and no other; the keys of each object have a table of their own."""
    page = (REPOSITORY / "docs/reference/config.md").read_text("utf-8")
    assert first_column(page.partition("\n## sightings\n")[0]) == set(CONFIG_KEYS)
    for name, keys in SECTION_KEYS.items():
        assert first_column(section(page, name)) == set(keys)


def test_every_verb_is_documented_with_its_arguments() -> None:
    """rpc.md has a heading for each verb of the daemon, and for no other, with the arguments in order."""
    documented = dict(re.findall(r"^### (\w+)\((.*)\)$", section(RPC, "Verbs"), re.M))
    # An instance would need a daemon; the menu is what the method itself lists.
    code = {}
    for methods in (
        DaemonMethods,
        SightingMethods,
        CorrectionMethods,
        ModelMethods,
        CommandMethods,
        PhotoMethods,
        BackupMethods,
        CameraMethods,
        VideoMethods,
        VoiceMethods,
    ):
        for name in re.findall(r'"(\w+)": self\.\1\b', inspect.getsource(methods.methods)):
            parameters = list(inspect.signature(getattr(methods, name)).parameters)[1:]
            code[name] = ", ".join(parameters)
    assert len(code) >= 22
    assert documented == code


def test_every_key_of_status_is_documented() -> None:
    """rpc.md has each key that the daemon's status() returns, and no other."""
    table = section(RPC, "Verbs").partition("### status()")[2].partition("\n### ")[0]
    rows = re.findall(r"^\| ((?:`\w+`(?:, )?)+) \|", table, re.M)
    documented = {name for row in rows for name in re.findall(r"`(\w+)`", row)}
    code = "".join(inspect.getsource(part) for part in (DaemonMethods.status, Service.status, Workers.status))
    assert documented == set(re.findall(r'^ {12,16}"(\w+)":', code, re.M))


def test_every_error_is_documented_with_its_exit_code() -> None:
    """rpc.md has a row for each class of errors.py, in its order, with its exit code."""
    rows = re.findall(r"^\| `(\w+)` \| (\d+) \|", section(RPC, "Errors"), re.M)
    classes = [
        (name, str(kind.exit_code))
        for name, kind in vars(errors).items()
        if isinstance(kind, type) and issubclass(kind, FaceDetError)
    ]
    assert rows == classes


def test_every_error_is_in_the_tree() -> None:
    """The tree at the top of errors.py names each class."""
    drawn = re.findall(r"(?:^    |-- )(\w+)", errors.__doc__ or "", re.M)
    classes = [
        name for name, kind in vars(errors).items() if isinstance(kind, type) and issubclass(kind, Exception)
    ]
    assert drawn == classes


def test_every_reason_is_documented() -> None:
    """The reasons are in rpc.md, in the README's short table, and on the troubleshooting page."""
    reasons = {reason.value for reason in Reason}
    assert first_column(section(RPC, "Reasons")) == reasons
    assert reasons <= set(re.findall(r"`(\w+)`", section(README, "Troubleshooting")))
    page = (REPOSITORY / "docs/how-to/troubleshooting.md").read_text("utf-8")
    assert first_column(section(page, "A face has no name")) == reasons


def test_every_type_of_event_is_documented() -> None:
    """events.md has a row for each type that the log may hold, and for no other."""
    page = (REPOSITORY / "docs/reference/events.md").read_text("utf-8")
    types = {value for name, value in vars(events).items() if name.isupper() and isinstance(value, str)}
    assert first_column(section(page, "Types")) == types


def test_readme_opens_with_the_two_commands() -> None:
    """The first screen shows how to see it work, and how to test it."""
    first_screen = "\n".join(README.splitlines()[:40])
    assert "make demo" in first_screen
    assert "make test" in first_screen


@pytest.mark.parametrize("path", PAGES, ids=lambda path: str(path.relative_to(REPOSITORY)))
def test_commands_and_links_exist(path: Path) -> None:
    """Every `face-det COMMAND` in a page can be run, and every link within the project leads somewhere."""
    text = path.read_text("utf-8")
    commands = set(re.findall(r"\bface-det ([a-z][\w-]*)", re.sub(r"<!--.*?-->", "", text)))
    assert commands <= set(COMMANDS), commands - set(COMMANDS)
    for link in re.findall(r"\]\(([^)#\s]+)[^)]*\)", text):
        if not link.startswith(("http://", "https://")):
            assert (path.parent / link).exists(), link


def test_root_and_the_service_run_what_is_installed() -> None:
    """sudo ignores what a virtual environment adds to PATH, so it needs the whole path."""
    for path in PAGES:
        assert not re.findall(r"\bsudo (?:-u \S+ )?face-det\b", path.read_text("utf-8")), path


def test_variables_in_the_docs_exist() -> None:
    """Every FACE_DET_ variable that a page names is one."""
    known = {f"FACE_DET_{key.upper()}" for key in CONFIG_KEYS} | {"FACE_DET_CONFIG"}
    for path in PAGES:
        named = set(re.findall(r"\bFACE_DET_[A-Z]+\b", path.read_text("utf-8")))
        assert named <= known, path


def test_the_changelog_knows_this_version() -> None:
    """The version that is shipped has an entry."""
    import face_det

    assert f"## {face_det.__version__}" in (REPOSITORY / "CHANGELOG.md").read_text("utf-8")
