"""`face-det keys`: who may call over tcp."""

from __future__ import annotations

import json
import os
from pathlib import Path

import click

from face_det.config import load_config, locate_config

RELOAD = "a running daemon takes it up with SIGHUP (systemctl reload face-detect)"
_CONFIG = click.option("--config", "config_path", type=click.Path(path_type=Path), help="config.json to use.")


@click.group(
    help="Keys for calls over tcp, in keysPath. Run it as the daemon's user, who must be able to read them."
)
def command() -> None:
    """Entry point of the command."""


@command.command("server", help="Make the server's pair, once. From its next start on, tcp is encrypted.")
@_CONFIG
def server_command(config_path: Path | None) -> None:
    """Make the pair; print the public key."""
    from face_det.rpc import create_server_keys

    folder = _keys_folder(config_path)
    click.echo(create_server_keys(folder))
    click.echo(f"written to {folder}; next: face-det keys add NAME, then restart the daemon", err=True)


@command.command("add", help="Make and authorise a client's pair; its file goes to the client's machine.")
@click.argument("name")
@click.option(
    "-o", "--output", type=click.Path(path_type=Path), help="The client's file; default: NAME.keys."
)
@click.option("--public", help="Authorise this public key; its secret stays where it was made.")
@_CONFIG
def add_command(name: str, output: Path | None, public: str | None, config_path: Path | None) -> None:
    """Write the client's file, and note its public key."""
    from face_det.rpc import authorise_client

    if output is not None and public is not None:
        raise click.UsageError("--output needs a pair of ours: not with --public.")
    own_file = None if public is not None else (output or Path(f"{name}.keys")).absolute()
    authorise_client(_keys_folder(config_path), name, own_file, public)
    if own_file is not None:
        click.echo(own_file)
        click.echo("it holds a secret: bring it to the client by a safe way, and delete it here", err=True)
    click.echo(f"{name} may call; {RELOAD}", err=True)


@command.command("list", help="The clients that may call, with their public keys.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@_CONFIG
def list_command(as_json: bool, config_path: Path | None) -> None:
    """Names and public keys."""
    from face_det.rpc import load_authorised_keys

    found = sorted((name, public) for public, name in load_authorised_keys(_keys_folder(config_path)).items())
    if as_json:
        click.echo(json.dumps([{"name": name, "public": public} for name, public in found], indent=2))
    else:
        for name, public in found:
            click.echo(f"{public}  {name}")


@command.command("remove", help="A client that may call no longer.")
@click.argument("name")
@_CONFIG
def remove_command(name: str, config_path: Path | None) -> None:
    """Remove its public key."""
    from face_det.rpc import revoke_client

    revoke_client(_keys_folder(config_path), name)
    click.echo(f"{name} may not call; {RELOAD}", err=True)


def _keys_folder(config_path: Path | None) -> Path:
    return load_config(locate_config(config_path, os.environ), os.environ).keys_path
