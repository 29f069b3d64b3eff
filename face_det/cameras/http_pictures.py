"""Reads pictures over http: snapshots, one request each, or the parts of an MJPEG stream."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
import time
from collections.abc import AsyncGenerator, AsyncIterator, Iterator
from email.message import Message

import httpx

from face_det.cameras.sources import ANY_CERTIFICATE, CameraPicture, CameraSource, split_credentials
from face_det.errors import CameraFailed
from face_det.streams import explain_certificate, find_authorities

MAX_BYTES = 32_000_000
"""The largest picture that is read."""
_MAX_HEAD = 16_384
"""The most bytes between two pictures of a stream."""
_STREAM = "multipart/x-mixed-replace"


class HttpPictures:
    """Reads a camera's pictures over http or https; an asynchronous context manager.

    Redirects are refused: whoever controls a camera could point at any server that is reached from here.
    Errors name the camera, never its address.
    """

    def __init__(self, source: CameraSource, timeout_s: float) -> None:
        self._source = source
        self._timeout_s = timeout_s
        self._address, self._credentials = split_credentials(source.address)
        self._auth: httpx.Auth | None = None
        self._client = httpx.AsyncClient(
            timeout=timeout_s, follow_redirects=False, trust_env=False, verify=_trusted(source)
        )

    async def __aenter__(self) -> HttpPictures:
        """Return this reader; connections are made when they are needed."""
        return self

    async def __aexit__(self, *error: object) -> None:
        """Close the connections."""
        await self._client.aclose()

    async def first(self) -> bytes:
        """Return the picture that the camera takes now. Raises CameraFailed."""
        with self._failures_named():
            async with self._ask() as answer:
                boundary = _boundary(answer)
                if boundary is None:
                    return await _read_snapshot(answer, self._timeout_s)
                async with contextlib.aclosing(_parts(answer, boundary, self._timeout_s)) as parts:
                    async for data in parts:
                        return data
        raise self._ended()

    async def live(self) -> AsyncGenerator[CameraPicture, None]:
        """Yield pictures for as long as they come, the newest of a stream, at most `fps` a second.

        Raises CameraFailed at the end, whatever ended it.
        """
        interval_s = 1 / self._source.fps
        with self._failures_named():
            while True:
                begun = time.monotonic()
                async with self._ask() as answer:
                    boundary = _boundary(answer)
                    if boundary is not None:
                        async with contextlib.aclosing(_parts(answer, boundary, self._timeout_s)) as parts:
                            due = 0.0
                            async for data in parts:
                                if (now := time.monotonic()) >= due - interval_s / 4:
                                    due = max(due, now) + interval_s
                                    yield CameraPicture(data, time.time())
                        break
                    yield CameraPicture(await _read_snapshot(answer, self._timeout_s), time.time())
                await asyncio.sleep(max(0.0, begun + interval_s - time.monotonic()))
        raise self._ended()

    @contextlib.asynccontextmanager
    async def _ask(self) -> AsyncIterator[httpx.Response]:
        """Send the request, with the kind of authentication that the camera asks for."""
        async with self._client.stream("GET", self._address, auth=self._auth) as answer:
            if answer.status_code != 401 or self._credentials is None or self._auth is not None:
                yield self._checked(answer)
                return
            digest = answer.headers.get("www-authenticate", "").lower().startswith("digest")
        self._auth = (httpx.DigestAuth if digest else httpx.BasicAuth)(*self._credentials)
        async with self._client.stream("GET", self._address, auth=self._auth) as answer:
            yield self._checked(answer)

    def _checked(self, answer: httpx.Response) -> httpx.Response:
        status = answer.status_code
        if status == 401:
            hint = "put a user and a password" if self._credentials is None else "check the user and password"
            raise self._failed(f"asks for a password (401); {hint} in its address")
        if 300 <= status < 400:
            raise self._failed(f"redirects elsewhere ({status}), which is refused; configure where it leads")
        if status != 200:
            raise self._failed(f"must answer 200 with a picture, got {status}")
        return answer

    @contextlib.contextmanager
    def _failures_named(self) -> Iterator[None]:
        """Turn httpx's errors into ours, without their causes: some contain the address."""
        try:
            yield
        except httpx.TimeoutException:
            raise self._failed(f"must send a picture within {self._timeout_s:g} s") from None
        except _BadAnswer as error:
            raise self._failed(str(error)) from None
        except CameraFailed:
            raise
        except Exception as error:  # noqa: BLE001 - whatever it is, its text may contain the address
            if (why := explain_certificate(error)) is not None:
                raise self._failed(f"{why} {ANY_CERTIFICATE}") from None
            raise self._failed(f"must answer over http, got {type(error).__name__}") from None

    def _failed(self, why: str) -> CameraFailed:
        return CameraFailed(f"camera {self._source.name}: {why}")

    def _ended(self) -> CameraFailed:
        return self._failed("its stream ended")


