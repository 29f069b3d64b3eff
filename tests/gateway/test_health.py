"""Whether the gateway and the daemon are well, for probes and for Prometheus."""

from __future__ import annotations

import signal
import tempfile
import time
from pathlib import Path

import pytest
from daemon_fixtures import lasting_daemon
from gateway_fixtures import lasting_gateway
from prometheus_client.parser import text_string_to_metric_families
from remembering import SERVE


def samples(text):
    """Each sample's value, by its name and labels."""
    return {
        (sample.name, *sample.labels.values()): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def test_metrics_follow_the_daemon(web, photos, gallery_daemon, call):
    """They can be parsed, a call that names somebody is counted, and live cameras are there."""
    report = {"front": {"state": "fine", "delay_s": 0.25, "sent": 7, "late": None}, "yard": {"state": "lost"}}
    call(gallery_daemon, "report_cameras", report)
    before = samples(web.get("/metrics").text)
    web.post("/api/v1/faces", files={"image": photos["obama3"].read_bytes()})
    answer = web.get("/metrics")
    assert answer.headers["content-type"].startswith("text/plain")
    after = samples(answer.text)
    assert after["face_det_up",] == 1
    assert after["face_det_outcomes_total", "named"] == before["face_det_outcomes_total", "named"] + 1
    assert after["face_det_calls_total", "done"] > before["face_det_calls_total", "done"]
    assert after["face_det_trained",] == 1
    assert (after["face_det_camera_fine", "front"], after["face_det_camera_fine", "yard"]) == (1, 0)
    assert after["face_det_camera_pictures_total", "front", "sent"] == 7
    assert after["face_det_camera_delay_seconds", "front"] == 0.25
    assert ("face_det_camera_pictures_total", "front", "late") not in after


def test_metrics_say_how_far_the_readers_of_events_are():
    """So an alarm can tell that, say, the MQTT bridge stands still."""
    with lasting_daemon(SERVE, sightings={}) as daemon, tempfile.TemporaryDirectory() as folder:
        client = daemon.client()
        client.cursor("bell", 0)
        client.cursor("mqtt-home", "newest")
        counts = {"done": 5, "retried": 2, "failed": 1}
        client.cursor("actions/bell", 0, {"owner": "nuc 1", "counts": counts})
        minute_ago = int(time.time()) - 60
        client.cursor("frigate-home", minute_ago, {"owner": "nuc 1", "counts": {"waiting": 3}})
        client.cursor("frigate-idle", minute_ago, {"owner": "nuc 1", "counts": {"waiting": 0}})
        client.cursor("frigate-new", minute_ago, {"owner": "nuc 1"})
        client.cursor("frigate-gone", minute_ago)
        with lasting_gateway(Path(folder), daemon.endpoint) as web:
            found = samples(web.get("/metrics").text)
            web.gateway.stop()
        client.close()
    assert found["face_det_consumer_events_behind", "bell"] == 0
    assert found["face_det_consumer_events_behind", "mqtt-home"] == 0
    for result, count in counts.items():
        assert found["face_det_actions_total", "actions/bell", result] == count
    running = {name: found["face_det_consumer_running", name] for name in ("actions/bell", "mqtt-home")}
    assert running == {"actions/bell": 1, "mqtt-home": 0}
    assert found["face_det_consumer_events_behind", "frigate-home"] == 3
    for name in ("frigate-new", "frigate-gone"):
        assert ("face_det_consumer_events_behind", name) not in found
    behind = [
        found["face_det_consumer_behind_seconds", f"frigate-{name}"] for name in ("home", "gone", "idle")
    ]
    assert behind[0] >= 60
    assert behind[1] >= 60
    assert behind[2] == 0
    assert abs(found["face_det_consumer_moved_timestamp_seconds", "bell"] - time.time()) < 900


def test_probes(web):
    """This process lives; the daemon answers."""
    assert [web.get(f"/healthz{kind}").json() for kind in ("", "/live", "/ready")] == 3 * [{"ok": True}]


def test_without_a_daemon(tmp_path):
    """The gateway lives, is not ready, and every question is answered 503 with a sentence."""
    with lasting_gateway(tmp_path, f"ipc://{tmp_path}/s") as client:
        assert client.get("/healthz/live").status_code == 200
        for path in ("/healthz", "/api/v1/status", "/api/v1/people", "/api/v1/sightings", "/api/v1/events"):
            answer = client.get(path)
            assert (answer.status_code, answer.headers["retry-after"]) == (503, "1"), path
            assert answer.json()["code"] == "Unreachable"
        assert samples(client.get("/metrics").text) == {("face_det_up",): 0}
        assert client.gateway.stop() == 0


@pytest.mark.slow
def test_a_daemon_that_hangs(gallery_daemon, tmp_path):
    """Whoever only reads is told so long before the heartbeats fail."""
    with lasting_gateway(tmp_path, gallery_daemon.endpoint, zerorpcHeartBeat=60_000) as client:
        assert client.get("/api/v1/people").is_success
        gallery_daemon.process.send_signal(signal.SIGSTOP)
        try:
            answer = client.get("/api/v1/people", timeout=90)
        finally:
            gallery_daemon.process.send_signal(signal.SIGCONT)
        assert (answer.status_code, answer.json()["code"]) == (503, "Unreachable")
        assert "does not answer" in answer.json()["detail"]
        assert client.get("/api/v1/people").is_success
