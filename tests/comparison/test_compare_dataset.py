"""`face-det compare` on a dataset, as docs/how-to/compare.md has it: recognisers, masks, and the page."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

import numpy as np
import pytest
from how_to import HowTo

from face_det.comparison.masks import nearest_shares
from face_det.media import load_image

pytestmark = pytest.mark.slow

PHOTOS = {
    "Obama": ("obama", "obama2", "obama3", "obama_partial"),
    "Driver": ("carphone", "carphone2", "carphone3"),
    "Unknown": ("biden", "astronaut", "grace_hopper", "hanks", "chelsea", "t1"),
}


def page_problems(page: Path, width: int) -> list[str]:
    """What is wrong with a page on a screen that wide: errors, pictures not drawn, sideways scrolling."""
    playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    program = os.environ.get("CHROMIUM") or shutil.which("chromium") or shutil.which("chromium-browser")
    if program is None:
        pytest.skip("chromium is not installed; CHROMIUM may name it")
    with playwright.sync_playwright() as started:
        browser = started.chromium.launch(executable_path=program, args=["--no-sandbox"])
        shown = browser.new_page(viewport={"width": width, "height": 800})
        said: list[str] = []
        shown.on("console", lambda message: said.append(message.text))
        shown.goto(page.as_uri())
        if shown.evaluate("document.documentElement.scrollWidth") > width:
            said.append("scrolls sideways")
        undrawn = "[...document.querySelectorAll('img')].filter(each => !each.naturalWidth).length"
        if shown.evaluate(undrawn):
            said.append("pictures are not drawn")
        look = shown.locator("svg.look").first
        pixels = load_image(look.screenshot())
        if np.ptp(pixels) < 100:
            said.append("a picture is blank")
        browser.close()
    return said


def test_the_how_to_on_the_packages_photos(tmp_path: Path, small_photos: dict[str, Path]) -> None:
    """Its commands to the letter: SFace names two people, pixels do not, and the page is whole."""
    for person, names in PHOTOS.items():
        folder = tmp_path / "photos" / person
        folder.mkdir(parents=True)
        for name in names:
            shutil.copy(small_photos[name], folder)
    page = HowTo("compare.md", tmp_path)
    (quick,) = (block for block in page.blocks("sh") if "--embedder" in block)
    printed = page.run(quick)
    found = json.loads((tmp_path / "comparison/comparison.json").read_text())
    assert {run["detector"] for run in found["detectors"]["runs"]} == {"yunet", "haar", "ssd"}
    assert not found["detectors"]["truth"]["annotated"]
    (yunet,) = (run for run in found["detectors"]["runs"] if run["detector"] == "yunet")
    assert yunet["found"] == yunet["faces"] > 10
    by_kind = {(each["classifier"], each["embedder"]): each for each in found["recognisers"]["results"]}
    assert by_kind.keys() == {("template", "sface"), ("lbph_70", "grey")}
    sface, pixels = by_kind["template", "sface"], by_kind["lbph_70", "grey"]
    assert (sface["openSet"]["right"], sface["openSet"]["wrong"], sface["openSet"]["strangersNamed"]) == (
        2,
        0,
        0,
    )
    assert pixels["openSet"]["right"] < 2
    assert sface["modelBytes"] > 1000
    assert sface["ms"] > 0
    (masks,) = found["recognisers"]["masks"]
    assert masks["embedder"] == "sface"
    assert masks["nearestIsThePerson"]["bare"] == {"count": 7, "of": 7}
    assert "Masks" in printed
    written = tmp_path / "comparison/comparison.html"
    assert written.read_text().count("<img ") == 2
    assert "http" not in written.read_text().replace("http-equiv", "")
    for width in (1280, 390):
        assert page_problems(written, width) == []


def test_whose_photo_is_nearest() -> None:
    """A photo is never its own nearest, and people with one photo are not asked about."""
    bare = np.array([[0.0], [1.0], [2.2], [9.0]])
    masked = np.array([[2.0], [1.0], [2.2], [9.0]])
    without, with_masks = nearest_shares(["Ann", "Ann", "Bob", "Cid"], bare, masked)
    assert (without.count, without.total) == (2, 2)
    assert (with_masks.count, with_masks.total) == (1, 2)
