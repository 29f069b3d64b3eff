"""Who is next: a ring of clients, each with a line of jobs."""

from __future__ import annotations

from collections import OrderedDict, deque
from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

Job = TypeVar("Job")


class FairQueue(Generic[Job]):
    """Jobs in the order of their turns: one of each client, then again. Locked by who uses it."""

    def __init__(self) -> None:
        self._lines: OrderedDict[Hashable, deque[Job]] = OrderedDict()
        self._count = 0

    def __len__(self) -> int:
        """How many jobs wait."""
        return self._count

    def add(self, client: Hashable, job: Job) -> None:
        """At the end of the client's line."""
        self._lines.setdefault(client, deque()).append(job)
        self._count += 1

    def put_back(self, client: Hashable, job: Job) -> None:
        """Taken and not finished: the first of its line."""
        self._lines.setdefault(client, deque()).appendleft(job)
        self._count += 1

    def take(self, fits: Callable[[Job], bool]) -> Job | None:
        """The first job that fits of the first client that has one, who goes to the end of the ring."""
        for client, line in self._lines.items():
            job = next(filter(fits, line), None)
            if job is not None:
                self.remove(client, job)
                if line:
                    self._lines.move_to_end(client)
                return job
        return None

    def remove(self, client: Hashable, job: Job) -> None:
        """Not to be done any more."""
        line = self._lines[client]
        line.remove(job)
        self._count -= 1
        if not line:
            del self._lines[client]
