"""Clients that are slow, and clients that mean harm, over real sockets."""

from __future__ import annotations

import contextlib
import json
import re
import socket
import threading
import time

import httpx
import pytest
from running import eventually

from face_det.gateway import server, uploads
from face_det.gateway.security import connections

PATIENCE_S = 60
GET = b"GET /healthz/live HTTP/1.1\r\nHost: localhost\r\n\r\n"
POST = b"POST /api/v1/faces HTTP/1.1\r\nHost: localhost\r\nContent-Type: image/jpeg\r\n"


def read_all(connection):
    """Return what comes until the other end closes, whichever way it does."""
    received = b""
    with contextlib.suppress(ConnectionError):
        while part := connection.recv(65536):
            received += part
    return received


def statuses(received):
    """The status codes of the answers in this."""
    return [int(code) for code in re.findall(rb"HTTP/1\.1 (\d{3}) ", received)]


@pytest.fixture
def impatient(monkeypatch):
    """Half a second is long: the numbers are the gateway's own, the clocks are real."""
    monkeypatch.setattr(connections, "HEAD_S", 0.5)
    monkeypatch.setattr(connections, "LINGER_S", 0.5)


@pytest.mark.parametrize("begun", [b"", b"GET", GET[:-2], GET + GET[:-2]])
def test_a_head_that_does_not_come_is_not_waited_for(impatient, gateway, begun):
    """Nothing, a part, all but the last line, or a second one on a connection that was good before."""
    with gateway.connect() as connection:
        connection.sendall(begun)
        assert statuses(read_all(connection)) == [200] * begun.count(GET)


def test_drops_do_not_keep_a_connection(impatient, gateway):
    """A byte now and then is no head."""
    with gateway.connect() as connection:
        closed = threading.Event()

        def drip():
            with contextlib.suppress(OSError):
                for byte in b"GET / HTTP/1.1\r\n" + b"X-A: b\r\n" * 10_000:
                    connection.send(bytes([byte]))
                    if closed.wait(0.05):
                        return

        thread = threading.Thread(target=drip)
        thread.start()
        assert read_all(connection) == b""
        closed.set()
        thread.join(PATIENCE_S)


def test_a_head_that_comes_in_parts_is_answered(gateway):
    """Slow is not hostile."""
    with gateway.connect() as connection:
        for part in (GET[:5], GET[5:30], GET[30:]):
            connection.sendall(part)
            time.sleep(0.02)
        assert connection.recv(15) == b"HTTP/1.1 200 OK"


@pytest.fixture
def quick_stall(monkeypatch):
    """A body that does not come is given up after half a second."""
    monkeypatch.setattr(uploads.BodyLimit.__init__, "__defaults__", (None, 0.5))


@pytest.mark.parametrize("headers", [b"Content-Length: 100", b"Transfer-Encoding: chunked"])
@pytest.mark.parametrize("path", [b"/api/v1/faces", b"/api/v1/unknowns/merge"])
def test_a_body_that_stalls_is_answered_408(quick_stall, gateway, headers, path):
    """Raw or JSON, by length or in chunks: the answer comes, and then the end."""
    head = b"POST " + path + b" HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
    answer = gateway.exchange(head + headers + b"\r\n\r\n")
    assert statuses(answer) == [408]
    assert b'"code":"RequestTimeout"' in answer
    assert b"connection: close" in answer.lower()
    assert not gateway.daemon.calls


def test_drops_of_a_body_are_a_stall(quick_stall, gateway):
    """What comes must be worth the connection."""
    with gateway.connect() as connection:
        connection.sendall(POST + b"Content-Length: 5000\r\n\r\n")
        with contextlib.suppress(OSError):
            for _ in range(100):
                connection.sendall(b"x")
                time.sleep(0.02)
        assert statuses(read_all(connection)) == [408]


class Chunks:
    """An endless body in chunks, sent until nobody takes it any more."""

    size = 65536

    def __init__(self, most):
        self.sent, self._most = 0, most

    def send(self, connection):
        chunk = b"%x\r\n" % self.size + bytes(self.size) + b"\r\n"
        with contextlib.suppress(OSError):
            while self.sent < self._most:
                connection.sendall(chunk)
                self.sent += self.size


def require_problem_in(answer):
    """Hold the only answer in this to the one shape that errors have, and to the headers of all answers."""
    head, _, body = answer.partition(b"\r\n\r\n")
    assert b"content-type: application/problem+json" in head.lower(), answer
    assert b"x-content-type-options: nosniff" in head.lower()
    problem = json.loads(body)
    assert [problem["status"]] == statuses(answer)
    assert problem["detail"] == problem["error"] != ""


