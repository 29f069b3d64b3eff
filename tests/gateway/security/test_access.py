"""Who may do what: with a password, with a token, with neither, and for a page elsewhere."""

from __future__ import annotations

import shutil

import pytest
from fastapi import Depends

from face_det.errors import ConfigError
from face_det.gateway import server
from face_det.gateway.security import credentials
from face_det.gateway.security.legacy import state_changing_get

PASSWORD = "correct horse battery"
PICTURE = {"content": b"picture", "headers": {"Content-Type": "image/jpeg"}}


def log_in(client, password=PASSWORD):
    """Log in as the page does; the client then has the session's cookie and its token."""
    answer = client.post("/api/v1/login", json={"password": password})
    if answer.status_code == 204:
        client.headers["X-CSRF-Token"] = client.get("/api/v1/session").json()["csrf"]
        client.headers["Origin"] = str(client.base_url).rstrip("/")
    return answer


def test_beyond_this_machine_it_does_not_start_for_everybody(http_config, credentials_path):
    """No password and no token: refused, with what to do; with either it may start."""
    http = http_config(host="0.0.0.0").http
    with pytest.raises(
        ConfigError, match=r"http.host 0.0.0.0: other machines .* run `face-det web password`"
    ):
        server.require_credentials(http)
    server.require_credentials(http_config(host="127.0.0.1").http)
    credentials.add_token(credentials_path, "ha")
    server.require_credentials(http)


def test_on_this_machine_nothing_is_required(gateway):
    """No password, no login: the page and programs are served at once."""
    with gateway.client() as client:
        assert client.get("/api/v1/session").json() == {
            "authenticated": False,
            "required": False,
            "csrf": None,
        }
        assert client.get("/api/v1/people").status_code == 200
        assert client.post("/api/v1/faces", **PICTURE).status_code == 200


@pytest.mark.parametrize("path", ["/api/v1/people", "/api/v1/status", "/openapi.json", "/nothing"])
def test_with_a_password_one_must_log_in(serving, with_password, path):
    """Also on this machine, for whatever there is, and for whatever there is not."""
    with serving().client() as client:
        answer = client.get(path)
        assert (answer.status_code, answer.json()["code"]) == (401, "Unauthorized")
        assert answer.headers["WWW-Authenticate"] == "Bearer"


def test_the_page_itself_needs_no_login(serving, with_password):
    """Or nobody could log in; and whoever watches the process is told that it lives."""
    with serving().client() as client:
        assert [client.get(path).status_code for path in ("/", "/healthz", "/healthz/live")] == [200] * 3
        assert client.get("/api/v1/session").json()["required"] is True


def test_a_session_from_login_to_logout(serving, with_password):
    """The cookie lets in, and is kept from scripts and from other sites; after logout it lets nobody in."""
    with serving().client() as client:
        answer = log_in(client)
        assert (answer.status_code, answer.content) == (204, b"")
        cookie = answer.headers["Set-Cookie"]
        for part in ("HttpOnly", "SameSite=strict", "Path=/", "Max-Age=2592000"):
            assert part in cookie
        assert "Secure" not in cookie
        session = client.get("/api/v1/session").json()
        assert (session["authenticated"], session["required"]) == (True, True)
        assert client.get("/api/v1/people").status_code == 200
        assert client.post("/api/v1/faces", **PICTURE).status_code == 200
        kept = dict(client.cookies)
        assert client.post("/api/v1/logout").status_code == 204
        assert not client.cookies
        client.cookies.update(kept)
        assert client.get("/api/v1/people").status_code == 401


@pytest.mark.parametrize("body", [{"password": "wrong"}, {"password": ""}, {"password": "x" * 1025}, {}])
def test_a_wrong_password_opens_nothing(serving, with_password, body):
    """401 or 400, and no cookie."""
    with serving().client() as client:
        answer = client.post("/api/v1/login", json=body)
        assert answer.status_code in (400, 401)
        assert "Set-Cookie" not in answer.headers


def test_too_many_wrong_passwords_must_wait(serving, with_password):
    """429 and when to come back, even with the right one; another address is not affected."""
    gateway = serving(trustedProxies=["127.0.0.1"])
    with gateway.client(headers={"X-Forwarded-For": "192.0.2.1"}) as client:
        codes = [log_in(client, f"wrong {number}").status_code for number in range(11)]
        assert codes == [401] * 10 + [429]
        answer = log_in(client)
        assert answer.status_code == 429
        assert 0 < int(answer.headers["Retry-After"]) <= 30
    with gateway.client(headers={"X-Forwarded-For": "192.0.2.2"}) as client:
        assert log_in(client).status_code == 204


