"""Both clients, called in the same way."""

from __future__ import annotations

import asyncio

import pytest

from face_det.rpc import AsyncClient, Client


class Driven:
    """An AsyncClient in an event loop of its own: a method for each verb, as Client has."""

    def __init__(self, *args, made=AsyncClient, **options):
        self._client = made(*args, **options)
        self._loop = asyncio.new_event_loop()

    @classmethod
    def configured(cls, *args):
        return cls(*args, made=AsyncClient.configured)

    def __enter__(self):  # noqa: D105
        return self

    def __exit__(self, *_):  # noqa: D105
        self._loop.run_until_complete(self._client.close())
        assert not asyncio.all_tasks(self._loop)
        self._loop.close()

    def __getattr__(self, verb):  # noqa: D105
        return lambda *args: self._loop.run_until_complete(self._client.call(verb, *args))


CLIENTS = {"gevent": Client, "asyncio": Driven}


@pytest.fixture(params=CLIENTS)
def connect(request):
    """Client, or AsyncClient in its clothes."""
    return CLIENTS[request.param]
