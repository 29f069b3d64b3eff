"""Host names under which the gateway may be reached, and addresses that are this machine's own.

A web page elsewhere can make a name of its own lead to 127.0.0.1 (DNS rebinding), and its script would then
be of the same origin as ours. But a browser sends the name that it asked for, and that one is not ours.
"""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Iterable


def is_loopback(host: str) -> bool:
    """Return whether `host`, an address or a name, can be reached from this machine only.

    >>> is_loopback("127.0.0.1"), is_loopback("::1"), is_loopback("0.0.0.0")
    (True, True, False)
    """
    address = _parse_address(host)
    if address is not None:
        return address.is_loopback
    if host.lower() == "localhost":
        return True
    try:
        found = {place[4][0] for place in socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)}
    except OSError:
        return False
    return all(ipaddress.ip_address(str(address).partition("%")[0]).is_loopback for address in found)


class Hosts:
    """The names in a Host header that are ours: addresses, localhost, this machine's name, and `allowed`.

    >>> hosts = Hosts(["faces.example.org"])
    >>> hosts.accept("192.168.1.5:8080"), hosts.accept("[::1]"), hosts.accept("FACES.example.org")
    (True, True, True)
    >>> hosts.accept("rebound.example.net")
    False
    """

    def __init__(self, allowed: Iterable[str]) -> None:
        own = socket.gethostname().lower()
        first = own.partition(".")[0]
        names = {"localhost", own, first, f"{first}.local", *map(str.lower, allowed)}
        self._names = {name.rstrip(".") for name in names if name}

    def accept(self, header: str) -> bool:
        """Return whether the value of a Host header, with or without a port, is one of our names."""
        name = split_host(header)
        return name in self._names or _parse_address(name) is not None


def split_host(header: str) -> str:
    """Return the name or address in a Host header, without its port.

    >>> split_host("[::1]:8080"), split_host("Localhost.:80"), split_host("::1")
    ('::1', 'localhost', '::1')
    """
    text = header.strip().lower()
    if text.startswith("["):
        return text[1:].partition("]")[0]
    name = text if text.count(":") > 1 else text.partition(":")[0]
    return name.rstrip(".")


def _parse_address(text: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        return ipaddress.ip_address(text)
    except ValueError:
        return None