def test_without_a_password_there_is_no_login(gateway):
    """It says what is missing."""
    with gateway.client() as client:
        answer = log_in(client)
        assert (answer.status_code, answer.json()["code"]) == (409, "NoPassword")


def test_a_changed_password_ends_sessions_at_once(serving, with_password):
    """Without a restart; the new one lets in."""
    gateway = serving()
    with gateway.client() as client:
        log_in(client)
        assert client.get("/api/v1/people").status_code == 200
        credentials.set_password(with_password, "another password")
        assert client.get("/api/v1/people").status_code == 401
        assert log_in(client, "another password").status_code == 204


def test_a_first_password_is_noticed(gateway, credentials_path, password_file):
    """From one request to the next."""
    with gateway.client() as client:
        assert client.get("/api/v1/people").status_code == 200
        shutil.copy(password_file, credentials_path)
        assert client.get("/api/v1/people").status_code == 401


@pytest.mark.parametrize("spoil", [lambda path: path.write_text("{"), lambda path: path.chmod(0o644)])
def test_a_file_that_cannot_be_used_lets_nobody_in(serving, with_password, spoil):
    """Damaged, or readable by others: that is no reason to ask for nothing."""
    gateway = serving()
    spoil(with_password)
    with gateway.client() as client:
        assert client.get("/api/v1/people").status_code == 401
        assert log_in(client).status_code == 409


def ways(token):
    """How programs show a token."""
    return {
        "bearer": {"headers": {"Authorization": f"Bearer {token}"}},
        "api key": {"headers": {"x-api-key": token}},
        "basic": {"auth": ("anybody", token)},
    }


@pytest.mark.parametrize("way", ["bearer", "api key", "basic"])
def test_a_token_lets_a_program_in(beyond, credentials_path, way):
    """In each way, without CSRF and under any host name; a removed one does not."""
    token = credentials.add_token(credentials_path, "ha")
    with beyond.client() as client:
        assert client.get("/api/v1/people", **ways("fd_wrong")[way]).status_code == 401
        shown = ways(token)[way]
        assert client.get("/api/v1/people", **shown).status_code == 200
        shown["headers"] = {**shown.get("headers", {}), "Host": "face-det"}
        assert client.post("/api/v1/people/Anna/forget", **shown).status_code == 200
        credentials.remove_token(credentials_path, "ha")
        assert client.get("/api/v1/people", **shown).status_code == 401


def test_users_are_told_apart(beyond, credentials_path, with_password):
    """By token, session or address, so that each has a turn at the daemon; the same one is the same again."""
    tokens = [credentials.add_token(credentials_path, name) for name in ("ha", "door")]
    for token in (*tokens, *tokens):
        with beyond.client(headers={"x-api-key": token}) as client:
            assert client.get("/api/v1/people").status_code == 200
    for _ in range(2):
        with beyond.client() as client:
            assert log_in(client).status_code == 204
            assert client.get("/api/v1/people").status_code == 200
    users = beyond.daemon.users
    assert users[:4] == ["token ha", "token door"] * 2
    assert [user.partition(" ")[0] for user in users[4:]] == ["session"] * 2
    assert len({*users}) == 4


@pytest.mark.parametrize("value", ["Basic !", "Basic /w==", "Basic", "Bearer", "Bearer \xff", "Digest x"])
def test_a_header_that_is_no_token_is_no_key(beyond, credentials_path, value):
    """401, whatever it is."""
    credentials.add_token(credentials_path, "ha")
    with beyond.client() as client:
        answer = client.get("/api/v1/people", headers={"Authorization": value.encode("latin-1")})
        assert answer.status_code == 401


def test_clients_of_other_servers_send_keys_that_nobody_gave_them(gateway):
    """Where nothing is required and no token exists, an x-api-key is no reason to refuse."""
    with gateway.client(headers={"x-api-key": "00000000-0000-0000-0000-000000000002"}) as client:
        assert client.get("/api/v1/people").status_code == 200


FOREIGN = (
    {"Origin": "https://evil.example"},
    {"Origin": "null"},
    {"Origin": "http://127.0.0.1:1"},
    {"Sec-Fetch-Site": "cross-site"},
    {"Sec-Fetch-Site": "same-site"},
)


