"""Where private files are if config.json does not say: in no git checkout, and never lost."""

from __future__ import annotations

import json
import os
import pwd
from collections.abc import Callable
from pathlib import Path

import pytest

from face_det.config import Config, list_abandoned, load_config, place_outside

Environment = dict[str, str]


@pytest.fixture
def home(tmp_path: Path) -> Environment:
    """An environment with a home folder of its own."""
    (tmp_path / "home").mkdir()
    return {"HOME": str(tmp_path / "home")}


@pytest.fixture
def make(tmp_path: Path) -> Callable[..., Path]:
    """Makes a folder with a config.json, in a git checkout unless told otherwise."""

    def make(name: str, *, git: bool = True, **settings: object) -> Path:
        folder = tmp_path / name
        folder.mkdir()
        (folder / "config.json").write_text(json.dumps({"faceDetServer": settings}))
        if git:
            (folder / ".git").mkdir()
        return folder

    return make


def private(config: Config) -> list[Path]:
    return [config.state_path, config.keys_path, config.http.credentials_path]


def test_in_a_checkout_private_files_have_a_place_outside(make, home: Environment, tmp_path: Path) -> None:
    """State, keys and passwords are in the user's folder for state; models and photos stay."""
    folder = make("clone")
    config = load_config(folder / "config.json", home)
    outside = Path(f"{home['HOME']}/.local/state/face_det{folder}")
    assert private(config) == [outside / "state", outside / "keys", outside / "web-credentials.json"]
    assert {config.model_path.parent, config.label_path.parent, config.dataset_path.parent} == {folder}
    assert config.encodings_path.parent == folder
    assert not outside.exists(), "reading the settings creates nothing"
    (tmp_path / "link").symlink_to(folder)
    assert private(load_config(tmp_path / "link" / "config.json", home)) == private(config)
    elsewhere = {**home, "XDG_STATE_HOME": "/srv/state"}
    assert load_config(folder / "config.json", elsewhere).state_path == Path(
        f"/srv/state/face_det{folder}/state"
    )
    relative = {**home, "XDG_STATE_HOME": "state"}  # which the XDG rules tell to ignore
    assert private(load_config(folder / "config.json", relative)) == private(config)


def test_elsewhere_they_stay_beside_the_file(make, home: Environment) -> None:
    """Without a checkout nothing changes."""
    folder = make("plain", git=False)
    names = ("state", "keys", "web-credentials.json")
    assert private(load_config(folder / "config.json", home)) == [folder / name for name in names]


def test_what_exists_stays_in_use(make, home: Environment) -> None:
    """Each file is used where it is, also in a checkout, and also if the checkout ceases to be one."""
    folder = make("clone")
    (folder / "state").mkdir()
    config = load_config(folder / "config.json", home)
    assert config.state_path == folder / "state"
    assert config.keys_path != folder / "keys"
    config.keys_path.mkdir(parents=True)
    (folder / ".git").rmdir()
    assert load_config(folder / "config.json", home).keys_path == config.keys_path


def test_no_two_configurations_share_a_place(make, home: Environment) -> None:
    """Two clones, and a folder within a worktree, whose .git is a file, have places of their own."""
    first, second = make("first"), make("second", git=False)
    (second / ".git").write_text("gitdir: /srv/main/.git/worktrees/second\n")
    (second / "inner").mkdir()
    (second / "inner" / "config.json").write_text('{"faceDetServer": {}}')
    folders = (first, second, second / "inner")
    configs = [load_config(folder / "config.json", home) for folder in folders]
    assert len({path for config in configs for path in private(config)}) == 9
    assert all(path.is_relative_to(home["HOME"]) for config in configs for path in private(config))


def test_a_place_that_was_set_is_used(make, home: Environment) -> None:
    """The file and the environment win; the other keys of `http` do not unset the place of passwords."""
    folder = make("clone", statePath="./memory", http={"port": 8081})
    config = load_config(folder / "config.json", {**home, "FACE_DET_KEYSPATH": "secret"})
    assert private(config)[:2] == [folder / "memory", folder / "secret"]
    assert config.http.port == 8081
    assert config.http.credentials_path.is_relative_to(home["HOME"])
    config = load_config(folder / "config.json", {**home, "FACE_DET_HTTP": '{"port": 8082}'})
    assert config.http.port == 8082
    assert config.http.credentials_path.is_relative_to(home["HOME"])


def test_what_callers_changed_is_read_from_there(make, home: Environment) -> None:
    """A rate that a caller set holds for the next command."""
    folder = make("clone", falseAcceptRate=0.05)
    state = load_config(folder / "config.json", home).state_path
    state.mkdir(parents=True)
    (state / "settings.json").write_text('{"falseAcceptRate": 0.002}')
    config = load_config(folder / "config.json", home)
    assert (config.false_accept_rate, config.source_of("falseAcceptRate")) == (0.002, "settings")


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root")
def test_root_uses_the_owners_place(make, home: Environment) -> None:
    """`sudo face-det forget` finds what the daemon of the checkout's owner remembers."""
    folder = make("clone")
    os.chown(folder, 1, 1)
    config = load_config(folder / "config.json", {**home, "XDG_STATE_HOME": "/srv/state"})
    assert config.state_path == Path(f"{pwd.getpwuid(1).pw_dir}/.local/state/face_det{folder}/state")
    os.chown(folder, 4_000_000_000, 1)  # nobody: there is no such user
    assert load_config(folder / "config.json", home).state_path == folder / "state"


def test_what_a_moved_checkout_left_behind(make, home: Environment) -> None:
    """The places of folders that are gone are listed, and no others."""
    there, gone = make("there"), make("gone")
    for folder in (there, gone):
        place = place_outside(folder, "state", home)
        assert place is not None
        (place / "photos").mkdir(parents=True)
    assert list_abandoned(home) == []
    (gone / "config.json").unlink()
    (gone / ".git").rmdir()
    gone.rmdir()
    assert list_abandoned(home) == [Path(f"{home['HOME']}/.local/state/face_det{gone}")]
