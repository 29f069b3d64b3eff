"""`face-det tune` beside a real daemon: its sightings, what it learns, and what happens when it is gone."""

from __future__ import annotations

import json
import sys
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest
from alarm_records import whole
from running_here import run_here
from tune_process import TunePage

pytestmark = [pytest.mark.timeout(900), pytest.mark.slow]
SERVE = (sys.executable, "-m", "face_det.cli.main", "serve", "--config")
PATIENCE_S = 300


@pytest.fixture
def daemon(launch, call, trained, photos):
    """A daemon that knows Obama and Biden, and has seen Obama and a stranger."""
    files = ("encodings.pickle", "face_labels.pickle", "svm_face_recognizer.pickle", "dataset")
    keys = ("encodingsPath", "labelPath", "modelPath", "datasetPath")
    paths = {key: str(trained / name) for key, name in zip(keys, files, strict=True)}
    daemon = launch(
        command=SERVE, faceDetModel="hog", numFaceImgUpsample=0, minProba=0, sightings={}, **paths
    )
    for name in ("obama2", "astronaut"):
        label = {"name": "person", "box": whole(photos[name])}
        call(daemon, "detect_faces", [{"image": str(photos[name]), "labels": [label]}])
    return daemon


def test_what_the_daemon_remembers(daemon, call, photos):
    """The report compares with what it answered; the page enrols with it, in two tabs at once, and says in
    a line when it is gone, while frames are still shown."""
    done = run_here("tune", "--report", "--json", "--sightings", "--config", daemon.config, cwd=daemon.folder)
    assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout)
    assert (report["frames"], report["labels"], report["changed"], report["malformed"]) == (2, 2, 0, 0)
    assert {"stored": "Obama", "new": "Obama", "labels": 1} in report["answers"]
    running = TunePage(daemon.folder, "--sightings", "--config", daemon.config, "--remote", daemon.endpoint)
    try:
        with httpx.Client(base_url=f"{running.address}api/v1/", timeout=PATIENCE_S) as tab:
            _walk(tab, running.address, daemon, call, photos)
    finally:
        running.stop()


def _walk(tab, address, daemon, call, photos):
    shown = [tab.get(f"frames/{index}").json() for index in (0, 1)]
    assert [one["image"] for one in shown] == [str(photos[name]) for name in ("obama2", "astronaut")]
    assert [one["labels"][0]["differs"] for one in shown] == [False, False]

    def ask(number):
        # The other tab has other parameters; no answer may be the other's.
        index, small = number % 2, number % 4 < 2
        with httpx.Client(base_url=f"{address}api/v1/", timeout=PATIENCE_S) as other:
            answer = other.get(f"frames/{index}", params={} if small else {"minFace": "5000"}).json()
        return small, answer["labels"][0].get("faceReason"), answer["image"] == shown[index]["image"]

    with ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(ask, range(8)))
    assert all(same for *_, same in answers)
    assert {reason for small, reason, _ in answers if not small} == {"too_small"}
    assert "too_small" not in {reason for small, reason, _ in answers if small}
    learnt = tab.post("frames/1/enrol", json={"label": 0, "name": "Eileen"})
    assert learnt.json() == {"name": "Eileen", "images": 1}
    assert "Eileen" in {one["name"] for one in call(daemon, "people")}
    assert tab.get("frames/1").json()["labels"][0]["face"] == "Eileen"
    daemon.stop()
    failed = tab.post("frames/0/enrol", json={"label": 0, "name": "Barack"})
    assert (failed.status_code, failed.json()["code"]) == (503, "Unreachable")
    assert "\n" not in failed.json()["error"]
    assert tab.get("frames/0").json()["labels"][0]["face"] == "Obama"
