"""Videos unlike most: from other encoders than cv2's, of odd kinds and rates, and with no picture at all."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import PIL.Image
import pytest

from face_det.errors import VideoError
from face_det.video import VideoFrame, VideoReader, open_video

Make = Callable[..., Path]
DEBIANS_PYTHON = "/usr/bin/python3"
GST_VIDEO = Path(__file__).parents[1] / "support" / "gst_video.py"
NEEDED = "import gi; gi.require_version('Gst', '1.0'); from gi.repository import Gst"
FRAMES = 20
SIZE = (320, 240)
TEN_A_SECOND = "videorate ! video/x-raw,framerate=10/1"
AVC = f"{TEN_A_SECOND} ! openh264enc gop-size=5 ! h264parse"


def grey_of(index: int) -> int:
    return 20 + 8 * index


def numbers(frames: list[VideoFrame]) -> list[int]:
    """The number of each frame, by its grey."""
    return [round((float(np.median(frame.rgb)) - 20) / 8) for frame in frames]


def read(path: Path) -> tuple[list[VideoFrame], VideoReader]:
    with open_video(path) as reader:
        return list(reader), reader


@pytest.fixture(scope="module")
def encode(tmp_path_factory: pytest.TempPathFactory) -> Make:
    """encode("clip.mkv", "vp8enc ! matroskamux"): grey frames, each a little lighter, by GStreamer."""
    if (
        shutil.which(DEBIANS_PYTHON) is None
        or subprocess.run([DEBIANS_PYTHON, "-c", NEEDED], capture_output=True, check=False).returncode
    ):
        pytest.skip("needs Debian's python3-gi, gstreamer1.0-plugins-good and gstreamer1.0-plugins-bad")
    folder = tmp_path_factory.mktemp("odd")

    def run(
        name: str,
        encoder: str,
        times: list[float] | None = None,
        draw: Callable[[int], np.ndarray] | None = None,
    ) -> Path:
        path = folder / name
        pictures = []
        for index, time_s in enumerate([index / 10 for index in range(FRAMES)] if times is None else times):
            picture = folder / f"{name}-{index}.png"
            pixels = np.full((SIZE[1], SIZE[0]), grey_of(index), np.uint8) if draw is None else draw(index)
            PIL.Image.fromarray(pixels).convert("RGB").save(picture, compress_level=1)
            pictures.append(f"{picture}={time_s}")
        done = subprocess.run(
            [DEBIANS_PYTHON, GST_VIDEO, path, encoder, *pictures],
            capture_output=True,
            text=True,
            env={"PATH": "/usr/bin:/bin", "HOME": str(folder)},
            timeout=300,
        )
        assert done.returncode == 0, done.stderr
        return path

    return run


@pytest.mark.slow
def test_ten_bits(encode: Make) -> None:
    """HEVC with ten bits a colour, as phones and newer cameras record it: the same greys."""
    ten = "videorate ! video/x-raw,format=I420_10LE,framerate=10/1 ! x265enc ! h265parse"
    frames, reader = read(encode("ten.mkv", f"{ten} ! matroskamux"))
    assert numbers(frames) == list(range(FRAMES))
    assert (reader.info.fps, reader.problem) == (10, None)


@pytest.mark.slow
def test_interlaced(encode: Make) -> None:
    """Whole frames come, with what is odd and what is even from two moments."""

    def comb(index: int) -> np.ndarray:
        lines = np.full((SIZE[1], SIZE[0]), grey_of(index), np.uint8)
        lines[1::2] += 30
        return lines

    mpeg = "video/x-raw,format=I420,framerate=25/1 ! mpeg2enc format=3 interlace-mode=1 bitrate=8000"
    times = [index / 25 for index in range(FRAMES)]
    frames, reader = read(encode("comb.mpg", f"videorate ! {mpeg}", times, comb))
    assert len(frames) == FRAMES
    for frame in frames:
        even, odd = (float(np.median(frame.rgb[start::2])) for start in (0, 1))
        assert even == pytest.approx(grey_of(frame.index), abs=4)
        assert odd == pytest.approx(grey_of(frame.index) + 30, abs=4)
    assert reader.problem is None


def test_a_variable_rate(encode: Make) -> None:
    """Each frame has the time at which it is shown, and nothing is missing."""
    times = [0.1 * index if index < 10 else 1 + 0.5 * (index - 10) for index in range(FRAMES)]
    frames, reader = read(encode("rate.mkv", "vp8enc deadline=1 ! matroskamux", times))
    assert numbers(frames) == list(range(FRAMES))
    assert [frame.time_s for frame in frames] == pytest.approx(times, abs=0.002)
    assert reader.problem is None


def test_a_stream_without_times(encode: Make) -> None:
    """Frames of bare H.264 follow each other at the rate that is told of it, which may be a guess."""
    frames, reader = read(encode("bare.h264", f"{AVC} ! video/x-h264,stream-format=byte-stream"))
    assert numbers(frames) == list(range(FRAMES))
    assert reader.info.fps is not None
    assert [frame.time_s for frame in frames] == pytest.approx(
        [index / reader.info.fps for index in range(FRAMES)]
    )


def test_the_size_changes_in_the_middle(encode: Make) -> None:
    """Of a codec with keyframes, too: all frames come, as large as the first."""
    bare = "video/x-h264,stream-format=byte-stream"
    large = encode("large.h264", f"{AVC} ! {bare}")
    small = encode("small.h264", f"videoscale ! video/x-raw,width=160,height=128 ! {AVC} ! {bare}")
    both = large.with_name("both.h264")
    both.write_bytes(large.read_bytes() + small.read_bytes())
    frames, reader = read(both)
    assert numbers(frames) == [*range(FRAMES), *range(FRAMES)]
    assert {frame.rgb.shape for frame in frames} == {(SIZE[1], SIZE[0], 3)}
    assert reader.problem is None


@pytest.mark.parametrize("name", ["sound.mp4", "sound.mkv"])
def test_only_sound(encode: Make, name: str) -> None:
    """There is no video in it, though it is a video's kind of file."""
    encoder = "voaacenc ! mp4mux" if name.endswith("mp4") else "vorbisenc ! matroskamux"
    sound = encode(name, f"audiotestsrc num-buffers=40 ! {encoder}", [])
    with pytest.raises(VideoError, match=re.escape(f"{sound}: must hold a video that can be decoded")):
        open_video(sound)


