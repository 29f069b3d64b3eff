"""The methods about the model: explanations, earlier models, and the false accept rate."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

from face_det.config import Config, dump_settings, settings_path
from face_det.daemon import logs
from face_det.daemon.workers import Workers
from face_det.errors import BadRequest

if TYPE_CHECKING:
    from face_det.service import Service

T = TypeVar("T")

log = logging.getLogger(__name__)


RATE_KEY = "falseAcceptRate"


@dataclass(frozen=True, slots=True)
class ConfigInUse:
    """How to get the configuration in use, and to replace it by one with another setting."""

    get: Callable[[], Config]
    use: Callable[[Config], None]


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
        config: ConfigInUse,
    ) -> None:
        self._config = config
        self._service = service
        self._quick = quick
        self._workers = workers
        self._learn = learn
        self._limit_s = limit_s

    def methods(self) -> Mapping[str, Callable[..., Any]]:
        """Return the methods by name."""
        return {
            "explain": self.explain,
            "verify": self.verify,
            "models": self.models,
            "use_model": self.use_model,
            "preview": self.preview,
            "set_false_accept_rate": self.set_false_accept_rate,
        }

    def explain(self, sighting_or_image: Any, options: Any = None) -> Any:
        """Explain a face's answer: what a name required, the most similar photos, and a photo to check."""
        with logs.log_call(log, "explain") as notes:
            return self._workers.submit(
                lambda: self._service().explainer.explain(sighting_or_image, options),
                limit_s=self._limit_s,
                notes=notes,
            )

    def verify(self, image: Any, other: Any) -> Any:
        """Say whether two pictures show the same person, by the largest face of each."""
        with logs.log_call(log, "verify") as notes:
            return self._workers.submit(
                lambda: self._service().verification.verify(image, other), limit_s=self._limit_s, notes=notes
            )

    def models(self) -> Any:
        """List the model in use and the earlier ones that are kept, newest first."""
        with logs.log_call(log, "models", logging.DEBUG) as notes:
            return self._ask(lambda: self._service().models.models(), notes)

    def use_model(self, model: Any) -> Any:
        """Use an earlier model, named by its fingerprint, from the next call on."""
        with logs.log_call(log, "use_model") as notes:
            return self._learn("use_model", lambda: self._service().models.use_model(model), notes)

    def preview(self, false_accept_rate: Any = None) -> Any:
        """Say what false accept rates would mean for the photos that are enrolled."""
        with logs.log_call(log, "preview", logging.DEBUG) as notes:
            return self._ask(lambda: self._service().models.rates.preview(false_accept_rate), notes)

    def set_false_accept_rate(self, value: Any) -> Any:
        """Use a false accept rate from the next call on; null goes back to config.json's."""
        with logs.log_call(log, "set_false_accept_rate") as notes:
            return self._learn("set_false_accept_rate", lambda: self._set_rate(value), notes)

    def rate_in_force(self) -> dict[str, Any]:
        """Return the false accept rate, and who decided about it, for `status`."""
        config = self._config.get()
        return {"value": config.false_accept_rate, "source": config.source_of(RATE_KEY)}

    def _set_rate(self, value: Any) -> dict[str, Any]:
        from face_det.service import require_rate

        config, rate = self._config.get(), None if value is None else require_rate(value, "value")
        if config.source_of(RATE_KEY) == "environment":
            raise BadRequest(
                "value: cannot be set here, because FACE_DET_FALSEACCEPTRATE is set to "
                f"{config.false_accept_rate:g}; remove it from the daemon's environment"
            )
        changed = config.changed(RATE_KEY, rate)
        files = {settings_path(config.state_path): dump_settings({RATE_KEY: rate})}
        at_once = self._service().models.rates.set_rate(changed.false_accept_rate, files)
        self._config.use(changed)
        return {**self.rate_in_force(), "in_effect": at_once}

    def _ask(self, run: Callable[[], T], notes: dict[str, Any]) -> T:
        return self._quick.submit(run, limit_s=self._limit_s, notes=notes)
