"""A daemon is killed in the middle of a correction: after the next start, photos and memory agree."""

from __future__ import annotations

import json
import signal
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import forked
import pytest

from face_det.config.load import load_config
from face_det.service import assembly
from face_det.service.service import Service

pytestmark = pytest.mark.usefixtures("shared_networks")

KILLED = Path(__file__).parents[1] / "support" / "killed_correction.py"


@contextmanager
def started(config: Path) -> Iterator[Service]:
    """The service, as the daemon starts it."""
    service = assembly.build_service(load_config(config, {}), remember=True)
    assert service.memory is not None
    try:
        yield service
    finally:
        service.memory.store.close()


def kill(config: Path, point: str, verb: str, *arguments: object) -> None:
    """Let another process make a correction, and kill it right `before` or `after` it is committed."""
    argv = [sys.executable, str(KILLED), str(config), point, verb, *map(json.dumps, arguments)]
    done = forked.run(argv)
    assert done.returncode == -signal.SIGKILL, done.stderr


def photos_of(config: Path) -> dict[str, int]:
    """How many photos lie in the dataset, by name."""
    return {folder.name: len([*folder.iterdir()]) for folder in (config.parent / "dataset").iterdir()}


def see(service: Service, photo: Path) -> int:
    assert service.memory is not None
    service.recognize(str(photo), {"camera": photo.name})
    service.memory.store.flush()
    found: int = service.memory.sightings({"limit": 1})["items"][0]["id"]
    return found


@pytest.mark.slow
def test_a_kill_between_photos_and_memory_is_made_up_for(tmp_path: Path, photos: Mapping[str, Path]) -> None:
    """Before the commit, the photos that were added go; after it, what the change asks of them is done."""
    config = tmp_path / "config.json"
    config.write_text(json.dumps({"faceDetServer": {"sightings": {}}}))
    with started(config) as service:
        service.add_face("Joe Biden", str(photos["biden"]))
        first, _ = see(service, photos["obama"]), see(service, photos["obama2"])
    kill(config, "before", "name_unknown", "unknown-1", "Barack Obama")
    assert photos_of(config) == {"Joe Biden": 1, "Barack Obama": 2}
    with started(config) as service:
        assert photos_of(config) == {"Joe Biden": 1}
        assert service.people() == [{"name": "Joe Biden", "images": 1}]
        assert service.memory is not None
        assert [one["id"] for one in service.memory.unknowns()] == ["unknown-1"]
        assert service.corrections is not None
        service.corrections.confirm(first, "Joe Biden", "test")
        change = service.corrections.correct(first, "Barack Obama", "test")["change"]
        assert photos_of(config) == {"Joe Biden": 1, "Barack Obama": 1}
    kill(config, "after", "undo", change)
    assert photos_of(config) == {"Joe Biden": 1, "Barack Obama": 1}
    with started(config) as service:
        assert photos_of(config) == {"Joe Biden": 2}
        assert service.people() == [{"name": "Joe Biden", "images": 2}]
        assert service.memory is not None
        assert service.memory.sighting(first)["face"] == "Joe Biden"