@pytest.mark.slow
def test_8k(tmp_path: Path) -> None:
    """Slow, but read."""
    path = tmp_path / "8k.avi"
    writer = cv2.VideoWriter(str(path), cv2.CAP_FFMPEG, cv2.VideoWriter_fourcc(*"MJPG"), 25, (7680, 4320))
    for index in range(2):
        writer.write(np.full((4320, 7680, 3), grey_of(index), np.uint8))
    writer.release()
    frames, reader = read(path)
    assert numbers(frames) == [0, 1]
    assert (reader.info.width, reader.info.height, reader.problem) == (7680, 4320, None)


def test_a_frame_each_second(make_clip: Make) -> None:
    """And one every ten seconds."""
    for fps in (1.0, 0.1):
        frames, reader = read(make_clip(f"{fps}.avi", fps=fps, frames=8))
        assert numbers(frames) == list(range(8))
        assert [frame.time_s for frame in frames] == pytest.approx([index / fps for index in range(8)])
        assert (reader.info.fps, reader.problem) == (fps, None)


HEVC = f"{TEN_A_SECOND} ! x265enc bitrate=500 ! h265parse"
VP8 = f"{TEN_A_SECOND} ! vp8enc deadline=1"


@pytest.mark.slow
@pytest.mark.parametrize(
    ("first", "second", "container"),
    [
        (AVC, HEVC, "ts"),
        (HEVC, AVC, "ts"),
        (f"{AVC} ! all.sink_300", f"{HEVC} ! all.sink_301", "ts"),
        (AVC, VP8, "mkv"),
        (VP8, AVC, "mkv"),
        (AVC, HEVC, "mp4"),
    ],
    ids=["ts", "ts-back", "ts-numbers", "mkv", "mkv-back", "mp4"],
)
def test_the_codec_changes_in_the_middle(
    encode: Make, tmp_path: Path, first: str, second: str, container: str
) -> None:
    """As when a recorder's settings are changed, or files are put together: all frames come, in order."""
    mux = {"ts": "mpegtsmux", "mp4": "mp4mux"}.get(container, "matroskamux")
    files = [
        encode(f"{at}.{container}", f"{codec} {mux} name=all" if "all." in codec else f"{codec} ! {mux}")
        for at, codec in enumerate((first, second))
    ]
    both = tmp_path / f"both.{container}"
    both.write_bytes(b"".join(path.read_bytes() for path in (*files, files[0])))
    frames, reader = read(both)
    assert numbers(frames) == 3 * [*range(FRAMES)]
    assert [frame.index for frame in frames] == [*range(3 * FRAMES)]
    assert [frame.time_s for frame in frames] == pytest.approx(
        [index / 10 for index in range(3 * FRAMES)], abs=0.002
    )
    assert (reader.info.duration_s, reader.problem) == (None, None)


