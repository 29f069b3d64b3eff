"""Backup, restore, and removing everybody."""

from __future__ import annotations

import uuid
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from fastapi.responses import StreamingResponse
from starlette.types import Receive, Scope, Send

from face_det.gateway.api.answers import PreviousState, file_answer, json_answer
from face_det.gateway.problems import Problem
from face_det.gateway.state import GatewayState

ROUTES = APIRouter(tags=["backup"])

PART_BYTES = 1 << 20
PATIENCE_S = 3600.0

_ARCHIVE = {"schema": {"type": "string", "format": "binary"}}
_ZIP: dict[str, Any] = {
    "openapi_extra": {"requestBody": {"required": True, "content": {"application/zip": _ARCHIVE}}}
}


class _Download(StreamingResponse):
    """A stream that is followed by a clean-up, even if it never started."""

    def __init__(
        self, content: AsyncIterator[bytes], after: Callable[[], Awaitable[None]], **options: Any
    ) -> None:
        super().__init__(content, **options)
        self._after = after

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await super().__call__(scope, receive, send)
        finally:
            await self._after()


@ROUTES.get("/backup", response_class=StreamingResponse, **file_answer("application/zip"))
async def backup(
    gateway: GatewayState,
    sightings: Annotated[bool, Query(description="Include the sightings.")] = True,
) -> StreamingResponse:
    """Return photos, encodings, models, settings and, on request, the sightings as one zip."""
    made = await gateway.daemon.call("backup", {"sightings": sightings}, timeout_s=PATIENCE_S)

    async def parts() -> AsyncIterator[bytes]:
        for offset in range(0, made["bytes"], PART_BYTES):
            yield await gateway.daemon.call("read_backup", made["id"], offset, PART_BYTES)

    async def drop() -> None:
        # In the background, because whoever goes away in the middle cancels what runs here.
        work = gateway.daemon.call("drop_backup", made["id"])
        await gateway.background.start(work, "deleting a backup that was sent")

    headers = {
        "Content-Disposition": f'attachment; filename="face_det-{made["id"]}.zip"',
        "Content-Length": str(made["bytes"]),
    }
    return _Download(parts(), drop, media_type="application/zip", headers=headers)


@ROUTES.post("/restore", **json_answer(PreviousState), **_ZIP)
async def restore(request: Request, gateway: GatewayState) -> dict[str, Any]:
    """Restore a backup, completely or not at all; the previous state is backed up first.

    The body is the zip itself.
    """
    identifier = uuid.uuid4().hex
    offset = 0
    part = b""
    async for piece in request.stream():
        part += piece
        while len(part) >= PART_BYTES:
            offset = await _write_part(gateway, identifier, offset, part[:PART_BYTES])
            part = part[PART_BYTES:]
    if part:
        offset = await _write_part(gateway, identifier, offset, part)
    if not offset:
        raise Problem(400, "BadRequest", "send the zip that GET /api/v1/backup returned as the body")
    answer: dict[str, Any] = await gateway.daemon.call("restore", identifier, {}, timeout_s=PATIENCE_S)
    return answer


@ROUTES.post("/clear", **json_answer(PreviousState))
async def clear(gateway: GatewayState) -> dict[str, Any]:
    """Remove everybody, after a backup whose id is in the answer."""
    answer: dict[str, Any] = await gateway.daemon.call("clear", {}, timeout_s=PATIENCE_S)
    return answer


async def _write_part(gateway: GatewayState, identifier: str, offset: int, part: bytes) -> int:
    await gateway.daemon.call("write_restore", identifier, offset, part)
    return offset + len(part)
