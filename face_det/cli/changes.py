"""Where a command makes its changes: through the daemon that answers, or in the files without one."""

from __future__ import annotations

import json
import os
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from face_det.cli.shared_options import make_client
from face_det.config import Config
from face_det.errors import OtherDataset, Unreachable

if TYPE_CHECKING:
    from face_det.rpc import Client

PROBE_S = 10.0
"""Seconds for a daemon to respond."""


@dataclass(frozen=True, slots=True)
class ChangePlace:
    """Who makes a change, and in which folder of photos.

    `status` is what the daemon says of itself; None if none answers, and the files are changed directly.
    """

    endpoint: str
    dataset: str
    status: dict[str, Any] | None
    config: Config = field(repr=False)
    remote: str | None = None
    keys: Path | None = None

    def connect(self, timeout_s: float) -> Client:
        """Return a client of the daemon."""
        return make_client(self.config, timeout_s, endpoint=self.remote, keys=self.keys)

    def format_json(self, **report: Any) -> str:
        """Return a report as JSON, with who made the change and in which folder of photos."""
        return json.dumps({"by": str(self), "dataset": self.dataset, **report}, indent=2)

    def __str__(self) -> str:
        """Name the folder and the daemon, for questions and reports."""
        if self.status is None:
            return f"in the files, since no daemon answers at {self.endpoint}; photos: {self.dataset}"
        return f"by the daemon at {self.endpoint}; photos: {self.dataset}"


def find_change_place(config: Config, remote: str | None, keys: Path | None) -> ChangePlace:
    """Ask the daemon which photos it serves.

    `remote` names a daemon, whose photos are then meant, whatever the configuration says. Raises
    OtherDataset if the configured daemon serves photos other than datasetPath, and Unreachable if `remote`
    does not answer.
    """
    endpoint, ours = remote or config.zerorpc_pipe, os.path.realpath(config.dataset_path)
    try:
        with make_client(config, PROBE_S, endpoint=remote, keys=keys) as client:
            status = client.status()
    except Unreachable:
        if remote is not None:
            raise
        return ChangePlace(endpoint, ours, None, config)
    theirs = status.get("dataset")
    if remote is None and theirs != ours:
        raise OtherDataset(_other_dataset_faults(endpoint, theirs, ours))
    dataset = theirs or "unknown; restart the daemon to learn it"
    return ChangePlace(endpoint, dataset, status, config, remote, keys)


def require_terminal() -> None:
    """End the command with a usage error if nobody can be asked."""
    if not sys.stdin.isatty():
        raise click.UsageError("there is no terminal to ask for confirmation; add --yes")


def confirm(question: str, yes: bool) -> None:
    """Ask before a change, unless `yes`; end the command, by its exit code, if the user does not agree."""
    if yes:
        return
    require_terminal()
    try:
        agreed = click.confirm(question, err=True)
    except click.Abort:  # Ctrl-C, or the end of the input
        click.echo("\nface-det: interrupted; nothing was changed", err=True)
        raise click.exceptions.Exit(130) from None
    if not agreed:
        click.echo("face-det: nothing was changed", err=True)
        raise click.exceptions.Exit(1)


def _other_dataset_faults(endpoint: str, theirs: str | None, ours: str) -> list[str]:
    if theirs is None:
        return [
            f"{endpoint}: the daemon there must say which photos it serves, but it is of an older version; "
            "restart it; nothing was changed"
        ]
    return [
        f"{endpoint}: the daemon there must serve {ours} (datasetPath), but it serves {theirs}; "
        f"nothing was changed. For {theirs}, add --remote {endpoint}, or --config with that daemon's "
        f"config.json; for {ours}, set a zerorpcPipe of its own in config.json"
    ]
