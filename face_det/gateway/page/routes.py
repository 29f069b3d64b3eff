"""Serves the page's files."""

from __future__ import annotations

from pathlib import Path

from fastapi import APIRouter, Request, Response
from starlette.exceptions import HTTPException

from face_det.gateway.page.bundle import DOCUMENT, VERSION, Bundle, PageFile, load_bundle

ROUTES = APIRouter(include_in_schema=False)

FILES = Path(__file__).parent / "files"

REVALIDATE = "no-cache"
"""The browser keeps a file, but asks for it again, which is answered 304 while it is the same."""
FOREVER = "public, max-age=31536000, immutable"
"""For a file below the version that it has."""


@ROUTES.head("/")
@ROUTES.get("/")
async def index(request: Request) -> Response:
    """Return the page."""
    return answer_document(request, load_bundle(FILES))


@ROUTES.head("/page/{name:path}")
@ROUTES.get("/page/{name:path}")
async def file(request: Request, name: str) -> Response:
    """Return a file of the page."""
    return answer_file(request, load_bundle(FILES), name)


def bundle_page(*folders: Path) -> Bundle:
    """Return the page's files, with those of other folders beside them or in their place."""
    return load_bundle(FILES, *folders)


def answer_document(request: Request, bundle: Bundle) -> Response:
    """Return the document of a page."""
    return _answer(request, bundle.files[DOCUMENT], REVALIDATE)


def answer_file(request: Request, bundle: Bundle, name: str) -> Response:
    """Return a file of a page by its name, perhaps below a version; raise HTTPException (404).

    A page that was open while face_det was updated asks for another version, and gets the present files.
    """
    version, _, rest = name.partition("/")
    found = bundle.files.get(rest if VERSION.fullmatch(version) else name)
    if found is None:
        raise HTTPException(404, "there is no such file")
    return _answer(request, found, FOREVER if version == bundle.version else REVALIDATE)


def _answer(request: Request, file: PageFile, keep: str) -> Response:
    headers = {"Cache-Control": keep, "Vary": "Accept-Encoding"}
    if "gzip" not in request.headers.get("Accept-Encoding", ""):
        return Response(file.content, headers={**headers, "ETag": f'"{file.tag}"'}, media_type=file.kind)
    headers |= {"Content-Encoding": "gzip", "ETag": f'"{file.tag}-gzip"'}
    return Response(file.compressed, headers=headers, media_type=file.kind)


def load() -> None:
    """Read the files, so that no request has to wait for that."""
    load_bundle(FILES)
