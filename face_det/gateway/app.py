"""Assembles the application from its routes."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from itertools import chain
from typing import Any

from fastapi import FastAPI
from starlette.types import ASGIApp

from face_det import __version__
from face_det.cameras import Cameras, configured_sources
from face_det.config import Config
from face_det.gateway import compat, health, metrics, page, zoneminder
from face_det.gateway.api import API
from face_det.gateway.daemon import Daemon, PatientDaemon
from face_det.gateway.motion import MotionQueue
from face_det.gateway.openapi import describe_problems
from face_det.gateway.problems import describe_errors
from face_det.gateway.security import session_routes
from face_det.gateway.security.access import Access
from face_det.gateway.security.guard import Guard
from face_det.gateway.security.headers import SecurityHeaders
from face_det.gateway.security.proxies import TrustedProxies
from face_det.gateway.state import Gateway
from face_det.gateway.uploads import BodyLimit
from face_det.gateway.views import Views

_MEGA = 1_000_000
MAX_RESTORE_BYTES = 10_000 * _MEGA
MOTION_GRACE_S = 20.0
"""How long reported motion is still looked into when the gateway is stopped."""


class GatewayApp(FastAPI):
    """An app whose outermost middleware also sees the answers to unexpected errors.

    Its OpenAPI document describes our errors.
    """

    def openapi(self) -> dict[str, Any]:
        """Return the OpenAPI document, which is built once."""
        if self.openapi_schema is None:
            self.openapi_schema = describe_problems(super().openapi())
        return self.openapi_schema

    def build_middleware_stack(self) -> ASGIApp:
        """Put the layers together."""
        gateway: Gateway = self.state.gateway
        http = gateway.http
        layers = SecurityHeaders(super().build_middleware_stack())
        return TrustedProxies(layers, http.trusted_proxies, http.ingress_address)


def create_app(config: Config, daemon: Daemon) -> FastAPI:
    """Return the application that serves the page and all routes, as a client of `daemon`."""
    http = config.http
    views = Views(Cameras(configured_sources(config.cameras)), daemon)
    events = zoneminder.event_queue(config.zoneminder, daemon)
    gateway = Gateway(config, http, PatientDaemon(daemon), views, MotionQueue(views.keep), events)

    @contextlib.asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
        async with views.cameras:
            if events is not None:
                await events.start()
            yield
            stopping = [queue.stop(MOTION_GRACE_S) for queue in (gateway.motion, events) if queue is not None]
            await asyncio.gather(*stopping)
            await gateway.background.stop()

    app = GatewayApp(
        title="face_det",
        version=__version__,
        description="Local face recognition: who is in a picture, who was seen, who is enrolled.",
        docs_url=None,
        redoc_url=None,
        lifespan=lifespan,
    )
    app.state.gateway = gateway
    describe_errors(app)
    app.state.access = access = Access(http)
    # The last one added is the first that sees a request.
    logins = dict.fromkeys((session_routes.LOGIN_PATH, compat.PYZM_LOGIN), session_routes.MAX_LOGIN_BYTES)
    limits = {**logins, "/api/v1/restore": MAX_RESTORE_BYTES}
    app.add_middleware(
        BodyLimit,
        max_bytes=round(http.max_upload_mb * _MEGA),
        other_limits=limits,
        json_pictures=compat.JSON_PICTURES,
    )
    app.add_middleware(Guard, access=access)
    app.include_router(health.ROUTES)
    app.include_router(metrics.ROUTES)
    for routes in (*compat.ROUTERS, *chain.from_iterable(compat.STAND_INS[name] for name in http.stand_ins)):
        app.include_router(routes)
    app.include_router(zoneminder.ROUTES)
    app.include_router(session_routes.ROUTES)
    app.include_router(API)
    page.load()
    app.include_router(page.ROUTES)
    return app
