"""A bucket of a real S3 server."""

from __future__ import annotations

from pathlib import Path

import pytest
from alarms import Alarms
from s3_server import S3Server, s3_server

__all__ = ["s3_server"]


@pytest.fixture
def alarms(s3_server: S3Server, tmp_path: Path) -> Alarms:
    """A bucket of its own, empty."""
    return Alarms(s3_server, tmp_path)