@pytest.mark.parametrize("headers", FOREIGN, ids=str)
def test_a_page_elsewhere_changes_nothing(serving, gateway, with_password, headers):
    """Without a password, with a session, at login, and with a token that the browser has remembered."""
    token = credentials.add_token(with_password, "ha")
    with serving().client() as client:
        assert client.post("/api/v1/login", json={"password": PASSWORD}, headers=headers).status_code == 403
        log_in(client)
        assert client.post("/api/v1/people/Anna/forget", headers=headers).status_code == 403
        client.cookies.clear()
        basic = {"auth": ("me", token), "headers": headers}
        assert client.post("/api/v1/people/Anna/forget", **basic).status_code == 403
    with_password.unlink()
    with gateway.client() as client:
        answer = client.post("/api/v1/people/Anna/forget", headers=headers)
        assert (answer.status_code, answer.json()["code"]) == (403, "ForeignPage")
    assert not gateway.daemon.calls


def test_our_own_page_may_change_things(gateway):
    """As browsers say it, over https or localhost, and elsewhere."""
    with gateway.client() as client:
        for headers in ({"Sec-Fetch-Site": "same-origin"}, {"Origin": gateway.origin}):
            assert client.post("/api/v1/faces", content=b"x", headers=headers).status_code == 200


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"X-CSRF-Token": ""}, "CsrfToken"),
        ({"X-CSRF-Token": "x"}, "CsrfToken"),
        ({"Origin": None}, "ForeignPage"),
    ],
    ids=str,
)
def test_a_session_needs_its_token_and_our_page(serving, with_password, change, code):
    """The cookie alone changes nothing; each of the two is asked for."""
    gateway = serving()
    with gateway.client() as client:
        log_in(client)
        for name, value in change.items():
            if value is None:
                del client.headers[name]
            else:
                client.headers[name] = value
        for call in (client.post("/api/v1/people/Anna/forget"), client.post("/api/v1/logout")):
            assert (call.status_code, call.json()["code"]) == (403, code)
        assert client.get("/api/v1/people").status_code == 200
    assert gateway.daemon.calls == [("people",)]


@pytest.mark.parametrize("path", ["/", "/api/v1/people", "/healthz", "/api/v1/session"])
def test_another_name_is_not_answered(serving, path):
    """DNS rebinding: the name is the attacker's, though the address is ours."""
    gateway = serving(allowedHosts=["faces.example.org"])
    with gateway.client() as client:
        for host in ("evil.example", "evil.example:80", "127.0.0.1.evil.example", "localhost.evil.example"):
            answer = client.get(path, headers={"Host": host})
            assert (answer.status_code, answer.json()["code"]) == (421, "ForeignHost")
            assert "http.allowedHosts" in answer.json()["detail"]
        for host in (
            "localhost",
            f"localhost:{gateway.port}",
            "[::1]",
            "Faces.example.org",
            "192.168.1.5:80",
        ):
            assert client.get(path, headers={"Host": host}).status_code == 200


def test_this_machines_name_is_its_own(gateway, monkeypatch):
    """Also as .local, by which mDNS finds it."""
    import socket

    name = socket.gethostname().partition(".")[0]
    with gateway.client() as client:
        for host in (socket.gethostname(), f"{name}.local"):
            assert client.get("/", headers={"Host": host}).status_code == 200


def add_legacy_route(app):
    """A route as other modules write them."""

    @app.get("/change-by-get/{name}", dependencies=[Depends(state_changing_get)])
    async def add_face(name: str) -> dict[str, str]:
        return {"name": name}


def test_a_get_that_changes_things_is_for_loopback(serving, credentials_path):
    """On by default only there, off and on by the setting; 405 says what to send instead."""
    credentials.add_token(credentials_path, "ha")
    token = {"Authorization": f"Bearer {credentials.add_token(credentials_path, 'hook')}"}
    for http, code in (
        ({}, 200),
        ({"legacyGet": False}, 405),
        ({"host": "0.0.0.0"}, 405),
        ({"host": "0.0.0.0", "legacyGet": True}, 200),
    ):
        with serving(prepare=add_legacy_route, **http).client(headers=token) as client:
            answer = client.get("/change-by-get/Anna")
            assert answer.status_code == code
            if code == 405:
                assert answer.headers["Allow"] == "POST"
                assert "http.legacyGet" in answer.json()["detail"]


@pytest.mark.parametrize("headers", [*FOREIGN, {"Referer": "http://evil.example/page"}], ids=str)
def test_a_page_elsewhere_cannot_send_such_a_get(serving, headers):
    """A picture or a link on it is refused nevertheless; an address that somebody typed is not."""
    with serving(prepare=add_legacy_route).client() as client:
        assert client.get("/change-by-get/Anna", headers=headers).status_code == 403
        assert client.get("/change-by-get/Anna", headers={"Sec-Fetch-Site": "none"}).status_code == 200
