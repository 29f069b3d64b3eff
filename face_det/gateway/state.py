"""What every route can use: the settings, the daemon, the cameras, and background work."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import Annotated

from fastapi import Depends, Request

from face_det.config import Config, Http
from face_det.gateway.background import Background
from face_det.gateway.daemon import Daemon
from face_det.gateway.motion import MotionQueue
from face_det.gateway.views import Views
from face_det.integrations import EventQueue


@dataclass(frozen=True, slots=True)
class Gateway:
    """State that lives as long as the process."""

    config: Config
    http: Http
    daemon: Daemon
    views: Views
    motion: MotionQueue
    events: EventQueue | None
    background: Background = field(default_factory=Background)
    started: float = field(default_factory=time.monotonic)


def _get_gateway(request: Request) -> Gateway:
    gateway: Gateway = request.app.state.gateway
    return gateway


GatewayState = Annotated[Gateway, Depends(_get_gateway)]
"""A route's parameter of this type receives the Gateway."""
