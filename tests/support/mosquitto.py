"""Debian's mosquitto on a free port, and a reader of everything that it carries."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import threading
import time
from pathlib import Path

import paho.mqtt.client as paho

MOSQUITTO = shutil.which("mosquitto", path=f"{os.environ.get('PATH', '')}:/usr/sbin")
PATIENCE_S = 300


def until(condition, what="it"):
    """Wait until condition() is true; its value."""
    end = time.monotonic() + PATIENCE_S
    while not (value := condition()):
        assert time.monotonic() < end, f"waited {PATIENCE_S} s for {what}"
        time.sleep(0.01)
    return value


class Mosquitto:
    """The broker. It keeps sessions on disk, as Debian's configuration makes it do."""

    def __init__(self, folder: Path, *settings: str):
        with socket.create_server(("127.0.0.1", 0)) as chosen:
            self.port = chosen.getsockname()[1]
        self.folder = folder
        folder.mkdir(exist_ok=True)
        self.conf = folder / "mosquitto.conf"
        if not any(line.startswith("allow_anonymous") for line in settings):
            settings = ("allow_anonymous true", *settings)
        # As another user it could not read a folder of pytest's.
        lines = [f"listener {self.port} 127.0.0.1", "persistence true", "user root"]
        if not any(line.startswith("autosave_interval") for line in settings):
            lines.append("autosave_interval 0")
        self.conf.write_text("\n".join([*lines, f"persistence_location {folder}/", *settings, ""]))
        self.start()

    def start(self):
        with (self.folder / "log").open("ab") as log:
            self.process = subprocess.Popen([MOSQUITTO, "-v", "-c", self.conf], stdout=log, stderr=log)
        until(self._listens, "mosquitto")

    def _listens(self):
        assert self.process.poll() is None, (self.folder / "log").read_text()
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self.port)) == 0

    def reload(self):
        """Read passwords and access rules again."""
        self.process.send_signal(signal.SIGHUP)

    def stop(self):
        self.process.terminate()
        self.process.wait(timeout=PATIENCE_S)


class Listener:
    """Somebody who subscribes to everything: [(topic, payload, retained)], in order."""

    def __init__(self, broker, topic="#", user=None, password=None, ca=None):
        self.messages: list[tuple[str, bytes, bool]] = []
        ready = threading.Event()
        self.client = paho.Client(paho.CallbackAPIVersion.VERSION2)
        if user:
            self.client.username_pw_set(user, password)
        if ca:
            self.client.tls_set(ca)
        self.client.on_message = lambda client, data, one: self.messages.append(
            (one.topic, one.payload, one.retain)
        )
        self.client.on_subscribe = lambda *args: ready.set()
        self.client.on_connect = lambda client, *args: client.subscribe(topic, qos=1)
        self.client.reconnect_delay_set(1, 1)
        self.client.connect("127.0.0.1", broker.port)
        self.client.loop_start()
        assert ready.wait(PATIENCE_S)

    def of(self, topic):
        """The payloads of a topic."""
        return [payload for name, payload, _ in list(self.messages) if name == topic]

    def close(self):
        self.client.disconnect()
        self.client.loop_stop()


def retained(broker, **options):
    """{topic: payload} of all that the broker keeps for those who come later."""
    listener = Listener(broker, **options)
    # The broker delivers what it keeps before anything that is published after the subscription.
    listener.client.publish("end", "end", qos=1)
    until(lambda: listener.of("end"), "the end of what is retained")
    listener.close()
    return {topic: payload for topic, payload, kept in listener.messages if kept}
