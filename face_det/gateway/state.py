"""What every route may use: the settings and the connection to the daemon."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import Annotated, Any, Protocol

from fastapi import Depends, Request

from face_det.config import Config, Http
from face_det.gateway.background import Background


class Daemon(Protocol):
    """The daemon, as routes see it."""

    async def call(self, verb: str, *args: Any, timeout_s: float | None = None) -> Any:
        """Call a verb and return its answer; raise the error that the daemon reports, or Unreachable."""
        ...


@dataclass(frozen=True, slots=True)
class Gateway:
    """The settings, the connection to the daemon, and the work in progress, for the life of the process."""

    config: Config
    http: Http
    daemon: Daemon
    background: Background = field(default_factory=Background)
    started: float = field(default_factory=time.monotonic)


def _get_gateway(request: Request) -> Gateway:
    gateway: Gateway = request.app.state.gateway
    return gateway


GatewayState = Annotated[Gateway, Depends(_get_gateway)]
"""A route's parameter of this type receives the Gateway."""
