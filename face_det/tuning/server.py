"""Serves the page to this machine only, below a path that nobody can guess."""

from __future__ import annotations

import asyncio
import hmac
import secrets
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any

from fastapi import APIRouter, Body, FastAPI, Request, Response
from fastapi.responses import JSONResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from face_det.errors import CannotListen, ConfigError, DataError
from face_det.gateway import (
    GatewayServer,
    SecurityHeaders,
    answer_document,
    answer_file,
    bundle_page,
    describe_errors,
    problem_response,
)
from face_det.tuning.parameters import TuningParameters, parse_parameters
from face_det.tuning.stepper import FrameStepper

HOST = "127.0.0.1"
OWN_FILES = Path(__file__).with_name("page")
"""What this page has beside the gateway's files."""


class SecretFolder:
    """Middleware that answers below /TOKEN/ only, and 404 to everything else.

    The address is the password: other users of the machine, and web pages that are open in the browser, can
    reach the port, but do not know it. It stands in no Referer of another origin (SecurityHeaders).
    """

    def __init__(self, app: ASGIApp, token: str) -> None:
        self._app, self._folder = app, f"/{token}"

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, with the folder as the root of its path, or answer it."""
        if scope["type"] == "http":
            first = f"/{scope['path'].split('/')[1]}" if "/" in scope["path"] else ""
            if not hmac.compare_digest(first.encode(), self._folder.encode()):
                await Response("not found\n", 404, media_type="text/plain")(scope, receive, send)
                return
            scope = {**scope, "root_path": self._folder}
        await self._app(scope, receive, send)


def create_page(
    stepper: FrameStepper, people: Callable[[], list[dict[str, Any]]], info: dict[str, Any]
) -> FastAPI:
    """Return the application: the page, and what it asks for.

    `people` lists who is enrolled, for the field with names. `info` says where the frames are from
    (`place`), which `parameters` to begin with, and the `choices` for each.
    """
    app = FastAPI(docs_url=None, redoc_url=None, openapi_url=None)
    describe_errors(app)

    @app.exception_handler(ConfigError)
    async def _out_of_range(_request: Request, error: ConfigError) -> JSONResponse:
        # The parameters are checked as a configuration's values are, but here they are the request's.
        return problem_response(400, "ConfigError", str(error))

    bundle = bundle_page(OWN_FILES)

    @app.get("/")
    async def document(request: Request) -> Response:
        return answer_document(request, bundle)

    @app.get("/page/{name:path}")
    async def file(request: Request, name: str) -> Response:
        return answer_file(request, bundle, name)

    app.include_router(_frame_routes(stepper, people, info), prefix="/api/v1")
    return app


def _frame_routes(
    stepper: FrameStepper, people: Callable[[], list[dict[str, Any]]], info: dict[str, Any]
) -> APIRouter:
    """Return the routes about frames. They are plain functions, which FastAPI runs on threads."""
    routes = APIRouter()

    @routes.get("/frames")
    def begin() -> JSONResponse:
        return JSONResponse({**info, "count": len(stepper.frames), "malformed": len(stepper.malformed)})

    @routes.get("/frames/{index}")
    def show(request: Request, index: int) -> JSONResponse:
        query = dict(request.query_params)
        step = -1 if query.pop("step", "") == "-1" else 1
        return JSONResponse(stepper.show(index, parse_parameters(query), step))

    @routes.get("/frames/{index}/picture")
    def picture(index: int) -> Response:
        return Response(stepper.picture(index), media_type="image/jpeg")

    @routes.post("/frames/{index}/save")
    def save(index: int, body: dict[str, Any] = Body()) -> JSONResponse:  # noqa: B008
        saved = stepper.save(index, str(body.get("what")), _parameters(body))
        return JSONResponse({"files": [str(path) for path in saved]})

    @routes.post("/frames/{index}/enrol")
    def enrol(index: int, body: dict[str, Any] = Body()) -> JSONResponse:  # noqa: B008
        label, name = body.get("label"), body.get("name")
        if isinstance(label, bool) or not isinstance(label, int) or not isinstance(name, str):
            raise DataError("body: must be {label: number, name: text, parameters: {...}}")
        enrolled = stepper.enrol(index, label, name, _parameters(body))
        return JSONResponse({key: enrolled[key] for key in ("name", "images")})

    @routes.get("/people")
    def known() -> JSONResponse:
        return JSONResponse({"people": people()})

    return routes


def _parameters(body: dict[str, Any]) -> TuningParameters:
    given = body.get("parameters", {})
    if not isinstance(given, dict):
        raise DataError("parameters: must be an object")
    return parse_parameters({str(key): str(value) for key, value in given.items()})


def serve_page(app: FastAPI, port: int, on_ready: Callable[[str], None]) -> None:
    """Serve until SIGINT or SIGTERM; `on_ready` is told the address. Raises CannotListen."""
    try:
        listener = socket.create_server((HOST, port))
    except OSError as error:
        raise CannotListen(
            f"--port {port}: must be a free port, got: {error.strerror or error}; leave it out to take any"
        ) from error
    token = secrets.token_urlsafe(24)
    on_ready(f"http://{HOST}:{listener.getsockname()[1]}/{token}/")
    layers = SecretFolder(SecurityHeaders(app), token)
    asyncio.run(GatewayServer(layers).serve([listener]))
