"""Reading videos: what is good is read, what is not is told, and no process stays behind."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import PIL.Image
import pytest

from face_det.errors import VideoError
from face_det.video import VideoFrame, VideoReader, open_video, prepare_decoding

Make = Callable[..., Path]


def read(source: Path | str, **options: object) -> tuple[list[VideoFrame], VideoReader]:
    with open_video(source, **options) as reader:  # type: ignore[arg-type]
        return list(reader), reader


def children() -> set[int]:
    """The processes that this one has started and not yet reaped."""
    return {
        int(pid) for pid in Path("/proc/self/task").joinpath(str(os.getpid()), "children").read_text().split()
    }


def numbers(frames: list[VideoFrame]) -> list[int]:
    """The number of each frame, by its grey."""
    return [round((float(np.median(frame.rgb)) - 20) / 8) for frame in frames]


def test_frames_times_and_measures(clip: Path) -> None:
    """What a good file says of itself, and each of its frames, in order."""
    before = children()
    frames, reader = read(clip)
    assert (reader.info.width, reader.info.height, reader.info.frames) == (160, 120, 20)
    assert (reader.info.fps, reader.info.duration_s, reader.problem) == (10, 2, None)
    assert numbers(frames) == [frame.index for frame in frames] == list(range(20))
    assert [frame.time_s for frame in frames] == pytest.approx([index / 10 for index in range(20)])
    assert frames[0].rgb.shape == (120, 160, 3)
    assert frames[0].rgb.flags.writeable
    assert children() == before


def test_frames_stay_what_they_are_while_they_are_held(clip: Path) -> None:
    """Though most are never copied: one that is held all along, parts of others, and all after the end."""
    with open_video(clip) as reader:
        first = next(reader)
        parts = [frame.rgb[::2, 3:5] for frame in reader]
    assert numbers([first]) == [0]
    assert [round((float(np.median(part)) - 20) / 8) for part in parts] == list(range(1, 20))
    del first, parts
    with open_video(clip) as reader:
        seen = []
        for frame in reader:
            address = frame.rgb.__array_interface__["data"][0]
            seen.append((address, *numbers([frame])))
    assert [number for _, number in seen] == list(range(20))
    assert len({address for address, _ in seen}) < 10


def test_a_process_can_be_prepared(clip: Path) -> None:
    """It decodes the next video, unless it has died meanwhile, and ends with whoever prepared it."""
    before = children()
    prepare_decoding()
    (prepared,) = children() - before
    prepare_decoding()
    assert children() - before == {prepared}
    with open_video(clip) as reader:
        assert reader.process_id == prepared  # type: ignore[attr-defined]
        assert len(list(reader)) == 20
    prepare_decoding()
    (killed,) = children() - before
    os.kill(killed, signal.SIGKILL)
    while _runs(killed):
        time.sleep(0.01)
    frames, _ = read(clip)
    assert len(frames) == 20
    assert children() == before
    program = "from face_det.video import prepare_decoding; prepare_decoding(); import os; "
    program += "print(*open(f'/proc/self/task/{os.getpid()}/children').read().split())"
    left = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert not _runs(int(left.stdout))


def test_some_frames_only(clip: Path) -> None:
    """All of the first, then every n-th, under the numbers and times that they have in the whole video."""
    frames, _ = read(clip, every=6, dense=2)
    assert numbers(frames) == [frame.index for frame in frames] == [0, 1, 6, 12, 18]
    assert frames[-1].time_s == pytest.approx(1.8)


def test_more_frames_than_there_are_slots_belong_to_the_caller(clip: Path) -> None:
    """Changing one changes no other: none is a view of memory that is used again."""
    frames, _ = read(clip)
    frames[0].rgb[:] = 0
    assert numbers(frames[1:]) == list(range(1, 20))


@pytest.mark.parametrize("name", ["list.mp4", "list.mkv", "list.m3u8"])
def test_a_file_cannot_have_another_read(name: str, make_clip: Make) -> None:
    """FFmpeg takes a file for a playlist, whatever it is called, and would read what that names."""
    clip = make_clip("clip.ts", "mp4v")
    concatenation = f"ffconcat version 1.0\nfile {clip.name}\n"
    playlist = f"#EXTM3U\n#EXT-X-TARGETDURATION:9\n#EXTINF:9,\n{clip}\n#EXT-X-ENDLIST\n"
    trap = clip.with_name(name)
    trap.write_text(playlist if name.endswith("m3u8") else concatenation)
    with pytest.raises(VideoError, match=re.escape(f"{trap}: must hold a video that can be decoded")):
        open_video(trap)
    assert cv2.VideoCapture(str(trap), cv2.CAP_FFMPEG).isOpened()


def test_what_is_no_video(tmp_path: Path) -> None:
    """Each is told in a sentence, with its name, and at once."""
    empty, text, fifo, sound = (tmp_path / name for name in ("0.mp4", "t.mp4", "fifo", "s.wav"))
    empty.touch()
    text.write_text("no video\n" * 100)
    os.mkfifo(fifo)
    sound.write_bytes(
        b"RIFF\x24\x08\0\0WAVEfmt \x10\0\0\0\1\0\1\0\x40\x1f\0\0\x80\x3e\0\0\2\0\x10\0data\0\x08\0\0"
        + bytes(2048)
    )
    before = children()
    for source, said in {
        tmp_path / "none.mp4": "there is no such file",
        empty: "got an empty file",
        text: "must hold a video that can be decoded, got none",
        sound: "must hold a video that can be decoded, got none",
        fifo: "got a device or a pipe",
        "ftp://host/film.mp4": "must begin with rtsp, rtsps, http, https",
        "file:///etc/passwd": "must begin with rtsp, rtsps, http, https",
        "nul\0.mp4": "cannot be opened",
    }.items():
        with pytest.raises(VideoError, match=said) as caught:
            open_video(source)
        assert "\n" not in str(caught.value)
        assert caught.value.exit_code == 65
    assert children() == before


def test_a_cut_off_file_is_read_as_far_as_it_goes(clip: Path, make_clip: Make) -> None:
    """And that is told; without the index at its end, nothing can be read."""
    data = make_clip("cut.avi", frames=20, size=(320, 240)).read_bytes()
    cut = clip.with_name("cut.avi")
    cut.write_bytes(data[: len(data) // 2])
    frames, reader = read(cut)
    assert 5 < len(frames) < 15
    assert re.fullmatch(r"it is cut off: it ends after \d\.\d s of 2\.0 s", reader.problem or "")
    without_index = clip.with_name("cut.mov")
    without_index.write_bytes(clip.read_bytes()[:-1000])
    with pytest.raises(VideoError, match="its index is missing: it is cut off, or still being written"):
        open_video(without_index)


def test_a_damaged_place_is_passed_over(clip: Path) -> None:
    """cv2 stops at the first packet that it cannot decode; what is behind it is read nevertheless."""
    data = bytearray(clip.read_bytes())
    starts = [found.start() for found in re.finditer(rb"\xff\xd8\xff", bytes(data))]
    assert len(starts) == 20
    data[starts[8] : starts[11]] = bytes(starts[11] - starts[8])
    damaged = clip.with_name("damaged.mov")
    damaged.write_bytes(data)
    frames, reader = read(damaged)
    assert numbers(frames) == [*range(8), *range(11, 20)]
    assert frames[8].time_s == pytest.approx(1.1)
    assert reader.problem == "one damaged place was passed over"


def test_frames_whose_size_changes_are_all_read(tmp_path: Path) -> None:
    """As from a camera that switches its resolution. cv2 scales them to the size of the first."""
    sizes = [(120, 160), (480, 640), (480, 640), (60, 80), (720, 960)]
    film = tmp_path / "film.mjpeg"
    film.write_bytes(
        b"".join(
            cv2.imencode(".jpg", np.full((*size, 3), 20 + 8 * index, np.uint8))[1].tobytes()
            for index, size in enumerate(sizes)
        )
    )
    frames, reader = read(film)
    assert [frame.rgb.shape for frame in frames] == [(120, 160, 3)] * 5
    assert numbers(frames) == list(range(5))
    assert (reader.info.frames, reader.problem) == (None, None)


def test_too_many_pixels(clip: Path) -> None:
    """A frame that is too large is refused, with its size."""
    with pytest.raises(VideoError, match=r"at most 10,000 pixels in a frame, got 160 x 120"):
        open_video(clip, max_pixels=10_000)


def test_turned_upright(clip: Path) -> None:
    """A phone stores its pictures lying, and how to turn them in the track's header."""
    data = clip.read_bytes()
    straight = b"".join(number.to_bytes(4, "big") for number in (1 << 16, 0, 0, 0, 1 << 16, 0))
    turned = b"".join((number % 2**32).to_bytes(4, "big") for number in (0, 1 << 16, 0, -(1 << 16), 0, 0))
    at = data.index(straight, data.index(b"tkhd"))
    film = clip.with_name("turned.mov")
    film.write_bytes(data[:at] + turned + data[at + len(straight) :])
    frames, reader = read(film)
    assert frames[0].rgb.shape == (160, 120, 3)
    assert (reader.info.width, reader.info.height) == (120, 160)


