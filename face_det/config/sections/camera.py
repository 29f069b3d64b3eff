"""The settings of each of `cameras`."""

from __future__ import annotations

from urllib.parse import urlsplit

from pydantic import BaseModel, field_validator

from face_det.config.fields import STRICT, field, number

CAMERA_SCHEMES = ("http", "https", "rtsp", "rtsps", "v4l2", "file")


class Camera(BaseModel):
    """The settings of one of `cameras`."""

    model_config = STRICT

    url: str = field(
        ...,
        f"an address that begins with {', '.join(CAMERA_SCHEMES[:-1])} or file",
        "Where a picture comes from: a snapshot or an MJPEG stream (`http`), a stream (`rtsp`), a device "
        "(`v4l2:///dev/video0`), or a picture or video (`file`).",
    )
    live: bool = field(
        False, "true or false", "Watch it all the time, with `face-det watch`: see ../how-to/cameras.md."
    )
    fps: float = number(5, 0.01, 60, "The most pictures a second that are looked at, if it is `live`.")
    verify_tls: bool = field(
        True, "true or false", "Check the camera's certificate; false if it is self-signed."
    )
    comment: str = field("", "text", "A note to the reader, otherwise ignored.")

    @field_validator("url")
    @classmethod
    def _is_an_address(cls, value: str) -> str:
        parts = urlsplit(value)
        if parts.scheme not in CAMERA_SCHEMES or not (
            parts.path if parts.scheme in ("v4l2", "file") else parts.hostname
        ):
            raise ValueError("no address of a camera")
        _ = parts.port  # raises ValueError if there is no such port
        return value
