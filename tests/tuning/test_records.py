"""Reading what the uploader recorded, from a real server: what is in the way, and what is said of it."""

from __future__ import annotations

from itertools import islice

import pytest
from mongo_server import running_mongo

from face_det.errors import DatabaseFailed, DataError
from face_det.tuning import AlarmRecords, FrameFilter, MalformedRecord
from face_det.tuning.records import BATCH

pytestmark = pytest.mark.timeout(900)
BOX = {"ymin": 1, "xmin": 2, "ymax": 30, "xmax": 40}
PERSON = {"Name": "person", "Confidence": 97.5, "Box": BOX, "Face": "Ann"}
PASSWORD = "se:cr@t/4%"


@pytest.fixture
def alarms(mongo, request):
    """alarms(document, ...): records of them in a database of their own."""
    database = f"r{abs(hash(request.node.name)) % 10**9}"

    def store(*documents):
        with mongo.client() as client:
            if documents:
                client[database]["alarms"].insert_many(documents)
        return AlarmRecords(mongo.url, database)

    return store


def frame(number, *labels):
    """A record with a number for its _id."""
    return {"_id": number, "image": f"/events/{number}.jpg", "labels": list(labels) or [PERSON]}


def test_order_and_limit(alarms):
    """The newest so many, the oldest of these first unless the newest is wanted first."""
    records = alarms(*map(frame, range(1, 6)))

    def ids(**wanted):
        return [one.id for one in records.read(FrameFilter(**wanted))]

    assert ids() == ["1", "2", "3", "4", "5"]
    assert ids(newest_first=True) == ["5", "4", "3", "2", "1"]
    assert ids(limit=2) == ["4", "5"]
    assert ids(limit=2, newest_first=True) == ["5", "4"]


def test_only_what_is_asked_for(alarms):
    """The name and the face must belong to one object, and all objects of its frame are kept."""
    car = {"Name": "car", "Confidence": 80, "Box": BOX}
    records = alarms(frame(1), frame(2, {**PERSON, "Face": None}, car), frame(3, car), frame(4, PERSON, car))
    assert [one.id for one in records.read(FrameFilter(face="Ann"))] == ["1", "4"]
    (two, three, four) = records.read(FrameFilter(name="car"))
    assert [label.name for label in two.labels] == ["person", "car"]
    assert (two.labels[0].judged, two.labels[0].face, two.labels[1].judged) == (True, None, False)
    assert (three.id, four.id) == ("3", "4")
    assert not list(records.read(FrameFilter(name="car", face="Ann")))


@pytest.mark.parametrize(
    ("broken", "why"),
    [
        ({"image": None}, "image: must be a path, got nothing"),
        ({"image": 7}, "image: must be a path, got 7"),
        ({"labels": "none"}, "labels: must be a list, got 'none'"),
        ({"labels": ["person"]}, "labels[0]: must be an object, got 'person'"),
        ({"labels": [PERSON, {**PERSON, "Name": 1}]}, "labels[1].Name: must be text, got 1"),
        ({"labels": [{**PERSON, "Box": None}]}, "labels[0].Box: must be an object, got nothing"),
        (
            {"labels": [{**PERSON, "Box": {**BOX, "xmin": float("nan")}}]},
            "labels[0].Box.xmin: must be a number, got nan",
        ),
        ({"labels": [{**PERSON, "Face": 5}]}, "labels[0].Face: must be a name or null, got 5"),
        (
            {"labels": [{**PERSON, "Confidence": "high"}]},
            "labels[0].Confidence: must be a number, got 'high'",
        ),
    ],
)
def test_malformed_records_are_told_apart(alarms, broken, why):
    """By their _id, with the place of the fault; the others are read, with a limit or without."""
    records = alarms(frame(1), {**frame(2), **broken}, frame(3))
    for wanted in (FrameFilter(), FrameFilter(limit=10)):
        found = list(records.read(wanted))
        assert [one.id for one in found if not isinstance(one, MalformedRecord)] == ["1", "3"]
        assert [one for one in found if isinstance(one, MalformedRecord)] == [MalformedRecord("2", why)]


def test_an_empty_collection(alarms, mongo):
    """Whoever asks for the wrong one is told which there are."""
    with mongo.client() as client:
        client["elsewhere"]["frames"].insert_one({"image": "/a.jpg"})
    with pytest.raises(DataError, match=r"elsewhere\.alarms: must hold .* got none; .* elsewhere: frames"):
        list(AlarmRecords(mongo.url, "elsewhere").read(FrameFilter()))


@pytest.mark.slow
def test_a_server_that_is_not_there(free_port):
    """One line with the place and what to do, without the password."""
    records = AlarmRecords(f"mongodb://zmuser:geheim@127.0.0.1:{free_port}/?serverSelectionTimeoutMS=100")
    with pytest.raises(DatabaseFailed) as caught:
        list(records.read(FrameFilter()))
    assert f"127.0.0.1:{free_port}, zm.alarms: MongoDB must answer, got: " in str(caught.value)
    assert "Connection refused" in str(caught.value)
    assert "--mongo-url" in str(caught.value)
    assert "geheim" not in str(caught.value)
    assert "zmuser" not in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.slow
def test_a_server_that_goes_down_in_the_middle(tmp_path):
    """What was read is kept by whoever reads; then one error says what happened."""
    with running_mongo(tmp_path / "mongo") as server:
        with server.client() as client:
            client["zm"]["alarms"].insert_many(map(frame, range(5 * BATCH)))
        reading = AlarmRecords(f"{server.url}/?serverSelectionTimeoutMS=100").read(FrameFilter())
        assert len(list(islice(reading, 3))) == 3
        server.stop()
        with pytest.raises(DatabaseFailed, match=r"MongoDB must answer, got: .*; start it and try again"):
            list(reading)


@pytest.mark.slow
def test_a_wrong_password(tmp_path):
    """Refused by a server that asks for one; the message repeats neither user nor password."""
    with running_mongo(tmp_path / "mongo") as server:
        with server.client() as client:
            client["zm"]["alarms"].insert_one(frame(1))
            client["admin"].command("createUser", "zmuser", pwd=PASSWORD, roles=["root"])
        server.shut_down()
        server.start("--auth")
        address = server.url.removeprefix("mongodb://")
        good = "se%3Acr%40t%2F4%25"
        right = AlarmRecords(f"mongodb://zmuser:{good}@{address}/?authSource=admin")
        assert [one.id for one in right.read(FrameFilter())] == ["1"]
        wrong = AlarmRecords(f"mongodb://zmuser:{good}x@{address}/?authSource=admin")
        with pytest.raises(DatabaseFailed, match="check user, password and authSource") as caught:
            list(wrong.read(FrameFilter()))
        assert "zmuser" not in str(caught.value)
        assert "cr" not in str(caught.value).partition("got:")[2]


@pytest.mark.parametrize(
    "url",
    [
        f"mongodb://zmuser:{PASSWORD}@nas:27017",
        "http://zmuser:geheim@nas:27017",
        "mongodb://zmuser:geheim@nas:port",
        "mongodb://zmuser:geheim@nas:27017/?nosuchoption=geheim",
        "mongodb://zmuser:ge%zzheim@nas:27017",
    ],
)
def test_an_address_that_is_none(url):
    """It is refused before anybody is asked, and its password is not repeated."""
    with pytest.raises(DataError, match="must be mongodb://HOST:PORT") as caught:
        list(AlarmRecords(url).read(FrameFilter()))
    said = str(caught.value)
    assert "zmuser" not in said
    assert "heim" not in said
    assert "cr@t" not in said
