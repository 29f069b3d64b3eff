"""Events over /api/v1, as a browser's EventSource reads them."""

from __future__ import annotations

from api_walks import API, ask, messages, remember


def last_event(web):
    return ask(web, "GET", "/status")["sightings"]["last_event"]


def stream(web, **options):
    return web.stream("GET", f"{API}/events", **options)


def test_a_reconnect_misses_nothing(web, photos):
    """The number of the last event that came is what goes on; without one, only what is new comes."""
    after = last_event(web)
    remember(web, photos["obama3"], "porch")
    with stream(web, params={"after": after}) as answer:
        assert answer.headers["content-type"].startswith("text/event-stream")
        first = next(messages(answer.iter_lines()))
    assert first[1:] == ("visit_began", first[2])
    assert (first[2]["camera"], str(first[2]["seq"])) == ("porch", first[0])
    # Nobody listens now.
    remember(web, photos["t1"], "porch")
    with stream(web, headers={"Last-Event-ID": first[0]}) as answer:
        found = messages(answer.iter_lines())
        seen = [next(found) for _ in range(last_event(web) - int(first[0]))]
    numbers = [int(number) for number, _, _ in seen]
    assert numbers == sorted({*numbers})
    assert numbers[0] == int(first[0]) + 1
    assert {kind for _, kind, _ in seen} >= {"seen"}


def test_a_number_that_was_never_given_out(web):
    """The log was begun anew: `reset` comes first, then all there is."""
    with stream(web, headers={"Last-Event-ID": str(2**62)}) as answer:
        number, kind, data = next(messages(answer.iter_lines()))
    assert (number, kind) == (None, "reset")
    assert data["log"]
    for value in ("x", "-1", "9" * 5000):
        ask(web, "GET", "/events", 400, headers={"Last-Event-ID": value})
    ask(web, "GET", "/events?after=-1", 400)


def test_the_daemon_is_killed_in_the_middle(web, gallery_daemon, photos):
    """The stream ends in good order; the browser comes back, and what came meanwhile is there."""
    before = last_event(web)
    remember(web, photos["obama3"], "cellar")
    with stream(web, params={"after": before}) as answer:
        found = messages(answer.iter_lines())
        last, *_ = next(found)
        gallery_daemon.process.kill()
        last = [last, *(number for number, _, _ in found)][-1]
    assert ask(web, "GET", "/events", 503)["code"] == "Unreachable"
    gallery_daemon.process.wait()
    gallery_daemon.start()
    gallery_daemon.until_notified("READY=1")
    remember(web, photos["obama3"], "attic")
    with stream(web, headers={"Last-Event-ID": last}) as answer:
        number, kind, data = next(
            one for one in messages(answer.iter_lines()) if one[2].get("camera") == "attic"
        )
    assert int(number) > int(last)
    assert (kind, data["camera"]) == ("visit_began", "attic")
    assert "Traceback" not in web.gateway.log
