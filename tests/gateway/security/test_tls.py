"""https, with certificates that openssl makes here."""

from __future__ import annotations

import shutil
import socket
import ssl
import subprocess
import time

import pytest

from face_det.config import load_config
from face_det.errors import ConfigError
from face_det.gateway.security import tls

pytestmark = pytest.mark.skipif(shutil.which("openssl") is None, reason="needs openssl")


def make_pair(folder, name):
    """A key and a certificate of this name, signed by itself."""
    key, certificate = folder / f"{name}.key", folder / f"{name}.pem"
    subprocess.run(
        [
            *[
                "openssl",
                "req",
                "-x509",
                "-newkey",
                "ec",
                "-pkeyopt",
                "ec_paramgen_curve:prime256v1",
                "-nodes",
                "-days",
                "2",
            ],
            *("-subj", f"/CN={name}", "-addext", "subjectAltName=IP:127.0.0.1"),
            *("-keyout", key, "-out", certificate),
        ],
        check=True,
        capture_output=True,
        timeout=300,
    )
    return certificate, key


@pytest.fixture
def pair(tmp_path):
    """The certificate and the key in use."""
    return make_pair(tmp_path, "first")


def subject(gateway):
    """The name in the certificate that a new connection is shown."""
    pem = ssl.get_server_certificate(("127.0.0.1", gateway.port), timeout=300)
    command = ["openssl", "x509", "-noout", "-subject"]
    return subprocess.run(command, input=pem, text=True, capture_output=True, check=True, timeout=300).stdout


def test_https_is_served(serving, pair):
    """The certificate is checked, HSTS is told, and no old version of TLS is spoken."""
    gateway = serving(tls=tls.TlsFiles(*pair))
    with gateway.client(verify=ssl.create_default_context(cafile=pair[0])) as client:
        answer = client.get("/healthz/live")
        assert answer.status_code == 200
        assert answer.headers["Strict-Transport-Security"] == "max-age=31536000"
    old = ssl.create_default_context(cafile=pair[0])
    old.minimum_version, old.maximum_version = ssl.TLSVersion.MINIMUM_SUPPORTED, ssl.TLSVersion.TLSv1_2
    old.set_ciphers("AES128-SHA")
    with socket.create_connection(("127.0.0.1", gateway.port)) as plain, pytest.raises(ssl.SSLError):
        old.wrap_socket(plain, server_hostname="127.0.0.1")


def test_a_renewed_certificate_is_taken_over(serving, pair, tmp_path):
    """By new connections, without a restart; half of a pair, or nonsense, is not."""
    files = tls.TlsFiles(*pair)
    gateway = serving(tls=files)
    assert "first" in subject(gateway)
    certificate, key = make_pair(tmp_path, "second")
    shutil.copy(certificate, pair[0])
    assert not files.refresh()
    assert "first" in subject(gateway)
    shutil.copy(key, pair[1])
    assert files.refresh()
    assert "second" in subject(gateway)
    assert not files.refresh()
    pair[0].write_text("nonsense")
    assert not files.refresh()
    assert "second" in subject(gateway)


def test_the_server_looks_for_renewed_files_itself(serving, pair, tmp_path, monkeypatch):
    """Now and then; here often."""
    monkeypatch.setattr("face_det.gateway.server.RENEWAL_TICKS", 1)
    gateway = serving(tls=tls.TlsFiles(*pair))
    certificate, key = make_pair(tmp_path, "second")
    shutil.copy(certificate, pair[0])
    shutil.copy(key, pair[1])
    end = time.monotonic() + 60
    while "second" not in subject(gateway):
        assert time.monotonic() < end


def test_a_handshake_that_does_not_come_is_not_waited_for(serving, pair, monkeypatch):
    """A connection that never speaks TLS ends as soon as one that never speaks HTTP."""
    monkeypatch.setattr("face_det.gateway.server.HEAD_S", 0.5)
    gateway = serving(tls=tls.TlsFiles(*pair))
    with gateway.connect() as connection:
        assert connection.recv(1) == b""


def test_a_refusal_over_tls_reaches_the_client(serving, pair):
    """413 to an upload that is being sent."""
    gateway = serving(tls=tls.TlsFiles(*pair), maxUploadMb=0.1)
    context = ssl.create_default_context(cafile=pair[0])
    head = b"POST /api/v1/faces HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 3000000\r\n\r\n"
    with context.wrap_socket(gateway.connect(), server_hostname="127.0.0.1") as connection:
        connection.sendall(head + bytes(200_000))
        assert connection.recv(12) == b"HTTP/1.1 413"


@pytest.mark.parametrize("spoil", ["certificate", "key", "other key"])
def test_files_that_cannot_be_used_are_a_config_fault(pair, tmp_path, spoil):
    """Missing, nonsense, or of different pairs: before it starts, with both paths."""
    certificate, key = pair
    if spoil == "certificate":
        certificate.write_text("nonsense")
    elif spoil == "key":
        key.unlink()
    else:
        key = make_pair(tmp_path, "second")[1]
    with pytest.raises(
        ConfigError, match=r"http.tlsCertificate .* http.tlsKey .* must be a certificate in PEM"
    ):
        tls.TlsFiles(certificate, key)


@pytest.mark.parametrize("given", ["tlsCertificate", "tlsKey"])
def test_a_certificate_without_a_key_is_a_fault(tmp_path, given):
    """And a key without a certificate: nothing would be encrypted, though somebody meant it to be."""
    path = tmp_path / "config.json"
    path.write_text(f'{{"faceDetServer": {{"http": {{"{given}": "x.pem"}}}}}}')
    with pytest.raises(ConfigError, match=r"http.tlsCertificate and http.tlsKey: set both, or none"):
        load_config(path, {})


def test_a_proxy_is_an_address(tmp_path):
    """A name could lead anywhere."""
    path = tmp_path / "config.json"
    path.write_text('{"faceDetServer": {"http": {"trustedProxies": ["proxy.example.org"]}}}')
    with pytest.raises(ConfigError, match="trustedProxies: must be a list of addresses or networks"):
        load_config(path, {})