TWO_GB = 2 * 10**9


@pytest.mark.parametrize(
    "path", [b"/api/v1/faces", b"/api/v1/people/Anna/photos", b"/api/v1/unknowns/merge", b"/api/v1/login"]
)
def test_a_body_without_end_ends_early(serving, path):
    """In chunks: 413 reaches the client, and of its two gigabytes few megabytes are taken."""
    gateway = serving(maxUploadMb=1)
    kind = b"Content-Type: application/json\r\n" if b"merge" in path or b"login" in path else b""
    with gateway.connect() as connection:
        head = b"POST " + path + b" HTTP/1.1\r\nHost: localhost\r\n" + kind
        connection.sendall(head + b"Transfer-Encoding: chunked\r\n\r\n")
        body = Chunks(TWO_GB)
        thread = threading.Thread(target=body.send, args=(connection,))
        thread.start()
        answer = read_all(connection)
        thread.join(PATIENCE_S)
    assert not thread.is_alive()
    assert statuses(answer) == [413]
    assert b'"code":"TooLarge"' in answer
    assert body.sent < 20_000_000
    assert not gateway.daemon.calls


def test_a_body_that_is_announced_too_large_is_not_read(serving):
    """413 before the first byte of it; a client that waits for `100 Continue` sends nothing."""
    gateway = serving(maxUploadMb=1)
    head = POST + b"Content-Length: 2000000000\r\nExpect: 100-continue\r\n\r\n"
    answer = gateway.exchange(head)
    assert statuses(answer) == [413]
    assert b"at most 1 MB" in answer


def test_a_refusal_reaches_a_client_that_is_still_sending(serving, with_password):
    """401 to an upload: the connection is not reset before the client has read it."""
    gateway = serving()
    for _ in range(5):
        with gateway.connect() as connection:
            connection.sendall(POST + b"Content-Length: 8000000\r\n\r\n")
            with contextlib.suppress(ConnectionError):
                connection.sendall(bytes(8_000_000))
            assert statuses(read_all(connection)) == [401]


def test_a_body_shorter_than_announced_is_no_upload(gateway):
    """The client has gone: nobody is enrolled with half a picture."""
    with gateway.connect() as connection:
        connection.sendall(POST + b"Content-Length: 100\r\n\r\nhalf")
        connection.shutdown(socket.SHUT_WR)
        read_all(connection)
    with gateway.client() as client:
        assert client.get("/api/v1/people").status_code == 200
    assert gateway.daemon.calls == [("people",)]


def test_a_body_longer_than_announced_is_cut(gateway):
    """What follows is taken for another request, and is none."""
    answer = gateway.exchange(POST + b"Content-Length: 4\r\n\r\nfour and more")
    assert 400 in statuses(answer)
    assert [call[:2] for call in gateway.daemon.calls] in ([], [("recognize", b"four")])


def test_a_form_with_ten_thousand_fields_is_refused(gateway):
    """400 or 413, and quickly."""
    fields = {f"field{number}": "x" for number in range(10_000)}
    with gateway.client() as client:
        answer = client.post("/api/v1/faces", data=fields, files={"image": b"picture"})
    assert answer.status_code in (400, 413)
    assert not gateway.daemon.calls


@pytest.mark.parametrize(
    "request_bytes",
    [
        GET[:-2] + b"X-Long: " + b"x" * 200_000 + b"\r\n\r\n",
        b"GET /" + b"x" * 200_000 + b" HTTP/1.1\r\nHost: localhost\r\n\r\n",
        GET[:-2] + b"X-A: b\r\n" * 50_000 + b"\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        b"\r\n\r\n\r\n" + GET,
        bytes(1000),
        b"GET /\r\n\r\n",
        b"GET / HTTP/1.1\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: a\r\nHost: localhost\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: localhost\r\nX: a\r\n folded\x00\r\n\r\n",
    ],
    ids=[
        "header",
        "target",
        "headers",
        "tls",
        "http2",
        "blank",
        "zeros",
        "0.9",
        "no host",
        "hosts",
        "null",
    ],
)
def test_what_is_no_request_is_answered_400_and_cut_off(gateway, request_bytes):
    """Never 500, and the next client is served."""
    answer = gateway.exchange(request_bytes)
    assert set(statuses(answer)) <= {400, 421}
    if len(statuses(answer)) == 1:
        require_problem_in(answer)
    with gateway.client() as client:
        assert client.get("/healthz/live").status_code == 200


SMUGGLED = b"POST /api/v1/people/Anna/forget HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\n\r\n"


