"""Rate limits for logins, as token buckets: one for each address, and one for all together."""

from __future__ import annotations

import ipaddress
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass

PER_ADDRESS = (10, 30.0)
"""Ten tries at once, then one each 30 s."""
OVERALL = (50, 2.0)
"""Fifty tries at once, then one each 2 s: many addresses together guess at most 43,200 passwords a day."""
MAX_ADDRESSES = 10_000


@dataclass(slots=True)
class _Bucket:
    size: int
    refill_s: float
    level: float
    filled: float

    def wait_s(self, now: float) -> float:
        """Fill up, and return the seconds until there is one to take."""
        self.level = min(self.size, self.level + (now - self.filled) / self.refill_s)
        self.filled = now
        return max(0.0, (1 - self.level) * self.refill_s)


class Attempts:
    """Counts login attempts; a correct password gives the attempt back.

    >>> attempts = Attempts()
    >>> [attempts.take("192.0.2.1") for _ in range(10)] == [0.0] * 10
    True
    >>> attempts.take("192.0.2.1") > 20, attempts.take("192.0.2.2")
    (True, 0.0)
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._overall = _Bucket(*OVERALL, level=OVERALL[0], filled=clock())
        self._buckets: OrderedDict[str, _Bucket] = OrderedDict()

    def take(self, address: str) -> float:
        """Count an attempt from an address. Return 0, or the seconds to wait if it is not allowed yet."""
        now, key = self._clock(), _group(address)
        own = self._buckets.setdefault(key, _Bucket(*PER_ADDRESS, level=PER_ADDRESS[0], filled=now))
        self._buckets.move_to_end(key)
        if len(self._buckets) > MAX_ADDRESSES:
            self._buckets.popitem(last=False)
        wait_s = max(own.wait_s(now), self._overall.wait_s(now))
        if wait_s == 0:
            own.level -= 1
            self._overall.level -= 1
        return wait_s

    def give_back(self, address: str) -> None:
        """Give the attempts of an address back, because it sent the correct password."""
        self._buckets.pop(_group(address), None)
        self._overall.level = min(OVERALL[0], self._overall.level + 1)


def _group(address: str) -> str:
    """Return what counts as one address: a home or a rented server has 2^64 IPv6 addresses.

    >>> _group("2001:db8::1") == _group("2001:db8::2")
    True
    """
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return address
    if isinstance(parsed, ipaddress.IPv6Address):
        mapped = parsed.ipv4_mapped
        return str(mapped) if mapped else str(ipaddress.ip_network((parsed, 64), strict=False))
    return address
