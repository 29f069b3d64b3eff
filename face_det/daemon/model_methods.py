"""The methods about the model: why a face was answered so, and what can be changed about it."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, TypeVar

from face_det.daemon import logs
from face_det.daemon.workers import Workers

if TYPE_CHECKING:
    from face_det.service import Service

T = TypeVar("T")

log = logging.getLogger(__name__)


class ModelMethods:
    """The daemon's methods about the model; `service` returns the one in use.

    `learn` runs what changes something on the thread of all such changes, with lines in the audit log.
    """

    def __init__(
        self,
        service: Callable[[], Service],
        workers: Workers,
        quick: Workers,
        learn: Callable[..., Any],
        limit_s: float,
    ) -> None:
        self._service = service
        self._quick = quick
        self._workers = workers
        self._learn = learn
        self._limit_s = limit_s

    def methods(self) -> Mapping[str, Callable[..., Any]]:
        """Return the methods by name."""
        return {
            "explain": self.explain,
            "models": self.models,
            "use_model": self.use_model,
        }

    def explain(self, sighting_or_image: Any, options: Any = None) -> Any:
        """Explain why a face was answered so: what a name required, the nearest photos, a photo to check."""
        with logs.log_call(log, "explain") as notes:
            return self._workers.submit(
                lambda: self._service().evidence.explain(sighting_or_image, options),
                limit_s=self._limit_s,
                notes=notes,
            )

    def models(self) -> Any:
        """List the model in use and the earlier ones that are kept, newest first."""
        with logs.log_call(log, "models", logging.DEBUG) as notes:
            return self._ask(lambda: self._service().models.models(), notes)

    def use_model(self, model: Any) -> Any:
        """Use an earlier model, named by its fingerprint, from the next call on."""
        with logs.log_call(log, "use_model") as notes:
            return self._learn("use_model", lambda: self._service().models.use_model(model), notes)

    def _ask(self, run: Callable[[], T], notes: dict[str, Any]) -> T:
        return self._quick.submit(run, limit_s=self._limit_s, notes=notes)
