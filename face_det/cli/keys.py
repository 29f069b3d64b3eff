"""The command `face-det keys`: manages who may call over tcp."""

from __future__ import annotations

import json
from pathlib import Path

import click

from face_det.cli.shared_options import ConfigSource, config_option

RELOAD = "a running daemon notices on SIGHUP (systemctl reload face-detect)"


@click.group(
    help="Manage the keys for calls over tcp, in keysPath. Run this as the daemon's user, or it cannot "
    "read them."
)
def command() -> None:
    """Group the commands for keys."""


@command.command(
    "server", help="Create the server's key pair, once. The daemon encrypts tcp from its next start on."
)
@config_option
def server_command(config_source: ConfigSource) -> None:
    """Create the key pair and print the public key."""
    from face_det.rpc import create_server_keys

    folder = config_source.load().keys_path
    click.echo(create_server_keys(folder))
    click.echo(f"written to {folder}; next: face-det keys add NAME, then restart the daemon", err=True)


@command.command(
    "add", help="Create a key pair for a client and authorise it; copy the file to the client's machine."
)
@click.argument("name")
@click.option(
    "-o", "--output", type=click.Path(path_type=Path), help="The client's file; default: NAME.keys."
)
@click.option("--public", help="Authorise this public key; its secret key stays where it was created.")
@config_option
def add_command(name: str, output: Path | None, public: str | None, config_source: ConfigSource) -> None:
    """Write the client's file and record its public key."""
    from face_det.rpc import authorise_client

    if output is not None and public is not None:
        raise click.UsageError("--output cannot be combined with --public, which creates no key pair.")
    own_file = None if public is not None else (output or Path(f"{name}.keys")).absolute()
    authorise_client(config_source.load().keys_path, name, own_file, public)
    if own_file is not None:
        click.echo(own_file)
        click.echo("it holds a secret key: transfer it safely to the client, then delete it here", err=True)
    click.echo(f"{name} may call; {RELOAD}", err=True)


@command.command("list", help="List the clients that may call, with their public keys.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@config_option
def list_command(as_json: bool, config_source: ConfigSource) -> None:
    """Print names and public keys."""
    from face_det.rpc import load_authorised_keys

    found = sorted(
        (name, public) for public, name in load_authorised_keys(config_source.load().keys_path).items()
    )
    if as_json:
        click.echo(json.dumps([{"name": name, "public": public} for name, public in found], indent=2))
    else:
        for name, public in found:
            click.echo(f"{public}  {name}")


@command.command("remove", help="Withdraw a client's permission to call.")
@click.argument("name")
@config_option
def remove_command(name: str, config_source: ConfigSource) -> None:
    """Remove the client's public key."""
    from face_det.rpc import revoke_client

    revoke_client(config_source.load().keys_path, name)
    click.echo(f"{name} may no longer call; {RELOAD}", err=True)
