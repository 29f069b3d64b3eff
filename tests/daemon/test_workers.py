"""The workers by themselves."""

from __future__ import annotations

import gc
import threading
import time
import weakref

import gevent
import pytest
from running import eventually

from face_det.budget import Budget
from face_det.daemon.fair_queue import FairQueue
from face_det.daemon.workers import MAX_PAUSE_S, Workers, _percentile, give_way
from face_det.errors import Busy
from face_det.rpc.caller import CURRENT_CLIENT


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
    assert job.get(timeout=300) == (True, "worker-0")
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
    assert sorted(str(job.exception or job.value) for job in gevent.joinall(jobs, timeout=300)) == [
        "1", "1", "1", "queue full: 3 calls are waiting; try again",
    ]  # fmt: skip


def test_closing_refuses_the_waiting_and_the_new(workers):
    """What runs goes on, and join() waits for it."""
    barrier = threading.Event()
    running, waiting = (gevent.spawn(workers.submit, barrier.wait, limit_s=60) for _ in range(2))
    eventually(lambda: workers.status()["running"] == 1 and workers.status()["queue_depth"] == 1)
    workers.close("closing")
    with pytest.raises(Busy, match=r"^closing$"):
        waiting.get(timeout=300)
    with pytest.raises(Busy, match=r"^closing$"):
        workers.submit(lambda: 1, limit_s=60)
    assert not workers.join(0.01)
    barrier.set()
    assert workers.join(60)
    assert running.get(timeout=300)
    assert workers.status()["counters"] == {
        "done": 1, "failed": 0, "refused": 2, "abandoned": 0, "cancelled": 0,
    }  # fmt: skip


def test_a_thread_is_stuck_after_its_jobs_limit(workers):
    """Not before, and not when it is done."""
    barrier = threading.Event()
    job = gevent.spawn(workers.submit, barrier.wait, limit_s=0)
    eventually(workers.stuck)
    assert workers.stuck().startswith("worker-0 has been busy with one call for ")
    barrier.set()
    job.get(timeout=300)
    assert workers.stuck() is None
    other = gevent.spawn(workers.submit, lambda: 1, limit_s=3600)
    assert other.get(timeout=300) == 1


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


def submitted_by(client, workers, run, **options):
    """A greenlet of that client's, which waits for its job."""

    def submit():
        CURRENT_CLIENT.set(client)
        return workers.submit(run, limit_s=60, **options)

    return gevent.spawn(submit)


def batch(name, length, events):
    """A job of so many pictures, each an event."""

    def run():
        for index in range(length):
            give_way()
            events.append((name, index))
        return name

    return run


def test_a_long_batch_gives_way_between_pictures(workers):
    """With one thread, single pictures of others come in between, and each client has its turn."""
    events, begun, go_on = [], threading.Event(), threading.Event()

    def long():
        begun.set()
        assert go_on.wait(60)
        return batch("long", 200, events)()

    jobs = [submitted_by("a", workers, long)]
    eventually(begun.is_set)
    jobs += [submitted_by(name, workers, batch(name, 1, events)) for name in ("b", "c")]
    eventually(lambda: workers.status()["queue_depth"] == 2)
    go_on.set()
    assert [job.get(timeout=300) for job in jobs] == ["long", "b", "c"]
    assert sorted(events[:3]) == [("b", 0), ("c", 0), ("long", 0)]
    assert [event for event in events if event[0] == "long"] == [("long", index) for index in range(200)]


def test_two_batches_of_one_client_are_done_one_after_the_other(workers):
    """Only clients take turns: what one client waits for longest is done first."""
    events, begun, go_on = [], threading.Event(), threading.Event()
    blocking = submitted_by("a", workers, lambda: (begun.set(), go_on.wait(60)))
    eventually(begun.is_set)
    jobs = [submitted_by("b", workers, batch(name, 3, events)) for name in ("first", "second")]
    eventually(lambda: workers.status()["queue_depth"] == 2)
    go_on.set()
    gevent.joinall([blocking, *jobs], timeout=300)
    assert [name for name, _ in events] == ["first"] * 3 + ["second"] * 3


def test_a_batch_half_done_is_ended_by_its_own_thread(workers):
    """Two threads, many batches: each is done by one thread, whole and in order."""
    workers = Workers(2, 20)
    workers.start()
    seen = {}

    def run(name):
        for _ in range(50):
            give_way()
            seen.setdefault(name, set()).add(threading.get_ident())
        return name

    jobs = [submitted_by(name, workers, lambda name=name: run(name)) for name in range(10)]
    assert [job.get(timeout=300) for job in jobs] == list(range(10))
    assert [len(threads) for threads in seen.values()] == [1] * 10
    assert workers.join(60)


