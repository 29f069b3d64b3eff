"""`face-det frigate` says which settings it lacks."""

from __future__ import annotations

import json

import pytest
from running_here import run_here

FRIGATE, MQTT = {"frigate": {"url": "http://127.0.0.1:5000"}}, {"mqtt": {}}


@pytest.mark.parametrize(
    ("settings", "missing"),
    [
        ({}, ["frigate: is not set", "mqtt: is not set"]),
        (FRIGATE, ["mqtt: is not set"]),
        ({**FRIGATE, **MQTT}, ["sightings: is not set"]),
        ({"frigate": {"url": "ftp://x"}}, ["frigate.url: must be an address"]),
        ({"frigate": {"url": "http://x?a=b"}}, ["frigate.url: must be an address"]),
        ({"frigate": {"url": "http://x", "topicPrefix": "a/#"}}, ["frigate.topicPrefix: must be"]),
    ],
)
def test_what_is_missing_is_named(tmp_path, settings, missing):
    """Exit status 78, which systemd takes as a reason not to start it again."""
    config = tmp_path / "config.json"
    config.write_text(json.dumps({"faceDetServer": settings}))
    done = run_here("frigate", "--config", config, cwd=tmp_path)
    assert done.returncode == 78
    for text in missing:
        assert text in done.stderr
