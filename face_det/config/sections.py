"""The settings that are objects of their own: `sightings`, `http`, `video`, and each of `cameras`."""

from __future__ import annotations

import ipaddress
from pathlib import Path
from urllib.parse import urlsplit

from pydantic import BaseModel, ValidationInfo, field_validator

from face_det.config.fields import STRICT, absolute, field, integer, number, path

STAND_INS = ("compreface", "deepstack")
"""The servers whose routes can be served in their place."""

CAMERA_SCHEMES = ("http", "https", "rtsp", "rtsps", "v4l2", "file")


class Sightings(BaseModel):
    """The settings in `sightings`: how much is remembered of who was seen."""

    model_config = STRICT

    keep_days: float = number(30, 0, 36_500, "Days. Sightings and events are removed when they are older.")
    max_count: int = integer(200_000, 1, 10**9, "The most sightings. Above it the oldest are removed.")
    max_mb: float = number(
        2000, 1, 10**7, "The most megabytes the database may hold. Above it the oldest sightings are removed."
    )
    unknown_keep_days: float = number(
        90, 0, 36_500, "Days. An unknown person who has not been seen for this long is forgotten."
    )
    frames: bool = field(
        False,
        "true or false",
        "Keep a copy of the whole picture, at most 1280 px wide or high, and not only of each face.",
    )
    visit_gap: float = number(
        60, 0.1, 86_400, "Seconds. Faces that a camera sees within this time of each other are one visit."
    )
    number_after_visits: int = integer(
        1,
        1,
        100,
        "An unknown person gets a number, as in `unknown-3`, after this many visits, but not before the "
        "second clear sighting.",
    )


class Http(BaseModel):
    """The settings in `http`: how `face-det web` serves the page and the routes."""

    model_config = STRICT

    host: str = field(
        "127.0.0.1",
        "an address or a host name",
        "The address to listen on. Beyond this machine (`0.0.0.0`, say), a password or a token is required: "
        "`face-det web password`, `face-det web tokens`.",
        min_length=1,
    )
    port: int = integer(8080, 0, 65_535, "The port to listen on; 0 lets the system choose one.")
    credentials_path: Path = path(
        "./web-credentials.json", "The file of the password and the tokens, which `face-det web` manages."
    )
    allowed_hosts: tuple[str, ...] = field(
        (),
        "a list of host names",
        "Names under which browsers reach the page, such as `faces.example.org`. Addresses, localhost and "
        "this machine's name are always accepted.",
    )
    trusted_proxies: tuple[str, ...] = field(
        (),
        "a list of addresses or networks",
        "Reverse proxies whose X-Forwarded and X-Ingress-Path headers are believed, such as `172.30.32.2` "
        "for Home Assistant.",
    )
    ingress_address: str = field(
        "",
        "an address",
        "The address of Home Assistant's ingress, `172.30.32.2` in an add-on. Whoever comes through it needs "
        "no password, because Home Assistant knows who that is. Its headers are believed, as if it were one "
        "of trustedProxies. Default: nobody.",
    )
    tls_certificate: Path | None = field(None, "a path", "A certificate chain in PEM, to serve https.")
    tls_key: Path | None = field(None, "a path", "The private key that goes with tlsCertificate.")
    legacy_get: bool | None = field(
        None,
        "true or false",
        "Let GET requests change things, as in /add-face/NAME. Default: only if `host` is this machine.",
    )
    stand_ins: tuple[str, ...] = field(
        (),
        f"a list of {', '.join(STAND_INS)}",
        "Other servers whose routes are served, too, so that their clients work unchanged.",
    )
    max_upload_mb: float = number(
        32, 0.1, 10_000, "The most megabytes in one upload; a restore may be larger."
    )

    @field_validator("credentials_path", "tls_certificate", "tls_key", mode="before")
    @classmethod
    def _path_is_absolute(cls, value: object, info: ValidationInfo) -> object:
        return absolute(value, info)

    @field_validator("allowed_hosts", "trusted_proxies", "stand_ins", mode="before")
    @classmethod
    def _list_is_a_tuple(cls, value: object) -> object:
        return tuple(value) if isinstance(value, list) else value

    @field_validator("trusted_proxies")
    @classmethod
    def _proxies_are_addresses(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for proxy in value:
            ipaddress.ip_network(proxy, strict=False)
        return value

    @field_validator("ingress_address")
    @classmethod
    def _ingress_is_one_address(cls, value: str) -> str:
        return str(ipaddress.ip_address(value)) if value else ""

    @field_validator("stand_ins")
    @classmethod
    def _stand_ins_exist(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        if not set(value) <= set(STAND_INS):
            raise ValueError("not on the menu")
        return value


class VideoSettings(BaseModel):
    """The settings in `video`: how much of a video is looked at; they are Ringface's, by default without
    limits."""

    model_config = STRICT

    parallelism: int = integer(
        0, 0, 256, "How many threads each network uses for a video; 0 means one for each processor."
    )
    each_frame: int = integer(
        1, 1, 100_000, "Only every n-th frame is looked at. 1 is all: what can be skipped is skipped anyway."
    )
    min_frames: int = integer(
        0, 0, 10**9, "Of so many frames at the start each is looked at, whatever eachFrame says."
    )
    max_frames: int = integer(
        0, 0, 10**9, "Nothing is looked at behind so many frames of the video; 0 means no limit."
    )
    stop_after_empty_frames: int = integer(
        0,
        0,
        10**9,
        "Once somebody was seen, the rest is not looked at if so many frames in a row show nobody. 0 means "
        "that all is.",
    )
    min_thumbnail_size_in_px: int = integer(
        0, 0, 100_000, "Strangers whose faces are all narrower or shorter are not reported."
    )


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
        True, "true or false", "Check the camera's certificate; false for one that it signed itself."
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
