"""Serves the page's files."""

from __future__ import annotations

from pathlib import Path

from fastapi import APIRouter
from fastapi.responses import FileResponse
from starlette.exceptions import HTTPException

ROUTES = APIRouter(include_in_schema=False)

FILES = Path(__file__).parent / "files"
KINDS = {
    ".html": "text/html; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".json": "application/json",
    ".svg": "image/svg+xml",
    ".webmanifest": "application/manifest+json",
}


@ROUTES.get("/")
async def index() -> FileResponse:
    """Return the page."""
    return FileResponse(FILES / "index.html", media_type=KINDS[".html"])


@ROUTES.get("/page/{name:path}")
async def file(name: str) -> FileResponse:
    """Return a file of the page."""
    path = (FILES / name).resolve()
    if FILES not in path.parents or path.suffix not in KINDS or not path.is_file():
        raise HTTPException(404, "there is no such file")
    return FileResponse(path, media_type=KINDS[path.suffix])
