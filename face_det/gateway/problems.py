"""Errors as answers: problem details (RFC 9457), plus the keys that older clients read."""

from __future__ import annotations

import http
import logging
import re

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect

from face_det import errors
from face_det.gateway.bodies import describe_faults

_LOG = logging.getLogger(__name__)

RETRY_AFTER_S = 1

_FOLDERS = re.compile(r"(?<![\w/.:])/(?:[^/\s:;,'\"]+/)*(?=[^/\s:;,'\")])")
"""The folders before the name of a file, as in `/srv/faces/` of `/srv/faces/model.pickle`."""

_STATUSES: tuple[tuple[type[errors.FaceDetError], int], ...] = (
    # The first class that fits decides, so subclasses stand before their parents.
    (errors.UnknownPerson, 404),
    (errors.UnknownSighting, 404),
    (errors.UnknownPhoto, 404),
    (errors.UnknownCamera, 404),
    (errors.UnknownEvent, 404),
    (errors.SightingsOff, 409),
    (errors.TooFewPeople, 409),
    (errors.NoFace, 422),
    (errors.NoVoice, 422),
    (errors.SoundError, 422),
    (errors.SeveralFaces, 422),
    (errors.PhotoOfAnother, 409),
    (errors.BadImage, 422),
    (errors.VideoError, 422),
    (errors.DataError, 400),
    (errors.ModelError, 409),
    (errors.Busy, 429),
    (errors.CameraFailed, 502),
    (errors.PortalFailed, 502),
    (errors.CannotWrite, 507),
    (errors.TryAgain, 503),
)


class Problem(Exception):
    """A request that cannot be answered as asked, with its HTTP status and a code for programs."""

    def __init__(self, status: int, code: str, detail: str) -> None:
        self.status = status
        self.code = code
        super().__init__(detail)


def status_of(error: errors.FaceDetError) -> int:
    """Return the HTTP status that stands for an error.

    >>> status_of(errors.UnknownPerson("nobody is called that"))
    404
    """
    return next((status for kind, status in _STATUSES if isinstance(error, kind)), 500)


def describe_error(error: errors.FaceDetError) -> str:
    """Return what an error says, without the folders of this machine: those are for the log.

    >>> describe_error(errors.ModelError("/srv/faces/dataset: must hold photos of two people"))
    'dataset: must hold photos of two people'
    """
    if isinstance(error, errors.Unreachable):
        _LOG.warning("%s", error)
        return "the daemon does not answer; check that it is running, and try again"
    text = str(error)
    said = _FOLDERS.sub("", text)
    if said != text:
        _LOG.info("%s: %s", type(error).__name__, text)
    return said


def problem_response(
    status: int, code: str, detail: str, headers: dict[str, str] | None = None
) -> JSONResponse:
    """Return an error as problem details: `detail` for people, `code` for programs."""
    body = {
        "type": "about:blank",
        "title": http.HTTPStatus(status).phrase,
        "status": status,
        "detail": detail,
        "ok": False,
        "code": code,
        "error": detail,
    }
    return JSONResponse(body, status, headers, media_type="application/problem+json")


def describe_errors(app: FastAPI) -> None:
    """Make an app report every error as problem details."""

    @app.exception_handler(errors.FaceDetError)
    async def _daemon_error(_request: Request, error: errors.FaceDetError) -> JSONResponse:
        status = status_of(error)
        headers = {"Retry-After": str(RETRY_AFTER_S)} if status in (429, 503) else None
        if status == 500:
            _LOG.error("the daemon reports %s: %s", type(error).__name__, error)
        return problem_response(status, type(error).__name__, describe_error(error), headers)

    @app.exception_handler(Problem)
    async def _problem(_request: Request, problem: Problem) -> JSONResponse:
        return problem_response(problem.status, problem.code, str(problem))

    @app.exception_handler(RequestValidationError)
    async def _malformed(_request: Request, error: RequestValidationError) -> JSONResponse:
        return problem_response(400, "BadRequest", describe_faults(error.errors()))

    @app.exception_handler(UnicodeEncodeError)
    async def _not_unicode(_request: Request, _error: UnicodeEncodeError) -> JSONResponse:
        # JSON can write half of a surrogate pair, as in "\ud800", and nothing can send it on.
        return problem_response(400, "BadRequest", "the request contains text that is not valid Unicode")

    @app.exception_handler(ClientDisconnect)
    async def _gone(request: Request, _error: ClientDisconnect) -> JSONResponse:
        # Nobody reads the answer.
        _LOG.info("%s %s: the client went away", request.method, request.url.path)
        return problem_response(400, "BadRequest", "the client went away")

    @app.exception_handler(HTTPException)
    async def _http_error(_request: Request, error: HTTPException) -> JSONResponse:
        code = http.HTTPStatus(error.status_code).phrase.replace(" ", "")
        return problem_response(error.status_code, code, str(error.detail), dict(error.headers or {}))

    @app.exception_handler(Exception)
    async def _bug(request: Request, error: Exception) -> JSONResponse:
        _LOG.error("%s %s failed", request.method, request.url.path, exc_info=error)
        # The server closes the connection after this, and a client must not send its next request into that.
        text = "internal error; the gateway's log has the details"
        return problem_response(500, "InternalError", text, {"Connection": "close"})
