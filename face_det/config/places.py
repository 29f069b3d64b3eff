"""Where settings that name no place put what is private: beside config.json, but not in a git checkout.

There `git add -f` would publish it, and `git clean -x` delete it.
"""

from __future__ import annotations

import os
import pwd
from collections.abc import Mapping
from pathlib import Path

PRIVATE = {"statePath": "state", "keysPath": "keys", "http.credentialsPath": "web-credentials.json"}
"""The settings that have a default place here, and what it is called."""


def default_place(base: Path, name: str, environ: Mapping[str, str]) -> Path:
    """Return where `name`, a file or folder, is by default for the config.json in the folder `base`.

    That is `base/name` if it exists or `base` is in no git checkout, else `place_outside`. What exists
    is used where it is, whether or not somebody has moved it out. Nothing is created.

    >>> default_place(Path("/srv/faces"), "state", {})
    PosixPath('/srv/faces/state')
    """
    beside, outside = base / name, place_outside(base, name, environ)
    if outside is None or os.path.lexists(beside):
        return beside
    return outside if os.path.lexists(outside) or is_exposed(beside, environ) else beside


def place_outside(base: Path, name: str, environ: Mapping[str, str]) -> Path | None:
    """Return the place of `name` in the user's folder for state; None if the user has no home.

    It repeats the path of `base`, so that no two configurations share a place.

    >>> place_outside(Path("/"), "state", {"HOME": "/"}) == Path("/.local/state/face_det/state")
    True
    """
    root = _find_root(base, environ)
    return None if root is None else Path(f"{root}{base.resolve()}", name)


def is_exposed(path: Path, environ: Mapping[str, str]) -> bool:
    """Tell whether a folder above `path` is a git checkout, and `path` is not where it should be in any case.

    >>> is_exposed(Path("/srv/faces/state"), {})
    False
    """
    folder, root = path.parent.resolve(), _find_root(path.parent, environ)
    if root is not None and folder.is_relative_to(root.resolve()):
        return False  # somebody who keeps their home folder in git
    return any(os.path.lexists(above / ".git") for above in (folder, *folder.parents))


def list_abandoned(environ: Mapping[str, str]) -> list[Path]:
    """Return this user's places outside of checkouts that are not there any more.

    >>> list_abandoned({"XDG_STATE_HOME": "/nowhere"})
    []
    """
    root = _find_root(None, environ)
    abandoned = []
    for folder, inner, files in os.walk(root or ""):
        own = {*inner, *files} & {*PRIVATE.values()}
        if own and not Path("/", os.path.relpath(folder, root)).exists():
            abandoned.append(Path(folder))
        inner[:] = [name for name in inner if name not in own]
    return sorted(abandoned)


def _find_root(base: Path | None, environ: Mapping[str, str]) -> Path | None:
    """Return face_det's folder by the XDG base directory rules.

    For root it is that of the user to whom `base` belongs: `sudo face-det forget` must find what their
    daemon remembers.
    """
    user = owner = os.geteuid()
    if user == 0 and base is not None and base.is_dir():
        owner = base.stat().st_uid
    state_home, home = Path(environ.get("XDG_STATE_HOME", "")), Path(environ.get("HOME", ""))
    if owner == user and state_home.is_absolute():
        return state_home / "face_det"
    if owner != user or not home.is_absolute():
        try:
            home = Path(pwd.getpwuid(owner).pw_dir)
        except KeyError:
            return None
    return home / ".local" / "state" / "face_det"
