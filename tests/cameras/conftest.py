"""Real servers: cameras over http, and GStreamer's RTSP server."""

from __future__ import annotations

import pytest
from camera_server import CameraServer
from rtsp_fixtures import certificates, pictures, rtsp

__all__ = ["camera", "certificates", "pictures", "rtsp"]


@pytest.fixture(scope="module")
def camera(pictures):
    """A server of cameras that speak http."""
    server = CameraServer(pictures)
    yield server
    server.stop()
