"""docs/how-to/training-data.md, its section about other parameters: each block does what the page says."""

from __future__ import annotations

import json
import shlex

import httpx
import pytest
from alarm_records import portrait
from how_to import HowTo
from tune_process import TunePage

pytestmark = pytest.mark.timeout(900)
TITLE = "See what other parameters would answer"


@pytest.mark.slow
def test_the_section(trained, mongo, photos):
    """In order, on a database of the uploader's: reports, a folder, and the page."""
    with mongo.client() as client:
        label = portrait(photos["obama2"], "Anna")
        client["zm"]["alarms"].insert_one({"image": str(photos["obama2"]), "labels": [label]})
    (trained / "pictures").mkdir()
    (trained / "pictures" / "1.jpg").write_bytes(photos["obama2"].read_bytes())
    page = HowTo("training-data.md", trained)
    page.text = page.text.partition(f"\n## {TITLE}\n")[2].partition("\n## ")[0]
    first, chosen, folder, steps = page.blocks("sh")
    told = page.run(first, MONGO_URL=mongo.url)
    assert "1 of 1 label would get another answer, in 1 frame" in told
    assert json.loads((trained / "report.json").read_text())["changed"] == 1
    assert "Anna" in page.run(chosen, MONGO_URL=mongo.url)
    assert "without a stored answer" in page.run(folder)
    command, verb, *arguments = shlex.split(steps)
    assert (command, verb) == ("face-det", "tune")
    running = TunePage(trained, *arguments, "--mongo-url", mongo.url)
    try:
        assert httpx.get(f"{running.address}api/v1/frames", timeout=300).json()["count"] == 1
        assert running.interrupt()[0] == 0
    finally:
        running.stop()
