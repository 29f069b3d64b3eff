"""Each piece of YAML in the documentation is accepted by Home Assistant's own check."""

from __future__ import annotations

import subprocess

import pytest
from home_assistant import HomeAssistant, hass

FAULTS = ("ERROR", "Failed config", "Incorrect config")
"""What the check says of faults; its exit status is 0 even then."""


def faults(release, folder, yaml):
    """What the check says, if anything, against a configuration with this YAML."""
    house = HomeAssistant(release, folder, 1883, yaml)
    checking = hass(
        release,
        *("--script", "check_config", "-c", house.folder),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    said, _ = checking.communicate(timeout=600)
    assert "Testing configuration" in said
    return said if checking.returncode or any(fault in said for fault in FAULTS) else None


def test_every_piece_passes_the_check_of_home_assistant(release, yaml_blocks, tmp_path):
    """One after the other, each as somebody would copy it."""
    assert yaml_blocks
    for number, yaml in enumerate(yaml_blocks):
        assert faults(release, tmp_path / str(number), yaml) is None


@pytest.mark.parametrize(
    ("right", "wrong"), [("platform: state", "platform: stata"), ("  - alias", "  - alais")]
)
def test_the_check_notices_a_slip(release, yaml_blocks, tmp_path, right, wrong):
    """Otherwise the test above would say nothing."""
    yaml = next(one for one in yaml_blocks if right in one)
    assert faults(release, tmp_path / "house", yaml.replace(right, wrong, 1))
