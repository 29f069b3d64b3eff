"""The workers by themselves."""

from __future__ import annotations

import gc
import threading
import weakref

import gevent
import pytest
from running import eventually

from face_det.doors.worker import Workers, _percentile
from face_det.errors import Busy


@pytest.fixture
def workers():
    """One thread, two places in the queue."""
    workers = Workers(1, 2)
    workers.start()
    return workers


def test_computes_on_a_native_thread_while_greenlets_go_on(workers):
    """The hub is free: a greenlet here can let the thread there go on."""
    barrier, ticks = threading.Event(), []
    job = gevent.spawn(
        workers.submit, lambda: (barrier.wait(60), threading.current_thread().name), limit_s=60
    )
    for tick in range(5):
        gevent.sleep(0)
        ticks.append(tick)
    barrier.set()
    assert job.get(timeout=60) == (True, "worker-0")
    assert ticks == [0, 1, 2, 3, 4]


def test_an_exception_arrives_with_its_traceback(workers):
    """The log can say where in the service it came from."""

    def deep():
        raise KeyError("x")

    with pytest.raises(KeyError) as caught:
        workers.submit(deep, limit_s=60)
    assert caught.traceback[-1].name == "deep"


def test_an_idle_thread_counts_as_room():
    """A burst that comes before the threads have woken up is not refused."""
    workers = Workers(2, 1)
    jobs = [gevent.spawn(workers.submit, lambda: 1, limit_s=60) for _ in range(4)]
    gevent.sleep(0)
    workers.start()
    assert sorted(str(job.exception or job.value) for job in gevent.joinall(jobs, timeout=60)) == [
        "1", "1", "1", "queue full: 3 calls are waiting; try again",
    ]  # fmt: skip


def test_closing_refuses_the_waiting_and_the_new(workers):
    """What runs goes on, and join() waits for it."""
    barrier = threading.Event()
    running, waiting = (gevent.spawn(workers.submit, barrier.wait, limit_s=60) for _ in range(2))
    eventually(lambda: workers.status()["running"] == 1 and workers.status()["queue_depth"] == 1)
    workers.close("closing")
    with pytest.raises(Busy, match=r"^closing$"):
        waiting.get(timeout=60)
    with pytest.raises(Busy, match=r"^closing$"):
        workers.submit(lambda: 1, limit_s=60)
    assert not workers.join(0.01)
    barrier.set()
    assert workers.join(60)
    assert running.get(timeout=60)
    assert workers.status()["counters"] == {"done": 1, "failed": 0, "refused": 2, "abandoned": 0}


def test_a_thread_is_stuck_after_its_jobs_limit(workers):
    """Not before, and not when it is done."""
    barrier = threading.Event()
    job = gevent.spawn(workers.submit, barrier.wait, limit_s=0)
    eventually(workers.stuck)
    assert workers.stuck().startswith("worker-0 has been at one call for ")
    barrier.set()
    job.get(timeout=60)
    assert workers.stuck() is None
    other = gevent.spawn(workers.submit, lambda: 1, limit_s=3600)
    assert other.get(timeout=60) == 1


def test_a_thread_that_has_died_is_stuck():
    """One that was never started is as good as dead."""
    assert Workers(1, 1).stuck() == "worker-0 has died"


def test_nothing_of_a_call_is_kept(workers):
    """A picture of 100 MB must not stay until the next call."""

    class Picture:
        pass

    picture = Picture()
    gone = weakref.ref(picture)
    assert workers.submit(lambda picture=picture: str(picture), limit_s=60)
    del picture
    gc.collect()
    assert gone() is None


@pytest.mark.parametrize(
    ("values", "share", "expected"),
    [
        ([], 0.5, None),
        ([7], 0.95, 7),
        (list(range(100)), 0.5, 50),
        (list(range(100)), 0.95, 95),
        ([1, 2], 0.5, 2),
    ],
)
def test_percentiles(values, share, expected):
    """Nearest rank; of nothing, None."""
    assert _percentile(values, share) == expected
