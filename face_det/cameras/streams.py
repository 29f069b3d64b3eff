"""Reads streams, video files and devices through a process that decodes them."""

from __future__ import annotations

import asyncio
import contextlib
import json
import sys
import time
from collections.abc import AsyncGenerator

from face_det.cameras.sources import CameraPicture, CameraSource
from face_det.cameras.stream_reader import FAILED, HEADER, PICTURE
from face_det.errors import CameraFailed

START_S = 120.0
"""How long the process may take to start on a busy machine."""
_MODULE = "face_det.cameras.stream_reader"
_MAX_BYTES = 200_000_000


async def read_stream(
    source: CameraSource, timeout_s: float, *, loop: bool = False
) -> AsyncGenerator[CameraPicture, None]:
    """Yield a stream's newest pictures as JPEGs, at most `fps` a second; `loop` begins a file again.

    Raises CameraFailed when no more come: none came within `timeout_s`, the stream ended, or it cannot be
    decoded. Close the iterator to end the process that decodes.
    """
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", _MODULE),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
    )
    try:
        assert process.stdin is not None
        assert process.stdout is not None
        order = {
            "address": source.address,
            "fps": source.fps,
            "timeout_s": timeout_s,
            "verify_tls": source.verify_tls,
            "loop": loop,
        }
        process.stdin.write(json.dumps(order).encode() + b"\n")
        # It has limits of its own at each step. This one is for a decoder that hangs.
        patience_s = START_S
        while True:
            kind, at, body = await asyncio.wait_for(_receive(process.stdout), patience_s)
            if kind == FAILED:
                raise CameraFailed(f"camera {source.name}: {body.decode()}")
            if kind == PICTURE:
                yield CameraPicture(body, time.time() - max(time.monotonic() - at, 0.0), at)
            patience_s = 3 * timeout_s + 1
    except asyncio.TimeoutError:
        raise CameraFailed(f"camera {source.name}: no picture came within {timeout_s:g} s") from None
    except (asyncio.IncompleteReadError, ConnectionError):
        status = await process.wait()
        why = f"signal {-status}" if status < 0 else f"exit status {status}"
        raise CameraFailed(f"camera {source.name}: the process that decodes it died: {why}") from None
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        await process.wait()


async def _receive(stream: asyncio.StreamReader) -> tuple[bytes, float, bytes]:
    kind, at, length = HEADER.unpack(await stream.readexactly(HEADER.size))
    if length > _MAX_BYTES:
        raise ConnectionError("a message that is too long")
    return kind, at, await stream.readexactly(length)
