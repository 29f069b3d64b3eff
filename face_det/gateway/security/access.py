"""Who is asking, and may they? One decision for every request, before any route sees it.

| who | shows | may change things |
|---|---|---|
| a program | a token: `Authorization: Bearer`, `x-api-key`, or as the password of HTTP basic | yes |
| a browser that has logged in | the cookie of its session | from our own page, with X-CSRF-Token |
| anybody, if no password is required | nothing | from our own page, or without a browser |

"From our own page" is what browsers say in Sec-Fetch-Site and Origin, which no page can forge.
"""

from __future__ import annotations

import asyncio
import base64
import hmac
import logging
from dataclasses import dataclass
from urllib.parse import urlsplit

from fastapi import Request
from starlette.types import Scope

from face_det.config import Http
from face_det.errors import ConfigError
from face_det.gateway.problems import Problem
from face_det.gateway.security.attempts import Attempts
from face_det.gateway.security.credentials import Credentials, CredentialsFile, find_token
from face_det.gateway.security.hosts import Hosts, is_loopback, split_host
from face_det.gateway.security.proxies import THROUGH_INGRESS
from face_det.gateway.security.sessions import Session, Sessions

_LOG = logging.getLogger(__name__)

SESSION_COOKIE = "face_det_session"
CSRF_HEADER = "x-csrf-token"
MAX_COMPARISONS = 2
"""How many passwords are compared at once. Each comparison takes 64 MB, and a processor."""
SAFE_METHODS = {"GET", "HEAD", "OPTIONS"}

PUBLIC_PATHS = {"/", "/favicon.ico", "/healthz", "/healthz/live", "/healthz/ready"}
PUBLIC_PATHS |= {f"/api/v1/{name}" for name in ("login", "logout", "session")}
PYZM_PATHS = {"/pyzm/login", "/pyzm/health"}
"""Those, too, where face_det stands in for pyzm's gateway."""
PUBLIC_FOLDER = "/page/"
"""What somebody who is not logged in may ask for: the page's files, but nothing that is in them later."""


@dataclass(frozen=True, slots=True)
class Visitor:
    """The caller: the name of a program's token, or a browser's session, or neither.

    Whoever comes through Home Assistant's `ingress` has logged in there.
    """

    token: str | None = None
    session: Session | None = None
    ingress: bool = False

    @property
    def known(self) -> bool:
        """Whether somebody has logged in, here or in Home Assistant."""
        return self.token is not None or self.session is not None or self.ingress


def route_path(scope: Scope) -> str:
    """Return the path as routes name it, without the prefix that a proxy has added.

    >>> route_path({"path": "/ingress/x/api/v1/status", "root_path": "/ingress/x"})
    '/api/v1/status'
    """
    path: str = scope["path"]
    root: str = scope.get("root_path", "")
    return path[len(root) :] if root and path.startswith(f"{root}/") else path