def test_a_folder_of_pictures(tmp_path: Path) -> None:
    """Pictures in the order of their numbers; a bad one spoils no other."""
    for index in range(11):
        PIL.Image.new("L", (64, 48), 20 + 8 * index).save(tmp_path / f"frame{index}.png")
    (tmp_path / "frame3.png").write_bytes(b"\x89PNG\r\n\x1a\n damaged")
    (tmp_path / "notes.txt").write_text("no frame")
    frames, reader = read(tmp_path)
    assert [frame.index for frame in frames] == numbers(frames) == [0, 1, 2, *range(4, 11)]
    assert frames[-1].time_s == pytest.approx(10 / 25)
    assert (reader.problem or "").startswith(f"one picture could not be read: {tmp_path / 'frame3.png'}: ")
    assert numbers(read(tmp_path, every=5)[0]) == [0, 5, 10]
    empty = tmp_path / "empty"
    empty.mkdir()
    with pytest.raises(VideoError, match="a folder must hold pictures, got none"):
        open_video(empty)


def test_a_reader_that_is_left_is_cleaned_up(clip: Path) -> None:
    """Whether by an error in between, or because nobody holds it any more."""
    before = children()

    def fail_in_between() -> None:
        with open_video(clip) as reader:
            next(reader)
            assert len(children()) == len(before) + 1
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail_in_between()
    open_video(clip)
    assert children() == before


def test_the_process_ends_with_its_caller(clip: Path) -> None:
    """Also if that is killed and cannot do anything about it any more."""
    program = (
        "import sys, time; from pathlib import Path; from face_det.video import open_video;"
        f"reader = open_video(Path({str(clip)!r})); print(reader.process_id, flush=True); time.sleep(600)"
    )
    caller = subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True)
    assert caller.stdout is not None
    pid = int(caller.stdout.readline())
    assert Path(f"/proc/{pid}").exists()
    caller.kill()
    caller.wait()
    caller.stdout.close()
    until = time.monotonic() + 60
    while _runs(pid) and time.monotonic() < until:
        time.sleep(0.02)
    assert not _runs(pid)


def _runs(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


def test_a_crash_is_told_and_what_was_read_stays(make_clip: Make) -> None:
    """A decoder that crashes takes nobody along."""
    with open_video(make_clip("long.mov", frames=29)) as reader:
        next(reader)
        os.kill(reader.process_id, signal.SIGSEGV)  # type: ignore[attr-defined]
        assert len(list(reader)) < 28
    assert reader.problem is not None
    assert "its process was ended by SIGSEGV" in reader.problem
