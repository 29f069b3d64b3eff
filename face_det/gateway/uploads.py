"""Uploads: capped while they stream, as a form or as the bare bytes of a picture."""

from __future__ import annotations

import asyncio
import base64
import json
import re
import time
from collections.abc import Mapping, Sequence
from typing import Any

from fastapi import Request, Response
from pydantic import BaseModel, FiniteFloat, ValidationError
from starlette.datastructures import FormData, UploadFile
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from face_det.gateway.problems import Problem, problem_response

MAX_FIELDS = 50
MAX_JSON_BYTES = 2_000_000
"""More than any list of names needs. What is made of JSON takes up to fifty times its memory."""
MAX_COMMAS = 100
"""More than the object has that holds a picture as base64, whose letters have no comma."""
STALL_S = 20.0
PACE_BYTES = 10_000
"""What must come of a body in STALL_S: a client slower than 4 kbit/s only holds a connection."""


_NOWHERE = re.compile(r"(?!)")


class _FaceBox(BaseModel):
    """A box, as answers have them; other keys are ignored."""

    ymin: FiniteFloat
    xmin: FiniteFloat
    ymax: FiniteFloat
    xmax: FiniteFloat


class BodyLimit:
    """Middleware that ends a request whose body is too large (413) or comes too slowly (408).

    `max_bytes` applies to every path, except those of `other_limits`, which have a limit of their own.
    JSON has at most MAX_JSON_BYTES, except on paths that match `json_pictures`, where it holds a picture.
    While the body is waited for, PACE_BYTES must come in every `stall_s` seconds, or its end. The answer
    is ours whatever the route makes of its body's end, and tells the client to send no more of it.
    """

    def __init__(
        self,
        app: ASGIApp,
        max_bytes: int,
        other_limits: Mapping[str, int] | None = None,
        stall_s: float = STALL_S,
        *,
        json_pictures: re.Pattern[str] = _NOWHERE,
    ) -> None:
        self._app = app
        self._json_pictures = json_pictures
        self._max_bytes = max_bytes
        self._other_limits = other_limits or {}
        self._stall_s = stall_s

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, measuring what is received."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = dict(scope["headers"])
        limit = self._limit(scope, headers.get(b"content-type", b"").decode("latin-1"))
        body = _Body(receive, limit, self._stall_s)
        if b"content-length" in headers and b"transfer-encoding" in headers:
            # Readers that disagree about which of the two counts are how requests are smuggled.
            problem = Problem(400, "BadRequest", "send Content-Length or Transfer-Encoding, not both")
            await _refuse(problem)(scope, receive, send)
            return
        declared = headers.get(b"content-length", b"0")
        if declared.isdigit() and int(declared) > limit:
            await _refuse(body.too_large())(scope, receive, send)
            return
        started = False

        async def send_unless_refused(message: Message) -> None:
            nonlocal started
            if body.problem is None or started:
                started = True
                await send(message)

        try:
            await self._app(scope, body.receive, send_unless_refused)
        except Exception:
            if body.problem is None or started:
                raise
        if body.problem is not None and not started:
            await _refuse(body.problem)(scope, receive, send)

    def _limit(self, scope: Scope, content_type: str) -> int:
        path = scope["path"].removeprefix(scope.get("root_path", ""))
        if path in self._other_limits:
            return self._other_limits[path]
        kind = _media_type(content_type)
        is_json = kind == "application/json" or kind.endswith("+json")
        if is_json and not self._json_pictures.fullmatch(path):
            return min(self._max_bytes, MAX_JSON_BYTES)
        return self._max_bytes


