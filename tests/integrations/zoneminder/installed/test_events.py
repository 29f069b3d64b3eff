"""Events that Debian's ZoneMinder has recorded itself, named by the command and by the gateway."""

from __future__ import annotations

import asyncio
import json

import httpx
import pytest
from gateway_fixtures import lasting_gateway
from running import eventually
from zoneminder_server import DEEP, LIVE, MEDIUM, PASSWORD, SHALLOW, USER, VIDEO

from face_det.errors import PortalFailed, UnknownEvent
from face_det.integrations import Portal, ServerSettings


@pytest.fixture
def clean(zoneminder, recorded):
    """Nobody is named in the recorded events."""
    for eid in recorded.values():
        zoneminder.sql(f"UPDATE Events SET Notes = 'Motion: All' WHERE Id = {eid}")
    for name in ("objdetect.jpg", "objects.json"):
        for found in zoneminder.events.rglob(name):
            found.unlink()


def token_of(zoneminder):
    login = {"user": USER, "pass": PASSWORD}
    return httpx.post(f"{zoneminder.url}/api/host/login.json", data=login, timeout=300).json()["access_token"]


@pytest.mark.parametrize("camera", [DEEP, MEDIUM, SHALLOW, VIDEO])
@pytest.mark.usefixtures("clean")
def test_an_event_gets_its_names(zoneminder, recorded, zm_event, camera):
    """However it is stored: ZoneMinder shows the notes and the picture; a second run changes nothing."""
    eid = recorded[camera]
    status, report, said = zm_event(eid, "--mid", camera)
    assert status == 0, said
    assert [one["label"] for one in report["people"]] == ["Obama"]
    assert report["frames"] >= 10
    assert (report["unreadable"], report["unwritten"], report["partial"]) == (0, [], False)
    notes = zoneminder.notes(eid)
    assert notes.startswith("[x] detected:Obama:")
    assert notes.endswith("% | Motion: All")
    query = {"view": "image", "eid": str(eid), "fid": "objdetect", "token": token_of(zoneminder)}
    shown = httpx.get(f"{zoneminder.url}/index.php", params=query, timeout=300)
    assert (shown.status_code, shown.headers["content-type"]) == (200, "image/jpeg")
    (objects,) = zoneminder.events.glob(f"{camera}/**/objects.json")
    assert json.loads(objects.read_text())["labels"] == ["Obama"]
    assert shown.content == objects.with_name("objdetect.jpg").read_bytes()
    assert zm_event(eid)[0] == 0
    assert zoneminder.notes(eid) == notes


@pytest.mark.parametrize("camera", [DEEP, MEDIUM, SHALLOW, VIDEO])
@pytest.mark.usefixtures("clean")
def test_the_same_through_the_api_alone(zoneminder, recorded, zm_event, camera):
    """All frames that are in the folder, too, though ZoneMinder has rows of few; no file is written."""
    eid = recorded[camera]
    status, by_folder, said = zm_event(eid)
    assert status == 0, said
    for name in ("objdetect.jpg", "objects.json"):
        for found in zoneminder.events.rglob(name):
            found.unlink()
    status, report, said = zm_event(eid, eventsPath=None)
    assert status == 0, said
    assert report["frames"] == by_folder["frames"]
    assert [one["label"] for one in report["people"]] == ["Obama"]
    assert "detected:Obama:" in zoneminder.notes(eid)
    assert not list(zoneminder.events.rglob("objects.json"))


def test_an_event_that_is_still_recorded(daemon, zoneminder, settings, tmp_path):
    """It is reported as it begins; its names are there when it has ended."""
    before = zoneminder.begun_event(LIVE) or 0
    with lasting_gateway(tmp_path, daemon.endpoint, zoneminder=settings) as web:
        with zoneminder.recording(LIVE):
            eventually(lambda: (zoneminder.begun_event(LIVE) or 0) > before)
            eid = zoneminder.begun_event(LIVE)
            assert web.post(f"/zoneminder/events/{eid}?mid={LIVE}").json() == {"ok": True, "queued": True}
            eventually(lambda: "Obama" in zoneminder.notes(eid))
        ended = zoneminder.sql(f"SELECT EndDateTime FROM Events WHERE Id = {eid}")
        assert ended != [["NULL"]]


@pytest.mark.usefixtures("clean")
def test_a_filter_reports_events(daemon, zoneminder, settings, recorded, tmp_path):
    """As the how-to says for 1.36: ZoneMinder's own filter runs the command for each event that has ended."""
    eid = recorded[SHALLOW]
    terms = [{"attr": "EndDateTime", "op": "IS NOT", "val": "NULL", "obr": "0", "cbr": "0"}]
    terms.append({"attr": "Id", "op": "=", "val": str(eid), "cnj": "and", "obr": "0", "cbr": "0"})
    query = json.dumps({"terms": terms, "sort_field": "Id", "limit": "10"})
    with lasting_gateway(tmp_path, daemon.endpoint, zoneminder=settings) as web:
        # There is no curl in the image. What follows # is the event's path, which ZoneMinder appends.
        address = web.base_url.join("/zoneminder/events/")
        command = f'echo | lwp-request -m POST "{address}%EI%" #'
        zoneminder.sql(
            f"""INSERT INTO Filters SET Name = 'faces', Query_json = '{query}', AutoExecute = 1,
            AutoExecuteCmd = '{command}', EmailTo = '', EmailSubject = '', EmailBody = ''"""
        )
        ((number,),) = zoneminder.sql("SELECT Id FROM Filters WHERE Name = 'faces'")
        zoneminder.run("runuser", "-u", "www-data", "--", "zmfilter.pl", f"--filter_id={number}")
        assert zoneminder.sql(f"SELECT Executed FROM Events WHERE Id = {eid}") == [["1"]]
        eventually(lambda: "Obama" in zoneminder.notes(eid))


