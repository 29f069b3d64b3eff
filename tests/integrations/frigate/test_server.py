"""Frigate's API, against a stand-in over HTTP that was built from its API definition."""

from __future__ import annotations

import asyncio

import pytest
from frigate_api import PASSWORD, ROW, USER

from face_det.errors import PortalFailed, UnknownEvent
from face_det.integrations import FrigateServer, ServerSettings


def ask(api, work, **settings):
    """What a coroutine function answers, given the client."""

    async def story():
        async with FrigateServer(ServerSettings(api.url, **settings)) as server:
            return await work(server)

    return asyncio.run(story())


def test_all_events_are_read_however_many_there_are(api):
    """Page by page, also where more than two begin at the same moment; a row that is none is skipped."""
    for number in range(250):
        one = f"{number:04d}.0-a"
        api.events[one] = {**ROW, "id": one, "camera": "front", "start_time": 1000 + number // 3, "data": {}}
    api.events["broken"] = {"label": "person", "camera": "front", "start_time": 1001}
    found = ask(api, lambda server: server.events(1010))
    assert [event.id for event in found] == sorted(
        one for one, row in api.events.items() if one != "broken" and row["start_time"] > 1010
    )
    assert [event.start for event in found] == sorted(event.start for event in found)


def test_a_sub_label_is_one_that_frigate_takes(api):
    """A long name is cut, nobody has no score, and an event that is gone is named."""
    one = "1.5-a"
    api.events[one] = {**ROW, "id": one, "camera": "front", "start_time": 1.5, "data": {}}

    async def story(server):
        await server.set_sub_label(one, "Z" * 150, 1.0000001)
        await server.set_sub_label(one, "", 0.0)
        with pytest.raises(UnknownEvent, match=r"event 2\.5-b"):
            await server.set_sub_label("2.5-b", "Alice", 0.9)

    ask(api, story)
    assert api.labels == [(one, "Z" * 100, 1.0), (one, "", None)]
    assert api.events[one]["sub_label"] is None


@pytest.mark.parametrize("camera", ["../config", "a b/c?d=1#e"])
def test_names_of_cameras_stay_within_their_part_of_the_address(api, camera):
    """Names come from the broker, which may be anybody's."""
    assert ask(api, lambda server: server.latest(camera)) is None
    ((method, path),) = api.asked
    assert (method, path) == ("GET", f"{camera}/latest.jpg")


def test_one_login_is_enough_for_all(api, tmp_path):
    """However many ask at once when it is needed: Frigate limits how often one may log in."""
    api.login = True
    (tmp_path / "password").write_text(PASSWORD)

    async def story(server):
        for _ in range(2):
            await asyncio.gather(*(server.latest("front") for _ in range(8)))
            api.cookies.clear()

    ask(api, story, user=USER, password_file=tmp_path / "password")
    assert api.count("login") == 2


def test_what_is_no_picture_is_none(api):
    """Nor is an answer that is too slow."""
    api.pictures["front", "latest.jpg"] = b""
    assert ask(api, lambda server: server.latest("front")) is None
    api.hold.clear()
    with pytest.raises(PortalFailed, match=r"does not answer front/latest\.jpg"):
        ask(api, lambda server: server.latest("front"), timeout_s=0.2)
