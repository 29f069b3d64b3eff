"""The command `face-det web`: runs the gateway in the foreground, and manages who may use it."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

import click
from click.core import ParameterSource

from face_det.cli.shared_options import ConfigSource, config_option
from face_det.cli.times import format_time

NOTICED = "a running `face-det web` uses the change at once"


@click.group(
    invoke_without_command=True,
    help="Serve the page and the HTTP routes, as a client of the daemon. SIGTERM and SIGINT stop it. "
    "PORT in the environment sets the port, and CAMERA_URL a camera. The commands below manage who may "
    "use them; run those as the user that runs `face-det web`.",
)
@config_option
@click.pass_context
def command(context: click.Context, config_source: ConfigSource) -> None:
    """Run the gateway, unless one of the commands below follows."""
    if context.invoked_subcommand is None:
        from face_det.gateway import apply_environment, run_gateway

        run_gateway(apply_environment(config_source.load(), os.environ))


@command.command(
    "password", help="Set the password of the page, which ends all sessions. You are asked for it twice."
)
@click.option("--stdin", "from_stdin", is_flag=True, help="Read the password from the first line of stdin.")
@config_option
@click.pass_context
def password_command(context: click.Context, from_stdin: bool, config_source: ConfigSource) -> None:
    """Keep the hash of a new password."""
    from face_det.gateway import set_password

    path = _credentials_path(context)
    if from_stdin:
        password = sys.stdin.readline().rstrip("\r\n")
    elif sys.stdin.isatty():
        password = _ask_for_password()
    else:
        raise click.UsageError(
            "there is no terminal to ask for the password; add --stdin to read it from a pipe"
        )
    set_password(path, password)
    click.echo(f"written to {path}; {NOTICED}", err=True)


def _ask_for_password() -> str:
    try:
        answer: str = click.prompt("Password", hide_input=True, confirmation_prompt=True, err=True)
    except click.Abort:  # Ctrl-C, or the end of the input
        click.echo("\nface-det: interrupted; nothing was changed", err=True)
        raise click.exceptions.Exit(130) from None
    return answer


@command.group("tokens", help="Manage the tokens with which programs use the HTTP routes.")
def tokens_command() -> None:
    """Group the commands for tokens."""


@tokens_command.command("add", help="Create a token for a program and print it. It is not shown again.")
@click.argument("name")
@config_option
@click.pass_context
def add_command(context: click.Context, name: str, config_source: ConfigSource) -> None:
    """Print a new token and keep its hash."""
    from face_det.gateway import add_token

    click.echo(add_token(_credentials_path(context), name))
    click.echo(f"{name} sends it as `Authorization: Bearer TOKEN`; {NOTICED}", err=True)


@tokens_command.command("list", help="List the tokens, by name.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@config_option
@click.pass_context
def list_command(context: click.Context, as_json: bool, config_source: ConfigSource) -> None:
    """Print names and when each token was made."""
    from face_det.gateway import load_credentials

    tokens = load_credentials(_credentials_path(context)).tokens
    if as_json:
        click.echo(json.dumps([{"name": token.name, "added": token.added} for token in tokens], indent=2))
    else:
        for token in tokens:
            click.echo(f"{format_time(token.added)}  {token.name}")


@tokens_command.command("remove", help="Withdraw a token.")
@click.argument("name")
@config_option
@click.pass_context
def remove_command(context: click.Context, name: str, config_source: ConfigSource) -> None:
    """Remove the hash of a token."""
    from face_det.gateway import remove_token

    remove_token(_credentials_path(context), name)
    click.echo(f"the token of {name} is no longer accepted; {NOTICED}", err=True)


def _credentials_path(context: click.Context) -> Path:
    """Return the credentials' path by the --config that was given, wherever in the command line it stands."""
    places = [place for place in _lineage(context) if "config_source" in place.params]
    given = [
        place
        for place in places
        if place.get_parameter_source("config_source") is ParameterSource.COMMANDLINE
    ]
    source: ConfigSource = (given or places)[0].params["config_source"]
    return source.load().http.credentials_path


def _lineage(context: click.Context) -> list[click.Context]:
    return [context, *(_lineage(context.parent) if context.parent is not None else [])]