class _Body:
    """The body of a request, measured while it is received."""

    def __init__(self, receive: Receive, max_bytes: int, stall_s: float) -> None:
        self._receive = receive
        self._left_bytes = self._max_bytes = max_bytes
        self._left_s = self._stall_s = stall_s
        self._pace = 0
        self._complete = False
        self.problem: Problem | None = None

    async def receive(self) -> Message:
        """Receive the next part; raise Problem (413, 408), which is kept in `problem`, too."""
        if self._complete:
            # What is received now is only that the client has gone.
            return await self._receive()
        start = time.monotonic()
        try:
            message = await asyncio.wait_for(self._receive(), self._left_s)
        except asyncio.TimeoutError:
            self.problem = Problem(
                408,
                "RequestTimeout",
                f"the rest of the body did not come within {self._stall_s:g} s; send it again",
            )
            raise self.problem from None
        part = len(message.get("body", b""))
        self._complete = not message.get("more_body", False)
        self._left_bytes -= part
        if self._left_bytes < 0:
            self.problem = self.too_large()
            raise self.problem
        self._left_s -= time.monotonic() - start
        self._pace += part
        if self._pace >= PACE_BYTES:
            self._pace, self._left_s = 0, self._stall_s
        return message

    def too_large(self) -> Problem:
        """Return the problem with a body that is too large."""
        return Problem(413, "TooLarge", f"the body must have at most {self._max_bytes / 1e6:g} MB")


def _media_type(content_type: str) -> str:
    """Return what a body is, without parameters.

    >>> _media_type("Application/JSON; charset=utf-8")
    'application/json'
    """
    return content_type.partition(";")[0].strip().lower()


def _refuse(problem: Problem) -> Response:
    # This tells clients to stop sending.
    return problem_response(problem.status, problem.code, str(problem), {"Connection": "close"})


async def read_picture(request: Request, field: str = "image") -> bytes:
    """Return the bytes of the picture in a request: a form's file `field`, or the whole body.

    Raises Problem (400) if there is none.
    """
    kind = _media_type(request.headers.get("content-type", ""))
    if kind != "multipart/form-data":
        body = await request.body()
        if not body:
            what = "a recording" if field == "audio" else "a picture"
            raise Problem(400, "BadRequest", f"send {what} as the form field `{field}` or as the body")
        return body
    parts = (await read_form(request)).getlist(field)
    if len(parts) != 1 or not isinstance(parts[0], UploadFile):
        raise Problem(400, "BadRequest", f"{field}: must be exactly one file in the form")
    return await parts[0].read()


async def read_base64_picture(request: Request, field: str) -> bytes:
    """Return the bytes of the picture in a form's file `field`, or as base64 in that key of a JSON object.

    Raises Problem (400) if there is none.
    """
    kind = _media_type(request.headers.get("content-type", ""))
    if kind != "application/json":
        return await read_picture(request, field)
    try:
        body = await request.body()
        if body.count(b",") > MAX_COMMAS:
            raise ValueError("no object of a picture has so many items")
        text = json.loads(body)[field]
        # Browsers put `data:image/jpeg;base64,` before it.
        return base64.b64decode(text.rpartition(",")[2], validate=True)
    except (ValueError, RecursionError, LookupError, TypeError, AttributeError) as error:
        raise Problem(400, "BadRequest", f"{field}: must be a picture in base64") from error


async def read_face_box(request: Request) -> dict[str, Any]:
    """Return the option {"faceBox": ...} if the form or the query says which face is meant, else {}.

    Raises Problem (400) if it is no box.
    """
    kind = _media_type(request.headers.get("content-type", ""))
    text = request.query_params.get("faceBox")
    if text is None and kind == "multipart/form-data":
        field = (await read_form(request)).get("faceBox")
        text = field if isinstance(field, str) else None
    if text is None:
        return {}
    try:
        box = _FaceBox.model_validate_json(text)
    except ValidationError as error:
        problem = "faceBox: must be JSON with the numbers xmin, ymin, xmax and ymax, as in an answer"
        raise Problem(400, "BadRequest", problem) from error
    return {"faceBox": box.model_dump()}


async def read_pictures(request: Request, fields: Sequence[str], *, base64_too: bool = False) -> list[bytes]:
    """Return the bytes of several pictures, the files `fields` of a form.

    With `base64_too`, they may be keys of a JSON object instead. Raises Problem (400) if one is missing: the
    body alone must not stand for all of them.
    """
    kind = _media_type(request.headers.get("content-type", ""))
    if kind == "multipart/form-data":
        return [await read_picture(request, field) for field in fields]
    if kind == "application/json" and base64_too:
        return [await read_base64_picture(request, field) for field in fields]
    raise Problem(400, "BadRequest", f"send pictures as the form fields {' and '.join(fields)}")


async def read_form(request: Request) -> FormData:
    """Read the form, which Starlette keeps, so this can be called more than once."""
    return await request.form(max_files=MAX_FIELDS, max_fields=MAX_FIELDS)
