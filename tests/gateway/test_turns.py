"""The gateway's users take turns at the daemon."""

from __future__ import annotations

import asyncio
import contextlib

import pytest

from face_det.errors import Unreachable
from face_det.gateway.turns import CURRENT_USER, DaemonInTurns
from face_det.rpc import AsyncClient

PATIENCE_S = 300


@pytest.fixture
def clients():
    """The connections that were made; `closed` of each says whether it was closed."""
    return []


@pytest.fixture
def connect(clients):
    """connect(endpoint): what makes connections, and keeps a list of them."""

    def of(endpoint):
        def make():
            client = AsyncClient(endpoint, timeout_s=PATIENCE_S)
            clients.append(client)
            return client

        return make

    return of


async def call(daemon, user, *steps):
    """Call detect_faces, in which the fake daemon does these steps, as this user."""
    CURRENT_USER.set(user)
    return await daemon.call("detect_faces", list(steps))


async def until_waiting(daemon, calls):
    """Wait until so many calls wait in the daemon's queue."""
    while (await daemon.call("status"))["queue_depth"] != calls:
        await asyncio.sleep(0.01)


def test_many_calls_of_one_user_do_not_keep_another_waiting(launch, connect, clients, folder):
    """The one call of a user comes second, however many calls another has queued before."""
    endpoint = launch().endpoint
    gate, bert = folder / "gate", folder / "bert"

    async def main():
        async with contextlib.aclosing(DaemonInTurns(connect(endpoint))) as daemon:
            tasks = [asyncio.create_task(call(daemon, "anna", {"wait_for": str(gate)}))]
            while (await daemon.call("status"))["running"] != 1:
                await asyncio.sleep(0.01)
            for waiting, step in enumerate(({"note": ""}, {"wait_for": str(bert)}, {"note": ""}), start=1):
                tasks.append(asyncio.create_task(call(daemon, "anna", step)))
                await until_waiting(daemon, waiting)
            tasks.append(asyncio.create_task(call(daemon, "bert", {"touch": str(bert)})))
            await until_waiting(daemon, 4)
            gate.touch()
            await asyncio.wait_for(asyncio.gather(*tasks), PATIENCE_S)

    asyncio.run(main())
    assert len(clients) == 3, "the gateway's own, and one for each user"


def test_connections_are_few(launch, connect, clients):
    """One that nobody uses makes room for the next user; while all are in use, users share the first."""
    endpoint = launch(workers=8, queueSize=50).endpoint

    async def main():
        async with contextlib.aclosing(DaemonInTurns(connect(endpoint), max_users=3)) as daemon:
            for user in ("anna", "bert", "cleo", "anna"):
                assert await call(daemon, user, {"note": user})
            assert len(clients) == 1 + 4, "each came after another's had been closed"
            together = [asyncio.create_task(call(daemon, str(one), {"sleep": 0.5})) for one in range(10)]
            await asyncio.gather(*together)
            assert len(clients) == 1 + 4 + 2

    asyncio.run(main())


def test_a_daemon_that_is_away_is_told_to_each_user(connect, folder):
    """As without turns; closing then ends at once."""

    async def main():
        async with contextlib.aclosing(DaemonInTurns(connect(f"ipc://{folder}/nobody"))) as daemon:
            for user in ("anna", "bert"):
                with pytest.raises(Unreachable):
                    await call(daemon, user)

    asyncio.run(main())
