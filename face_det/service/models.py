"""The models that can be used: the one in use, and earlier ones."""

from __future__ import annotations

from typing import Any

from face_det.enrolment import use_model
from face_det.recognition import Model
from face_det.service import wire
from face_det.service.access import Access
from face_det.service.rates import Rates


class Models:
    """Answers `models` and `use_model`."""

    def __init__(self, access: Access) -> None:
        self._access = access
        self.rates = Rates(access)

    def models(self) -> list[dict[str, Any]]:
        """Return the model in use and the earlier ones that are kept, the newest first."""
        current, history = self._access.recognizer().model, self._access.enroller.history
        earlier = [] if history is None else [kept.model for kept in history.models()]
        found = [] if current is None else [_as_json(current, in_use=True)]
        return found + [
            _as_json(model, in_use=False)
            for model in earlier
            if current is None or model.fingerprint != current.fingerprint
        ]

    def use_model(self, fingerprint: object) -> dict[str, Any]:
        """Use an earlier model from the next call on; raises BadRequest or ModelMismatch."""
        wanted = wire.require_text(fingerprint, "model")
        with self._access.learning:
            self._access.use(use_model(self._access.enroller, wanted))
        return {"model": wire.model_as_json(self._access.recognizer().model)}


def _as_json(model: Model, *, in_use: bool) -> dict[str, Any]:
    verifier = model.verifier
    return {
        "model": model.fingerprint,
        "classifier": model.card.kind,
        "classes": list(model.labels),
        "trained_at": model.card.trained_at,
        "embedder": model.card.fingerprint and model.card.fingerprint.partition(":")[0],
        "in_use": in_use,
        "falseAcceptRate": None if verifier is None else verifier.rate,
        "threshold": None if verifier is None else verifier.threshold,
        "impostors": None if verifier is None else verifier.impostors,
    }
