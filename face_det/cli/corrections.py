"""Runs a correction of what the daemon remembers, and says what it changed and how to undo it."""

from __future__ import annotations

import json
import shlex
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from click.core import ParameterSource

from face_det.cli.changes import find_change_place
from face_det.cli.shared_options import ConfigSource
from face_det.cli.terminal import make_printable
from face_det.errors import Unreachable

if TYPE_CHECKING:
    from face_det.rpc import Client

TIMEOUT_S = 600.0
"""Seconds for a correction, which may include enrolling photos and training."""

Answer = dict[str, Any]

json_option = click.option(
    "--json", "as_json", is_flag=True, help="Print the daemon's answer as JSON instead of text."
)
"""Adds `--json` to a command that prints what the daemon answered."""


def run_correction(
    call: Callable[[Client], Answer],
    describe: Callable[[Answer], str],
    remote: str | None,
    keys: Path | None,
    config_source: ConfigSource,
    as_json: bool,
    undoable: bool = True,
) -> None:
    """Let the daemon make a change, and print it and, if it is `undoable`, how; raises what the daemon does.

    Raises OtherDataset if the configured daemon serves other photos, since a correction may add some.
    """
    place = find_change_place(config_source.load(), remote, keys)
    if place.status is None:
        raise Unreachable(
            f"{place.endpoint}: a daemon must answer there, got no answer; is it running? "
            "`face-det serve` or `face-det up` starts it. Only the daemon "
            "knows who was seen, so nothing was changed"
        )
    with place.connect(TIMEOUT_S) as client:
        answer = call(client)
    if as_json:
        click.echo(json.dumps(answer, indent=2))
        return
    click.echo(make_printable(describe(answer)))
    if undoable:
        click.echo(f"undo with: face-det unknowns undo {answer['change']}{_where()}")


def refuse_options_before(context: click.Context) -> None:
    """Raise UsageError if options of a list were given before a subcommand, which would ignore them."""
    given = [
        parameter
        for parameter in context.command.params
        if context.get_parameter_source(parameter.name or "") is ParameterSource.COMMANDLINE
    ]
    if given:
        raise click.UsageError(
            f"{given[0].opts[0]} would do nothing before `{context.invoked_subcommand}`, whose options come "
            "after it."
        )


def _where() -> str:
    """Return the options that named the daemon in the current command, to name it again."""
    context = click.get_current_context()
    words: list[str] = []
    for parameter in context.command.params:
        name = parameter.name or ""
        typed = context.get_parameter_source(name) is ParameterSource.COMMANDLINE
        if name in ("remote", "keys", "config_source") and typed:
            value = context.params[name]
            words += [parameter.opts[0], str(value.path if isinstance(value, ConfigSource) else value)]
    return "".join(f" {shlex.quote(word)}" for word in words)
