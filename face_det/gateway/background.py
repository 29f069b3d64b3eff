"""Calls that continue after their request was answered."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Coroutine
from typing import Any

from face_det.errors import FaceDetError

_LOG = logging.getLogger(__name__)


class Background:
    """Runs coroutines until they end, and cancels the rest when the gateway stops."""

    def __init__(self) -> None:
        self._tasks: set[asyncio.Task[Any]] = set()

    async def start(
        self, work: Coroutine[Any, Any, Any], what: str, patience_s: float = 0
    ) -> FaceDetError | None:
        """Start some work; return the error it ends with within `patience_s`, or None if it continues.

        `what` says in the log what failed.
        """
        task = asyncio.create_task(_reported(work, what), name=what)
        self._tasks.add(task)
        task.add_done_callback(self._end)
        await asyncio.wait({task}, timeout=patience_s)
        return task.result() if task.done() and not task.cancelled() else None

    def _end(self, task: asyncio.Task[Any]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (bug := task.exception()):
            _LOG.error("%s failed", task.get_name(), exc_info=bug)

    async def stop(self) -> None:
        """Cancel what is still running."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)


async def _reported(work: Coroutine[Any, Any, Any], what: str) -> FaceDetError | None:
    try:
        await work
    except FaceDetError as error:
        _LOG.warning("%s: %s: %s", what, type(error).__name__, error)
        return error
    return None
