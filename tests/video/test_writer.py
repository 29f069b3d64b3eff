"""Videos that are written: a browser plays them, and whatever ends the writing leaves a playable file."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from face_det.errors import BadRequest, CannotWrite
from face_det.types import Rgb
from face_det.video import VideoWriter, open_video

SIZE = (160, 120)


def frame(index: int, size: tuple[int, int] = SIZE) -> Rgb:
    """Bars that move, on a ground that gets lighter."""
    made = np.full((size[1], size[0], 3), (20 + 8 * index, 60, 90), np.uint8)
    made[:, (5 * index) % size[0] :][:, :20] = 240
    return made


def noise(seed: int) -> Rgb:
    """What cannot be compressed."""
    return np.random.default_rng(seed).integers(0, 256, (480, 640, 3), np.uint8)


def test_what_is_written_is_read_again(tmp_path: Path) -> None:
    """Colours, times and length stay; frames of another size are fitted in; an odd pixel is cut off."""
    path = tmp_path / "film.webm"
    path.write_text("old")
    with VideoWriter(path, 12.5, (161, 121)) as writer:
        for index in range(10):
            writer.write(frame(index, (161, 121)))
        writer.write(np.full((480, 320, 3), 200, np.uint8))
        assert path.read_text() == "old"
    with open_video(path) as reader:
        frames = list(reader)
    assert (reader.info.width, reader.info.height, reader.info.fps) == (160, 120, 12.5)
    assert [one.time_s for one in frames] == pytest.approx([index / 12.5 for index in range(11)], abs=0.001)
    for index in range(10):
        apart = np.abs(frames[index].rgb.astype(int) - frame(index)).mean()
        assert apart < 6, (index, apart)
    fitted = frames[10].rgb
    assert fitted[60, 80].min() > 180
    assert fitted[60, [5, 154]].max() < 30
    assert os.listdir(tmp_path) == ["film.webm"]  # noqa: PTH208


@pytest.mark.slow
def test_a_browser_plays_it(tmp_path: Path) -> None:
    """Chromium knows its length, goes to a place in it, and plays it to the end."""
    playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    program = os.environ.get("CHROMIUM") or shutil.which("chromium") or shutil.which("chromium-browser")
    if program is None:
        pytest.skip("chromium is not installed; CHROMIUM may name it")
    with VideoWriter(tmp_path / "film.webm", 10, SIZE) as writer:
        for index in range(15):
            writer.write(frame(index))
    (tmp_path / "page.html").write_text('<video src="film.webm" muted></video>')
    played = """video => new Promise((resolve, reject) => {
        video.onerror = () => reject(video.error.message);
        video.onended = () =>
            resolve([video.videoWidth, video.videoHeight, video.duration, video.currentTime]);
        video.onseeked = () => { video.onseeked = null; video.play(); };
        video.currentTime = 1.0;
    })"""
    with playwright.sync_playwright() as running:
        browser = running.chromium.launch(executable_path=program, args=["--no-sandbox"])
        page = browser.new_page()
        page.goto((tmp_path / "page.html").as_uri())
        width, height, duration, at = page.locator("video").evaluate(played)
        browser.close()
    assert (width, height) == SIZE
    assert duration == pytest.approx(1.5, abs=0.02)
    assert at == pytest.approx(1.5, abs=0.02)


def test_what_cannot_be_written(tmp_path: Path) -> None:
    """Is told at the start, and leaves nothing behind."""
    for path, said in {
        tmp_path / "film.mp4": (BadRequest, "a video is written as .webm, got '.mp4'"),
        tmp_path / "none" / "film.webm": (CannotWrite, "No such file or directory; nothing was written"),
        tmp_path: (BadRequest, "a video is written as .webm"),
    }.items():
        kind, words = said
        with pytest.raises(kind, match=words):
            VideoWriter(path, 10, SIZE)
    (tmp_path / "folder.webm").mkdir()
    with pytest.raises(CannotWrite, match="must be a file, got something else"):
        VideoWriter(tmp_path / "folder.webm", 10, SIZE)
    with VideoWriter(tmp_path / "empty.webm", 10, SIZE):
        pass
    assert [path.name for path in tmp_path.iterdir()] == ["folder.webm"]


def test_an_error_in_between_leaves_a_film(tmp_path: Path) -> None:
    """As far as it goes; the caller's error is raised."""

    def fail_in_between() -> None:
        with VideoWriter(tmp_path / "film.webm", 10, SIZE) as writer:
            for index in range(5):
                writer.write(frame(index))
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail_in_between()
    with open_video(tmp_path / "film.webm") as reader:
        assert len(list(reader)) == 5


