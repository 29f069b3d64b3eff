"""What Chromium makes of the page: first paint, frames a second, photos dropped. Needs Playwright."""

from __future__ import annotations

import os
import re
import shutil
import statistics
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from playwright.sync_api import Browser, Page, sync_playwright

FRAME_SIZE = (640, 480)
SETTLE_S = 5
PATIENCE_MS = 300_000
PAINTED = "() => performance.getEntriesByName('first-contentful-paint')[0]?.startTime"
COUNT_FRAMES = """() => {
  const answered = [];
  new PerformanceObserver((list) => {
    for (const one of list.getEntries()) if (/v1\\/faces/.test(one.name)) answered.push(one.duration);
  }).observe({ type: "resource" });
  globalThis.answered = answered;
}"""


def make_film(picture: Path, path: Path) -> None:
    """Write a film of one person who moves a little, which Chromium takes for a webcam."""
    shown = cv2.imread(str(picture))
    with path.open("wb") as film:
        for angle in np.linspace(0, 2 * np.pi, 24, endpoint=False):
            turned = cv2.getRotationMatrix2D((256, 200), 6 * np.sin(angle), 1.15 + 0.15 * np.cos(angle))
            turned[:, 2] += (64 + 20 * np.sin(2 * angle), 60)
            frame = cv2.warpAffine(shown, turned, FRAME_SIZE, borderMode=cv2.BORDER_REFLECT)
            film.write(cv2.imencode(".jpg", frame)[1].tobytes())


@contextmanager
def open_browser(film: Path) -> Iterator[Browser]:
    """Start Chromium with the film as its webcam."""
    program = os.environ.get("CHROMIUM") or shutil.which("chromium") or shutil.which("chromium-browser")
    flags = ["--no-sandbox", "--use-fake-ui-for-media-stream", "--use-fake-device-for-media-stream"]
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=program, args=[*flags, f"--use-file-for-fake-video-capture={film}"]
        )
        yield browser
        browser.close()


@contextmanager
def open_page(browser: Browser) -> Iterator[Page]:
    """Open an empty page with a cache of its own."""
    context = browser.new_context(
        viewport={"width": 1280, "height": 800}, permissions=["camera"], locale="en-GB"
    )
    context.set_default_timeout(PATIENCE_MS)
    yield context.new_page()
    context.close()


def measure_paint(browser: Browser, address: str, loads: int) -> dict[str, float]:
    """Load the people's view again and again, with an empty cache and with a full one; medians.

    `view` is when the view itself is there, which takes an answer of the daemon.
    """
    times: dict[str, list[float]] = {
        f"{cache}{what}": [] for cache in ("cold", "warm") for what in ("", "_view")
    }
    for _ in range(loads):
        with open_page(browser) as page:
            for cache in ("cold", "warm"):
                page.goto("about:blank")
                page.goto(f"{address}#/people", wait_until="load")
                page.locator("main h1").first.wait_for()
                times[f"{cache}_view"].append(page.evaluate("() => performance.now()"))
                page.wait_for_function(PAINTED)
                times[cache].append(page.evaluate(PAINTED))
    return {f"{name}_ms": round(statistics.median(some), 1) for name, some in times.items()}


def measure_live(
    browser: Browser, address: str, seconds: float, cpu_s: Callable[[], dict[str, float]]
) -> dict[str, Any]:
    """Watch the webcam in the live view; count the frames that are answered, and what they cost.

    `cpu_s` returns the processor time that each program has used so far.
    """
    with open_page(browser) as page:
        page.goto(f"{address}#/live")
        page.locator(".box .who").first.wait_for()
        time.sleep(SETTLE_S)
        page.evaluate(COUNT_FRAMES)
        begun, used = page.evaluate("() => performance.now()"), cpu_s()
        page.wait_for_timeout(1000 * seconds)
        spent = {name: value - used[name] for name, value in cpu_s().items()}
        answered: list[float] = page.evaluate("() => globalThis.answered")
        span_s = (page.evaluate("() => performance.now()") - begun) / 1000
        told = page.locator(".pace").inner_text()
        names = page.locator(".present strong").all_inner_texts()
    return {
        "frames_per_s": round(len(answered) / span_s, 1),
        "answer_ms": round(statistics.median(answered), 1),
        "cpu_ms_per_frame": {name: round(1000 * value / len(answered), 1) for name, value in spent.items()},
        "told": re.sub(r"\s+", " ", told),
        "names": names,
    }


def drop_photos(page: Page, address: str, name: str, photos: list[Path]) -> None:
    """Drop photos on a person's view, and return when it says that all are stored."""
    page.goto(f"{address}#/person/{name}")
    page.locator("details.card summary").click()
    page.locator(".upload input[type=file]").wait_for(state="attached")
    page.set_input_files(".upload input[type=file]", [str(photo) for photo in photos])
    page.locator("#toasts").get_by_text(re.compile(rf"\b{len(photos)}\b")).first.wait_for()