class Access:
    """Decides about requests. It holds the sessions, and reads the credentials again when they change."""

    def __init__(self, http: Http) -> None:
        self.sessions = Sessions()
        self.attempts = Attempts()
        self.comparisons = asyncio.Semaphore(MAX_COMPARISONS)
        self._local = is_loopback(http.host)
        self._hosts = Hosts(http.allowed_hosts)
        self._file = CredentialsFile(http.credentials_path)
        self._fault = ""
        self._public = PUBLIC_PATHS | (PYZM_PATHS if "pyzm" in http.stand_ins else set())
        self.legacy_get = self._local if http.legacy_get is None else http.legacy_get
        """Whether GET requests may change things."""

    def credentials(self) -> Credentials | None:
        """Return the password's hash and the tokens; None while their file cannot be used."""
        try:
            found = self._file.current()
        except ConfigError as error:
            if str(error) != self._fault:
                self._fault = str(error)
                _LOG.error("nobody can log in: %s", error)
            return None
        self._fault = ""
        return found

    def is_required(self) -> bool:
        """Return whether a login is required: beyond this machine always, on it if there is a password."""
        credentials = self.credentials()
        return not self._local or credentials is None or credentials.password is not None

    def identify(self, request: Request) -> Visitor:
        """Return who is asking; raise Problem (401) for an unknown token."""
        credentials = self.credentials() or Credentials()
        text = _presented_token(request)
        if text is not None and (credentials.tokens or self.is_required()):
            token = find_token(credentials, text)
            if token is None:
                raise Problem(
                    401,
                    "Unauthorized",
                    "unknown token; `face-det web tokens list` shows the valid ones",
                )
            return Visitor(token=token.name)
        if request.scope.get(THROUGH_INGRESS):
            return Visitor(ingress=True)
        cookie = request.cookies.get(SESSION_COOKIE)
        if cookie is None or credentials.password is None:
            return Visitor()
        return Visitor(session=self.sessions.find(cookie, credentials.password))

    def check_token(self, text: str) -> str:
        """Return the token of a program that sends it as a password; "" if none is needed and there are none.

        Raises Problem (401) if it is unknown.
        """
        credentials = self.credentials() or Credentials()
        if not credentials.tokens and not self.is_required():
            return ""
        if find_token(credentials, text) is None:
            raise Problem(401, "Unauthorized", "the password must be a token; `face-det web tokens add NAME`")
        return text

    def admit(self, request: Request) -> Visitor:
        """Return who is asking; raise Problem (401, 403, 421) if they may not ask for this."""
        visitor = self.identify(request)
        changes = request.method not in SAFE_METHODS
        if visitor.token is not None:
            # A browser may remember a token of HTTP basic, and send it for other pages, too.
            if changes and _is_basic(request):
                require_own_page(request)
            return visitor
        if not visitor.ingress:
            self._require_own_name(request)
        path = route_path(request.scope)
        public = path in self._public or path.startswith(PUBLIC_FOLDER)
        if not visitor.known and not public and self.is_required():
            raise Problem(401, "Unauthorized", "log in on the page, or send a token as Authorization: Bearer")
        if changes:
            require_own_page(request, said=visitor.known)
            if visitor.session is not None:
                _require_csrf_token(request, visitor.session)
        return visitor

    def _require_own_name(self, request: Request) -> None:
        header = request.headers.get("host", "")
        if not self._hosts.accept(header):
            raise Problem(
                421,
                "ForeignHost",
                f"{split_host(header)[:100]!r} is not a known name of this server; if it should be, add it "
                "to http.allowedHosts in config.json",
            )


def require_own_page(request: Request, said: bool = False) -> None:
    """Raise Problem (403) if a browser sends this request on behalf of another site's page.

    `said`: it must be said that our page is the sender; otherwise whoever says nothing, and so is no
    browser, passes.
    """
    site, origin = request.headers.get("sec-fetch-site"), request.headers.get("origin")
    referer = request.headers.get("referer")
    if site is not None:
        ours = site in ("same-origin", "none")
    elif origin is not None:
        ours = _is_own_origin(request, origin)
    else:
        ours = not said and (referer is None or host_of(referer) == request.headers.get("host", "").lower())
    if not ours:
        sender = (origin or site or referer or "no Origin")[:100]
        raise Problem(
            403,
            "ForeignPage",
            f"must come from this server's own page, got {sender}; programs must send a token instead",
        )


def host_of(address: str) -> str | None:
    """Return the host and port in an address; None if it is none.

    >>> host_of("http://Localhost:8080/x"), host_of("http://[x")
    ('localhost:8080', None)
    """
    try:
        return urlsplit(address).netloc.lower()
    except ValueError:
        return None


def _is_own_origin(request: Request, origin: str) -> bool:
    scheme = request.scope["scheme"]
    own = f"{scheme}://{request.headers.get('host', '')}"
    return _without_default_port(origin) == _without_default_port(own)


def _without_default_port(origin: str) -> str:
    """Return an origin as browsers write it.

    >>> _without_default_port("https://Faces.example.org:443")
    'https://faces.example.org'
    """
    scheme, _, host = origin.lower().partition("://")
    return f"{scheme}://{host.removesuffix({'http': ':80', 'https': ':443'}.get(scheme, ':'))}"


def _require_csrf_token(request: Request, session: Session) -> None:
    sent = request.headers.get(CSRF_HEADER, "")
    if not hmac.compare_digest(sent.encode(), session.csrf.encode()):
        raise Problem(
            403,
            "CsrfToken",
            "X-CSRF-Token must be `csrf` of GET /api/v1/session; reload the page and try again",
        )


def _presented_token(request: Request) -> str | None:
    kind, _, value = request.headers.get("authorization", "").partition(" ")
    if kind.lower() == "bearer":
        return value.strip()
    if kind.lower() == "basic":
        try:
            return base64.b64decode(value.strip(), validate=True).decode().partition(":")[2]
        except ValueError:
            return ""
    return request.headers.get("x-api-key")


def _is_basic(request: Request) -> bool:
    return request.headers.get("authorization", "").lower().startswith("basic ")
