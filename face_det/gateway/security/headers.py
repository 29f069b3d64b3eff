"""The security and caching headers of every answer."""

from __future__ import annotations

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from face_det.gateway.security.access import PUBLIC_FOLDER, route_path

CONTENT_SECURITY_POLICY = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self' blob: data:",
        "connect-src 'self'",
        "media-src 'self' blob:",
        "manifest-src 'self'",
        "base-uri 'none'",
        "form-action 'self'",
        # Home Assistant's ingress embeds the page in its own, which has the same origin.
        "frame-ancestors 'self'",
    )
)

ALWAYS = {
    "Content-Security-Policy": CONTENT_SECURITY_POLICY,
    "X-Content-Type-Options": "nosniff",
    # Not no-referrer, with which browsers would send `Origin: null` with forms.
    "Referrer-Policy": "same-origin",
    "Permissions-Policy": "camera=(self), microphone=(self), geolocation=(), display-capture=(), usb=()",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Embedder-Policy": "require-corp",
    "Cross-Origin-Resource-Policy": "same-origin",
}
HSTS = "max-age=31536000"

NO_STORE = "no-store"
"""For everything but the page's files, which say how long they may be kept."""


class SecurityHeaders:
    """Middleware that adds the headers, and answers 304 if the browser already has the file."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, and add headers to its answer."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        unchanged = False

        async def send_with_headers(message: Message) -> None:
            nonlocal unchanged
            if message["type"] == "http.response.start":
                unchanged = _complete(scope, message)
            elif unchanged:
                message = {**message, "body": b""}
            await send(message)

        await self._app(scope, receive, send_with_headers)


def _complete(scope: Scope, start: Message) -> bool:
    """Add the headers to the start of an answer; return True if it has become a 304, without a body."""
    headers = MutableHeaders(raw=start.setdefault("headers", []))
    for name, value in ALWAYS.items():
        headers[name] = value
    # It would also bind all else of that name, so it is not said in Home Assistant's name, within its page.
    if scope["scheme"] == "https" and not scope.get("root_path"):
        headers["Strict-Transport-Security"] = HSTS
    path = route_path(scope)
    of_page = (path == "/" or path.startswith(PUBLIC_FOLDER)) and start["status"] == 200
    if not of_page:
        headers["Cache-Control"] = NO_STORE
        return False
    etag = headers.get("etag")
    if etag is None or etag not in _tags(Headers(scope=scope).get("if-none-match", "")):
        return False
    start["status"] = 304
    for name in ("content-length", "content-type"):
        del headers[name]
    return True


def _tags(header: str) -> list[str]:
    return [tag.strip().removeprefix("W/") for tag in header.split(",")]
