"""The parameters to try, and the services that answer by them."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields, replace
from pathlib import Path

from face_det.embedders import embedder_from_fingerprint
from face_det.errors import DataError, ModelMissing
from face_det.gallery import Gallery
from face_det.recognition import Model
from face_det.registry import FILE_PREFIX
from face_det.service import Service
from face_det.training import DEFAULT_FALSE_ACCEPT_RATE, recalibrate_model, refit_model

CONFIG_KEYS = {
    "detector": "faceDetModel",
    "upsample": "numFaceImgUpsample",
    "min_face_px": "minFace",
    "focus_threshold": "focusMeasureThreshold",
    "min_proba": "minProba",
    "false_accept_rate": "falseAcceptRate",
    "classifier": "classifier",
}
"""The key in config.json of each parameter."""
IN_THE_MODEL = ("false_accept_rate", "classifier")
"""What a configuration decides at the next training only; it is tried on a copy of the model in memory."""

KEPT_SERVICES = 3
"""How many sets of parameters keep their networks, 200 MB or so each, for whoever goes to and fro."""


@dataclass(frozen=True, slots=True)
class TuningParameters:
    """What to try instead of the configuration's values; None leaves a value as it is.

    `upsample` counts doublings, `min_face_px` is in pixels, `focus_threshold` is the variance of the
    Laplacian; `min_proba` and `false_accept_rate` are shares.
    """

    detector: str | None = None
    upsample: int | None = None
    min_face_px: float | None = None
    focus_threshold: float | None = None
    min_proba: float | None = None
    false_accept_rate: float | None = None
    classifier: str | None = None

    def as_config(self) -> dict[str, str]:
        """Return what is to be tried, by the keys of config.json.

        >>> TuningParameters(detector="hog", min_proba=0.8).as_config()
        {'faceDetModel': 'hog', 'minProba': '0.8'}
        """
        values = {field.name: getattr(self, field.name) for field in fields(self)}
        return {CONFIG_KEYS[name]: str(value) for name, value in values.items() if value is not None}


class TunedServices:
    """Builds a service for each set of parameters, and keeps the latest ones. Several threads may ask."""

    def __init__(self, build: Callable[[TuningParameters], Service], encodings: Path) -> None:
        """`build` makes a service whose configuration has the parameters; `encodings` is the file of them."""
        self._build, self._encodings = build, encodings
        self._services: dict[TuningParameters, Service] = {}
        self._building = threading.Lock()

    def of(self, parameters: TuningParameters) -> Service:
        """Return the service for these parameters.

        Raises ConfigError for a value that is out of range, ModelMissing or DataError if the model cannot be
        changed so, and whatever loading networks and model raises.
        """
        with self._building:
            service = self._services.pop(parameters, None)
            if service is None:
                service = self._build(parameters)
                _change_model(service, parameters, self._encodings)
            self._services[parameters] = service
            for oldest in list(self._services)[:-KEPT_SERVICES]:
                del self._services[oldest]
            return service

    def forget(self) -> None:
        """Build services anew, because somebody was enrolled."""
        with self._building:
            self._services.clear()


def _change_model(service: Service, parameters: TuningParameters, encodings: Path) -> None:
    """Give a service the model that these parameters would make; nothing is written."""
    kind, rate = parameters.classifier, parameters.false_accept_rate
    recognizer = service.access.recognizer()
    model = recognizer.model
    if kind in (None, "auto") and rate is None:
        return
    if model is None:
        raise ModelMissing("no model is trained yet, so there is none to change; run face-det train")
    gallery = Gallery.load(encodings)
    if kind not in (None, "auto", model.recipe):
        changed = _fit_other(model, gallery, str(kind), rate)
    else:
        assert rate is not None or kind == model.recipe
        changed = model if rate is None else _with_rate(model, gallery, rate)
    service.access.use(replace(recognizer, model=changed))


def _fit_other(model: Model, gallery: Gallery, kind: str, rate: float | None) -> Model:
    """Fit another kind of classifier on the encodings, without a search."""
    if model.card.fingerprint is None:
        raise DataError(
            f"{model.place}: must say which encodings it was trained on, got one of the original; "
            "run face-det train"
        )
    if rate is None:
        rate = DEFAULT_FALSE_ACCEPT_RATE if model.verifier is None else model.verifier.rate
    embedder = embedder_from_fingerprint(model.card.fingerprint)
    fitted = refit_model(None, gallery, kind=kind, embedder=embedder, false_accept_rate=rate)
    if fitted is None:
        raise DataError(
            "the encodings file must hold photos to fit a classifier on, got none; run face-det encode"
        )
    if fitted.card.kind != kind:
        raise DataError(
            f"classifier: {kind} needs more photos of each person; "
            f"until then {fitted.card.kind} stands in for it"
        )
    return fitted


def _with_rate(model: Model, gallery: Gallery, rate: float) -> Model:
    changed = recalibrate_model(model, gallery, rate)
    if changed is None:
        raise DataError(
            f"falseAcceptRate: {model.place} must have a threshold to change, got none; use minProba, or run "
            "face-det train"
        )
    return changed


def parse_parameters(values: Mapping[str, str]) -> TuningParameters:
    """Return the parameters in a query, by the keys of config.json; an empty value leaves one as it is.

    Raises DataError for an unknown key, a file, or something that is no number where one is needed.

    >>> parse_parameters({"faceDetModel": "hog", "minFace": "20", "minProba": ""})
    ... # doctest: +ELLIPSIS
    TuningParameters(detector='hog', upsample=None, min_face_px=20.0, ...)
    """
    names = {key: name for name, key in CONFIG_KEYS.items()}
    found: dict[str, str | int | float] = {}
    for key, text in values.items():
        if key not in names:
            raise DataError(f"{key}: unknown; must be one of: {', '.join(names)}")
        name = names[key]
        try:
            if name == "detector" and text.startswith(FILE_PREFIX):
                # Whoever reaches the page could have any file read.
                raise DataError(f"{key}: a model of your own is chosen with --detector, not on the page")
            if text and name in ("detector", "classifier"):
                found[name] = text
            elif text:
                found[name] = int(text) if name == "upsample" else float(text)
        except ValueError:
            raise DataError(f"{key}: must be a number, got {text!r:.60}") from None
    return TuningParameters(**found)  # type: ignore[arg-type]
