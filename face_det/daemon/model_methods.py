"""The methods about the model: why a face was answered so, and what can be changed about it."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from face_det.daemon import logs
from face_det.daemon.workers import Workers

if TYPE_CHECKING:
    from face_det.service import Service

log = logging.getLogger(__name__)


class ModelMethods:
    """The daemon's methods about the model; `service` returns the one in use.

    `learn` runs what changes something on the thread of all such changes, with lines in the audit log.
    """

    def __init__(
        self, service: Callable[[], Service], workers: Workers, learn: Callable[..., Any], limit_s: float
    ) -> None:
        self._service = service
        self._workers = workers
        self._learn = learn
        self._limit_s = limit_s

    def methods(self) -> Mapping[str, Callable[..., Any]]:
        """Return the methods by name."""
        return {
            "explain": self.explain,
        }

    def explain(self, sighting_or_image: Any, options: Any = None) -> Any:
        """Explain why a face was answered so: what a name required, the nearest photos, a photo to check."""
        with logs.log_call(log, "explain") as notes:
            return self._workers.submit(
                lambda: self._service().evidence.explain(sighting_or_image, options),
                limit_s=self._limit_s,
                notes=notes,
            )