def test_an_event_that_is_deleted_in_the_middle(zoneminder, settings, zm_event):
    """Deleted by ZoneMinder while it waits for more frames: the error says so, and no file is left."""
    with zoneminder.recording(LIVE):
        eid = eventually(lambda: zoneminder.ended_event(LIVE))
    zoneminder.sql(f"UPDATE Events SET EndDateTime = NULL WHERE Id = {eid}")

    async def delete():
        running = asyncio.create_task(asyncio.to_thread(zm_event, eid))
        async with httpx.AsyncClient(base_url=f"{zoneminder.url}/", timeout=300) as client:
            await until_asked(zoneminder, eid)
            answer = await client.delete(f"api/events/{eid}.json", params={"token": token_of(zoneminder)})
            assert answer.status_code in (200, 302), answer.text
        return await running

    status, _, said = asyncio.run(delete())
    assert (status, "no such event" in said) == (65, True)
    assert not list(zoneminder.events.glob(f"{LIVE}/**/{eid}/*"))


async def until_asked(zoneminder, eid):
    """Wait until the command has asked for the event a few times, as ZoneMinder's own log says."""
    asked = f"GET /zm/api/events/{eid}.json"
    log = "/var/log/zm/apache-access.log"
    for _ in range(3000):
        told = await asyncio.to_thread(zoneminder.run, "cat", log)
        if told.count(asked) >= 3:
            return
        await asyncio.sleep(0.1)
    raise AssertionError(f"{asked} was not asked")


def portal(zoneminder, tmp_path, user=USER, password=PASSWORD):
    secret = tmp_path / f"password of {user}"
    secret.write_text(password)
    return Portal(ServerSettings(zoneminder.url, user, secret, timeout_s=300))


def test_a_token_that_expires_is_renewed(zoneminder, recorded, tmp_path):
    """For the API and for pictures, for which ZoneMinder answers 200 and a page; nothing is missing."""
    eid = recorded[MEDIUM]

    async def ask(expire):
        async with portal(zoneminder, tmp_path) as client:
            event = await client.event(eid)
            path = f"{MEDIUM}/{event['StartDateTime'][:10]}/{eid}/00010-capture.jpg"
            found = []
            for again in (client.picture, lambda p: client.event(eid), client.picture):
                expire()
                found.append(await again(path))
            return found

    secrets = iter(range(100))

    def expire():
        zoneminder.sql(f"UPDATE Config SET Value = 's{next(secrets)}' WHERE Name = 'ZM_AUTH_HASH_SECRET'")

    first, event, last = asyncio.run(ask(expire))
    assert first[:3] == last[:3] == b"\xff\xd8\xff"
    assert event["Id"] == eid


@pytest.mark.parametrize(
    ("rights", "said"),
    [
        ({"APIEnabled": 0}, "refuses access (401)"),
        ({"Events": "None"}, "refuses access (401)"),
        ({"MonitorIds": "99"}, "must be allowed to view that monitor"),
        ({"Events": "View"}, "refuses access (401)"),
    ],
)
def test_somebody_who_may_not(zoneminder, recorded, tmp_path, rights, said):
    """What is missing is an error that says so: never an event in which nobody was seen."""
    name = "".join(f"{key}{value}" for key, value in rights.items())
    zoneminder.add_user(name, "x", **rights)

    async def ask():
        async with portal(zoneminder, tmp_path, name, "x") as client:
            await client.event(recorded[MEDIUM])
            await client.write_notes(recorded[MEDIUM], "mine")

    with pytest.raises(PortalFailed) as error:
        asyncio.run(ask())
    assert said in str(error.value)
    assert zoneminder.notes(recorded[MEDIUM]) != "mine"


def test_errors_that_zoneminder_answers(zoneminder, recorded, tmp_path):
    """A wrong password, no login, an event that is not there, and names beyond ASCII, kept up to U+FFFF."""
    eid = recorded[SHALLOW]

    async def ask(method, *arguments, **who):
        async with portal(zoneminder, tmp_path, **who) as client:
            return await getattr(client, method)(*arguments)

    with pytest.raises(PortalFailed, match="passwordFile"):
        asyncio.run(ask("event", eid, password="wrong"))
    with pytest.raises(PortalFailed):
        asyncio.run(ask("event", eid, user=""))
    with pytest.raises(PortalFailed, match="wants a login"):
        asyncio.run(ask("picture", "1/1.jpg", user=""))
    with pytest.raises(UnknownEvent, match="event 99999"):
        asyncio.run(ask("event", 99999))
    notes = '[x] detected:Zoë Ångström:98% 李:97% | Motion: "All" <b>&amp;\''
    asyncio.run(ask("write_notes", eid, notes))
    assert zoneminder.notes(eid) == notes
    assert str(asyncio.run(ask("time_zone"))) in ("UTC", "Etc/UTC")
