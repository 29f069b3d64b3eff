"""The methods about backups."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from face_det.config import Config, settings_path
from face_det.daemon import logs
from face_det.daemon.workers import Workers

if TYPE_CHECKING:
    from face_det.service import Backups, Service

log = logging.getLogger(__name__)

BACKUP_LIMIT_S = 6 * 3600.0


class BackupMethods:
    """The daemon's methods about backups.

    `learn` runs what changes something on the thread of all such changes, with lines in the audit log.
    """

    def __init__(
        self,
        service: Callable[[], Service],
        config: Callable[[], Config],
        config_path: Path | None,
        quick: Workers,
        learn: Callable[..., Any],
    ) -> None:
        self._service = service
        self._config = config
        self._config_path = config_path
        self._quick = quick
        self._learn = learn

    def methods(self) -> Mapping[str, Callable[..., Any]]:
        """Return the methods by name."""
        return {
            "backup": self.backup,
            "backups": self.backups,
            "read_backup": self.read_backup,
            "drop_backup": self.drop_backup,
        }

    def backup(self, options: Any = None) -> Any:
        """Make a backup of all photos, encodings, the model and the settings."""
        with logs.log_call(log, "backup") as notes:
            return self._learn("backup", lambda: self._open().backup(options), notes, BACKUP_LIMIT_S)

    def backups(self) -> Any:
        """List the backups, newest first."""
        with logs.log_call(log, "backups", logging.DEBUG) as notes:
            return self._ask(lambda: self._open().backups(), notes)

    def read_backup(self, id: Any, offset: Any, length: Any) -> Any:
        """Return a part of a backup, of at most 4 MiB."""
        with logs.log_call(log, "read_backup", logging.DEBUG) as notes:
            return self._ask(lambda: self._open().read_backup(id, offset, length), notes)

    def drop_backup(self, id: Any) -> Any:
        """Delete a backup."""
        with logs.log_call(log, "drop_backup") as notes:
            return self._learn("drop_backup", lambda: self._open().drop_backup(id), notes)

    def _open(self) -> Backups:
        from face_det.service import Backups

        state = self._config().state_path
        others = {"settings.json": settings_path(state)}
        if self._config_path is not None:
            others["config.json"] = self._config_path
        return Backups(self._service().access, state / "backups", others)

    def _ask(self, run: Callable[[], Any], notes: dict[str, Any]) -> Any:
        return self._quick.submit(run, limit_s=BACKUP_LIMIT_S, notes=notes)
