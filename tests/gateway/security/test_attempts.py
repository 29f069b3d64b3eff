"""How often one may try to log in."""

from __future__ import annotations

from face_det.gateway.security import attempts


class Clock:
    now = 0.0

    def __call__(self):
        return self.now


def tries(counter, address, count):
    """How many of these tries may be made."""
    return sum(counter.take(address) == 0 for _ in range(count))


def test_tries_come_back_with_time():
    """Ten at once, then one each half minute; the wait that is told is the wait that is needed."""
    clock = Clock()
    counter = attempts.Attempts(clock)
    assert tries(counter, "192.0.2.1", 20) == 10
    wait_s = counter.take("192.0.2.1")
    assert wait_s == 30
    clock.now += wait_s
    assert tries(counter, "192.0.2.1", 2) == 1
    clock.now += 1e6
    assert tries(counter, "192.0.2.1", 20) == 10


def test_many_addresses_share_a_limit():
    """A thousand of them cannot try more than fifty at once."""
    counter = attempts.Attempts(Clock())
    assert sum(tries(counter, f"192.0.{number // 250}.{number % 250}", 1) for number in range(1000)) == 50


def test_a_whole_network_of_ipv6_is_one_address():
    """Its 64 lower bits cost nothing; IPv4 written as IPv6 is IPv4."""
    counter = attempts.Attempts(Clock())
    assert sum(tries(counter, f"2001:db8::{number:x}", 1) for number in range(20)) == 10
    assert sum(tries(counter, f"::ffff:192.0.2.{number}", 1) for number in range(20)) == 20


def test_the_right_password_gives_tries_back():
    """Who knows it may log in as often as they like."""
    counter = attempts.Attempts(Clock())
    for _ in range(200):
        assert counter.take("192.0.2.1") == 0
        counter.give_back("192.0.2.1")


def test_memory_is_bounded():
    """However many addresses there are."""
    clock = Clock()
    counter = attempts.Attempts(clock)
    for number in range(attempts.MAX_ADDRESSES + 100):
        counter.take(str(number))
    assert len(counter._buckets) == attempts.MAX_ADDRESSES
