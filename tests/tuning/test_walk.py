"""What somebody does on the page of `face-det tune`, in a real browser."""

from __future__ import annotations

import os
import shutil

import pytest
from alarm_records import portrait
from tune_process import TunePage

pytestmark = pytest.mark.timeout(900)
PATIENCE_MS = 300_000
SIZES = {"desk": {"width": 1280, "height": 800}, "phone": {"width": 390, "height": 844}}


@pytest.fixture(scope="module")
def browser():
    """Chromium."""
    playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    program = os.environ.get("CHROMIUM") or shutil.which("chromium") or shutil.which("chromium-browser")
    if program is None:
        pytest.skip("chromium is not installed; CHROMIUM may name it")
    with playwright.sync_playwright() as running:
        chromium = running.chromium.launch(executable_path=program, args=["--no-sandbox"])
        yield chromium
        chromium.close()


@pytest.fixture
def running(trained, record, photos):
    """A page of three frames: Obama stored as Biden, one whose picture is gone, and a stranger."""
    flags = record(
        {"_id": 1, "image": str(photos["obama2"]), "labels": [portrait(photos["obama2"], "Biden")]},
        {"_id": 2, "image": str(trained / "gone.jpg"), "labels": [portrait(photos["obama2"], "Obama")]},
        {"_id": 3, "image": str(photos["astronaut"]), "labels": [portrait(photos["astronaut"], None)]},
    )
    page = TunePage(trained, *flags)
    yield page
    page.stop()


def see(page, selector, text):
    """Wait for the first element of this kind that has this text; return it."""
    found = page.locator(selector).filter(has_text=text).first
    found.wait_for()
    return found


@pytest.mark.slow
@pytest.mark.parametrize("size", SIZES)
def test_a_walk_through_frames(browser, running, trained, size):
    """Next, back, what was stored, other parameters, saving and enrolling: by keys at a desk, by taps on a
    phone; nothing reaches the console and nothing is wider than the screen."""
    context = browser.new_context(
        viewport=SIZES[size], has_touch=size == "phone", locale="en-GB", reduced_motion="reduce"
    )
    context.set_default_timeout(PATIENCE_MS)
    page = context.new_page()
    errors = []
    page.on("console", lambda said: errors.append(said.text) if said.type == "error" else None)
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.goto(running.address)

    def act(key, button):
        if size == "desk":
            page.keyboard.press(key)
        else:
            page.get_by_role("button", name=button, exact=True).tap()

    see(page, "h1", "Frame 1 of 3")
    see(page, ".box .who", "Obama")
    note = see(page, ".box .note", "stored: Biden")
    assert note.evaluate("(one) => getComputedStyle(one).backgroundColor") == "rgb(179, 20, 10)"
    see(page, ".frame-answer .differs", "stored: Biden")
    shot(page, f"{size}-1")
    act("s", "Picture and JSON")
    see(page, ".toast", "2 files were saved")
    act("ArrowRight", "Next")
    see(page, "h1", "Frame 3 of 3")
    see(page, ".toast", "1 frame was passed over")
    act("ArrowRight", "Next")
    see(page, ".toast", "That was the last frame.")
    act("ArrowLeft", "Back")
    see(page, "h1", "Frame 1 of 3")
    page.get_by_label("Smallest face, px").fill("5000")
    page.get_by_role("button", name="Try these").click()
    see(page, ".frame-answer", "Too small")
    page.get_by_label("Smallest face, px").fill("")
    page.get_by_role("button", name="Try these").click()
    see(page, ".frame-answer", "Obama")
    page.get_by_label("This is").fill("Barack")
    page.keyboard.press("Enter")
    see(page, ".toast", "Barack is learnt, with 1 photo now.")
    see(page, "h1", "Frame 1 of 3")
    assert len(list((trained / "dataset/Barack").iterdir())) == 1
    shot(page, f"{size}-2")
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    assert sorted(path.name for path in (trained / "saved_images").iterdir()) == ["1.jpg", "1.json"]
    context.close()
    assert not errors


def shot(page, name):
    """Keep a picture of the page where FRAMES_SHOTS says, for whoever wants to look at it."""
    if folder := os.environ.get("FRAMES_SHOTS"):
        page.screenshot(path=f"{folder}/{name}.png", full_page=True)
