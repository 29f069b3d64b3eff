"""A call's time: what is not done when it is up is answered so; what nobody waits for is not done."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import gevent
import numpy as np
import pytest
from doomed_engine import FACE, WAIT, Detector, Embedder, picture
from running import eventually

from face_det.budget import Budget
from face_det.engine.engine import FACES_PER_BATCH, Engine, EngineOptions, build_engine
from face_det.media import load_image
from face_det.types import Reason

WAITING = (sys.executable, Path(__file__).parents[1] / "support/doomed_engine.py")
SETTINGS = {"isolation": "process", "workers": 1, "embedder": "dlib_resnet", "focusMeasureThreshold": 0}
REAL = (sys.executable, "-m", "face_det.cli.main", "serve", "--config")
PEOPLE = ("obama2", "biden", "obama3")
BOX = {"xmin": 0, "ymin": 0, "xmax": 64, "ymax": 64}


def entries(*paths):
    return [{"image": str(path), "labels": [{"name": "person", "box": BOX}] * 2} for path in paths]


def reasons(reply):
    """What is said of each person, picture after picture."""
    return [label["faceReason"] for image in json.loads(reply) for label in image["labels"]]


@pytest.fixture
def told(folder):
    """The file that pictures of the kind WAIT wait for."""
    return folder / "go"


def test_what_is_not_done_in_time_is_answered_timeout(launch, call, folder, told):
    """What was begun is answered as usual, the rest `timeout`, the pictures that nobody looked at too."""
    daemon = launch(command=WAITING, **SETTINGS, callTimeout=2)
    pictures = [picture(folder, FACE), picture(folder, WAIT, said=str(told)), folder / "none", folder / "no"]
    answer = gevent.spawn(call, daemon, "detect_faces", entries(*pictures))
    eventually(lambda: list(folder.glob("go.*")), "the second picture to be looked at")
    gevent.sleep(2)  # the deadline itself: there is nothing else to wait for
    told.touch()
    assert reasons(answer.get(timeout=300)) == ["unrecognised"] * 3 + ["timeout"] * 5
    assert call(daemon, "status")["counters"]["timeout"] == 5
    assert "timeout=5" in daemon.log()


def test_waiting_counts(launch, call, folder, told):
    """A call that waits for longer than its time is answered without a look at its pictures."""
    daemon = launch(command=WAITING, **SETTINGS, callTimeout=2)
    busy = gevent.spawn(call, daemon, "detect_faces", entries(picture(folder, WAIT, said=str(told))))
    eventually(lambda: list(folder.glob("go.*")))
    late = gevent.spawn(call, daemon, "detect_faces", entries(picture(folder, FACE)))
    eventually(lambda: call(daemon, "status")["queue_depth"] == 1)
    gevent.sleep(2)
    told.touch()
    assert reasons(busy.get(timeout=300)) == ["unrecognised", "timeout"]
    assert reasons(late.get(timeout=300)) == ["timeout", "timeout"]


def test_no_limit(launch, call, folder):
    """0 is no limit."""
    daemon = launch(command=WAITING, **SETTINGS, callTimeout=0)
    reply = call(daemon, "detect_faces", entries(*[picture(folder, FACE, number) for number in range(3)]))
    assert reasons(reply) == ["unrecognised"] * 6


def test_a_caller_that_has_gone_ends_its_work(launch, call, folder, told):
    """The pictures after the one in hand are not looked at, and status() counts the call."""
    daemon = launch(command=WAITING, **SETTINGS, zerorpcHeartBeat=200)
    more = folder / "never"
    batch = [picture(folder, WAIT, 0, str(told)), *(picture(folder, WAIT, n, str(more)) for n in range(1, 4))]
    leaving = gevent.spawn(call, daemon, "detect_faces", entries(*batch))
    eventually(lambda: list(folder.glob("go.*")))
    leaving.kill()
    eventually(lambda: call(daemon, "status")["counters"]["cancelled"] == 1)
    told.touch()
    eventually(lambda: call(daemon, "status")["running"] == 0, "the work to end")
    assert not list(folder.glob("never.*"))
    assert reasons(call(daemon, "detect_faces", entries(picture(folder, FACE)))) == ["unrecognised"] * 2
    counters = call(daemon, "status")["counters"]
    assert (counters["cancelled"], counters["abandoned"]) == (1, 0)


def test_single_pictures_come_between_those_of_a_batch(launch, call, folder):
    """One worker: a client's batch is half done while another's single picture is answered."""
    daemon = launch(command=WAITING, **SETTINGS)
    steps = [folder / f"step{number}" for number in range(2)]
    batch = gevent.spawn(
        call,
        daemon,
        "detect_faces",
        entries(*(picture(folder, WAIT, n, str(step)) for n, step in enumerate(steps))),
    )
    eventually(lambda: list(folder.glob("step0.*")))
    single = gevent.spawn(call, daemon, "detect_faces", entries(picture(folder, FACE)))
    eventually(lambda: call(daemon, "status")["queue_depth"] == 1)
    steps[0].touch()
    assert reasons(single.get(timeout=300)) == ["unrecognised"] * 2
    assert not batch.ready()
    steps[1].touch()
    assert reasons(batch.get(timeout=300)) == ["unrecognised"] * 4


class Clock:
    """A time that somebody sets."""

    def __init__(self):
        self.now = 0.0

    def __call__(self):
        return self.now


def test_a_budget_counts_from_its_making():
    """left() falls, over is true from zero on, and at once when it is cancelled."""
    clock = Clock()
    budget = Budget(25, clock=clock)
    clock.now = 24
    assert (budget.left(), budget.over) == (1, False)
    clock.now = 25
    assert budget.over
    other = Budget(clock=clock)
    assert not other.over
    other.cancel()
    assert other.over


def engine(jitters=1):
    return Engine(
        Detector(),
        Embedder(),
        EngineOptions(detector="doomed", focus_threshold=0, min_face_px=0, jitters=jitters),
    )


def views(count):
    return [(np.zeros((64, 64, 3), np.uint8), None)] * count


def test_faces_that_were_found_in_time_are_encoded():
    """Time is up after the last picture: what waits for a full batch gets one; without a budget all do."""
    budget = Budget()
    budget.cancel()
    found = engine().faces(views(FACES_PER_BATCH), budget=budget)
    assert all(faces[0].encoding is not None for faces in found)
    assert all(faces[0].encoding is not None for faces in engine().faces(views(3 * FACES_PER_BATCH + 1)))


def test_jitters_do_not_outlast_the_call():
    """With many re-samples a batch is fewer faces: when time is up in the midst, the rest is `timeout`."""

    class Expensive(Embedder):
        def embed(self, chips, jitters=1):
            clock.now += jitters * len(chips)
            return super().embed(chips, jitters)

    class Crowd(Detector):
        def detect(self, rgb, upsample=0):
            return super().detect(rgb, upsample) * 10

    clock = Clock()
    made = Engine(Crowd(), Expensive(), EngineOptions(focus_threshold=0, min_face_px=0, jitters=500))
    (faces,) = made.faces(views(1), budget=Budget(1100, clock=clock))
    assert [face.reason for face in faces] == [None] * 3 + [Reason.TIMEOUT] * 7
    assert [face.encoding is None for face in faces] == [False] * 3 + [True] * 7


class Ticking(Budget):
    """A budget that lasts for a number of looks at it, so that no test depends on a machine's speed."""

    def __init__(self, looks):
        super().__init__()
        self.looks = looks

    def left(self):
        self.looks -= 1
        return float(self.looks >= 0)


