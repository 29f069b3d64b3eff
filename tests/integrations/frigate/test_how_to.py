"""docs/how-to/frigate.md, from its settings to a name: `face-det up` with a stand-in for Frigate that asks
for a login, a real broker, and everything else real."""

from __future__ import annotations

import json
import re
import signal
import subprocess
import time
from pathlib import Path

import pytest
from frigate_api import PASSWORD, USER
from frigate_program import CLI, LEFT, event_id
from mosquitto import until

from face_det import Client
from face_det.systemd import FRIGATE_SERVICE

PAGE = (Path(__file__).parents[3] / "docs/how-to/frigate.md").read_text("utf-8")


def settings_of_the_page(api, broker, folder):
    """Its settings, with the addresses and files that are here, and ports that are free."""
    (block,) = re.findall(r"```json\n(.*?)```", PAGE, re.S)
    about = json.loads(block)["faceDetServer"]
    for name in ("mqtt", "frigate"):
        secret = folder / Path(about[name]["passwordFile"]).name
        secret.write_text(PASSWORD)
        about[name]["passwordFile"] = str(secret)
    about["mqtt"].update(host="127.0.0.1", port=broker.port)
    about["frigate"].update(url=api.url, user=USER)
    return {**about, "zerorpcPipe": f"ipc://{folder}/s", "http": {"port": 0}}


@pytest.mark.slow
def test_the_page_leads_to_a_name(folder, api, messages, mosquitto, frame, small_photos):
    """Settings, `face-det up`, and somebody whom Frigate sees."""
    config, log = folder / "config.json", folder / "log"
    about = settings_of_the_page(api, mosquitto, folder)
    config.write_text(json.dumps({"faceDetServer": about}))
    api.login = True
    with log.open("wb") as file:
        process = subprocess.Popen([*CLI, "up", "--config", config], stderr=file)
    try:
        until(lambda: "ready: following events" in log.read_text() or process.poll() is not None)
        until(lambda: (folder / "s").exists())
        with Client(about["zerorpcPipe"], timeout_s=300) as client:
            client.add_face("Obama", small_photos["obama"].read_bytes())
            # Once it is told that a login is needed, and once with it.
            until(lambda: api.count("events") >= 2)
            one, begin = event_id(1), time.time()
            api.pictures[one, "snapshot.jpg"] = frame("obama3")
            messages.tell("new", one, start=begin, box=LEFT, snapshot=(begin, LEFT))
            until(lambda: api.labels)
            messages.tell("end", one, box=LEFT, snapshot=(begin, LEFT), end_time=begin + 1)
            assert [label[:2] for label in api.labels] == [(one, "Obama")]
        process.send_signal(signal.SIGTERM)
        assert process.wait(300) == 0
    finally:
        process.kill()
        process.wait()
    assert PASSWORD not in log.read_text()


def test_the_service_of_the_page_is_the_one_that_is_installed():
    """The option, the files that its user reads, and the unit; test_reader_installations.py installs it."""
    (block,) = re.findall(r"```sh\n(.*?)```", PAGE, re.S)
    install, *secrets, enable = (line.split() for line in block.strip().splitlines())
    assert install[-2:] == ["install-service", "--frigate"]
    assert [Path(words[-1]).name for words in secrets] == [name for name, _ in FRIGATE_SERVICE.private_files]
    assert {Path(words[-1]).parent for words in secrets} == {Path("/etc/face-detect")}
    assert enable[-1] == FRIGATE_SERVICE.name
