"""Enrols faces out of frames: through the daemon, if one runs, or in the files."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from face_det.cli.changes import ChangePlace
from face_det.config import Config
from face_det.media import load_image
from face_det.rpc import command_caller
from face_det.service import open_audit_log
from face_det.types import Box

TIMEOUT_S = 600.0
"""Seconds for a daemon to learn a photo, which includes training on everybody."""

Enrol = Callable[[str, bytes, "Box | None"], dict[str, Any]]


def make_enrol(find_place: Callable[[], ChangePlace]) -> Enrol:
    """Return the function that enrols; it looks for the daemon each time, since one may have been started."""

    def enrol(name: str, picture: bytes, near: Box | None) -> dict[str, Any]:
        place = find_place()
        if place.status is None:
            return _in_files(place.config, name, picture, near)
        options = {} if near is None else {"faceBox": _edges(near)}
        with place.connect(TIMEOUT_S) as client:
            return client.add_face(name, picture, options)

    return enrol


def _edges(box: Box) -> dict[str, float]:
    return {edge: getattr(box, edge) for edge in ("ymin", "xmin", "ymax", "xmax")}


def _in_files(config: Config, name: str, picture: bytes, near: Box | None) -> dict[str, Any]:
    from face_det.service import build_enroller

    log = open_audit_log(config.audit_path, config.encodings_path)
    rgb = load_image(picture, max_pixels=config.max_pixels, max_bytes=config.max_file_bytes, place="picture")
    with log.recorded(command_caller(), "enrol", name) as counts:
        enrolled = build_enroller(config).enrol(name, picture, rgb, near)
        counts |= {"images": enrolled.images}
    return {"name": enrolled.name, "images": enrolled.images}
