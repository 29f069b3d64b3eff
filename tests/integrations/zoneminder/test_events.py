"""ZoneMinder's events, by a real daemon, gateway and command; ZoneMinder's API is a stand-in over HTTP."""

from __future__ import annotations

import contextlib
import json
import re
import shutil
import subprocess
import sys
import threading
from datetime import datetime, timezone

import numpy as np
import PIL.Image
import pytest
from disks import fill
from gateway_fixtures import lasting_gateway
from running import eventually

from face_det.video import VideoWriter

from .conftest import PLACES, START

CLI = (sys.executable, "-m", "face_det.cli.main")


def test_an_event_gets_its_names(zm_event, record, portal):
    """Notes, picture and objects, each readable by ZoneMinder; a second run changes nothing."""
    folder = record(7)
    status, report, said = zm_event(7, "--mid", 3)
    assert status == 0, said
    assert [one["label"] for one in report["people"]] == ["Obama"]
    assert (report["frames"], report["unreadable"], report["unwritten"]) == (3, 0, [])
    notes = portal.events[7]["Notes"]
    assert notes.startswith("[x] detected:Obama:")
    assert notes.endswith("% | Motion: All")
    objects = json.loads((folder / "objects.json").read_text())
    assert objects["labels"] == ["Obama"]
    assert objects["frame_id"] in (2, 3)
    assert (folder / "objdetect.jpg").read_bytes()[:3] == b"\xff\xd8\xff"
    assert (folder / "objdetect.jpg").stat().st_mode & 0o777 == 0o644
    puts = portal.asked.count(("PUT", "api/events/7.json"))
    assert zm_event(7)[0] == 0
    assert (portal.events[7]["Notes"], portal.asked.count(("PUT", "api/events/7.json"))) == (notes, puts)


@pytest.mark.slow
@pytest.mark.parametrize("folders", [True, False])
def test_an_event_is_remembered_once(zm_event, record, portal, daemon, folders):
    """However often it is looked into, also through the API, and if another detector came first."""
    eid = 20 + folders
    folder = record(eid)
    portal.events[eid]["StartDateTime"] = f"{datetime.now(timezone.utc):%Y-%m-%d %H:%M:%S}"
    (folder / "objects.json").write_text('{"labels": ["person"]}')
    changed = {} if folders else {"eventsPath": None}

    def remembered():
        items = client.sightings({"limit": 500})["items"]
        return [one["face"] for one in items if str(one["frame"]).startswith(f"zoneminder:{eid}:")]

    client = daemon.client()
    try:
        assert zm_event(eid, **changed)[0] == 0
        found = eventually(remembered)
        assert set(found) == {"Obama"}
        assert zm_event(eid, **changed)[0] == 0
        # A picture of another camera, so that everything before has been written.
        client.recognize(str(folder / "00002-capture.jpg"), {"camera": f"after {eid}"})
        eventually(lambda: client.sightings({"camera": f"after {eid}"})["items"])
        assert remembered() == found
    finally:
        client.close()


@pytest.mark.slow
@pytest.mark.parametrize("scheme", PLACES)
def test_each_layout_of_folders(record, portal, scheme, tmp_path):
    """The folder is found by its scheme where ZoneMinder's path is not ours, and never above the events."""
    from face_det.integrations.zoneminder.frames import find_event_folder

    folder = record(8, scheme=scheme, told=False)
    assert find_event_folder(tmp_path / "events", portal.events[8]) == folder
    outside = {**portal.events[8], "Scheme": "Shallow", "MonitorId": "..", "FileSystemPath": str(tmp_path)}
    assert find_event_folder(tmp_path / "events", {**outside, "Id": "events"}) is None


@pytest.mark.slow
def test_frames_from_the_api(zm_event, record, portal):
    """Without eventsPath everything goes through the API, and no file is written."""
    folder = record(9)
    status, report, said = zm_event(9, eventsPath=None)
    assert status == 0, said
    assert [one["label"] for one in report["people"]] == ["Obama"]
    assert ("GET", "index.php") in portal.asked
    assert not (folder / "objects.json").exists()


