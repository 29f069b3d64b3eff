"""Chooses the embedder that recognises faces, and the one that enrols photos.

Recognition computes only what the model takes. Enrolment computes all available encodings, so that the
next training can choose among them.
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
    on_demand_embedders,
)
from face_det.errors import ModelMismatch
from face_det.nets import WEIGHTS_CATALOGUE, weights_available
from face_det.recognition.model import Model

log = logging.getLogger(__name__)

AUTO_EMBEDDER = "auto"
"""In the configuration: the embedder that the model was trained on; for a new model, the one that decides
best of those whose encodings are there."""


def choose_recognition_embedder(wanted: str, model: Model | None, place: object = "model") -> str:
    """Choose the embedder whose encodings the model takes; without a model, the one to train on.

    `wanted` is the configuration's embedder and `place` the model's path, for the message. Raises
    ModelMismatch if the configuration wants an embedder other than the model's, or if the model's does not
    exist here.

    >>> choose_recognition_embedder("dlib_resnet", None)
    'dlib_resnet'
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
    """Choose the embedder that photos are enrolled with.

    The result stands for all embedders, or for all of dlib's if the configuration wants dlib alone; those on
    demand join them where they are wanted or kept. With `kept`, only the kept ones among them are used. If
    sface's weights are missing and the configuration does not name it, dlib's are used, and a warning is
    logged once.

    >>> choose_enrolment_embedder("sface"), choose_enrolment_embedder("dlib_resnet", ["dlib_resnet"])
    ('all', 'dlib_resnet')
    >>> choose_enrolment_embedder("grey"), choose_enrolment_embedder("auto", ["dlib_resnet", "grey"])
    ('all+grey', 'dlib_resnet+grey')
    """
    on_demand = on_demand_embedders()
    most = ALL_DLIB_EMBEDDERS if wanted == DLIB_RESNET else ALL_EMBEDDERS
    if (
        wanted in (AUTO_EMBEDDER, *on_demand)
        and (kept is None or SFACE in kept)
        and not weights_available(SFACE)
    ):
        _warn_sface_missing()
        most = ALL_DLIB_EMBEDDERS
    parts = tuple(part for part in joined_embedders()[most] if kept is None or part in kept)
    base = next((name for name, joined in joined_embedders().items() if joined == parts), DLIB_RESNET)
    return "+".join([base, *(one for one in on_demand if one in (kept if kept is not None else (wanted,)))])


@functools.cache
def _warn_sface_missing() -> None:
    log.warning(
        "%s's weights are not installed: faces are encoded by %s alone; to have both: %s",
        *(SFACE, DLIB_RESNET, WEIGHTS_CATALOGUE[SFACE].install),
    )
