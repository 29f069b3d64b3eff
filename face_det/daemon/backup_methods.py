"""The methods about backups."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import gevent

from face_det.config import Config, settings_path
from face_det.daemon import logs
from face_det.daemon.workers import Workers
from face_det.errors import FaceDetError

if TYPE_CHECKING:
    from face_det.service import Backups, Restores, Service

log = logging.getLogger(__name__)

BACKUP_LIMIT_S = 6 * 3600.0


@dataclass(frozen=True, slots=True)
class AfterReplacement:
    """What follows once everything was replaced.

    `reload` uses the settings that are there now, and returns whether that went well; `cancel` ends what is
    being found out about the people of before.
    """

    reload: Callable[[dict[str, Any]], bool]
    cancel: Callable[[], None]


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
        after: AfterReplacement,
    ) -> None:
        self._after = after
        self._service = service
        self._config = config
        self._config_path = config_path
        self._quick = quick
        self._learn = learn
        self._waiting: set[Any] = set()

    def methods(self) -> Mapping[str, Callable[..., Any]]:
        """Return the methods by name."""
        return {
            "backup": self.backup,
            "backups": self.backups,
            "read_backup": self.read_backup,
            "drop_backup": self.drop_backup,
            "write_restore": self.write_restore,
            "restore": self.restore,
            "clear": self.clear,
        }

    def backup(self, options: Any = None) -> Any:
        """Back up all photos, encodings, the model and the settings."""
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

    def write_restore(self, id: Any, offset: Any, data: Any) -> Any:
        """Append a part of at most 4 MiB to an archive that is to be restored; a new id begins one."""
        from face_det.service import UPLOAD_KEEP_S

        with logs.log_call(log, "write_restore", logging.DEBUG) as notes:
            answer = self._ask(lambda: self._restores().write_restore(id, offset, data), notes)
        if not offset:
            # Nobody may come by later, and an archive shows people.
            again = gevent.spawn_later(UPLOAD_KEEP_S + 1, self._remove_old_uploads)
            self._waiting.add(again)
            again.link(self._waiting.discard)
        return answer

    def restore(self, id: Any, options: Any = None) -> Any:
        """Restore an uploaded archive, completely or not at all; the previous state is backed up first."""
        with logs.log_call(log, "restore") as notes:
            return self._replace("restore", lambda: self._restores().restore(id, options), notes)

    def clear(self, options: Any = None) -> Any:
        """Remove everybody; the present state is backed up first."""
        with logs.log_call(log, "clear") as notes:
            return self._replace("clear", lambda: self._restores().clear(options), notes)

    def _replace(self, action: str, run: Callable[[], dict[str, Any]], notes: dict[str, Any]) -> Any:
        settings = settings_path(self._config().state_path)

        def replaced() -> dict[str, Any]:
            before = settings.read_bytes() if settings.is_file() else b""
            answer = run()
            after = settings.read_bytes() if settings.is_file() else b""
            return {**answer, "settings": self._after.reload(notes)} if before != after else answer

        try:
            return self._learn(action, replaced, notes, BACKUP_LIMIT_S)
        finally:
            # An evaluation that runs may be about people who are gone.
            self._after.cancel()

    def _remove_old_uploads(self) -> None:
        with contextlib.suppress(FaceDetError, OSError):
            self._ask(lambda: self._restores().remove_old_uploads(), {})

    def _restores(self) -> Restores:
        from face_det.service import Restores

        state = self._config().state_path
        return Restores(self._service().access, self._open(), settings_path(state), state)

    def _open(self) -> Backups:
        from face_det.service import Backups

        state = self._config().state_path
        others = {"settings.json": settings_path(state)}
        if self._config_path is not None:
            others["config.json"] = self._config_path
        return Backups(self._service().access, state / "backups", others)

    def _ask(self, run: Callable[[], Any], notes: dict[str, Any]) -> Any:
        return self._quick.submit(run, limit_s=BACKUP_LIMIT_S, notes=notes)
