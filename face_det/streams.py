"""The servers behind streams: probed before, and checked after, FFmpeg connects to them.

By itself, FFmpeg checks no certificate, follows a redirect to any host, and does not say why a stream cannot
be opened. Whoever lets it open an address calls `probe_stream` first, gives it `tls_options`, and calls
`refuse_other_hosts` when it has connected.
"""

from __future__ import annotations

import errno
import os
import socket
import stat
from pathlib import Path
from urllib.parse import urlsplit

RTSP_SCHEMES, TLS_SCHEMES = ("rtsp", "rtsps"), ("rtsps", "https")

_INTERNET = (socket.AF_INET, socket.AF_INET6)
_PORTS = {"rtsp": 554, "rtsps": 322, "https": 443}
_AUTHORITIES = ("/etc/ssl/certs/ca-certificates.crt", "/etc/pki/tls/certs/ca-bundle.crt", "/etc/ssl/cert.pem")
"""Where systems keep the certificates of the authorities they trust, in one file, as FFmpeg needs it."""


class StreamFailed(Exception):
    """A stream cannot be read; the message says why, and follows the stream's name."""


class CertificateRefused(StreamFailed):
    """The server's certificate is not accepted."""


def find_authorities() -> str | None:
    """Return the file of trusted certificate authorities, if any; SSL_CERT_FILE may name it."""
    import ssl  # only here, because it takes memory that not every camera needs

    found = (ssl.get_default_verify_paths().cafile, *_AUTHORITIES)
    return next((path for path in found if path and Path(path).is_file()), None)


def tls_options(address: str, *, verify_tls: bool) -> str:
    """Return the options that make FFmpeg check a server's certificate, to be appended to OpenCV's others.

    FFmpeg then checks who signed it and, unless the host is an IP address, that it was issued to the host.

    >>> tls_options("rtsp://camera/front", verify_tls=True), tls_options("https://cam/", verify_tls=False)
    ('', '')
    """
    if not verify_tls or urlsplit(address).scheme.lower() not in TLS_SCHEMES:
        return ""
    return f"|tls_verify;1|ca_file;{find_authorities()}"


def probe_stream(address: str, timeout_s: float, *, verify_tls: bool) -> None:
    """Check the certificate of a server with TLS, and ask one that speaks RTSP for the stream's description.

    No password is sent. Raises StreamFailed for a clear fault, and CertificateRefused if the certificate
    is not trusted, or was issued to another host. An `http` server is not probed.
    """
    parts = urlsplit(address)
    scheme, host = parts.scheme.lower(), parts.hostname
    if scheme not in _PORTS:
        return
    try:
        if not host:
            raise StreamFailed("its address names no server")
        with socket.create_connection((host, parts.port or _PORTS[scheme]), timeout_s) as link:
            link.settimeout(timeout_s)
            with _secured(link, host, verify_tls) if scheme in TLS_SCHEMES else link as channel:
                if scheme in RTSP_SCHEMES:
                    _ask_for_description(channel, address)
    except TimeoutError:
        raise StreamFailed(f"must answer within {timeout_s:g} s") from None
    except (OSError, ValueError) as error:
        if (why := explain_certificate(error)) is not None:
            raise CertificateRefused(why) from None
        reason = getattr(error, "strerror", None) or type(error).__name__
        raise StreamFailed(f"cannot be reached: {reason}") from None


def explain_certificate(error: BaseException | None) -> str | None:
    """Return why a certificate is not accepted, if an error or one of its causes says so; None otherwise.

    >>> explain_certificate(ConnectionRefusedError())
    """
    while error is not None:
        if (why := getattr(error, "verify_message", None)) is not None:
            told = "it must be issued to this address, by a trusted authority, which SSL_CERT_FILE can name"
            return f"its certificate is not accepted: {why}; {told}"
        error = error.__cause__ or error.__context__
    return None


def refuse_other_hosts(address: str) -> None:
    """Raise StreamFailed if this process is connected to a host other than the one in the address.

    Raises OSError if that cannot be told.
    """
    ours = {found[4][0] for found in socket.getaddrinfo(urlsplit(address).hostname, None)}
    for entry in os.listdir("/proc/self/fd"):  # noqa: PTH208
        peer = _peer_host(int(entry))
        if peer is not None and peer not in ours:
            raise StreamFailed("redirects elsewhere, which is refused; configure where it leads")


def _peer_host(descriptor: int) -> str | None:
    """Return the host that a descriptor is connected to; None if it is no such connection, or is closed."""
    try:
        if not stat.S_ISSOCK(os.fstat(descriptor).st_mode):
            return None
        with socket.socket(fileno=os.dup(descriptor)) as link:
            return str(link.getpeername()[0]) if link.family in _INTERNET else None
    except OSError as error:
        if error.errno in (errno.EBADF, errno.ENOTCONN):
            return None
        raise


def _secured(link: socket.socket, host: str, verify_tls: bool) -> socket.socket:
    import ssl

    authorities = find_authorities() if verify_tls else None
    if verify_tls and authorities is None:
        raise StreamFailed(
            "its certificate cannot be checked: no authorities are known; let SSL_CERT_FILE name their file"
        )
    context = ssl.create_default_context(cafile=authorities)
    if not verify_tls:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context.wrap_socket(link, server_hostname=host)


def _ask_for_description(channel: socket.socket, address: str) -> None:
    parts = urlsplit(address)
    plain = parts._replace(netloc=parts.netloc.rpartition("@")[2]).geturl()
    channel.sendall(f"DESCRIBE {plain} RTSP/1.0\r\nCSeq: 1\r\nAccept: application/sdp\r\n\r\n".encode())
    status = _read_status(channel)
    if status == 401 and parts.username is None:
        raise StreamFailed("asks for a password (401); put a user and a password in its address")
    if 300 <= status < 400:
        raise StreamFailed(f"redirects elsewhere ({status}), which is refused; configure where it leads")
    if status not in (200, 401):
        raise StreamFailed(f"must answer with a stream, got {status}; check the path in its address")


def _read_status(channel: socket.socket) -> int:
    """Return the status of the answer's first line."""
    line = b""
    while b"\n" not in line:
        piece = channel.recv(4096)
        if not piece or len(line) > 4096:
            break
        line += piece
    words = line.split(None, 2)
    if len(words) < 2 or not words[0].startswith(b"RTSP/") or not words[1].isdigit():
        raise StreamFailed("must answer as an RTSP server does, got something else")
    return int(words[1])
