"""Reverse proxies: their headers about the browser are trusted only from known addresses."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterable

from starlette.types import ASGIApp, Receive, Scope, Send

THROUGH_INGRESS = "face_det.through_ingress"
"""A key of the scope: whether Home Assistant's ingress sent the request, and so knows who that is."""

_PREFIX = re.compile(r"(/[A-Za-z0-9_~-][A-Za-z0-9._~-]*)+", re.ASCII)


class TrustedProxies:
    """Middleware that puts the browser's address, scheme and host, and the path's prefix, into the request.

    It reads X-Forwarded-For, -Proto and -Host, and X-Ingress-Path (Home Assistant) or X-Forwarded-Prefix,
    from the addresses or networks in `proxies`. From everybody else they are removed, so that nothing
    behind this can believe them by mistake. Requests through Home Assistant's ingress, which come from the
    address `ingress` itself, are marked in the scope with THROUGH_INGRESS.
    """

    def __init__(self, app: ASGIApp, proxies: Iterable[str], ingress: str = "") -> None:
        self._app = app
        addresses = [*proxies, ingress] if ingress else proxies
        self._networks = [ipaddress.ip_network(proxy, strict=False) for proxy in addresses]
        self._ingress = ipaddress.ip_address(ingress) if ingress else None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, as the browser sent it to the proxy."""
        if scope["type"] == "http":
            scope = self._translate(scope)
        await self._app(scope, receive, send)

    def _translate(self, scope: Scope) -> Scope:
        forwarded: dict[bytes, str] = {}
        kept = []
        for name, value in scope["headers"]:
            if name.startswith(b"x-forwarded-") or name in (b"forwarded", b"x-ingress-path"):
                before = f"{forwarded[name]}," if name in forwarded else ""
                forwarded[name] = before + value.decode("latin-1")
            else:
                kept.append((name, value))
        scope = {**scope, "headers": kept}
        client = scope.get("client")
        if not forwarded or client is None or not self._is_trusted(client[0]):
            return scope
        # The connection's own address counts: another trusted proxy passes anybody's X-Ingress-Path on.
        scope[THROUGH_INGRESS] = b"x-ingress-path" in forwarded and _parse(client[0]) == self._ingress
        address = self._browser(forwarded.get(b"x-forwarded-for", ""))
        if address is not None:
            scope["client"] = (address, 0)
        scheme = _last(forwarded.get(b"x-forwarded-proto", "")).lower()
        if scheme in ("http", "https"):
            scope["scheme"] = scheme
        host = _last(forwarded.get(b"x-forwarded-host", ""))
        if host:
            kept[:] = [(name, value) for name, value in kept if name != b"host"]
            kept.append((b"host", host.encode("latin-1")))
        prefix = (
            forwarded.get(b"x-ingress-path", forwarded.get(b"x-forwarded-prefix", "")).strip().rstrip("/")
        )
        if _PREFIX.fullmatch(prefix):
            scope["root_path"] = prefix
            # As ASGI requires: the path includes the prefix, which the proxy has removed.
            scope["path"] = prefix + scope["path"]
            scope["raw_path"] = prefix.encode() + (scope.get("raw_path") or b"")
        return scope

    def _browser(self, header: str) -> str | None:
        """Return the last address that is not one of our proxies; anybody can have sent those before it."""
        for text in reversed([part.strip() for part in header.split(",") if part.strip()]):
            address = text[1:].partition("]")[0] if text.startswith("[") else text
            address = address.partition(":")[0] if address.count(":") == 1 else address
            try:
                ipaddress.ip_address(address)
            except ValueError:
                return None
            if not self._is_trusted(address):
                return address
        return None

    def _is_trusted(self, address: str) -> bool:
        parsed = _parse(address)
        return parsed is not None and any(parsed in network for network in self._networks)


def _parse(address: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return None
    mapped = parsed.ipv4_mapped if isinstance(parsed, ipaddress.IPv6Address) else None
    return mapped or parsed


def _last(header: str) -> str:
    return header.rpartition(",")[2].strip()
