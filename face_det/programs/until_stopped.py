"""Runs the asynchronous work of one program until it is told to stop."""

from __future__ import annotations

import asyncio
import logging
import signal
from collections.abc import Callable, Coroutine
from contextlib import AbstractAsyncContextManager
from typing import Any

log = logging.getLogger(__name__)


def run_until_stopped(
    work: Callable[[], Coroutine[Any, Any, None]], daemon: AbstractAsyncContextManager[object]
) -> None:
    """Run `work`, which calls `daemon`, until it ends or SIGTERM or SIGINT cancels it; then disconnect."""
    asyncio.run(_run(work, daemon))


async def _run(
    work: Callable[[], Coroutine[Any, Any, None]], daemon: AbstractAsyncContextManager[object]
) -> None:
    task = asyncio.ensure_future(work())
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, task.cancel)
    async with daemon:
        try:
            await task
        except asyncio.CancelledError:
            log.info("stopped")
