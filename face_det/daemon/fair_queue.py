"""A fair queue: clients take turns, however many jobs each has queued."""

from __future__ import annotations

from collections import OrderedDict, deque
from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

Job = TypeVar("Job")


class FairQueue(Generic[Job]):
    """A round-robin queue: one job of each client, then the next of each. The user must lock it.

    >>> queue: FairQueue[str] = FairQueue()
    >>> for client, job in [("a", "a1"), ("a", "a2"), ("b", "b1")]:
    ...     queue.add(client, job)
    >>> [queue.take(lambda job: True) for _ in range(3)]
    ['a1', 'b1', 'a2']
    """

    def __init__(self) -> None:
        self._lines: OrderedDict[Hashable, deque[Job]] = OrderedDict()
        self._count = 0

    def __len__(self) -> int:
        """Return the number of waiting jobs."""
        return self._count

    def add(self, client: Hashable, job: Job) -> None:
        """Append a job to its client's queue."""
        self._lines.setdefault(client, deque()).append(job)
        self._count += 1

    def put_back(self, client: Hashable, job: Job) -> None:
        """Put a job that was taken but not finished back at the front of its client's queue."""
        self._lines.setdefault(client, deque()).appendleft(job)
        self._count += 1

    def take(self, fits: Callable[[Job], bool]) -> Job | None:
        """Take the first job that fits from the first client that has one.

        The client goes to the end of the ring.
        """
        for client, line in self._lines.items():
            job = next(filter(fits, line), None)
            if job is not None:
                self.remove(client, job)
                if line:
                    self._lines.move_to_end(client)
                return job
        return None

    def remove(self, client: Hashable, job: Job) -> None:
        """Remove a waiting job."""
        line = self._lines[client]
        line.remove(job)
        self._count -= 1
        if not line:
            del self._lines[client]
