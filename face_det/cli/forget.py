"""The command `face-det forget`: removes people's photos and everything learnt from them."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import click

from face_det.cli import terminal
from face_det.cli.changes import ChangePlace, confirm, find_change_place
from face_det.cli.shared_options import ConfigSource, daemon_options
from face_det.config import Config
from face_det.errors import DataError, FaceDetError
from face_det.gallery import evaluation_cache_path
from face_det.rpc import command_caller
from face_det.service import open_audit_log
from face_det.storage import report_write_errors

TIMEOUT_S = 600.0
"""Seconds for a daemon to forget, which includes retraining on everybody else."""

Forget = Callable[[str], dict[str, Any]]


@click.command(
    help="Remove people's photos and everything learnt from them, for good. A running daemon does it and "
    "stops recognising them at once; without one, the files are changed directly. The daemon must serve the "
    "photos in datasetPath, unless --remote names it."
)
@click.argument("names", nargs=-1, required=True)
@click.option("-y", "--yes", is_flag=True, help="Do not ask for confirmation.")
@daemon_options
@click.option("--json", "as_json", is_flag=True, help="Print the report as JSON.")
def command(
    names: tuple[str, ...],
    yes: bool,
    remote: str | None,
    keys: Path | None,
    config_source: ConfigSource,
    as_json: bool,
) -> None:
    """Run the command."""
    config = config_source.load()
    place = find_change_place(config, remote, keys)
    confirm(f"Remove {', '.join(names)} for good, including the photos ({place})?", yes)
    done: list[dict[str, Any]] = []
    failed: list[FaceDetError] = []
    with _forgetter(place) as forget:
        for name in dict.fromkeys(names):
            try:
                done.append(forget(name))
            except DataError as error:
                # One unknown name must not keep the others from being removed.
                failed.append(error)
    if done:
        _forget_measurements()
    if as_json:
        click.echo(place.format_json(forgotten=done))
    else:
        for one in done:
            click.echo(f"{one['name']}: {_describe_removed(one)} ({place})")
            if one.get("notCompared"):
                left = terminal.count_of(one["notCompared"], "sighting")
                click.echo(
                    f"note: {left} without a name cannot be compared with anybody, and stayed", err=True
                )
    if failed:
        raise DataError("; ".join(map(str, failed))) if len(failed) > 1 else failed[0]


def _describe_removed(done: dict[str, Any]) -> str:
    photos = terminal.count_of(done["images"], "photo")
    if done.get("recordings"):
        photos += f", {terminal.count_of(done['recordings'], 'recording')}"
    encodings = terminal.count_of(done["encodings"], "encoding")
    if "sightings" not in done:
        return f"{photos} and {encodings} removed"
    sightings = terminal.count_of(done["sightings"], "sighting")
    recognised = (
        f", {done['recognised']} of them recognised without a name," if done.get("recognised") else ""
    )
    return f"{photos}, {encodings} and {sightings}{recognised} removed"


def _forget_measurements() -> None:
    """Delete the whole evaluation cache: its rows do not say whose they are, and it can be rebuilt."""
    cache = evaluation_cache_path()
    with report_write_errors(cache, "remove it by hand"):
        for path in sorted(cache.parent.glob(f"{cache.name}*")):
            path.unlink(missing_ok=True)


@contextlib.contextmanager
def _forgetter(place: ChangePlace) -> Iterator[Forget]:
    """Yield the function that forgets at `place`."""
    if place.status is None:
        yield _in_files(place.config)
        return
    with place.connect(TIMEOUT_S) as client:
        yield client.forget


def _in_files(config: Config) -> Forget:
    from face_det.service import build_enroller, forget_person

    enroller = build_enroller(config)
    log = open_audit_log(config.audit_path, config.encodings_path)

    def forget(name: str) -> dict[str, Any]:
        with log.recorded(command_caller(), "forget", name) as counts:
            removed = forget_person(enroller, None, config.state_path, name)
            counts |= {key: removed[key] for key in ("images", "encodings")}
        return {"name": name, **removed}

    return forget
