"""The settings in `frigate`."""

from __future__ import annotations

from pathlib import Path

from pydantic import BaseModel, field_validator

from face_det.config.fields import STRICT, absolute, field, integer, list_to_tuple, number, web_address


class Frigate(BaseModel):
    """The settings in `frigate`: where Frigate is, and which of its events get names."""

    model_config = STRICT

    url: str = field(
        ...,
        "an address that begins with http or https",
        "Frigate's address: `http://HOST:5000` if you can reach that port, else `https://HOST:8971` with "
        "a user. No other address is ever contacted.",
    )
    user: str = field(
        "",
        "text",
        "The user to log in as; only an admin may set sub labels. Default: without a login.",
    )
    password_file: Path | None = field(None, "a path", "A file with the password of `user`.")
    verify_tls: bool = field(
        True, "true or false", "Check Frigate's certificate; false if it is self-signed."
    )
    timeout: float = number(10, 0.1, 600, "How many seconds Frigate may take to answer.")
    topic_prefix: str = field(
        "frigate",
        "the beginning of a topic",
        "Frigate's `mqtt.topic_prefix`.",
        pattern=r"^[^+#/\s][^+#\s]*$",
    )
    mqtt_user: str = field(
        "",
        "text",
        "The user at the broker in `mqtt` who may read Frigate's topics. Default: `mqtt.user`.",
    )
    mqtt_password_file: Path | None = field(
        None, "a path", "A file with the password of `mqttUser`. Default: `mqtt.passwordFile`."
    )
    cameras: tuple[str, ...] = field(
        (), "a list of names", "The cameras, by Frigate's names, whose events are looked at. Default: all."
    )
    zones: tuple[str, ...] = field(
        (),
        "a list of names",
        "Only people who entered one of these zones are looked at. Default: all.",
    )
    every: float = number(
        1, 0.1, 60, "Seconds between looks at the camera's newest frame while somebody is there."
    )
    max_pictures: int = integer(40, 1, 10_000, "The most frames of one event to look at in this way.")
    overwrite: bool = field(
        False, "true or false", "Replace sub labels that somebody else set, such as Frigate itself."
    )

    _paths = field_validator("password_file", "mqtt_password_file", mode="before")(absolute)

    _lists = field_validator("cameras", "zones", mode="before")(list_to_tuple)

    @field_validator("url")
    @classmethod
    def _is_an_address(cls, value: str) -> str:
        return web_address(value)
