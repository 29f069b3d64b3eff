"""The calls of a load test, each with its expected answer, and the clients that make them."""

from __future__ import annotations

import json
import random
import time
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import gevent
import zerorpc

SIDE = 96
BOX = {"ymin": 0, "xmin": 0, "ymax": SIDE, "xmax": SIDE}
TIMEOUT_S = 120
"""A call without an answer for this long counts as lost."""

PERSON, NOISE, MISSING, DOG = "person", "noise", "missing", "dog"
KINDS = (PERSON, NOISE, MISSING, DOG)
"""A face; no face; a missing file; a label that is not a person."""


def pictures(folder: Path, photo: Path) -> dict[str, Path]:
    """Write a small picture for each kind: the head from a real photo, and noise."""
    import numpy as np
    from PIL import Image

    head = Image.open(photo).convert("RGB").crop((150, 250, 460, 600)).resize((SIDE, SIDE))
    head.save(folder / "person.png")
    grey = np.random.default_rng(1).integers(0, 255, (SIDE, SIDE, 3), dtype=np.uint8)
    Image.fromarray(grey).save(folder / "noise.png")
    found = {PERSON: folder / "person.png", NOISE: folder / "noise.png", MISSING: folder / "none.png"}
    return {**found, DOG: folder / "noise.png"}


class Calls:
    """Makes calls, records their outcomes, and compares every answer with the expected one."""

    def __init__(self, paths: dict[str, Path]) -> None:
        self._paths = paths
        self._expected: dict[str, Any] = {}
        self.outcomes: Counter[str] = Counter()
        self.wrong: list[str] = []
        self.seconds: list[float] = []
        self.images = 0

    def learn(self, client: Any) -> None:
        """Ask for each kind once without load; under load the answer must be the same."""
        for kind in KINDS:
            (image,) = json.loads(client.detect_faces([self._image(kind, kind)]))
            label = dict(image["labels"][0])
            del label["id"]
            self._expected[kind] = label
        if self._expected[PERSON]["faces"] == [] or self._expected[NOISE]["faceReason"] != "no_face":
            raise SystemExit(f"the test pictures must show one face and none, got {self._expected}")

    def make(self, client: Any, name: str, kinds: Sequence[str], begun: float | None = None) -> str:
        """Make one call and return its outcome: `answered`, `Busy`, `wrong`, or the name of the error."""
        asked = [self._image(kind, f"{name}/{index}") for index, kind in enumerate(kinds)]
        begun = time.monotonic() if begun is None else begun
        try:
            reply = client.detect_faces(asked)
        except zerorpc.RemoteError as error:
            outcome = str(error.name)
        except (zerorpc.TimeoutExpired, zerorpc.LostRemote) as error:
            outcome = type(error).__name__
        else:
            self.seconds.append(time.monotonic() - begun)
            outcome = "answered" if self._right(name, kinds, json.loads(reply)) else "wrong"
        self.outcomes[outcome] += 1
        self.images += len(kinds) if outcome == "answered" else 0
        return outcome

    def _image(self, kind: str, label: str) -> dict[str, Any]:
        name = DOG if kind == DOG else "person"
        return {"image": str(self._paths[kind]), "labels": [{"id": label, "name": name, "box": BOX}]}

    def _right(self, name: str, kinds: Sequence[str], reply: Any) -> bool:
        """Check that the reply is complete, in order, with its own ids and the expected answers."""
        expected = [
            {"image": str(self._paths[kind]), "labels": [{"id": f"{name}/{index}", **self._expected[kind]}]}
            for index, kind in enumerate(kinds)
        ]
        if reply != expected and len(self.wrong) < 10:
            self.wrong.append(json.dumps(reply)[:1000])
        return bool(reply == expected)


def closed(
    calls: Calls,
    clients: Sequence[Any],
    mix: Callable[[random.Random], list[str]],
    end: Callable[[int], bool],
) -> None:
    """Closed loop: each client calls again as soon as it is answered, until end(calls begun)."""
    begun = [0]

    def caller(number: int, client: Any) -> None:
        dice = random.Random(number)
        while not end(begun[0]):
            begun[0] += 1
            calls.make(client, f"{number}-{begun[0]}", mix(dice))

    gevent.joinall([gevent.spawn(caller, *each) for each in enumerate(clients)], raise_error=True)


def opened(
    calls: Calls, clients: Sequence[Any], mix: Callable[[random.Random], list[str]], rate: float, count: int
) -> None:
    """Open loop: make `count` calls at random times, `rate` a second, without waiting for earlier answers.

    A call's time counts from the moment it was due.
    """
    dice = random.Random(7)
    due, callers = time.monotonic(), []
    for number in range(count):
        due += dice.expovariate(rate)
        gevent.sleep(max(0.0, due - time.monotonic()))
        client = clients[number % len(clients)]
        callers.append(gevent.spawn(calls.make, client, f"open-{number}", mix(dice), due))
    gevent.joinall(callers, raise_error=True)


def mixed(dice: random.Random) -> list[str]:
    """Draw a batch like an uploader's: usually one picture or a few, sometimes twenty."""
    size = dice.choices((1, 2, 5, 20), (60, 20, 15, 5))[0]
    return dice.choices(KINDS, (30, 40, 10, 20), k=size)


def small(dice: random.Random) -> list[str]:
    """Draw a cheap call, so that there can be many; half of the labels are not people."""
    return dice.choices(KINDS, (10, 30, 10, 50), k=dice.choices((1, 3), (90, 10))[0])


def percentiles(seconds: list[float]) -> dict[str, float | None]:
    """Return p50, p95, p99 and the maximum, in milliseconds."""
    ordered = sorted(seconds)
    if not ordered:
        return dict.fromkeys(("p50_ms", "p95_ms", "p99_ms", "most_ms"))
    ranks = {"p50_ms": 0.5, "p95_ms": 0.95, "p99_ms": 0.99, "most_ms": 1.0}
    found = {key: ordered[min(len(ordered) - 1, int(len(ordered) * share))] for key, share in ranks.items()}
    return {key: round(value * 1000, 1) for key, value in found.items()}
