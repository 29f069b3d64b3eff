"""A real broker for each test that asks for one."""

from __future__ import annotations

import pytest
from mosquitto import MOSQUITTO, Mosquitto


@pytest.fixture
def mosquitto(tmp_path):
    """The broker, for everybody."""
    if MOSQUITTO is None:
        pytest.skip("needs Debian's mosquitto")
    broker = Mosquitto(tmp_path / "mosquitto")
    yield broker
    broker.stop()