@pytest.mark.parametrize(
    "headers",
    [
        b"Content-Length: 4\r\nTransfer-Encoding: chunked\r\n",
        b"Content-Length: 4\r\nContent-Length: 99\r\n",
        b"Content-Length: +4\r\n",
        b"Content-Length: 0x4\r\n",
        b"Content-Length: 4, 99\r\n",
        b"Content-Length : 4\r\n",
        b"Transfer-Encoding: xchunked\r\n",
        b"Transfer-Encoding: chunked, identity\r\n",
        b"Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n",
        b"Transfer-Encoding:\x0bchunked\r\n",
    ],
)
def test_no_request_is_smuggled_in_another(gateway, headers):
    """A length that a proxy may read otherwise: refused, and nothing after it is read."""
    answer = gateway.exchange(POST + headers + b"\r\n0\r\n\r\n" + SMUGGLED)
    assert statuses(answer) in ([400], [501])
    assert not gateway.daemon.calls


@pytest.mark.parametrize(
    "chunk", [b"zz\r\nx\r\n", b"-1\r\nx\r\n", b"5;" + b"x" * 100_000, b"1\r\nxyz0\r\n\r\n"]
)
def test_bad_chunks_are_no_body(gateway, chunk):
    """400, and the route never sees an end."""
    answer = gateway.exchange(POST + b"Transfer-Encoding: chunked\r\n\r\n" + chunk)
    assert statuses(answer) == [400]
    assert not gateway.daemon.calls


def test_a_connection_is_kept_as_long_as_proxies_keep_theirs():
    """nginx's is kept for a minute; a request on one that has just been closed would get no answer."""
    assert server.GatewayServer(None).config.timeout_keep_alive > 60


def test_requests_in_a_row_are_answered_in_a_row(gateway):
    """Pipelining: each its answer, in order."""
    other = GET.replace(b"/healthz/live", b"/api/v1/nothing")
    last = GET[:-2] + b"Connection: close\r\n\r\n"
    assert statuses(gateway.exchange(GET + other + GET + last)) == [200, 404, 200, 200]


def test_answers_leave_at_once(gateway, monkeypatch):
    """The body does not wait for the head's acknowledgement, which takes a client 40 ms."""
    without_delay = []
    connection_made = connections.PatientProtocol.connection_made

    def watched(self, transport):
        connection_made(self, transport)
        used = transport.get_extra_info("socket")
        without_delay.append(used.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY))

    monkeypatch.setattr(connections.PatientProtocol, "connection_made", watched)
    gateway.connect().close()
    eventually(lambda: without_delay, "the connection")
    assert without_delay == [1]


def test_too_many_connections_are_told_so(serving, monkeypatch):
    """From the limit on 503, beyond twice of it nothing; once they have gone, all is well."""
    monkeypatch.setattr(connections, "MAX_CONNECTIONS", 3)
    monkeypatch.setattr(server, "MAX_CONNECTIONS", 3)
    gateway = serving()
    with contextlib.ExitStack() as stack:
        silent = [stack.enter_context(gateway.connect()) for _ in range(2)]
        for _ in range(4):
            connection = stack.enter_context(gateway.connect())
            connection.sendall(GET)
            answer = read_all(connection)
            assert statuses(answer) == [503]
            assert b"retry-after: 1\r\n" in answer.lower()
            require_problem_in(answer)
            silent.append(stack.enter_context(gateway.connect()))
        assert read_all(stack.enter_context(gateway.connect())) == b""
    eventually(lambda: _serves(gateway), "a place for the next client")


def test_nobody_takes_all_the_connections(gateway, monkeypatch):
    """An address that has its share gets no more, others do, and this machine may speak for many."""
    monkeypatch.setattr(connections, "MAX_PER_ADDRESS", 2)
    with contextlib.ExitStack() as stack:

        def status_from(address):
            place = ("127.0.0.1", gateway.port)
            connection = stack.enter_context(socket.create_connection(place, PATIENCE_S, (address, 0)))
            connection.sendall(GET[:-2] + b"Connection: close\r\n\r\n")
            return statuses(read_all(connection))

        silent = [stack.enter_context(gateway.connect()) for _ in range(2)]
        assert status_from("127.0.0.1") == [200]
        monkeypatch.setattr(connections, "_is_this_machine", lambda address: False)
        assert status_from("127.0.0.1") == []
        assert status_from("127.0.0.2") == [200]
        silent.pop().close()
        eventually(lambda: status_from("127.0.0.1") == [200], "a place for the next connection")


def _serves(gateway):
    with gateway.client() as client, contextlib.suppress(httpx.TransportError):
        return client.get("/healthz/live").status_code == 200
    return False
