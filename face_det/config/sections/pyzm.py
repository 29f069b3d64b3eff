"""The settings in `pyzm`."""

from __future__ import annotations

from pathlib import Path

from pydantic import BaseModel, field_validator

from face_det.config.fields import STRICT, absolute, field, number, web_address


class Pyzm(BaseModel):
    """The settings in `pyzm`: who answers what is asked of pyzm's gateway and is not about faces."""

    model_config = STRICT

    upstream: str = field(
        ...,
        "an address that begins with http or https",
        "The address of a `pyzm.serve`, such as `http://127.0.0.1:5000`, to which requests about anything "
        "but faces are relayed.",
    )
    user: str = field("", "text", "The user to log in as. Default: without a login.")
    password_file: Path | None = field(None, "a path", "A file with the password of `user`.")
    timeout: float = number(60, 0.1, 600, "How many seconds it may take to answer.")

    _paths = field_validator("password_file", mode="before")(absolute)

    @field_validator("upstream")
    @classmethod
    def _is_an_address(cls, value: str) -> str:
        return web_address(value)
