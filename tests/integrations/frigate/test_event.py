"""What Frigate says of an event, as different versions say it."""

from __future__ import annotations

import json

import pytest

from face_det.integrations.frigate.event import parse_message, parse_row
from face_det.types import Box

AFTER = {
    "id": "1607123955.475377-mxklsc",
    "camera": "front_door",
    "frame_time": 1607123962.082975,
    "label": "person",
    "sub_label": None,
    "false_positive": False,
    "start_time": 1607123955.475377,
    "end_time": None,
    "box": [432, 496, 544, 854],
    "entered_zones": ["yard", "driveway"],
    "has_snapshot": False,
    "has_clip": False,
    "stationary": False,
}
"""The example in Frigate's documentation, without what is not read."""


def message(**changed):
    return json.dumps({"type": "update", "before": AFTER, "after": {**AFTER, **changed}}).encode()


@pytest.mark.parametrize(
    "told",
    [
        {"snapshot": {"frame_time": 1607123961.5, "box": [1, 2, 3, 4]}},
        {"snapshot_time": 1607123961.5},
    ],
)
def test_the_time_of_the_best_picture_is_read_from_old_and_new_messages(told):
    """Until 0.13 it stood beside the other times."""
    event = parse_message(message(**told))
    assert event.snapshot_time == 1607123961.5
    assert event.snapshot_box == (Box(1, 2, 3, 4) if "snapshot" in told else None)
    assert (event.zones, event.box) == (("yard", "driveway"), Box(432, 496, 544, 854))


@pytest.mark.parametrize("label", [["Alice", 0.9], "Alice"])
def test_a_sub_label_comes_with_or_without_its_score(label):
    """As a list over MQTT, as a text over HTTP."""
    assert parse_message(message(sub_label=label)).sub_label == "Alice"


@pytest.mark.parametrize(
    "payload",
    [
        b"",
        b"[]",
        b"null",
        b'{"after": null}',
        b'{"after": {}}',
        message(id="../../config"),
        message(id=7),
        message(start_time="soon"),
        message(box=[1]),
        message(snapshot=3),
        b"[" * 100_000,
        message(start_time=10**400),
        message(start_time=float("nan")),
        message(end_time=float("inf")),
        message(box=[1, 2, float("nan"), 4]),
        message(snapshot={"frame_time": float("nan"), "box": [1, 2, 3, 4]}),
    ],
)
def test_anything_else_is_no_event(payload):
    """Whoever may publish at the broker can send it."""
    assert parse_message(payload) is None


def test_a_row_has_the_box_in_shares_and_the_path():
    """Its box is x, y, width and height."""
    row = {
        **AFTER,
        "zones": ["yard"],
        "data": {"box": [0.1, 0.2, 0.3, 0.4], "path_data": [[[0.5, 0.6], 7.5]]},
    }
    event = parse_row(row)
    share = event.share
    assert (share.xmin, share.ymin, share.xmax, share.ymax) == pytest.approx((0.1, 0.2, 0.4, 0.6))
    assert [(point.time, point.x, point.y) for point in event.path] == [(7.5, 0.5, 0.6)]
    with pytest.raises(ValueError, match="must be an event of Frigate"):
        parse_row({"id": "1.5-a"})
