"""Puts the routes together."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator

from fastapi import FastAPI

from face_det import __version__
from face_det.config import Config, Http
from face_det.gateway import health, page
from face_det.gateway.api import API
from face_det.gateway.problems import describe_errors
from face_det.gateway.state import Daemon, Gateway
from face_det.gateway.uploads import BodyLimit

_MEGA = 1_000_000


def create_app(config: Config, daemon: Daemon) -> FastAPI:
    """Return the application that serves the page and all routes, as a client of `daemon`."""
    http = config.http or Http()
    gateway = Gateway(config, http, daemon)

    @contextlib.asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
        yield
        await gateway.background.stop()

    app = FastAPI(
        title="face_det",
        version=__version__,
        description="Local face recognition: who is in a picture, who was seen, who is enrolled.",
        docs_url=None,
        redoc_url=None,
        lifespan=lifespan,
    )
    app.state.gateway = gateway
    describe_errors(app)
    app.add_middleware(BodyLimit, max_bytes=round(http.max_upload_mb * _MEGA))
    app.include_router(health.ROUTES)
    app.include_router(API)
    app.include_router(page.ROUTES)
    return app