@pytest.mark.slow
def test_an_event_that_is_still_recorded_by_the_api(zm_event, record, portal):
    """ZoneMinder tells how many frames there are only at the end, which is waited for."""
    record(38, ended=False)
    portal.events[38]["Frames"] = None
    looks = []

    def end(eid):
        looks.append(eid)
        if len(looks) == 4:
            portal.events[eid].update(EndDateTime=START, Frames=3)

    portal.on_get = end
    status, report, said = zm_event(38, eventsPath=None)
    assert status == 0, said
    assert (report["frames"], [one["label"] for one in report["people"]]) == (3, ["Obama"])
    record(39, ended=False)
    portal.events[39]["Frames"] = None
    report = zm_event(39, eventsPath=None, maxWait=0)[1]
    assert (report["frames"], report["partial"], portal.events[39]["Notes"]) == (0, True, "Motion: All")


@pytest.mark.slow
def test_frames_that_are_still_written_are_waited_for(zm_event, record, portal, small_photos):
    """The face comes after the first look, in part at first; the event ends later still."""
    folder = record(10, photos=["nobody"], ended=False)
    whole, looks = small_photos["obama3"].read_bytes(), []

    def write_on(eid):
        looks.append(eid)
        if len(looks) == 3:
            (folder / "00002-capture.jpg").write_bytes(whole[: len(whole) // 20])
        if len(looks) == 5:
            (folder / "00002-capture.jpg").write_bytes(whole)
        if len(looks) == 6:
            portal.events[10]["EndDateTime"] = START

    portal.on_get = write_on
    status, report, said = zm_event(10)
    assert status == 0, said
    assert ([one["label"] for one in report["people"]], report["partial"]) == (["Obama"], False)


@pytest.mark.slow
def test_an_event_that_is_deleted_meanwhile(zm_event, record, portal, tmp_path):
    """Nothing is written where it was, and the error says so."""
    folder = record(11)
    looks = []

    def delete(eid):
        looks.append(eid)
        if len(looks) == 3:
            del portal.events[eid]
            shutil.rmtree(folder)

    portal.on_get = delete
    status, _, said = zm_event(11)
    assert (status, "no such event" in said, folder.exists()) == (65, True, False)


@pytest.mark.slow
def test_a_file_that_cannot_be_written_keeps_no_name_from_the_notes(zm_event, record, portal):
    """A folder in objdetect.jpg's place: the report says so, and the notes have the name."""
    (record(12) / "objdetect.jpg").mkdir()
    status, report, said = zm_event(12)
    assert status == 0, said
    assert "objdetect.jpg" in report["unwritten"][0]
    assert "detected:Obama:" in portal.events[12]["Notes"]


@pytest.mark.slow
def test_notes_that_are_not_kept_are_an_error(zm_event, record, portal):
    """ZoneMinder says `Saved` to users who may not edit, too."""
    record(13)
    portal.editable = False
    status, _, said = zm_event(13)
    assert (status, "did not store the notes" in said) == (75, True)


@pytest.mark.slow
def test_faults_of_the_portal_are_named_without_secrets(zm_event, record, portal, settings, tmp_path):
    """A wrong password, a slow API, a wrong monitor: exit codes and words, never the password."""
    record(14)
    (tmp_path / "wrong").write_text("guess-4711")
    status, _, said = zm_event(14, passwordFile=str(tmp_path / "wrong"))
    assert (status, "zoneminder.user" in said, "guess-4711" in said) == (75, True, False)
    assert zm_event(14, "--mid", 4)[0] == 65
    portal.delay_s = 5
    status, _, said = zm_event(14, timeout=0.2)
    assert (status, "does not answer" in said) == (75, True)


@pytest.mark.slow
def test_a_report_is_answered_at_once_and_none_is_lost(daemon, settings, record, portal, tmp_path):
    """Two events of a monitor and a duplicate: answered while ZoneMinder hangs, and all processed."""
    record(15), record(16, photos=["obama3"])
    held = threading.Event()
    portal.on_get = lambda eid: held.wait(300)
    with contextlib.ExitStack() as stack:
        stack.callback(held.set)
        web = stack.enter_context(
            lasting_gateway(tmp_path, daemon.endpoint, zoneminder={**settings, "timeout": 300})
        )
        answers = [web.post(f"/zoneminder/events/{eid}?mid=3").json() for eid in (15, 16, 16)]
        assert [answer["queued"] for answer in answers[:2]] == [True, True]
        assert web.post("/zoneminder/events/0").status_code == 400
        assert "face_det_zoneminder_events_waiting 2.0" in web.get("/metrics").text
        assert all(portal.events[eid]["Notes"] == "Motion: All" for eid in (15, 16))
        held.set()
        eventually(lambda: all("Obama" in portal.events[eid]["Notes"] for eid in (15, 16)))
        eventually(lambda: "face_det_zoneminder_events_waiting 0.0" in web.get("/metrics").text)
        assert web.post("/zoneminder/events/99?mid=3").is_success
        failed = 'face_det_zoneminder_events_total{result="failed"} 1.0'
        eventually(lambda: failed in web.get("/metrics").text)
        assert 'face_det_zoneminder_events_total{result="done"} 2.0' in web.get("/metrics").text


@pytest.mark.slow
def test_an_event_that_outlasts_max_wait_is_looked_into_again(daemon, settings, record, portal, tmp_path):
    """Reported as it begins and given up twice meanwhile; it is named once it has ended."""
    folder = record(19, photos=["nobody"], ended=False)
    about = {**settings, "maxWait": 0, "timeout": 300}
    with lasting_gateway(tmp_path, daemon.endpoint, zoneminder=about) as web:
        web.post("/zoneminder/events/19?mid=3")
        eventually(lambda: "event 19 of monitor 3: 1 frames, 0 people" in web.gateway.log)
        shutil.copy(folder / "00001-capture.jpg", folder / "00002-capture.jpg")
        eventually(lambda: "event 19 of monitor 3: 2 frames, 0 people" in web.gateway.log)
        shutil.copytree(record(29, photos=["obama3"] * 3), folder, dirs_exist_ok=True)
        portal.events[19]["EndDateTime"] = START
        eventually(lambda: "Obama" in portal.events[19]["Notes"])


@pytest.mark.slow
def test_names_that_the_database_refuses(zm_event, record, portal, daemon, small_photos):
    """Characters beyond U+FFFF are written as question marks, and replaced by the next run as our own."""
    client = daemon.client()
    try:
        client.add_face("Ken\U00020bb7", small_photos["biden"].read_bytes())
        record(37, photos=["biden"])
        for _ in range(2):
            assert zm_event(37)[0] == 0
            assert portal.events[37]["Notes"].count("Ken?:") == 1
        client("forget", "Ken\U00020bb7")
    finally:
        client.close()


@pytest.mark.slow
def test_waiting_events_outlast_a_kill(daemon, settings, record, portal, tmp_path):
    """The gateway is killed while it looks into one event and another waits: both are named after a start."""
    record(17), record(18, photos=["obama3"])
    about = {**settings, "timeout": 300, "queuePath": str(tmp_path / "queue.sqlite")}
    asked = threading.Event()
    portal.on_get = lambda eid: (asked.set(), threading.Event().wait(300))
    with lasting_gateway(tmp_path, daemon.endpoint, zoneminder=about) as web:
        for eid in (17, 18):
            assert web.post(f"/zoneminder/events/{eid}?mid=3").status_code == 202
        assert asked.wait(300)
        web.gateway.process.kill()
        web.gateway.process.wait(300)
    portal.on_get = lambda eid: None
    (tmp_path / "again").mkdir()
    with lasting_gateway(tmp_path / "again", daemon.endpoint, zoneminder=about):
        eventually(lambda: all("Obama" in portal.events[eid]["Notes"] for eid in (17, 18)))


@pytest.mark.slow
def test_a_run_that_finds_nobody_removes_our_picture(zm_event, record, portal, small_photos):
    """And what an earlier run wrote in the notes; a picture of another detector stays."""
    folder = record(30, photos=["obama3"])
    portal.events[30]["Notes"] = "[x] detected:Barack (president):98% | Motion: All"
    (folder / "objects.json").write_text('{"labels": ["Barack (president)"], "detector": "face_det"}')
    assert zm_event(30)[0] == 0
    assert (folder / "objdetect.jpg").exists()
    # He was called otherwise when an earlier run wrote it.
    assert re.fullmatch(r"\[x\] detected:Obama:\d+% \| Motion: All", portal.events[30]["Notes"])
    with PIL.Image.open(small_photos["nobody"]) as picture:
        picture.convert("RGB").save(folder / "00001-capture.jpg")
    status, report, said = zm_event(30)
    assert (status, report["people"]) == (0, []), said
    assert not (folder / "objdetect.jpg").exists()
    assert not (folder / "objects.json").exists()
    assert portal.events[30]["Notes"] == "Motion: All"
    (folder / "objdetect.jpg").write_bytes(b"another's")
    (folder / "objects.json").write_text('{"labels": ["person"]}')
    assert zm_event(30)[0] == 0
    assert (folder / "objdetect.jpg").read_bytes() == b"another's"


@pytest.mark.slow
def test_a_disk_without_room_for_the_picture(zm_event, record, portal, disk, settings):
    """The old picture stays whole, the notes have the name, and the report says what to do."""
    events = disk("size=1m")
    settings["eventsPath"] = str(events)
    folder = record(31, photos=["obama3"])
    moved = events / folder.relative_to(folder.parents[2])
    shutil.copytree(folder, moved)
    (moved / "objdetect.jpg").write_bytes(b"the old one")
    filler = fill(events)
    status, report, said = zm_event(31)
    assert status == 0, said
    assert "No space left on device" in report["unwritten"][0]
    assert (moved / "objdetect.jpg").read_bytes() == b"the old one"
    assert "detected:Obama:" in portal.events[31]["Notes"]
    filler.unlink()
    status, report, said = zm_event(31)
    assert (status, report["unwritten"]) == (0, []), said
    assert (moved / "objdetect.jpg").read_bytes()[:3] == b"\xff\xd8\xff"


@pytest.mark.slow
@pytest.mark.parametrize("folders", [True, False])
def test_an_event_that_is_only_a_video(zm_event, record, portal, small_photos, folders):
    """Its frames are decoded, though ZoneMinder has made a picture of one; a damaged video is an error."""
    eid = 32 + folders
    folder = record(eid, photos=["nobody"])
    portal.events[eid].update(SaveJPEGs=0, DefaultVideo=f"{eid}-video.webm")
    video = folder / f"{eid}-video.webm"
    with PIL.Image.open(small_photos["obama3"]) as picture:
        face = np.asarray(picture.convert("RGB"))
    with VideoWriter(video, 2, face.shape[1::-1]) as writer:
        for rgb in (np.full_like(face, 90), face, face):
            writer.write(rgb)
    changed = {} if folders else {"eventsPath": None}
    status, report, said = zm_event(eid, **changed)
    assert status == 0, said
    assert ([one["label"] for one in report["people"]], report["frames"]) == (["Obama"], 3)
    assert "detected:Obama:" in portal.events[eid]["Notes"]
    video.write_bytes(b"no video")
    status, _, said = zm_event(eid, **changed)
    assert (status, f"event {eid}" in said) == (65, True)
    assert "detected:Obama:" in portal.events[eid]["Notes"]


@pytest.mark.slow
def test_an_event_without_frames_keeps_its_notes(zm_event, record, portal):
    """Nobody has looked, so nobody says that nobody was there."""
    record(34, photos=[])
    portal.events[34].update(Notes="[x] detected:Obama:98% | Motion: All", Frames=0)
    status, report, said = zm_event(34)
    assert (status, report["frames"]) == (0, 0), said
    assert portal.events[34]["Notes"] == "[x] detected:Obama:98% | Motion: All"


@pytest.mark.slow
def test_tags_of_later_versions(zm_event, record, portal):
    """A name becomes a tag once, of those that there are; 1.36 is not asked for any."""
    record(35), record(36, photos=["obama3"])
    assert zm_event(35)[0] == 0
    assert (portal.tags, portal.tagged) == ([], [])
    portal.version = "1.38.1"
    portal.tags = [{"Id": 1, "Name": "person", "CreatedBy": 1}]
    for eid in (35, 36, 35):
        assert zm_event(eid)[1]["unwritten"] == []
    assert [tag["Name"] for tag in portal.tags] == ["person", "Obama"]
    assert portal.tagged == [(2, 35), (2, 36)]


@pytest.mark.slow
def test_a_queue_that_cannot_be_kept_is_told_at_the_start(settings, tmp_path):
    """One line and an exit status, not a gateway that loses what it accepts."""
    about = {"http": {"port": 0}, "zoneminder": {**settings, "queuePath": str(tmp_path / "no" / "queue")}}
    (tmp_path / "config.json").write_text(json.dumps({"faceDetServer": about}))
    command = (*CLI, "web", "--config", tmp_path / "config.json")
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 75
    assert "ZoneMinder's events cannot be stored" in done.stderr
    assert "Traceback" not in done.stderr


def test_without_settings_the_route_says_so(daemon, tmp_path):
    """A gateway that knows no ZoneMinder."""
    with lasting_gateway(tmp_path, daemon.endpoint) as web:
        answer = web.post("/zoneminder/events/1")
        assert (answer.status_code, answer.json()["code"]) == (409, "ZoneMinderOff")
