"""docs/how-to/zoneminder.md, each of its blocks, with a stand-in for ZoneMinder."""

from __future__ import annotations

import configparser
import json
from pathlib import Path

import pytest
from gateway_fixtures import lasting_gateway
from how_to import HowTo
from running import eventually
from zoneminder_api import PASSWORD, USER

from face_det.config import load_config

GATEWAY = "http://127.0.0.1:8080"


@pytest.mark.slow
def test_the_page_leads_to_names(daemon, portal, record, tmp_path):
    """Settings, the command, a report, a filter's command, a queue that is kept, and pyzm's gateway."""
    page = HowTo("zoneminder.md", tmp_path)
    command, report, by_filter = page.blocks("sh")
    basic, queue, pyzm = (json.loads(block)["faceDetServer"] for block in page.blocks("json"))
    for about in (basic, queue, pyzm):
        (tmp_path / "config.json").write_text(json.dumps({"faceDetServer": about}))
        load_config(tmp_path / "config.json", {})
    (tmp_path / "zoneminder-password").write_text(PASSWORD)
    assert basic["zoneminder"]["user"] == USER
    basic["zoneminder"] |= {"url": portal.url, "eventsPath": str(tmp_path / "events")}
    about = {**basic, "zerorpcPipe": daemon.endpoint}
    (tmp_path / "config.json").write_text(json.dumps({"faceDetServer": about}))

    folder = record(42)
    page.run(command)
    assert portal.events[42]["Notes"].startswith("[x] detected:Obama:")
    assert (folder / "objdetect.jpg").exists()

    record(43)
    portal.events[42]["Notes"] = "Motion: All"
    section = configparser.ConfigParser()
    section.optionxform = str
    section.read_string(page.blocks("ini")[0])
    kept = Path(queue["zoneminder"]["queuePath"])
    assert kept.parent == Path("/var/lib") / section["Service"]["StateDirectory"]
    mine = tmp_path / kept.name
    settings = {**basic["zoneminder"], "queuePath": str(mine)}
    settings["passwordFile"] = str(tmp_path / settings["passwordFile"])
    others = {"http": {**pyzm["http"], "port": 0}, "pyzm": pyzm["pyzm"]}
    (tmp_path / "web").mkdir()
    with lasting_gateway(tmp_path / "web", daemon.endpoint, zoneminder=settings, **others) as web:
        here = str(web.base_url).rstrip("/")
        page.run(report.replace(GATEWAY, here))
        # ZoneMinder puts in the number, and appends the event's path.
        page.run(f"{by_filter.strip()} /events/3/43".replace("%EI%", "43").replace(GATEWAY, here))
        eventually(lambda: all("detected:Obama" in portal.events[eid]["Notes"] for eid in (42, 43)))
        assert mine.exists()
        assert web.get("/pyzm/health").json() == {"status": "ok", "models_loaded": True}
