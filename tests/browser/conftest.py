"""One browser, one daemon and one gateway for this folder; each test begins with nobody enrolled."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import sys
from dataclasses import dataclass, field

import cv2
import numpy as np
import pytest
import speech
from camera_server import CameraServer
from daemon_fixtures import lasting_daemon
from gateway_fixtures import lasting_gateway

SERVE = (sys.executable, "-m", "face_det.cli.main", "serve", "--config")
PATIENCE_MS = 150_000
DESK = {"width": 1280, "height": 800}
PHONE = {"width": 390, "height": 844}
EXPECTED = re.compile(r"favicon|status of (404|422) .*/photos/|status of 422 .*/photos$")
"""What a browser asks for by itself, pictures that go while asked for, and photos without one clear face."""


@pytest.fixture(scope="session")
def photos(small_photos):
    """Small ones: nothing here is about the size of photos."""
    return small_photos


@pytest.fixture(scope="session")
def frames(photos):
    """Eileen Collins, who moves a little: 640 x 480 pixels in BGR."""
    picture = cv2.imread(str(photos["astronaut"]))
    found = []
    for angle in np.linspace(0, 2 * np.pi, 24, endpoint=False):
        turned = cv2.getRotationMatrix2D((256, 200), 6 * np.sin(angle), 1.15 + 0.15 * np.cos(angle))
        turned[:, 2] += (64 + 20 * np.sin(2 * angle), 60)
        found.append(cv2.warpAffine(picture, turned, (640, 480), borderMode=cv2.BORDER_REFLECT))
    return found


@pytest.fixture(scope="session")
def webcam(frames, tmp_path_factory):
    """A film of these: what Chromium takes for the webcam.

    It has ten pictures a second, because a browser without a graphics card draws each on the processor.
    """
    path = tmp_path_factory.mktemp("webcam") / "webcam.y4m"
    with path.open("wb") as film:
        film.write(b"YUV4MPEG2 W640 H480 F10:1 Ip A1:1 C420jpeg\n")
        for frame in frames:
            film.write(b"FRAME\n" + cv2.cvtColor(frame, cv2.COLOR_BGR2YUV_I420).tobytes())
    return path


@pytest.fixture(scope="session")
def hall(frames):
    """A camera that shows the same; by http."""
    server = CameraServer([cv2.imencode(".jpg", frame)[1].tobytes() for frame in frames])
    yield server
    server.stop()


@pytest.fixture(scope="session")
def microphone():
    """A recording of somebody who reads: what Chromium takes for the microphone; None if there is none."""
    return speech.READER[0] if speech.READER else None


# Playwright's event loop runs as long as this, and no other test in the process may need one of its own.
@pytest.fixture(scope="module")
def browser(webcam, microphone):
    """Chromium, whose webcam is that film, and whose microphone hears that recording."""
    playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    program = os.environ.get("CHROMIUM") or shutil.which("chromium") or shutil.which("chromium-browser")
    if program is None:
        pytest.skip("chromium is not installed; CHROMIUM may name it")
    flags = [
        "--no-sandbox",
        "--use-fake-ui-for-media-stream",
        "--use-fake-device-for-media-stream",
        f"--use-file-for-fake-video-capture={webcam}",
    ]
    if microphone is not None:
        flags.append(f"--use-file-for-fake-audio-capture={microphone}")
    with playwright.sync_playwright() as running:
        chromium = running.chromium.launch(executable_path=program, args=flags)
        yield chromium
        chromium.close()


@pytest.fixture(scope="module")
def gateway(browser, hall, tmp_path_factory):
    """A client of a gateway in front of a real daemon that remembers; nobody is enrolled.

    Its `daemon` is that one, its camera `door` shows the picture file `door`, and `hall` is that camera.
    """
    with contextlib.ExitStack() as stack:
        daemon = stack.enter_context(lasting_daemon(SERVE, sightings={"frames": True}))
        folder = tmp_path_factory.mktemp("web")
        door = folder / "door.jpg"
        cameras = {"door": {"url": door.as_uri()}, "hall": {"url": hall.address("snapshot.jpg")}}
        client = stack.enter_context(lasting_gateway(folder, daemon.endpoint, cameras=cameras))
        client.daemon, client.door = daemon, door
        yield client


@pytest.fixture
def home(gateway):
    """The same, after everybody was removed, and all that was seen."""
    client = gateway.daemon.client()
    client("clear", {"sightings": True})
    client.close()
    return gateway


ADD_UP_SHIFTS = """
    window.shifts = [];
    new PerformanceObserver((list) => {
        for (const one of list.getEntries()) {
            const moved = one.sources.map(({ node }) => node?.className || node?.nodeName);
            if (!one.hadRecentInput) window.shifts.push([one.value, ...moved]);
        }
    }).observe({ type: "layout-shift", buffered: true });
