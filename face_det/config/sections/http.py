"""The settings in `http`."""

from __future__ import annotations

import ipaddress
from pathlib import Path

from pydantic import BaseModel, field_validator

from face_det.config.fields import STRICT, absolute, field, integer, list_to_tuple, number, path

STAND_INS = ("compreface", "deepstack", "pyzm")
"""The servers whose routes can be served in their place."""


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
        "./web-credentials.json",
        "The file of the password and the tokens, which `face-det web` manages. In a git checkout elsewhere "
        "by default, as above.",
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

    _paths = field_validator("credentials_path", "tls_certificate", "tls_key", mode="before")(absolute)

    _lists = field_validator("allowed_hosts", "trusted_proxies", "stand_ins", mode="before")(list_to_tuple)

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