@pytest.mark.slow
def test_the_codec_of_a_bare_stream_changes(encode: Make, tmp_path: Path) -> None:
    """However the parts follow each other, and where chunks of the file end: all frames come, in order."""
    mpeg = "videorate ! video/x-raw,format=I420,framerate=25/1 ! mpeg2enc format=3 bitrate=8000"
    streams = {
        "avc": encode("bare-avc.h264", f"{AVC} ! video/x-h264,stream-format=byte-stream").read_bytes(),
        "hevc": encode("bare.h265", f"{HEVC} ! video/x-h265,stream-format=byte-stream").read_bytes(),
        "mpeg": encode("bare.m2v", mpeg, [index / 25 for index in range(FRAMES)]).read_bytes(),
    }
    for order in (["avc", "hevc"], ["hevc", "avc", "avc"], ["avc", "mpeg", "hevc"], ["mpeg", "avc"]):
        path = tmp_path / f"{'-'.join(order)}.h264"
        path.write_bytes(b"".join(streams[one] for one in order))
        frames, reader = read(path)
        assert numbers(frames) == len(order) * [*range(FRAMES)], order
        times = [frame.time_s for frame in frames]
        assert times == sorted({*times})
        assert (reader.info.duration_s, reader.problem) == (None, None)
    # Where the second part has no frame, that is said.
    first_slice = re.search(rb"\x00\x00\x01[\x26-\x2a]\x01", streams["hevc"])
    assert first_slice is not None
    (tmp_path / "cut.h264").write_bytes(streams["avc"] + streams["hevc"][: first_slice.start()])
    frames, reader = read(tmp_path / "cut.h264")
    assert numbers(frames) == [*range(FRAMES)]
    assert reader.problem is not None
    assert "cannot be decoded and was not looked at" in reader.problem


def test_streams_of_one_codec_put_together(encode: Make, tmp_path: Path) -> None:
    """The second one's times begin anew, and its frames follow those of the first nevertheless."""
    stream = encode("avc.ts", f"{AVC} ! mpegtsmux").read_bytes()
    (tmp_path / "twice.ts").write_bytes(stream * 2)
    frames, reader = read(tmp_path / "twice.ts")
    assert numbers(frames) == 2 * [*range(FRAMES)]
    assert [frame.time_s for frame in frames] == pytest.approx([i / 10 for i in range(2 * FRAMES)], abs=0.002)
    assert reader.problem is None


def test_a_part_that_cannot_be_decoded(encode: Make, tmp_path: Path) -> None:
    """The rest is read, and it is said what was not."""
    film = encode("part.mp4", f"{AVC} ! mp4mux").read_bytes()
    head = film[: int.from_bytes(film[:4], "big")]
    (tmp_path / "both.mp4").write_bytes(film + head)
    (tmp_path / "three.mp4").write_bytes(film + head + b"\0\0\0\x10free" + bytes(8) + film)
    for name, count in {"both.mp4": 1, "three.mp4": 2}.items():
        frames, reader = read(tmp_path / name)
        assert numbers(frames) == count * [*range(FRAMES)]
        assert reader.problem == (
            "the part that begins after 1.9 s cannot be decoded and was not looked at"
        ), name


def test_the_size_changes_with_the_codec(encode: Make, tmp_path: Path) -> None:
    """The second part's frames have their own size, whichever is the larger."""
    large = encode("large.ts", f"{AVC} ! mpegtsmux")
    small = encode("small.ts", f"videoscale ! video/x-raw,width=160,height=128 ! {HEVC} ! mpegtsmux")
    for files, shapes in (
        ((large, small), [(240, 320, 3), (128, 160, 3)]),
        ((small, large), [(128, 160, 3), (240, 320, 3)]),
    ):
        (tmp_path / "both.ts").write_bytes(b"".join(path.read_bytes() for path in files))
        frames, _ = read(tmp_path / "both.ts")
        assert [frame.rgb.shape for frame in frames] == FRAMES * shapes[:1] + FRAMES * shapes[1:]
        assert numbers(frames) == 2 * [*range(FRAMES)]
