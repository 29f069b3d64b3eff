"""Uploads: capped while they stream, as a form or as the bare bytes of a picture."""

from __future__ import annotations

import json
from typing import Any

from fastapi import Request
from starlette.datastructures import FormData, UploadFile
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from face_det.gateway.problems import Problem, problem_response

MAX_FIELDS = 50
_MEBI = 1024 * 1024


class BodyLimit:
    """Middleware that ends a request with 413 as soon as its body is larger than allowed.

    `max_bytes` applies to every path, except those of `larger`, which have a limit of their own.
    """

    def __init__(self, app: ASGIApp, max_bytes: int, larger: dict[str, int] | None = None) -> None:
        self._app = app
        self._max_bytes = max_bytes
        self._larger = larger or {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, counting what is received."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        limit = self._larger.get(scope["path"], self._max_bytes)
        problem = Problem(413, "TooLarge", f"the upload must have at most {limit // _MEBI or 1} MB")
        declared = dict(scope["headers"]).get(b"content-length", b"0")
        if declared.isdigit() and int(declared) > limit:
            await problem_response(413, problem.code, str(problem))(scope, receive, send)
            return
        received = 0

        async def counted() -> Message:
            nonlocal received
            message = await receive()
            received += len(message.get("body", b""))
            if received > limit:
                raise problem
            return message

        await self._app(scope, counted, send)


async def read_picture(request: Request, field: str = "image") -> bytes:
    """Return the bytes of the picture in a request: a form's file `field`, or the whole body.

    Raises Problem (400) if there is none.
    """
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != "multipart/form-data":
        body = await request.body()
        if not body:
            raise Problem(400, "BadRequest", f"send a picture as the form field `{field}` or as the body")
        return body
    part = (await _read_form(request)).get(field)
    if not isinstance(part, UploadFile):
        raise Problem(400, "BadRequest", f"{field}: a file must be sent in this field of the form")
    return await part.read()


async def read_face_box(request: Request) -> dict[str, Any]:
    """Return {"faceBox": ...} if the form or the query says which face is meant, else {}.

    Raises Problem (400) if it is no JSON object; the daemon checks its numbers.
    """
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    text = request.query_params.get("faceBox")
    if text is None and kind == "multipart/form-data":
        field = (await _read_form(request)).get("faceBox")
        text = field if isinstance(field, str) else None
    if text is None:
        return {}
    try:
        box = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise Problem(400, "BadRequest", "faceBox: must be JSON, as in `faceBox` of an answer") from error
    if not isinstance(box, dict):
        raise Problem(400, "BadRequest", "faceBox: must be an object with xmin, ymin, xmax and ymax")
    return {"faceBox": box}


async def _read_form(request: Request) -> FormData:
    """Read the form, which Starlette keeps, so that it can be asked for more than once."""
    return await request.form(max_files=MAX_FIELDS, max_fields=MAX_FIELDS)
