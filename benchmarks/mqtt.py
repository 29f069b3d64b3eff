"""Measure `face-det mqtt`: python benchmarks/mqtt.py [--seconds N] [--per-minute N]. Needs mosquitto.

A daemon with the shipped defaults that remembers, and knows one person; `face-det mqtt`; mosquitto. A small
picture of that person is recognised so often, each time at another of 50 cameras, so that each is a visit
with an event of its own. Printed as JSON:

- how many sightings a minute there were (less than asked if the daemon cannot follow), and how many messages;
- the time from the daemon's answer, when the sighting is written down, to the message, in milliseconds
  (target: median below 200), and from the beginning of the call;
- memory of daemon, bridge and broker at a third and at the end (target: flat), and the cores that each took;
- the load of the machine before and after: on a busy one, the times are those of the others.
"""

from __future__ import annotations

import argparse
import json
import socket
import statistics
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import machine
import paho.mqtt.client as paho
from watch import PATIENCE_S, memory_mb, photos, processor_s, start

from face_det.media import load_image, make_thumbnail
from face_det.rpc import Client

CAMERAS = 50
CALLERS = 2
"""Two programs that call, so that the daemon is not idle while one of them reads its answer."""
VISIT_GAP_S = 0.5


def start_broker(folder: Path) -> tuple[subprocess.Popen[bytes], int]:
    """Start mosquitto; return it and its port."""
    with socket.create_server(("127.0.0.1", 0)) as chosen:
        port = int(chosen.getsockname()[1])
    lines = [f"listener {port} 127.0.0.1", "allow_anonymous true", "user root", "persistence true"]
    (folder / "mosquitto.conf").write_text("\n".join([*lines, f"persistence_location {folder}/", ""]))
    command = ["/usr/sbin/mosquitto", "-c", folder / "mosquitto.conf"]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    end = time.monotonic() + PATIENCE_S
    while time.monotonic() < end:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return process, port
        time.sleep(0.05)
    raise SystemExit("mosquitto does not listen")


class Ear:
    """Notes when each message about a sighting came, by the sighting's time."""

    def __init__(self, port: int) -> None:
        self.heard: dict[float, float] = {}
        self.count = 0
        self.online = threading.Event()
        self._client = paho.Client(paho.CallbackAPIVersion.VERSION2)
        self._client.on_message = self._note
        self._client.on_connect = lambda client, *about: client.subscribe("face_det/home/#", qos=1)
        self._client.connect("127.0.0.1", port)
        self._client.loop_start()

    def _note(self, client: object, data: object, message: paho.MQTTMessage) -> None:
        now = time.time()
        if message.topic == "face_det/home/status" and message.payload == b"online":
            self.online.set()
        if message.topic.endswith("/event"):
            self.count += 1
            self.heard.setdefault(json.loads(message.payload)["ts"], now)

    def close(self) -> None:
        """Disconnect."""
        self._client.disconnect()
        self._client.loop_stop()


def show(endpoint: str, begun: float, seconds: float, per_minute: float, first: int) -> dict[float, float]:
    """Show the daemon every CALLERS-th picture when it is due; return when each was answered, by its time."""
    picture = make_thumbnail(load_image(photos.photos()["obama2"]), 240)
    answered, number = {}, first
    with Client(endpoint, timeout_s=PATIENCE_S) as client:
        while (due := number * 60 / per_minute) < seconds and time.monotonic() - begun < seconds:
            time.sleep(max(0.0, begun + due - time.monotonic()))
            moment = time.time()
            client.recognize(picture, {"camera": f"camera{number % CAMERAS}", "time": moment})
            answered[moment] = time.time()
            number += CALLERS
    return answered


def measure(
    endpoint: str, programs: Mapping[str, int], ear: Ear, seconds: float, per_minute: float
) -> dict[str, Any]:
    """Show the daemon somebody so often, for some seconds; `programs` are watched, by their pids."""
    begun, spent = time.monotonic(), _each(programs, processor_s)
    with ThreadPoolExecutor(CALLERS) as pool:
        callers = [pool.submit(show, endpoint, begun, seconds, per_minute, first) for first in range(CALLERS)]
        time.sleep(seconds / 3)
        memory = _each(programs, memory_mb)
        answered = {moment: at for caller in callers for moment, at in caller.result().items()}
    passed_s, asked = time.monotonic() - begun, sorted(answered)
    took = _each(programs, processor_s)
    end = time.monotonic() + PATIENCE_S
    while len(ear.heard) < len(asked) and time.monotonic() < end:
        time.sleep(0.05)
    waits = sorted(1000 * (ear.heard[one] - answered[one]) for one in asked if one in ear.heard)
    whole = sorted(1000 * (ear.heard[one] - one) for one in asked if one in ear.heard)
    return {
        "sightings_per_minute": round(60 * len(asked) / passed_s),
        "sightings": len(asked),
        "messages": ear.count,
        "from_answer_ms": _describe(waits),
        "from_call_ms": _describe(whole),
        "memory_mb": {"at_a_third": memory, "at_the_end": _each(programs, memory_mb)},
        "cores": {name: round((took[name] - spent[name]) / passed_s, 3) for name in programs},
    }


def _each(programs: Mapping[str, int], measured: Callable[[int], float]) -> dict[str, float]:
    return {name: measured(pid) for name, pid in programs.items()}


def _describe(sorted_ms: list[float]) -> dict[str, float]:
    return {
        "median": round(statistics.median(sorted_ms), 1),
        "p99": round(sorted_ms[int(0.99 * (len(sorted_ms) - 1))], 1),
        "longest": round(sorted_ms[-1], 1),
    }


def main() -> None:
    """Print what was measured, as JSON."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=float, default=120)
    parser.add_argument("--per-minute", type=float, default=1000)
    given = parser.parse_args()
    found: dict[str, Any] = {"machine": {**machine.describe(), "load": machine.load()}}
    with tempfile.TemporaryDirectory(prefix="fd") as name:
        folder = Path(name)
        broker, port = start_broker(folder)
        settings = {"zerorpcPipe": f"ipc://{folder}/s", "sightings": {"visitGap": VISIT_GAP_S}}
        settings["mqtt"] = {"port": port}
        (folder / "config.json").write_text(json.dumps({"faceDetServer": settings}))
        running = {"mosquitto": broker, "serve": start("serve", folder)}
        ear = Ear(port)
        try:
            with Client(f"ipc://{folder}/s", timeout_s=PATIENCE_S) as client:
                client.add_face("Barack", photos.photos()["obama"].read_bytes())
                running["mqtt"] = start("mqtt", folder)
                if not ear.online.wait(PATIENCE_S):
                    raise SystemExit((folder / "mqtt.log").read_text())
                while not client.status()["sightings"]["consumers"]:
                    time.sleep(0.1)
                pids = {name: process.pid for name, process in running.items()}
                found |= measure(f"ipc://{folder}/s", pids, ear, given.seconds, given.per_minute)
                found["machine"]["load_at_the_end"] = machine.load()
        finally:
            ear.close()
            for process in reversed(running.values()):
                process.terminate()
                process.wait()
    print(json.dumps(found, indent=2))


if __name__ == "__main__":
    main()