def test_a_closing_lets_a_batch_half_done_end(workers):
    """It has begun, so it is not refused, though it waits for its next turn."""
    begun, go_on, events = threading.Event(), threading.Event(), []
    half_done = submitted_by("a", workers, batch("a", 2, events))
    eventually(half_done.ready)

    def block():
        begun.set()
        assert go_on.wait(60)
        give_way()
        return "ended"

    one = submitted_by("b", workers, block)
    eventually(begun.is_set)
    other = submitted_by("c", workers, lambda: 1)
    eventually(lambda: workers.status()["queue_depth"] == 1)
    workers.close("closing")
    go_on.set()
    assert one.get(timeout=300) == "ended"
    with pytest.raises(Busy):
        other.get(timeout=300)


def test_a_caller_that_has_gone_cancels_what_is_begun(workers):
    """Its budget is over, which the job can see; and that is counted apart from those that waited."""
    begun, budget = threading.Event(), Budget()
    ended = threading.Event()

    def run():
        begun.set()
        while not budget.over:
            give_way()
        ended.set()

    job = gevent.spawn(workers.submit, run, limit_s=60, budget=budget)
    eventually(begun.is_set)
    job.kill()
    assert ended.wait(60)
    assert workers.join(60)
    counters = workers.status()["counters"]
    assert (counters["cancelled"], counters["abandoned"], counters["done"]) == (1, 0, 1)


def test_turns_go_round():
    """One of each client, those that do not fit left where they are."""
    turns = FairQueue()
    for client, job in (("a", 1), ("a", 2), ("b", 3), ("c", 4), ("a", 5)):
        turns.add(client, job)
    assert turns.take(lambda job: job != 1) == 2
    turns.put_back("b", 0)
    assert [turns.take(lambda job: True) for _ in range(6)] == [0, 4, 1, 3, 5, None]
    assert len(turns) == 0


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


def test_an_idle_thread_says_that_it_is_there(workers, monkeypatch):
    """Not by working; and one that cannot wake up is told of."""
    (thread,) = workers._threads
    begun = thread.since
    eventually(lambda: thread.since > begun, "a sign")
    assert workers.stuck() is None
    monkeypatch.setattr("face_det.daemon.workers.MAX_SILENCE_S", 0.5)
    with workers._ready:
        # Without this lock it never wakes up.
        eventually(workers.stuck, "silence")
        assert "worker-0 is idle and has given no sign of life for" in workers.stuck()
    eventually(lambda: workers.stuck() is None, "a sign again")


def test_a_pool_pauses_for_the_one_that_it_yields_to():
    """After a job it pauses for as long as that took, if the other pool was busy, and else not at all."""
    serving = Workers(1, 2)
    learning = Workers(1, 2, name="learner", yields_to=serving)
    serving.start()
    learning.start()
    release, spans = threading.Event(), []

    def learn():
        begun = time.monotonic()
        threading.Event().wait(0.1)
        spans.append((begun, time.monotonic()))

    call = gevent.spawn(serving.submit, lambda: release.wait(60), limit_s=60)
    eventually(lambda: serving.busy, "a call that is served")
    jobs = [gevent.spawn(learning.submit, learn, limit_s=60) for _ in range(2)]
    gevent.joinall(jobs, timeout=300, raise_error=True)
    release.set()
    assert call.get(timeout=300)
    (begun, ended), (next_begun, _) = spans
    assert next_begun - ended >= ended - begun
    eventually(lambda: not serving.busy, "the call to end")
    assert learning._pause_s(0.5, serving.begun) == 0
    assert learning._pause_s(0.5, serving.begun - 1) == 0.5
    assert learning._pause_s(9.0, serving.begun - 1) == MAX_PAUSE_S


def test_a_long_job_pauses_wherever_it_gives_way():
    """As long as is wanted: between two frames of a video, pictures have the machine for themselves."""
    serving = Workers(1, 2)
    watching = Workers(1, 2, name="videos", yields_to=serving, pauses=3)
    serving.start()
    watching.start()
    release, spans = threading.Event(), []

    def watch():
        for _ in range(2):
            begun = time.monotonic()
            threading.Event().wait(0.05)
            spans.append((begun, time.monotonic()))
            give_way()

    call = gevent.spawn(serving.submit, lambda: release.wait(60), limit_s=60)
    eventually(lambda: serving.busy, "a call that is served")
    gevent.spawn(watching.submit, watch, limit_s=60).get(timeout=300)
    release.set()
    assert call.get(timeout=300)
    (begun, ended), (next_begun, _) = spans
    assert next_begun - ended >= 3 * (ended - begun)
