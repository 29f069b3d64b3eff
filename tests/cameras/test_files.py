"""Files as cameras: a picture that is replaced, a video that is played again and again, and a device."""

from __future__ import annotations

import asyncio
import contextlib
import io

import cv2
import numpy as np
import PIL.Image
import pytest

from face_det.cameras import Cameras, CameraSource, read_live
from face_det.errors import CameraFailed

PATIENCE_S = 60


def read(address, *, most, fps=50.0):
    """Some live pictures' grey levels at a corner, from a camera called `front`."""
    levels = []

    async def run():
        source = CameraSource("front", address, fps=fps)
        async with contextlib.aclosing(read_live(source, PATIENCE_S)) as pictures:
            async for picture in pictures:
                levels.append(PIL.Image.open(io.BytesIO(picture.data)).convert("L").getpixel((5, 5)))
                if len(levels) == most:
                    return

    asyncio.run(run())
    return levels


@pytest.fixture
def video(tmp_path):
    """Ten pictures a second, for a second, that become lighter."""
    path = tmp_path / "rising.avi"
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter_fourcc(*"MJPG"), 10, (64, 48))
    for level in range(0, 250, 25):
        writer.write(np.full((48, 64, 3), level, np.uint8))
    writer.release()
    return path


@pytest.mark.parametrize("scheme", ["file", "v4l2"])
def test_a_video_begins_again(video, scheme):
    """At its own pace; a file may stand in for a device."""
    levels = read(f"{scheme}://{video}", most=15)
    drops = [index for index in range(1, 15) if levels[index] < levels[index - 1] - 50]
    assert drops
    assert max(levels) - min(levels) > 150


def test_a_picture_of_a_video(video):
    """The first one."""

    async def run():
        async with Cameras({"front": CameraSource("front", video.as_uri())}) as cameras:
            return await cameras.fetch_picture()

    assert PIL.Image.open(io.BytesIO(asyncio.run(run()))).size == (64, 48)


def test_a_picture_file(tmp_path):
    """It is read again and again; without it, the error does not say where it was."""
    path = tmp_path / "s3cret.png"
    PIL.Image.new("RGB", (20, 20), (200, 200, 200)).save(path)
    assert read(path.as_uri(), most=3) == [200] * 3
    path.unlink()
    with pytest.raises(CameraFailed, match=r"^camera front: its picture file cannot be read$"):
        read(path.as_uri(), most=1)


@pytest.mark.parametrize(
    "text", ["ffconcat version 1.0\nfile 'rising.avi'\n", "#EXTM3U\n#EXTINF:1,\nrising.avi\n", "no video", ""]
)
def test_a_file_that_would_open_others(video, text):
    """A playlist is not followed, whatever it is called."""
    path = video.with_name("list.mp4")
    path.write_text(text)
    with pytest.raises(CameraFailed, match="must be a video that can be read"):
        read(path.as_uri(), most=1)


def test_a_device_that_is_not_there(tmp_path):
    """The error says so."""
    with pytest.raises(CameraFailed, match="camera front: "):
        read(f"v4l2://{tmp_path}/video9", most=1)
