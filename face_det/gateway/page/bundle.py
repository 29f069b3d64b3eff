"""The page's files in memory: compressed, and under addresses that change with their contents."""

from __future__ import annotations

import functools
import gzip
import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

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

DOCUMENT = "index.html"
VERSION = re.compile(r"v[0-9a-f]{16}")
_ADDRESS = re.compile(r'"page/([^"]+\.(?:css|js))"')


@dataclass(frozen=True, slots=True)
class PageFile:
    """One file of the page: as it is and compressed by gzip, with an ETag that changes with the contents."""

    content: bytes
    compressed: bytes
    kind: str
    tag: str


@dataclass(frozen=True, slots=True)
class Bundle:
    """All files by their names, and the version of them all."""

    files: Mapping[str, PageFile]
    version: str


@functools.cache
def load_bundle(*folders: Path) -> Bundle:
    """Return the files of folders, which are read once: a gateway serves the page that it was started with.

    A file of a later folder stands in for one of the same name before, such as the document of another page
    that is made of this one's parts.

    In the document, scripts and style sheets stand below a folder named after the version of all files, such
    as `page/v0123456789abcdef/app.js`. What they import is below it, too, since they import it by relative
    addresses. So browsers may keep these files for ever.

    >>> bundle = load_bundle(Path(__file__).with_name("files"))
    >>> f'src="page/{bundle.version}/app.js"'.encode() in bundle.files["index.html"].content
    True
    """
    contents = {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for folder in folders
        for path in sorted(folder.rglob("*"))
        if path.suffix in KINDS
    }
    sheets = (contents.get(f"style/{name}.css", b"") for name in STYLES)
    contents[ALL_STYLES] = b"\n".join(sheets)
    everything = hashlib.sha256()
    for name, content in contents.items():
        everything.update(f"{name} {len(content)}\n".encode() + content)
    version = f"v{everything.hexdigest()[:16]}"
    document = contents[DOCUMENT].decode("utf-8")
    contents[DOCUMENT] = _ADDRESS.sub(rf'"page/{version}/\1"', document).encode("utf-8")
    return Bundle(MappingProxyType({name: _page_file(name, one) for name, one in contents.items()}), version)


def _page_file(name: str, content: bytes) -> PageFile:
    tag = hashlib.sha256(content).hexdigest()[:32]
    return PageFile(content, gzip.compress(content, mtime=0), KINDS[Path(name).suffix], tag)
