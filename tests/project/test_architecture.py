"""docs/architecture.md draws what the code does: a traced daemon goes the same way."""

from __future__ import annotations

import importlib
import itertools
import json
import re
import signal
import sys
import tempfile
from collections.abc import Iterator
from functools import reduce
from pathlib import Path

import pytest
from house import RANK
from running import Daemon

PAGE = Path(__file__).parents[2] / "docs/architecture.md"
TRACED = Path(__file__).parents[1] / "support/traced_daemon.py"
WHOLE = {"ymin": 0, "xmin": 0, "ymax": 10_000, "xmax": 10_000}

Stack = tuple[str, ...]
Step = tuple[int, str]


def journey(call: str) -> list[Step]:
    """What is drawn of a call: how far each function is indented, and its name as in a trace."""
    found = re.search(rf"<!-- journey: {call} -->\n```text\n(.*?)```", PAGE.read_text("utf-8"), re.S)
    assert found is not None, f"{call} must be drawn"
    steps = []
    for line in found[1].splitlines():
        if drawn := re.match(r"( *)([a-z_0-9.]+) +([\w.]+)", line):
            steps.append((len(drawn[1]), f"{drawn[2]}:{drawn[3]}"))
    return steps


@pytest.fixture(scope="module")
def photos(small_photos: dict[str, Path]) -> dict[str, Path]:
    """Nothing here depends on how large a photo is."""
    return small_photos


@pytest.fixture(scope="module")
def trace(photos: dict[str, Path]) -> Iterator[list[Stack]]:
    """The stacks in a daemon, set up as shipped, that enrols somebody and is asked about another photo."""
    shipped = json.loads((PAGE.parents[1] / "config.json").read_text("utf-8"))["faceDetServer"]
    del shipped["zerorpcPipe"]
    with tempfile.TemporaryDirectory(prefix="fd") as name:
        output = Path(name) / "trace.json"
        daemon = Daemon(Path(name), lambda config: [sys.executable, TRACED, config, output], shipped, {})
        try:
            daemon.until_notified("READY=1")
            client = daemon.client()
            client("add_face", "Barack Obama", str(photos["obama"]))
            label = {"id": 1, "name": "person", "score": 0.9, "box": WHOLE}
            reply = client("detect_faces", [{"image": str(photos["obama2"]), "labels": [label]}])
            client.close()
            assert json.loads(reply)[0]["labels"][0]["face"] == "Barack Obama"
            daemon.signal(signal.SIGTERM)
            assert daemon.ended() == 0
            yield [tuple(stack) for stack in json.loads(output.read_text("utf-8"))]
        finally:
            daemon.stop()


@pytest.mark.parametrize("call", ["detect_faces", "add_face"])
def test_a_journey_is_as_drawn(call: str, trace: list[Stack]) -> None:
    """Each function of the drawing is called, in its order, by way of the function that it is drawn below."""
    above: list[Step] = []
    position = 0
    for indent, name in journey(call):
        above = [step for step in above if step[0] < indent]
        wanted = [step[1] for step in above]
        found = next(
            (
                at
                for at in range(position, len(trace))
                if trace[at][-1] == name and is_within(wanted, trace[at])
            ),
            None,
        )
        assert found is not None, f"{name} must be called by {wanted[-1:]}, after what is drawn above it"
        position = found
        above.append((indent, name))


def is_within(wanted: list[str], stack: Stack) -> bool:
    """Whether the names stand in the stack in this order, perhaps with others between them."""
    rest = iter(stack)
    return all(name in rest for name in wanted)


def test_pictures_go_down(trace: list[Stack]) -> None:
    """While detect_faces is answered, no room calls a higher one but for what it is given to call."""
    handed_down = {"service.batch:Batch.views", "daemon.workers:give_way"}
    wrong = set()
    for stack in trace:
        if "service.service:Service.detect_faces" in stack:
            inside = stack[stack.index("service.service:Service.detect_faces") :]
            for caller, called in itertools.pairwise(inside):
                if rank_of(called) > rank_of(caller) and called not in handed_down:
                    wrong.add(f"{caller} calls {called}")
    assert not wrong, "\n".join(sorted(wrong))


def rank_of(name: str) -> int:
    """How high the room of a traced function lies."""
    return RANK[re.split(r"[.:]", name)[0]]


def test_places_are_there() -> None:
    """Each module and name that the page sends a reader to."""
    named = re.findall(r"`([a-z_]+(?:\.[a-z_]+)+)\.([A-Za-z_]\w*(?:\.\w+)?)`", PAGE.read_text("utf-8"))
    assert len(named) > 10
    for module, name in named:
        assert reduce(getattr, name.split("."), importlib.import_module(f"face_det.{module}"))
