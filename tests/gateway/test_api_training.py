"""Training, models, how careful the daemon is, its health, and backups, over /api/v1."""

from __future__ import annotations

import io
import time
import zipfile

from api_walks import ask, forgotten
from running import eventually


def test_a_training_and_back_to_the_model_before(web, photos):
    """It is started at once, tells how far it is, and the model that it replaced can be used again."""
    assert ask(web, "POST", "/training", 202, json={"quick": True}) == {"started": True}
    begun = time.time()
    progress = eventually(lambda: finished(web), "the training")
    assert progress["error"] is None
    assert progress["report"]["people"] == ["Obama"]
    assert progress["started"] <= begun + 60
    with forgotten(web, "Joe"):
        before = ask(web, "GET", "/models")["models"]
        assert [one["in_use"] for one in before].count(True) == 1
        ask(web, "POST", "/people/Joe/photos", 201, content=photos["biden"].read_bytes())
        ask(web, "DELETE", "/people/Joe")
        kept = ask(web, "GET", "/models")["models"]
        own = next(one["model"] for one in kept[1:] if one["classes"] == before[0]["classes"])
        assert ask(web, "POST", f"/models/{own}/use")["model"]
        assert ask(web, "GET", "/models")["models"][0]["model"] == own
        problem = ask(web, "POST", "/models/nonsense/use", 400)
        assert problem["code"] == "BadRequest"


def finished(web):
    progress = ask(web, "GET", "/training")
    return progress if not progress["running"] and progress["report"] else None


def test_a_training_that_cannot_be(web):
    """It is refused to whoever asks, and not only in the log."""
    assert "classifier" in ask(web, "POST", "/training", 400, json={"classifier": "nonsense"})["detail"]
    assert "colour" in ask(web, "POST", "/training", 400, json={"colour": "red"})["detail"]
    assert ask(web, "POST", "/training", 400, json={"quick": "perhaps"})["code"] == "BadRequest"


def test_how_careful_it_is(web):
    """What a rate would mean; setting it, and going back to the configuration's."""
    present = ask(web, "GET", "/tuning")
    assert (present["falseAcceptRate"], present["source"]) == (0.001, "default")
    assert present["sentence"] in [rung["text"] for rung in present["ladder"]]
    asked = ask(web, "GET", "/tuning?falseAcceptRate=0.03")
    assert (asked["falseAcceptRate"], asked["source"]) == (0.03, "default")
    assert [rung["falseAcceptRate"] for rung in asked["ladder"] if rung["asked"]] == [0.03]
    try:
        assert ask(web, "PUT", "/tuning", json={"falseAcceptRate": 0.03})["source"] == "settings"
        assert ask(web, "GET", "/tuning")["falseAcceptRate"] == 0.03
    finally:
        back = ask(web, "PUT", "/tuning", json={"falseAcceptRate": None})
    assert (back["falseAcceptRate"], back["source"]) == (0.001, "default")
    for rate in (0, 1e-6, 0.2, "x", [], "1e999"):
        ask(web, "PUT", "/tuning", 400, json={"falseAcceptRate": rate})
    ask(web, "GET", "/tuning?falseAcceptRate=nan", 400)


def test_how_everything_is(web):
    """The status of both, the doctor's findings, the last evaluation, and the cameras without addresses."""
    status = ask(web, "GET", "/status")
    assert status["gateway"].items() >= {"cameras": ["door", "gone"], "sightings": True}.items()
    assert isinstance(status["gateway"]["legacyGet"], bool)
    doctor = ask(web, "GET", "/doctor")
    assert {"check", "state", "text"} <= doctor["checks"][0].keys()
    evaluation = ask(web, "GET", "/evaluation")
    assert (evaluation["running"], evaluation["report"], evaluation["at"]) == (False, None, None)
    assert ask(web, "GET", "/cameras") == {"cameras": [{"name": "door"}, {"name": "gone"}]}


def test_a_camera(web, door, photos):
    """What it shows, and who that is; one that does not answer is 502."""
    door.write_bytes(photos["obama3"].read_bytes())
    assert ask(web, "GET", "/cameras/door/snapshot.jpg").content == door.read_bytes()
    view = ask(web, "POST", "/cameras/door/faces")
    assert [face["face"] for face in view["faces"]] == ["Obama"]
    assert view["picture"]
    assert ask(web, "GET", "/cameras/gone/snapshot.jpg", 502)["code"] == "CameraFailed"


def test_a_backup_is_downloaded_and_none_is_left(web, gallery_daemon):
    """Also if whoever asks goes away in the middle."""
    answer = ask(web, "GET", "/backup?sightings=false")
    names = zipfile.ZipFile(io.BytesIO(answer.content)).namelist()
    assert any(name.startswith("dataset/Obama/") for name in names)
    assert int(answer.headers["content-length"]) == len(answer.content)
    with web.stream("GET", "/api/v1/backup") as stream:
        assert stream.status_code == 200
    client = gallery_daemon.client()
    try:
        eventually(lambda: client.backups() == [], "the backups to be dropped")
    finally:
        client.close()
