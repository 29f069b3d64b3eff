"""Which embedder answers and which enrols; and the engines that have them, on one detector.

What answers computes only what its model takes. What enrols computes all encodings that there are,
so that the next training may choose among them.
"""

from __future__ import annotations

import functools
import logging
from collections.abc import Collection

from face_det.embedders import (
    ALL_DLIB_EMBEDDERS,
    ALL_EMBEDDERS,
    DLIB_RESNET,
    SFACE,
    configurable_embedder,
    configurable_embedders,
    embedder_from_fingerprint,
    joined_embedders,
)
from face_det.errors import ModelMismatch
from face_det.nets import WEIGHTS_CATALOGUE, weights_available
from face_det.recognition.model import Model

log = logging.getLogger(__name__)

AUTO_EMBEDDER = "auto"
"""An embedder's name in the configuration: what the model was trained on."""


def choose_recognition_embedder(wanted: str, model: Model | None, place: object = "model") -> str:
    """The embedder whose encodings a model takes; without one, the one to be trained on.

    ModelMismatch if another is asked for, or the model's is not on the menu.
    """
    if model is None:
        return wanted if wanted != AUTO_EMBEDDER else SFACE if weights_available(SFACE) else DLIB_RESNET
    made = embedder_from_fingerprint(model.card.fingerprint)
    if configurable_embedder(made) not in configurable_embedders():
        menu = ", ".join(configurable_embedders())
        raise ModelMismatch(
            f"{place}: must be trained on encodings of one of {menu}, got {made}; run 'face-det train'"
        )
    if wanted not in (AUTO_EMBEDDER, configurable_embedder(made)):
        raise ModelMismatch(
            f"{place}: must be trained on encodings of {wanted} (embedder in config.json), "
            f"got {configurable_embedder(made)}; run 'face-det train', "
            f"or set embedder to {configurable_embedder(made)} or {AUTO_EMBEDDER}"
        )
    return made


def choose_enrolment_embedder(wanted: str, kept: Collection[str] | None = None) -> str:
    """The embedder that photos are enrolled with: all there are, unless dlib's alone is asked for; of
    these, only those that are `kept`, if it is given.

    Where sface's weights are missing, and it was not asked for by name, dlib's, and that is said once.
    """
    most = ALL_DLIB_EMBEDDERS if wanted == DLIB_RESNET else ALL_EMBEDDERS
    if wanted == AUTO_EMBEDDER and (kept is None or SFACE in kept) and not weights_available(SFACE):
        _warn_sface_missing()
        most = ALL_DLIB_EMBEDDERS
    parts = tuple(part for part in joined_embedders()[most] if kept is None or part in kept)
    return next((name for name, joined in joined_embedders().items() if joined == parts), DLIB_RESNET)


@functools.cache
def _warn_sface_missing() -> None:
    log.warning(
        "%s's weights are not installed: faces are encoded by %s alone; to have both: %s",
        *(SFACE, DLIB_RESNET, WEIGHTS_CATALOGUE[SFACE].install),
    )
