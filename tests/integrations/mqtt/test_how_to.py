"""docs/how-to/home-assistant.md, from its settings to its topics; make test-home-assistant has the rest."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from daemon_fixtures import lasting_daemon
from how_to import HowTo
from mosquitto import MOSQUITTO, Listener, Mosquitto, until

from face_det import Client

CLI = (sys.executable, "-m", "face_det.cli.main")
PASSWD = shutil.which("mosquitto_passwd")
SECRET = "open sesame, broker"


def table(page, title):
    """The first column of the table under a heading, and the second."""
    part = page.text.partition(f"\n## {title}\n")[2].partition("\n## ")[0]
    return re.findall(r"^\| `([^`]+)` \| (.*) \|$", part, re.M)


@pytest.mark.slow
@pytest.mark.skipif(MOSQUITTO is None or PASSWD is None, reason="needs Debian's mosquitto")
def test_the_page_leads_to_its_topics(small_photos, tmp_path):
    """The broker wants a login; each topic is heard, and each entity of the table announced."""
    page = HowTo("home-assistant.md", tmp_path)
    (block,) = page.blocks("json")
    about = json.loads(block)["faceDetServer"]
    users, secret = tmp_path / "users", tmp_path / Path(about["mqtt"]["passwordFile"]).name
    users.touch(0o600)
    secret.write_text(SECRET)
    subprocess.run([PASSWD, "-b", users, about["mqtt"]["user"], SECRET], check=True, capture_output=True)
    broker = Mosquitto(tmp_path / "mosquitto", "allow_anonymous false", f"password_file {users}")
    about["mqtt"] |= {"host": "127.0.0.1", "port": broker.port, "passwordFile": str(secret)}
    listener = Listener(broker, user=about["mqtt"]["user"], password=SECRET)
    with lasting_daemon((*CLI, "serve", "--config"), sightings=about["sightings"]) as daemon:
        settings = {**about, "zerorpcPipe": daemon.endpoint}
        (tmp_path / "config.json").write_text(json.dumps({"faceDetServer": settings}))
        with (tmp_path / "log").open("wb") as log:
            program = subprocess.Popen([*CLI, "mqtt"], stderr=log, cwd=tmp_path)
        try:
            with Client(daemon.endpoint, timeout_s=300) as client:
                client.add_face("Alice", small_photos["obama"].read_bytes())
                until(lambda: listener.of("face_det/home/status") and client.cursor("mqtt-home"))
                client.recognize(str(small_photos["obama3"]), {"camera": "front"})
                wanted = dict(table(page, "Topics"))
                for topic in list(wanted)[:8]:
                    # Nobody is late, and nobody speaks.
                    if not topic.endswith(("/late", "/heard")):
                        until(lambda t=topic: listener.of(t), topic)
                until(
                    lambda: [one for one in heard(listener) if one.startswith("face_det/home/person/person_")]
                )
                entities = {named for named, _ in table(page, "Set it up")}
                until(lambda: entities <= announced(listener), f"{entities}, not only {announced(listener)}")
                assert buttons(listener) == {about["mqtt"]["page"]}
            (event,) = map(json.loads, listener.of("face_det/home/front/event"))
            shown = json.loads(wanted["face_det/home/front/event"].strip("`"))
            assert (event.keys(), event["person"]) == (shown.keys(), "Alice")
            state = json.loads(listener.of("face_det/home/front/state")[-1])
            assert state.keys() == json.loads(wanted["face_det/home/front/state"].strip("`")).keys()
        finally:
            program.terminate()
            program.wait(300)
            listener.close()
            broker.stop()


def heard(listener):
    """The topics of all messages."""
    return {topic for topic, _, _ in list(listener.messages)}


def buttons(listener):
    """The addresses that the device's button opens, by the discovery messages."""
    told = [payload for topic, payload, _ in list(listener.messages) if topic.startswith("homeassistant/")]
    return {json.loads(payload)["device"].get("configuration_url") for payload in told if payload}


def announced(listener):
    """The entities of the discovery messages, as Home Assistant makes their ids."""
    found = set()
    for topic, payload, _ in list(listener.messages):
        if topic.startswith("homeassistant/") and payload:
            about = json.loads(payload)
            name = re.sub(r"\W+", "_", f"{about['device']['name']} {about['name']}").lower()
            found.add(f"{topic.split('/')[1]}.{name}")
    return found
