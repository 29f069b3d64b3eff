"""The settings in `mqtt`."""

from __future__ import annotations

from pathlib import Path

from pydantic import BaseModel, field_validator

from face_det.config.fields import STRICT, absolute, field, integer, number, web_address


class Mqtt(BaseModel):
    """The settings in `mqtt`: the broker to which `face-det mqtt` publishes events."""

    model_config = STRICT

    host: str = field("127.0.0.1", "an address or a host name", "Where the broker is.", min_length=1)
    port: int = integer(1883, 1, 65_535, "Its port; brokers use 8883 for TLS.")
    id: str = field(
        "home",
        "1 to 32 letters, digits, _ and -",
        "The name of this installation, in topics such as face_det/home/front/event. Each installation at a "
        "broker needs its own.",
        pattern=r"^[A-Za-z0-9_-]{1,32}$",
    )
    user: str = field("", "text", "The user to log in as. Default: without a login.")
    password_file: Path | None = field(
        None, "a path", "A file that holds the user's password and nothing else."
    )
    tls: bool = field(False, "true or false", "Encrypt the connection, and check the broker's certificate.")
    ca_file: Path | None = field(
        None, "a path", "The authority that signed the broker's certificate, in PEM. Default: the system's."
    )
    certificate: Path | None = field(None, "a path", "Our own certificate in PEM, if the broker wants one.")
    key: Path | None = field(None, "a path", "The private key that goes with certificate.")
    discovery_prefix: str = field(
        "homeassistant",
        "the beginning of a topic",
        "Where Home Assistant looks for devices.",
        pattern=r"^[^+#/\s][^+#\s]*$",
    )
    page: str = field(
        "",
        "an address that begins with http or https",
        "The address of face_det's page in your network, to which Home Assistant then has a button.",
    )
    late_after: float = number(
        120,
        1,
        86_400,
        "Seconds. Somebody who was seen longer ago, because the broker was away, is reported at "
        ".../event/late and not at .../event, so that no automation takes it for now.",
    )

    double_take_topics: bool = field(
        False,
        "true or false",
        "Also publish in Double Take's format, to double-take/matches/NAME and double-take/cameras/CAMERA.",
    )
    commands: bool = field(
        False,
        "true or false",
        "Carry out commands published to face_det/home/command/...: enrol, train, ignore. Whoever may "
        "publish there can change who is recognised.",
    )

    @field_validator("page")
    @classmethod
    def _is_an_address(cls, value: str) -> str:
        return web_address(value) if value else value

    _paths = field_validator("password_file", "ca_file", "certificate", "key", mode="before")(absolute)
