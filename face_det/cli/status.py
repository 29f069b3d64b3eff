"""The command `face-det status`: how the daemon is doing."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import click

from face_det.cli.shared_options import ConfigSource, daemon_options, make_client
from face_det.cli.terminal import count_of, make_printable

TIMEOUT_S = 10.0


@click.command(
    help="Show how the daemon is doing: its model, photos, networks, calls and queue. Exit code 75 if none "
    "answers."
)
@daemon_options
@click.option("--json", "as_json", is_flag=True, help="Print everything, as JSON.")
def command(remote: str | None, keys: Path | None, config_source: ConfigSource, as_json: bool) -> None:
    """Run the command."""
    with make_client(config_source.load(), TIMEOUT_S, endpoint=remote, keys=keys) as client:
        status = client.status()
    if as_json:
        click.echo(json.dumps(status, indent=2))
        return
    for key, text in _describe(status):
        click.echo(f"{key + ':':10}{make_printable(text)}")


def _describe(status: dict[str, Any]) -> Iterator[tuple[str, str]]:
    uptime = timedelta(seconds=round(status["uptime_s"]))
    yield "daemon", f"{status['endpoint']}, version {status['version']}, pid {status['pid']}, up {uptime}"
    yield "photos", status.get("dataset", "unknown")
    model = status["model"]
    if model is None:
        yield "model", "none trained yet: every face is answered `unrecognised`"
    else:
        people = count_of(len([name for name in model["classes"] if name != "Unknown"]), "person")
        trained = f", trained {model['trained_at']}" if model["trained_at"] else ""
        yield "model", f"{model.get('file', '')}: {model['classifier']} of {people}{trained}"
        if model.get("why"):
            yield "kind", model["why"]
    for key in ("model_file", "stale"):
        found = status.get(key)
        text = found["text"] if isinstance(found, dict) else found
        if text:
            yield "note", text
    yield "networks", f"{status.get('detector')}, {status.get('embedder')} on {status.get('runtime')}"
    calls = ", ".join(f"{count} {name}" for name, count in status["counters"].items() if count)
    yield "counted", calls or "nothing yet"
    waiting = f"{status['queue_depth']} of at most {status['queue_size']} waiting"
    yield "calls", f"{status['running']} of {status['workers']} threads busy, {waiting}"
    if status.get("sightings") is not None:
        yield from _describe_sightings(status["sightings"])
    if status.get("p50_ms") is not None:
        yield "took", f"{status['p50_ms']:.0f} ms (median), {status['p95_ms']:.0f} ms (95th percentile)"


def _describe_sightings(seen: dict[str, Any]) -> Iterator[tuple[str, str]]:
    if "sightings" in seen:
        people = count_of(seen["unknowns"], "unknown person")
        yield (
            "seen",
            f"{count_of(seen['sightings'], 'sighting')}, {people}, {seen['mb']} MB in {seen['path']}",
        )
    for name, about in seen.get("consumers", {}).items():
        yield "reader", f"{name}: {_describe_reader(about)}"
    if seen.get("dropped"):
        yield "note", f"{count_of(seen['dropped'], 'picture')} could not be remembered; see the log"
    if seen.get("fault"):
        yield "note", f"sightings are waiting to be recorded: {seen['fault']}"
    for name in seen.get("movedAside", ()):
        yield "note", f"{name}: a damaged database that was moved aside"


def _describe_reader(about: dict[str, Any]) -> str:
    runs = f"on {about['owner']}" if about.get("owner") else "not running, or without a lease"
    age = timedelta(seconds=round(about["behind_s"]))
    if about["behind"] is None:
        return f"{runs}; all is done up to {age} ago"
    waiting = count_of(about["behind"], "event")
    return f"{runs}; {waiting} to handle{f', the oldest since {age}' if about['behind'] else ''}"
