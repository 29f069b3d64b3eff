"""What errors say of the servers that others run."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from face_det.errors import PortalFailed
from face_det.integrations import (
    FrigateServer,
    Portal,
    ServerSettings,
    Upstream,
    UpstreamSettings,
)

NOBODY = "http://me:s3cret@127.0.0.1:9/there"


@pytest.mark.parametrize(
    ("client", "ask"),
    [
        (lambda: FrigateServer(ServerSettings(NOBODY)), lambda server: server.events(0)),
        (lambda: Portal(ServerSettings(NOBODY)), lambda server: server.event(1)),
        (lambda: Upstream(UpstreamSettings(NOBODY)), lambda server: server.models()),
    ],
    ids=["frigate", "zoneminder", "pyzm"],
)
def test_errors_hide_a_login_in_an_address(client: Any, ask: Any) -> None:
    """Host, port and path are told; the user and the password that stand before them are not."""

    async def story() -> None:
        async with client() as server:
            await ask(server)

    with pytest.raises(PortalFailed, match=r"http://127\.0\.0\.1:9/there") as error:
        asyncio.run(story())
    assert "s3cret" not in str(error.value)
