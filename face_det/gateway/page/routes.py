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

STYLES = (
    "tokens",
    "base",
    "layout",
    "buttons",
    "fields",
    "components",
    "live",
    "people",
    "review",
    "panels",
    "narrow",
)
"""The style sheets, in the order in which they count."""
ALL_STYLES = "style/all.css"
"""The name of all of them as one, because each request delays the first paint."""


@ROUTES.head("/")
@ROUTES.get("/")
async def index() -> Response:
    """Return the page."""
    return _answer(FILES / "index.html")


@ROUTES.head("/page/{name:path}")
@ROUTES.get("/page/{name:path}")
async def file(name: str) -> Response:
    """Return a file of the page."""
    if name == ALL_STYLES:
        return _answer(*(FILES / "style" / f"{one}.css" for one in STYLES))
    try:
        path = (FILES / name).resolve()
        found = FILES in path.parents and path.suffix in KINDS and path.is_file()
    except (ValueError, OSError):
        # A name that no file can have: with a null byte, or too long.
        found = False
    if not found:
        raise HTTPException(404, "there is no such file")
    return _answer(path)


def _answer(*paths: Path) -> Response:
    """Return files as one, from memory: to read dozens of them in a thread takes most of the page's time."""
    marks = tuple((path, found.st_mtime_ns, found.st_size) for path in paths for found in [path.stat()])
    content, tag = _read(marks)
    return Response(content, headers={"ETag": tag}, media_type=KINDS[paths[0].suffix])


@functools.lru_cache(maxsize=128)
def _read(marks: tuple[tuple[Path, int, int], ...]) -> tuple[bytes, str]:
    """Read files, again once one has changed; return their bytes and their tag."""
    content = b"\n".join(path.read_bytes() for path, _changed_ns, _size in marks)
    return content, f'"{hashlib.sha256(content).hexdigest()[:32]}"'
