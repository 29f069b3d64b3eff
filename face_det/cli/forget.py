"""`face-det forget`: remove people's photos and everything that was learnt of them."""

from __future__ import annotations

import contextlib
import json
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import click

from face_det.config import Config, load_config, locate_config
from face_det.errors import DataError, FaceDetError, Unreachable
from face_det.gallery import evaluation_cache_path
from face_det.rpc import command_caller
from face_det.service import open_audit_log
from face_det.storage import report_write_errors

PROBE_S, TIMEOUT_S = 10.0, 600.0
"""For a daemon to say that it is there; and for it to forget, since all that remains is learnt anew."""

Forget = Callable[[str], dict[str, Any]]


@click.command(
    help="Remove people's photos and all that was learnt of them, for good: through the daemon where one "
    "answers, so that it knows them no more at once, else in the files."
)
@click.argument("names", nargs=-1, required=True)
@click.option("-y", "--yes", is_flag=True, help="Do not ask.")
@click.option(
    "--remote", metavar="ENDPOINT", help="Only through the daemon at ipc:///PATH or tcp://HOST:PORT."
)
@click.option("--keys", type=click.Path(path_type=Path), help="For tcp: the file of `face-det keys add`.")
@click.option("--config", "config_path", type=click.Path(path_type=Path), help="config.json to use.")
@click.option("--json", "as_json", is_flag=True, help="Print the report as JSON.")
def command(
    names: tuple[str, ...],
    yes: bool,
    remote: str | None,
    keys: Path | None,
    config_path: Path | None,
    as_json: bool,
) -> None:
    """Entry point of the command."""
    config = load_config(locate_config(config_path, os.environ), os.environ)
    _confirm(names, yes)
    done: list[dict[str, Any]] = []
    failed: list[FaceDetError] = []
    with _forgetter(config, remote, keys) as (forget, place):
        for name in dict.fromkeys(names):
            try:
                done.append(forget(name))
            except DataError as error:
                # One name that nobody has does not keep the others' photos here.
                failed.append(error)
    if done:
        _forget_measurements()
    if as_json:
        click.echo(json.dumps({"by": place, "forgotten": done}, indent=2))
    else:
        for one in done:
            what = f"{_plural(one['images'], 'photo')} and {_plural(one['encodings'], 'encoding')}"
            click.echo(f"{one['name']}: {what} removed ({place})")
    if failed:
        raise DataError("; ".join(map(str, failed))) if len(failed) > 1 else failed[0]


def _forget_measurements() -> None:
    """Of this user, of anybody: whose each row is cannot be told, and it is only a cache."""
    cache = evaluation_cache_path()
    with report_write_errors(cache, "remove it by hand"):
        for path in sorted(cache.parent.glob(f"{cache.name}*")):
            path.unlink(missing_ok=True)


def _plural(number: int, what: str) -> str:
    return f"{number} {what}" if number == 1 else f"{number} {what}s"


def _confirm(names: Sequence[str], yes: bool) -> None:
    if yes:
        return
    if not sys.stdin.isatty():
        raise click.UsageError("nobody is here to ask whether to remove them for good; give --yes")
    click.confirm(f"Remove {', '.join(names)} for good, photos and all?", abort=True, err=True)


@contextlib.contextmanager
def _forgetter(config: Config, remote: str | None, keys: Path | None) -> Iterator[tuple[Forget, str]]:
    """What forgets, and where that is."""
    from face_det.rpc import Client

    place = remote or config.zerorpc_pipe
    try:
        with Client.configured(config, PROBE_S, remote, keys) as client:
            client.status()
    except Unreachable:
        if remote is not None:
            raise
        yield _in_files(config), f"no daemon answers at {place}: in the files"
        return
    with Client.configured(config, TIMEOUT_S, remote, keys) as client:
        yield client.forget, f"by the daemon at {place}"


def _in_files(config: Config) -> Forget:
    from face_det.service import build_learner

    learner, log = build_learner(config), open_audit_log(config)

    def forget(name: str) -> dict[str, Any]:
        with log.recorded(command_caller(), "forget", name) as counts:
            found = learner.forget(name)
            counts |= {"images": found.images, "encodings": found.encodings}
        return {"name": name, "images": found.images, "encodings": found.encodings}

    return forget
