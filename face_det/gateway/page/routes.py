"""Serves the page's files."""

from __future__ import annotations

import functools
import hashlib
from pathlib import Path

from fastapi import APIRouter, Response
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


@ROUTES.head("/")
@ROUTES.get("/")
async def index() -> Response:
    """Return the page."""
    return _answer(FILES / "index.html")


@ROUTES.head("/page/{name:path}")
@ROUTES.get("/page/{name:path}")
async def file(name: str) -> Response:
    """Return a file of the page."""
    try:
        path = (FILES / name).resolve()
        found = FILES in path.parents and path.suffix in KINDS and path.is_file()
    except (ValueError, OSError):
        # A name that no file can have: with a null byte, or too long.
        found = False
    if not found:
        raise HTTPException(404, "there is no such file")
    return _answer(path)


def _answer(path: Path) -> Response:
    """Return a file from memory: the page has dozens, and to read each in a thread takes most of its time."""
    found = path.stat()
    content, tag = _read(path, found.st_mtime_ns, found.st_size)
    return Response(content, headers={"ETag": tag}, media_type=KINDS[path.suffix])


@functools.lru_cache(maxsize=128)
def _read(path: Path, _changed_ns: int, _size: int) -> tuple[bytes, str]:
    """Read a file, again once it has changed; return its bytes and its tag."""
    content = path.read_bytes()
    return content, f'"{hashlib.sha256(content).hexdigest()[:32]}"'
