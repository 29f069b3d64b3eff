"""The client of ZoneMinder's API, against a stand-in."""

from __future__ import annotations

import pytest

from face_det.errors import PortalFailed
from face_det.integrations import Portal, ServerSettings

LONG = "x" * 65


@pytest.mark.anyio
async def test_names_that_cannot_be_tags_are_told_and_the_others_become_tags(portal):
    """ZoneMinder answers Ok even if its database refuses a name: one that is too long, or in Cyrillic."""
    portal.login, portal.version, portal.events = False, "1.38.0", {7: {"Id": 7}}
    async with Portal(ServerSettings(portal.url)) as client:
        with pytest.raises(PortalFailed) as caught:
            await client.tag(7, ["Борис", "Zoë", LONG, "Alice"])
        assert "'Борис'" in str(caught.value)
        assert f"{LONG!r}" in str(caught.value)
        assert "Zoë" not in str(caught.value)
        assert [tag["Name"] for tag in portal.tags] == ["Alice", "Zoë"]
        assert portal.tagged == [(1, 7), (2, 7)]


@pytest.mark.anyio
async def test_a_tag_that_zoneminder_does_not_keep_is_told(portal):
    """The event is gone, and its database refuses the tag, but ZoneMinder answers Ok."""
    portal.login, portal.version = False, "1.38.0"
    async with Portal(ServerSettings(portal.url)) as client:
        with pytest.raises(PortalFailed, match=r"event 7: .*'Alice'"):
            await client.tag(7, ["Alice"])