def test_a_writer_that_is_killed_leaves_a_film(tmp_path: Path) -> None:
    """The process that encodes finishes the file when its caller is no more."""
    program = (
        "import sys, time; from pathlib import Path; import numpy as np;"
        "from face_det.video import VideoWriter;"
        f"writer = VideoWriter(Path({str(tmp_path / 'film.webm')!r}), 10, (160, 120));"
        "[writer.write(np.full((120, 160, 3), index, np.uint8)) for index in range(9)];"
        "print('written', flush=True); time.sleep(600)"
    )
    caller = subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True)
    assert caller.stdout is not None
    assert caller.stdout.readline() == "written\n"
    caller.kill()
    caller.wait()
    caller.stdout.close()
    until = time.monotonic() + 120
    while not (tmp_path / "film.webm").exists() and time.monotonic() < until:
        time.sleep(0.02)
    with open_video(tmp_path / "film.webm") as reader:
        assert len(list(reader)) == 9
    assert reader.problem is None


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system that is full after a few frames."""
    place = tmp_path / "disk"
    place.mkdir()
    mounting = ["mount", "-t", "tmpfs", "-o", "size=5500k", "tmpfs", str(place)]
    if os.geteuid() != 0 or subprocess.run(mounting, capture_output=True, check=False).returncode != 0:
        pytest.skip("needs the right to mount")
    yield place
    subprocess.run(["umount", "-l", str(place)], check=True)


@pytest.mark.slow
def test_a_full_disk_leaves_what_came_before(small_disk: Path) -> None:
    """The file can be played as far as it says, and the error says what to do."""
    path = small_disk / "film.webm"
    writer = VideoWriter(path, 10, (640, 480))
    said = r"it holds the first \d+\.\d s; make room on that disk"
    with pytest.raises(CannotWrite, match=said):
        _write(writer, 100)
    with pytest.raises(ValueError, match="closed"):
        writer.write(noise(0))
    with open_video(path) as reader:
        frames = list(reader)
    assert 1 < len(frames) < 90
    assert reader.info.duration_s is not None
    assert abs(reader.info.duration_s * 10 - len(frames)) < 1
    assert reader.problem is None
    assert [one.name for one in small_disk.iterdir()] == ["film.webm"]
    with (small_disk / "filler").open("wb", buffering=0) as filler, contextlib.suppress(OSError):
        while True:
            filler.write(b"\0" * 65_536)
    before = path.read_bytes()
    writer = VideoWriter(path, 10, (640, 480))
    said = "cannot be written: No space left on device; nothing was written; make room on that disk"
    with pytest.raises(CannotWrite, match=said):
        _write(writer, 10)
    assert path.read_bytes() == before


def _write(writer: VideoWriter, frames: int) -> None:
    with writer:
        for index in range(frames):
            writer.write(noise(index))


def test_two_frames_are_not_mixed_up(tmp_path: Path) -> None:
    """A frame may be changed as soon as it was handed over."""
    canvas = frame(0)
    with VideoWriter(tmp_path / "film.webm", 10, SIZE) as writer:
        for index in range(6):
            canvas[:] = 30 + 35 * index
            writer.write(canvas)
            canvas[:] = 255
    with open_video(tmp_path / "film.webm") as reader:
        greys = [float(np.median(one.rgb)) for one in reader]
    assert greys == pytest.approx([30 + 35 * index for index in range(6)], abs=5)