"""
MOST_SHIFT = 0.05
"""What web.dev calls good is twice as much."""


@dataclass
class Visitor:
    """A page of the browser, and what went wrong in it."""

    page: object
    address: str
    errors: list[str] = field(default_factory=list)

    def go(self, path=""):
        """Load the page at a view, such as people/Anna."""
        self.page.goto("about:blank")
        self.page.goto(f"{self.address}/#/{path}")

    def see(self, selector, text=None):
        """Wait for the first element of this kind, with this text in it; return it."""
        found = self.page.locator(selector)
        found = (found if text is None else found.filter(has_text=text)).first
        found.wait_for()
        return found

    def press(self, text):
        """Press the first button or link with exactly this name."""
        button = self.page.get_by_role("button", name=text, exact=True)
        button.or_(self.page.get_by_role("link", name=text, exact=True)).first.click()

    def stays(self):
        """Nothing has jumped since the page was loaded, except after what the visitor did."""
        shifts = self.page.evaluate("window.shifts")
        assert sum(value for value, *_ in shifts) < MOST_SHIFT, shifts

    def gone(self, selector, text):
        """Wait until no such element has this text."""
        self.page.locator(selector).filter(has_text=text).first.wait_for(state="detached")


@pytest.fixture
def visit(browser, home):
    """visit(size=DESK, **context): a Visitor; no error may have reached the console when the test ends."""
    visitors = []

    def begin(size=DESK, address=home.base_url, **options):
        options = {"locale": "en-GB", "reduced_motion": "reduce", "permissions": ["camera"], **options}
        context = browser.new_context(viewport=size, has_touch=size is PHONE, **options)
        context.set_default_timeout(PATIENCE_MS)
        context.add_init_script(ADD_UP_SHIFTS)
        page = context.new_page()
        visitor = Visitor(page, str(address).rstrip("/"))
        visitors.append((context, visitor))

        def said(message):
            told = f"{message.text} {message.location.get('url', '')}"
            if message.type == "error" and not EXPECTED.search(told):
                visitor.errors.append(told)

        page.on("console", said)
        page.on("pageerror", lambda error: visitor.errors.append(str(error)))
        return visitor

    yield begin
    for context, visitor in visitors:
        context.close()
        assert not visitor.errors


@pytest.fixture
def enrol(home):
    """enrol(name, photo): store a photo through the API."""

    def store(name, photo):
        answer = home.post(f"/api/v1/people/{name}/photos", files={"image": photo.read_bytes()})
        assert answer.status_code == 201, answer.text

    return store


@pytest.fixture
def remember(home):
    """remember(photo, camera): ask who is in a photo; wait until that is remembered."""

    def count():
        return len(home.get("/api/v1/sightings", params={"limit": 500}).json()["items"])

    def ask(photo, camera="door"):
        before = count()
        options = {"remember": "true", "camera": camera}
        answer = home.post("/api/v1/faces", params=options, files={"image": photo.read_bytes()})
        assert answer.status_code == 200, answer.text
        while count() < before + len(answer.json()["faces"]):
            pass

    return ask