def real_engine(**options):
    return build_engine(EngineOptions("hog", "dlib_resnet", upsample=0, focus_threshold=0, **options))


@pytest.mark.parametrize("jitter", ["dlib", "fast"])
def test_a_face_with_many_jitters_ends_with_the_call(photos, jitter):
    """numJitters 500 as the original ships it, for hours if need be: time is up after three small batches."""
    engine = real_engine(jitters=100_000, jitter=jitter)
    budget = Ticking(3)
    result = engine.run([(load_image(photos["obama2"]), None)], budget)
    assert [[face.reason for face in faces] for faces in result.faces] == [[Reason.TIMEOUT]]
    assert result.faces[0][0].encoding is None


def test_a_large_picture_ends_with_the_call(photos):
    """The CNN looks at a large picture part by part; time is up between two of them, and it says so."""
    engine = build_engine(EngineOptions("cnn", "dlib_resnet", upsample=2, focus_threshold=0))
    large = load_image(photos["obama2"])
    view = (np.tile(large, (3, 3, 1)), None)
    result = engine.run([view], Ticking(3))
    assert (result.faces, result.late) == ([()], frozenset({0}))


@pytest.mark.slow
@pytest.mark.parametrize("isolation", ["none", "process"])
def test_a_call_with_many_jitters_is_answered_in_time(launch, call, photos, isolation):
    """The original's setting, only more of it: every person is answered, and the daemon goes on."""
    settings = {"faceDetModel": "hog", "numFaceImgUpsample": 0, "focusMeasureThreshold": 0}
    daemon = launch(
        command=REAL, **settings, numJitters=10_000, callTimeout=2, workers=1, isolation=isolation
    )
    whole = {"xmin": 0, "ymin": 0, "xmax": 9000, "ymax": 9000}
    batch = [{"image": str(photos[name]), "labels": [{"name": "person", "box": whole}]} for name in PEOPLE]
    assert reasons(call(daemon, "detect_faces", batch)) == ["timeout"] * len(PEOPLE)
    assert call(daemon, "status")["counters"]["timeout"] == len(PEOPLE)
    assert "numJitters 10000: encoding a face takes about 80.0 s" in daemon.log()
