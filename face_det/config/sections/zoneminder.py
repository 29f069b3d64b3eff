"""The settings in `zoneminder`."""

from __future__ import annotations

from pathlib import Path

from pydantic import BaseModel, field_validator

from face_det.config.fields import STRICT, absolute, field, number, web_address


class ZoneMinder(BaseModel):
    """The settings in `zoneminder`: where ZoneMinder is, and how its events are read."""

    model_config = STRICT

    url: str = field(
        ...,
        "an address that begins with http or https",
        "ZoneMinder's address, such as `http://127.0.0.1/zm`. No other is ever contacted.",
    )
    user: str = field(
        "", "text", "The user to log in as, with rights to view and edit events. Default: without one."
    )
    password_file: Path | None = field(None, "a path", "A file with the password of `user`.")
    events_path: Path | None = field(
        None,
        "a path",
        "The folder of ZoneMinder's events, such as /var/cache/zoneminder/events. Frames are read from it, "
        "and objdetect.jpg and objects.json written. Default: frames come from the API.",
    )
    queue_path: Path | None = field(
        None,
        "a path",
        "A file for the queue of reported events, so that a restart of `face-det web` loses none. Default: "
        "it is kept in memory.",
    )
    verify_tls: bool = field(
        True, "true or false", "Check ZoneMinder's certificate; false if it is self-signed."
    )
    timeout: float = number(10, 0.1, 600, "How many seconds ZoneMinder may take to answer.")
    max_wait: float = number(
        120,
        0,
        86_400,
        "How many seconds to wait for the next frame of an event that is still being recorded.",
    )

    _paths = field_validator("password_file", "events_path", "queue_path", mode="before")(absolute)

    @field_validator("url")
    @classmethod
    def _is_an_address(cls, value: str) -> str:
        return web_address(value)
