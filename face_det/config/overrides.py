"""Settings that callers changed while the daemon ran, in a file in statePath: config.json stays its owner's.

A value there stands above config.json and below the environment.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import BaseModel, PrivateAttr
from pydantic.alias_generators import to_snake
from typing_extensions import Self

from face_det.storage import abbreviate_json, read_json

SETTINGS_NAME = "settings.json"
OVERRIDABLE_KEYS = ("falseAcceptRate",)


class Overridable(BaseModel):
    """A configuration that knows which of its settings config.json does not decide."""

    _sources: dict[str, tuple[str, Any, str]] = PrivateAttr(default_factory=dict)
    """For settings that config.json does not decide: who does, what holds without that, and who says so."""

    def with_sources(
        self, in_file: Mapping[str, Any], changed: Mapping[str, Any], in_environment: Mapping[str, Any]
    ) -> Self:
        """Note, in this new configuration, who decided about settings that callers can change."""
        for key in OVERRIDABLE_KEYS:
            below = "config" if key in in_file else "default"
            default = in_file.get(key, type(self).model_fields[to_snake(key)].default)
            if key in in_environment:
                self._sources[key] = ("environment", in_environment[key], below)
            elif key in changed:
                self._sources[key] = ("settings", default, below)
        return self

    def source_of(self, key: str) -> str:
        """Return who decided about a setting: environment, settings (a caller), config or default.

        >>> from face_det.config import Config
        >>> Config().source_of("falseAcceptRate")
        'default'
        """
        known = "config" if to_snake(key) in self.model_fields_set else "default"
        return self._sources[key][0] if key in self._sources else known

    def changed(self, key: str, value: Any) -> Self:
        """Return the configuration with a setting as a caller wants it; None means as config.json has it.

        >>> from face_det.config import Config
        >>> changed = Config().changed("falseAcceptRate", 0.01)
        >>> changed.source_of("falseAcceptRate")
        'settings'
        >>> changed.changed("falseAcceptRate", None).source_of("falseAcceptRate")
        'default'
        """
        name = to_snake(key)
        decided = self.source_of(key)
        _, beneath, below = self._sources.get(key, (decided, getattr(self, name), decided))
        copied = self.model_copy(update={name: beneath if value is None else value})
        copied._sources = {other: one for other, one in self._sources.items() if other != key}
        if value is not None:
            copied._sources[key] = ("settings", beneath, below)
        elif below == "default":
            copied.model_fields_set.discard(name)
        return copied


def settings_path(state_path: Path) -> Path:
    """Return the file of changed settings.

    >>> settings_path(Path("/srv/state"))
    PosixPath('/srv/state/settings.json')
    """
    return state_path / SETTINGS_NAME


def dump_settings(values: Mapping[str, Any]) -> bytes | None:
    """Return the content of the file; None, for no file, if nothing is changed.

    >>> dump_settings({"falseAcceptRate": 0.01}), dump_settings({"falseAcceptRate": None})
    (b'{"falseAcceptRate": 0.01}\\n', None)
    """
    kept = {key: value for key, value in values.items() if value is not None}
    return json.dumps(kept).encode() + b"\n" if kept else None


def read_settings(path: Path) -> tuple[dict[str, Any], list[str]]:
    """Return the values in the file, and what is wrong with it; nothing if it is not there or not ours.

    Only the daemon's user may read it, and other users' commands go by config.json.
    """
    try:
        if not path.is_file():
            return {}, []
        content = read_json(path)
    except PermissionError:
        return {}, []
    except ValueError as error:
        if isinstance(error.__cause__, PermissionError):
            return {}, []
        return {}, [f"{error}; correct or delete it"]
    if not isinstance(content, dict) or not {*content} <= {*OVERRIDABLE_KEYS}:
        menu = ", ".join(OVERRIDABLE_KEYS)
        return {}, [
            f"must be an object with {menu} alone, got {abbreviate_json(content)}; correct or delete it"
        ]
    return content, []
