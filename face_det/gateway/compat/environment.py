"""Settings from the environment variables that the server for Home Assistant reads."""

from __future__ import annotations

from collections.abc import Mapping

from face_det.config import Camera, Config
from face_det.errors import ConfigError

CAMERA = "camera"
"""What the camera at CAMERA_URL is called, if no other is configured."""

MAX_PORT = 65_535


def apply_environment(config: Config, environ: Mapping[str, str]) -> Config:
    """Return the configuration with PORT and CAMERA_URL applied; the file's own cameras win.

    Raises ConfigError if one of them cannot be used.

    >>> apply_environment(Config(), {"PORT": "3000"}).http.port
    3000
    """
    changes: dict[str, object] = {}
    if port := environ.get("PORT"):
        if not port.isdecimal() or int(port) > MAX_PORT:
            raise ConfigError([f"environment: PORT: must be a number from 0 to {MAX_PORT}, got {port!r:.60}"])
        changes["http"] = config.http.model_copy(update={"port": int(port)})
    if (address := environ.get("CAMERA_URL")) and not config.cameras:
        try:
            changes["cameras"] = {CAMERA: Camera(url=address)}
        except ValueError as error:
            # The address is not shown, because it may contain a password.
            fault = "environment: CAMERA_URL: must be an address of http, https, rtsp or file"
            raise ConfigError([fault]) from error
    return config.model_copy(update=changes)
