"""Reverse proxies: those that are trusted, and those who say that they are one."""

from __future__ import annotations

import pytest
from fastapi import Request

FORWARDED = {
    "X-Forwarded-For": "203.0.113.9, 192.0.2.7",
    "X-Forwarded-Proto": "https",
    "X-Forwarded-Host": "faces.example.org",
    "X-Ingress-Path": "/api/hassio_ingress/abc",
}


def add_mirror(app):
    """A route that tells what a route sees."""

    @app.get("/api/v1/mirror")
    async def mirror(request: Request):
        scope = request.scope
        return {
            "client": scope["client"][0],
            "scheme": scope["scheme"],
            "root": scope["root_path"],
            "host": request.headers["host"],
            "said": sorted(name for name in request.headers if name.startswith("x-")),
            "url": str(request.url_for("mirror")),
        }


def see(gateway, headers):
    """What a route sees of a request with these headers."""
    with gateway.client() as client:
        return client.get("/api/v1/mirror", headers=headers).json()


def test_nobody_is_believed_by_default(serving):
    """Anybody can send such headers; no route even sees them."""
    gateway = serving(prepare=add_mirror)
    seen = see(gateway, FORWARDED)
    assert (seen["client"], seen["scheme"], seen["root"]) == ("127.0.0.1", "http", "")
    assert seen["host"] == f"127.0.0.1:{gateway.port}"
    assert seen["said"] == []


@pytest.mark.parametrize("proxy", ["127.0.0.1", "127.0.0.0/8"])
def test_a_trusted_proxy_is_believed(serving, proxy):
    """Address, scheme, host and prefix are those of the browser; links lead through the proxy."""
    gateway = serving(prepare=add_mirror, trustedProxies=[proxy], allowedHosts=["faces.example.org"])
    seen = see(gateway, FORWARDED)
    assert (seen["client"], seen["scheme"]) == ("192.0.2.7", "https")
    assert (seen["root"], seen["host"]) == ("/api/hassio_ingress/abc", "faces.example.org")
    assert seen["url"] == "https://faces.example.org/api/hassio_ingress/abc/api/v1/mirror"


def test_another_proxy_is_not_believed(serving):
    """The setting names an address, not everybody."""
    gateway = serving(prepare=add_mirror, trustedProxies=["172.30.32.2"])
    assert see(gateway, FORWARDED)["client"] == "127.0.0.1"


@pytest.mark.parametrize(
    ("said", "client"),
    [
        ("192.0.2.7", "192.0.2.7"),
        ("spoofed, 192.0.2.7, 127.0.0.1", "192.0.2.7"),
        ("[2001:db8::1]:4711", "2001:db8::1"),
        ("192.0.2.7:4711", "192.0.2.7"),
        ("192.0.2.7, nonsense", "127.0.0.1"),
        ("", "127.0.0.1"),
    ],
)
def test_the_address_is_the_last_that_is_no_proxy(serving, said, client):
    """What stands before it, the client may have made up."""
    gateway = serving(prepare=add_mirror, trustedProxies=["127.0.0.1"])
    assert see(gateway, {"X-Forwarded-For": said})["client"] == client


@pytest.mark.parametrize("prefix", ["//evil.example", "/a/../b", "/a//b", "a", "/a?b", "/a\x7f", "/%2e", "/"])
def test_a_prefix_is_a_plain_path(serving, prefix):
    """Anything else is ignored."""
    gateway = serving(prepare=add_mirror, trustedProxies=["127.0.0.1"])
    assert see(gateway, {"X-Ingress-Path": prefix})["root"] == ""


def test_a_prefix_opens_no_door(serving, with_password):
    """Whoever is let in is decided by the path that is routed, whatever stands before it."""
    gateway = serving(prepare=add_mirror, trustedProxies=["127.0.0.1"])
    with gateway.client() as client:
        for prefix in ("/page", "/api", "/api/v1", "/healthz", "/page/x"):
            assert client.get("/api/v1/people", headers={"X-Ingress-Path": prefix}).status_code == 401
            assert client.get("/healthz", headers={"X-Ingress-Path": prefix}).status_code == 200
    assert ("people",) not in gateway.daemon.calls


def test_a_session_through_ingress(serving, with_password):
    """The cookie is for the prefix, and Secure; a page of the proxy's origin may change things."""
    gateway = serving(trustedProxies=["127.0.0.1"], allowedHosts=["faces.example.org"])
    origin = {"Origin": "https://faces.example.org"}
    with gateway.client(headers={**FORWARDED, **origin}) as client:
        answer = client.post("/api/v1/login", json={"password": "correct horse battery"})
        cookie = answer.headers["Set-Cookie"]
        assert "Path=/api/hassio_ingress/abc/" in cookie
        assert "Secure" in cookie
        assert "Strict-Transport-Security" not in answer.headers
        shown = {"Cookie": cookie.partition(";")[0]}
        csrf = client.get("/api/v1/session", headers=shown).json()["csrf"]
        forgotten = client.post("/api/v1/people/Anna/forget", headers={**shown, "X-CSRF-Token": csrf})
        assert forgotten.status_code == 200


def test_home_assistant_vouches_for_whom_it_lets_in(serving, with_password):
    """No second login through ingress, under any name; changes must still come from the page itself."""
    gateway = serving(prepare=add_mirror, ingressAddress="127.0.0.1")
    origin = {"Origin": "https://faces.example.org"}
    with gateway.client(headers=FORWARDED) as client:
        assert client.get("/api/v1/mirror").json()["root"] == "/api/hassio_ingress/abc"
        session = client.get("/api/v1/session").json()
        assert session == {"authenticated": True, "required": False, "csrf": None}
        assert client.post("/api/v1/people/Anna/forget", headers=origin).status_code == 200
        assert client.post("/api/v1/people/Anna/forget").status_code == 403
        foreign = {"Origin": "https://evil.example"}
        assert client.post("/api/v1/people/Anna/forget", headers=foreign).status_code == 403
        wrong = {"Authorization": "Bearer wrong"}
        assert client.get("/api/v1/people", headers=wrong).status_code == 401
    with gateway.client() as client:
        assert client.get("/api/v1/people").status_code == 401


@pytest.mark.parametrize("ingress", ["", "172.30.32.2"])
def test_only_ingress_itself_vouches(serving, with_password, ingress):
    """Another trusted proxy hands on the headers of anybody, also an address that is not its own."""
    names = ["faces.example.org"]
    gateway = serving(trustedProxies=["127.0.0.1"], ingressAddress=ingress, allowedHosts=names)
    headers = {**FORWARDED, "X-Forwarded-For": "172.30.32.2"}
    with gateway.client(headers=headers) as client:
        assert client.get("/api/v1/people").status_code == 401
        assert not client.get("/api/v1/session").json()["authenticated"]
