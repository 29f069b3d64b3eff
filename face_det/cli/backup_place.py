"""Where backups are made and taken back: by the daemon that answers, or in the files without one."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any, Protocol

import click

from face_det.cli import terminal
from face_det.cli.changes import ChangePlace
from face_det.cli.shared_options import ConfigSource
from face_det.rpc import command_caller

TIMEOUT_S = 3600.0
"""Seconds for a daemon to copy all photos."""

PART_BYTES = 2**20

Answer = dict[str, Any]


class Everything(Protocol):
    """The calls about everything at once; docs/reference/rpc.md describes them."""

    def backup(self, options: dict[str, Any]) -> Answer:
        """Make a backup."""

    def read_backup(self, identifier: str, offset: int, length: int) -> bytes:
        """Return a part of a backup."""

    def drop_backup(self, identifier: str) -> Answer:
        """Delete a backup."""

    def write_restore(self, identifier: str, offset: int, data: bytes) -> Answer:
        """Append a part of an archive that is to be restored."""

    def restore(self, identifier: str, options: dict[str, Any]) -> Answer:
        """Take over an archive."""

    def clear(self, options: dict[str, Any]) -> Answer:
        """Remove everybody."""


@contextlib.contextmanager
def open_everything(place: ChangePlace, source: ConfigSource) -> Iterator[Everything]:
    """Yield what makes the calls: a client of the daemon, or the same code without one."""
    if place.status is not None:
        with place.connect(TIMEOUT_S) as client:
            yield client
        return
    from face_det.service import build_service

    service = build_service(place.config, remember=True)
    try:
        yield _InFiles(place, source, service)
    finally:
        if service.memory is not None:
            service.memory.store.close()


def print_replaced(place: ChangePlace, report: Answer, done: str, *, as_json: bool) -> None:
    """Print the report of a call that replaced everybody; `done` is what was done to them."""
    if as_json:
        click.echo(place.format_json(**report))
        return
    people = terminal.count_of(report["people"], "person")
    photos = terminal.count_of(report["photos"], "photo")
    click.echo(f"{people} with {photos} {done} ({place})")
    click.echo(f"what was there before: backup {report['backup']}")


class _InFiles:
    """The calls without a daemon, with the same lines in the audit log."""

    def __init__(self, place: ChangePlace, source: ConfigSource, service: Any) -> None:
        from face_det.config import settings_path
        from face_det.service import Backups, Restores, open_audit_log

        config = place.config
        others = {"settings.json": settings_path(config.state_path)}
        if source.path is not None:
            others["config.json"] = source.path
        self._backups = Backups(service.access, config.state_path / "backups", others)
        self._restores = Restores(
            service.access, self._backups, settings_path(config.state_path), config.state_path
        )
        self._audit = open_audit_log(config.audit_path, config.encodings_path)
        self.read_backup = self._backups.read_backup
        self.write_restore = self._restores.write_restore

    def backup(self, options: dict[str, Any]) -> Answer:
        with self._audit.recorded(command_caller(), "backup"):
            return self._backups.backup(options)

    def drop_backup(self, identifier: str) -> Answer:
        with self._audit.recorded(command_caller(), "drop_backup"):
            return self._backups.drop_backup(identifier)

    def restore(self, identifier: str, options: dict[str, Any]) -> Answer:
        with self._audit.recorded(command_caller(), "restore"):
            return self._restores.restore(identifier, options)

    def clear(self, options: dict[str, Any]) -> Answer:
        with self._audit.recorded(command_caller(), "clear"):
            return self._restores.clear(options)
