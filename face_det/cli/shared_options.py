"""The options that commands share: where the configuration comes from, and how to reach the daemon."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click
from click.core import ParameterSource

from face_det.config import Config, load_config, locate_config
from face_det.embedders import EMBEDDERS, know_file
from face_det.registry import FILE_PREFIX, Menu
from face_det.service import is_unfinished

if TYPE_CHECKING:
    from face_det.rpc import Client

Decorated = TypeVar("Decorated", bound=Callable[..., Any])


class MenuChoice(click.Choice):  # type: ignore[type-arg, unused-ignore]
    """A name on a menu or, where the menu takes files, onnx:PATH, whose path is made absolute."""

    def __init__(self, menu: Menu[Any]) -> None:
        super().__init__(sorted(menu))
        self._menu = menu

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """Return the name, or fail as click.Choice does."""
        path = self._menu.path_in(value)
        return (
            f"{FILE_PREFIX}{path.absolute()}" if path is not None else str(super().convert(value, param, ctx))
        )


class EmbedderChoice(click.Choice):  # type: ignore[type-arg, unused-ignore]
    """An embedder that can be configured, or onnx:PATH, which is put on the menu by its absolute path."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """Return the name, or fail as click.Choice does; raises ModelMissing and ModelError for a file."""
        path = EMBEDDERS.path_in(value)
        if path is None:
            return str(super().convert(value, param, ctx))
        return know_file(f"{FILE_PREFIX}{path.absolute()}")


@dataclass(frozen=True, slots=True)
class ConfigSource:
    """Where a command reads its settings: a file, or only the environment if `path` is None."""

    path: Path | None

    def load(self) -> Config:
        """Read the settings from the file and the environment; raise ConfigError if any is wrong.

        A restore that was cut off is finished first: it replaces what callers have set, too.
        """
        config = load_config(self.path, os.environ)
        if not is_unfinished(config.state_path):
            return config
        from face_det.service import finish_restore

        finish_restore(config)
        return load_config(self.path, os.environ)


def _locate(context: click.Context, option: click.Parameter, path: Path | None) -> ConfigSource:
    return ConfigSource(locate_config(path, os.environ))


config_option = click.option(
    "--config",
    "config_source",
    type=click.Path(path_type=Path),
    callback=_locate,
    help="Configuration file; default: the one in FACE_DET_CONFIG, else ./config.json if it exists.",
)
"""Adds `--config` to a command, which receives it as the ConfigSource `config_source`."""

keys_option = click.option(
    "--keys", type=click.Path(path_type=Path), help="For tcp: the file written by `face-det keys add`."
)
"""Adds `--keys` to a command that can call a daemon."""


remote_option = click.option(
    "--remote", metavar="ENDPOINT", help="Use only the daemon at ipc:///PATH or tcp://HOST:PORT."
)
"""Adds `--remote` to a command that asks the configured daemon otherwise."""


def daemon_options(command: Decorated) -> Decorated:
    """Add `--remote`, `--keys` and `--config` to a command that asks a daemon."""
    return remote_option(keys_option(config_option(command)))


def spell_option(name: str) -> str:
    """Return how a parameter of the current command is typed: --min-proba for min_proba."""
    (option,) = (one for one in click.get_current_context().command.params if one.name == name)
    return next(text for text in option.opts if text.startswith("--"))


def refuse_ignored(where: str, *names: str) -> None:
    """Raise UsageError if one of these parameters of the current command was typed, as it does nothing.

    `where` is in which case, such as "without --video". What the environment sets may stay.
    """
    for name in names:
        if click.get_current_context().get_parameter_source(name) is ParameterSource.COMMANDLINE:
            raise click.UsageError(f"{spell_option(name)} does nothing {where}; leave it out.")


def refuse_keys(endpoint: str, keys: Path | None) -> None:
    """Raise UsageError if `--keys` was typed for an endpoint other than tcp, where nobody asks for keys."""
    if keys is not None and not endpoint.startswith("tcp:"):
        refuse_ignored(f"with {endpoint}, because only tcp has keys", "keys")


def make_client(
    config: Config, timeout_s: float, *, endpoint: str | None = None, keys: Path | None = None
) -> Client:
    """Make a client as `Client.configured` does, importing zerorpc only now, because that takes a while.

    Raises UsageError for keys that would do nothing.
    """
    from face_det.rpc import Client

    refuse_keys(endpoint or config.zerorpc_pipe, keys)
    return Client.configured(config, timeout_s, endpoint, keys)
