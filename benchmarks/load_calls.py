"""Calls of a load, each of which knows what its answer must be, and who makes them."""

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
"""What takes longer than this is silence: a call lost."""

PERSON, NOISE, MISSING, DOG = "person", "noise", "missing", "dog"
KINDS = (PERSON, NOISE, MISSING, DOG)
"""A face; no face; a file that is not there; a label that is nobody's."""


def pictures(folder: Path, photo: Path) -> dict[str, Path]:
    """Small pictures of each kind: the head of a real photo, and noise."""
    import numpy as np
    from PIL import Image

    head = Image.open(photo).convert("RGB").crop((150, 250, 460, 600)).resize((SIDE, SIDE))
    head.save(folder / "person.png")
    grey = np.random.default_rng(1).integers(0, 255, (SIDE, SIDE, 3), dtype=np.uint8)
    Image.fromarray(grey).save(folder / "noise.png")
    found = {PERSON: folder / "person.png", NOISE: folder / "noise.png", MISSING: folder / "none.png"}
    return {**found, DOG: folder / "noise.png"}


class Calls:
    """Makes calls, remembers what came of each, and holds every answer against the one expected."""

    def __init__(self, paths: dict[str, Path]) -> None:
        self._paths = paths
        self._expected: dict[str, Any] = {}
        self.outcomes: Counter[str] = Counter()
        self.wrong: list[str] = []
        self.seconds: list[float] = []
        self.images = 0

    def learn(self, client: Any) -> None:
        """Ask for each kind once, alone: in the load it must be answered the same."""
        for kind in KINDS:
            (image,) = json.loads(client.detect_faces([self._image(kind, kind)]))
            label = dict(image["labels"][0])
            del label["id"]
            self._expected[kind] = label
        if self._expected[PERSON]["faces"] == [] or self._expected[NOISE]["faceReason"] != "no_face":
            raise SystemExit(f"the pictures are not what they should be: {self._expected}")

    def make(self, client: Any, name: str, kinds: Sequence[str], begun: float | None = None) -> str:
        """One call; what became of it: `answered`, `Busy`, `wrong`, or the error that means it is lost."""
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
        """Complete, in order, each with its own id, and the answers that each kind has alone."""
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
    """Each client calls again as soon as it is answered, until end(calls begun)."""
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
    """`count` calls at random times, `rate` a second, whether or not those before are answered. A call's
    time counts from when it was due."""
    dice = random.Random(7)
    due, callers = time.monotonic(), []
    for number in range(count):
        due += dice.expovariate(rate)
        gevent.sleep(max(0.0, due - time.monotonic()))
        client = clients[number % len(clients)]
        callers.append(gevent.spawn(calls.make, client, f"open-{number}", mix(dice), due))
    gevent.joinall(callers, raise_error=True)


def mixed(dice: random.Random) -> list[str]:
    """A batch as uploaders send them: mostly one picture or a few, at times twenty."""
    size = dice.choices((1, 2, 5, 20), (60, 20, 15, 5))[0]
    return dice.choices(KINDS, (30, 40, 10, 20), k=size)


def small(dice: random.Random) -> list[str]:
    """A call that takes next to nothing, so that there can be many: half of them are nobody's labels."""
    return dice.choices(KINDS, (10, 30, 10, 50), k=dice.choices((1, 3), (90, 10))[0])


def percentiles(seconds: list[float]) -> dict[str, float | None]:
    """p50, p95, p99 and the longest, in milliseconds."""
    ordered = sorted(seconds)
    if not ordered:
        return dict.fromkeys(("p50_ms", "p95_ms", "p99_ms", "most_ms"))
    ranks = {"p50_ms": 0.5, "p95_ms": 0.95, "p99_ms": 0.99, "most_ms": 1.0}
    found = {key: ordered[min(len(ordered) - 1, int(len(ordered) * share))] for key, share in ranks.items()}
    return {key: round(value * 1000, 1) for key, value in found.items()}
