"""Requests that no client of ours sends: refused in words, and never a fault of the gateway."""

from __future__ import annotations

import logging
import socket

import httpx
import pytest
from running import eventually


@pytest.mark.parametrize(
    "name",
    ["%00", "app.js%00", "a" * 300 + ".js", "%ED%A0%80.js", "app.js/x.js", "a/" * 3000],
)
def test_names_that_no_file_has_are_404(gateway, name):
    """Also those that the file system itself refuses to look for."""
    with gateway.client() as client:
        assert client.get(f"/page/{name}").status_code == 404


@pytest.mark.parametrize("referer", ["http://[x", "http://[::1", "//[", "[", "\x80://"])
def test_a_referer_that_is_no_address_is_a_page_elsewhere(gateway, referer):
    """403: GET /motion-detected changes something."""
    with gateway.client() as client:
        answer = client.get("/motion-detected", headers={"referer": referer.encode("latin-1")})
    assert answer.status_code == 403


def test_a_referer_elsewhere_is_enough_to_refuse_a_change(gateway):
    """403 as well from a browser that sends no Origin; our own page and programs pass."""
    own, longer = f"{gateway.origin}/#people", f"{gateway.origin}.evil.example/"
    with gateway.client() as client:
        for referer in ("http://evil.example/", longer, "http://[x", "about:blank"):
            answer = client.post("/api/v1/clear", headers={"referer": referer})
            assert (answer.status_code, answer.json()["code"]) == (403, "ForeignPage")
        assert not gateway.daemon.calls
        assert client.post("/api/v1/clear", headers={"referer": own}).status_code == 200
        assert client.post("/api/v1/clear").status_code == 200


@pytest.mark.parametrize("shown", [b"Basic \xff\xfe", b"Basic \xe4", b"Basic ====", b"Basic", b"Bearer \xff"])
def test_what_is_no_token_is_401(serving, with_password, shown):
    """Letters that base64 does not have are as wrong as any others."""
    gateway = serving()
    with gateway.client() as client:
        assert client.get("/api/v1/people", headers={"authorization": shown}).status_code == 401


def test_a_client_that_goes_during_its_upload_is_no_fault(gateway, caplog):
    """Whoever does it a thousand times must not fill the log with tracebacks."""
    caplog.set_level(logging.INFO)
    head = b"POST /api/v1/faces HTTP/1.1\r\nHost: localhost\r\nContent-Type: image/jpeg\r\n"
    with gateway.connect() as connection:
        connection.sendall(head + b"Content-Length: 100\r\n\r\nhalf")
        connection.shutdown(socket.SHUT_WR)
    eventually(lambda: "went away" in caplog.text, "the gateway to notice")
    assert not [record for record in caplog.records if record.levelno >= logging.WARNING or record.exc_info]


@pytest.mark.parametrize("path", ["/", "/page/app.js", "/healthz", "/healthz/live", "/healthz/ready"])
def test_who_watches_may_ask_for_the_head_alone(gateway, path):
    """HEAD is answered as GET is, without the body."""
    with gateway.client() as client:
        asked, whole = client.head(path), client.get(path)
    assert asked.status_code == whole.status_code == httpx.codes.OK
    assert asked.content == b""
    assert asked.headers["content-length"] == whole.headers["content-length"]