def _trusted(source: CameraSource) -> ssl.SSLContext | bool:
    """Return who may sign certificates: the authorities for streams or, where there are none, httpx's."""
    authorities = find_authorities() if source.verify_tls and source.scheme == "https" else None
    return source.verify_tls if authorities is None else ssl.create_default_context(cafile=authorities)


class _BadAnswer(Exception):
    """A camera's answer that is no picture."""


async def _read_snapshot(answer: httpx.Response, limit_s: float) -> bytes:
    body, begun = bytearray(), time.monotonic()
    async for piece in answer.aiter_bytes():
        body += piece
        _check_time(begun, limit_s)
        if len(body) > MAX_BYTES:
            raise _BadAnswer(f"must send at most {MAX_BYTES // 1_000_000} MB")
    return bytes(body)


def _check_time(begun: float, limit_s: float) -> None:
    """Give up a picture that comes byte by byte, each within the client's own limit."""
    if time.monotonic() - begun > limit_s:
        raise _BadAnswer(f"must send a picture within {limit_s:g} s")


def _boundary(answer: httpx.Response) -> bytes | None:
    """Return what separates the pictures of a stream, or None for a single picture."""
    header = Message()
    header["content-type"] = answer.headers.get("content-type", "")
    if header.get_content_type() != _STREAM:
        return None
    # Many cameras write the dashes, which are no part of a boundary, into it.
    boundary = (header.get_boundary() or "").strip().removeprefix("--").encode("latin-1", "replace")
    if not boundary:
        raise _BadAnswer("must say in its Content-Type what separates its pictures")
    return b"--" + boundary


async def _parts(answer: httpx.Response, boundary: bytes, limit_s: float) -> AsyncGenerator[bytes, None]:
    """Yield the bodies of a stream's parts, each as soon as it is complete."""
    buffer = bytearray()
    head: Message | None = None
    searched, begun = 0, time.monotonic()
    async for piece in answer.aiter_raw():
        buffer += piece
        while True:
            if head is None:
                head = _take_head(buffer, boundary)
            if head is None:
                break
            body, searched = _take_body(buffer, head, boundary, searched)
            if body is None:
                break
            head, begun = None, time.monotonic()
            if body:
                yield body
                begun = time.monotonic()
        _check_time(begun, limit_s)


def _take_head(buffer: bytearray, boundary: bytes) -> Message | None:
    """Remove a boundary and the headers after it from the buffer; None if they have not all come."""
    start = buffer.find(boundary)
    end = buffer.find(b"\r\n\r\n", start) if start >= 0 else -1
    if end < 0:
        if len(buffer) > _MAX_HEAD:
            raise _BadAnswer("must send a stream of pictures, got something else")
        return None
    head = Message()
    for line in bytes(buffer[start:end]).split(b"\r\n")[1:]:
        name, _, value = line.decode("latin-1").partition(":")
        head[name.strip()] = value.strip()
    del buffer[: end + 4]
    return head


def _take_body(buffer: bytearray, head: Message, boundary: bytes, searched: int) -> tuple[bytes | None, int]:
    """Remove a part's body from the buffer, None if it has not all come; and how far was searched."""
    length = head.get("content-length", "")
    size = int(length) if length.isascii() and length.isdigit() else None
    if size is None:
        # Without a length, a picture ends where the next one begins.
        size = buffer.find(b"\r\n" + boundary, max(0, searched - len(boundary) - 2))
        if size < 0:
            size = max(len(buffer) + 1, 1)
    if size > MAX_BYTES:
        raise _BadAnswer(f"must send at most {MAX_BYTES // 1_000_000} MB")
    if len(buffer) < size:
        return None, len(buffer)
    body = bytes(buffer[:size])
    del buffer[:size]
    return body, 0
