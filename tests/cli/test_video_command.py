"""`face-det video`: who is in a clip of two people, one of whom is enrolled."""

from __future__ import annotations

import base64
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from camera_server import CameraServer
from rtsp_fixtures import ITSELF, certificates
from running_here import run_here

from face_det.cli.interruption import Interruption
from face_det.config.load import load_config
from face_det.media import load_image, resize_image
from face_det.service import assembly
from face_det.types import Rgb
from face_det.video import open_video, writer

__all__ = ["certificates"]

FPS = 10
FRAMES = 14
EMPTY = 8


@pytest.fixture(scope="module")
def photos(small_photos: dict[str, Path]) -> dict[str, Path]:
    """Nothing here depends on how large a photo is."""
    return small_photos


@pytest.fixture(scope="module")
def faces(photos: dict[str, Path]) -> tuple[Rgb, Rgb]:
    """Obama and Biden, head and shoulders."""
    obama, biden = load_image(photos["obama2"]), load_image(photos["biden"])
    height, width = biden.shape[:2]
    head = biden[: round(0.45 * height), round(0.2 * width) : round(0.85 * width)]
    return resize_image(obama, 180, 225), resize_image(head, 180, 190)


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory, photos: dict[str, Path], faces: tuple[Rgb, Rgb]) -> Path:
    """A folder with a model that knows Obama, and clip.avi: he walks to the right, Biden, who comes later,
    to the left, and at the end nobody is there."""
    folder = tmp_path_factory.mktemp("video")
    (folder / "config.json").write_text(json.dumps({"faceDetServer": {}}))
    assembly.build_service(load_config(folder / "config.json", {})).add_face("Obama", str(photos["obama"]))
    writer = cv2.VideoWriter(
        str(folder / "clip.avi"), cv2.CAP_FFMPEG, cv2.VideoWriter.fourcc(*"MJPG"), FPS, (640, 360)
    )
    for number in range(FRAMES + EMPTY):
        frame = np.full((360, 640, 3), 110, np.uint8)
        if number < FRAMES:
            frame[60:285, 10 + 8 * number :][:, :180] = faces[0]
            if number >= 4:
                frame[60:250, 440 - 8 * number :][:, :180] = faces[1]
        writer.write(np.ascontiguousarray(frame[:, :, ::-1]))
    writer.release()
    return folder


@pytest.fixture
def here(home: Path, tmp_path: Path) -> Path:
    """A copy of the folder."""
    shutil.copytree(home, tmp_path, dirs_exist_ok=True)
    return tmp_path


@pytest.mark.usefixtures("shared_networks")
def test_who_is_in_a_video(here: Path) -> None:
    """JSON, the pictures, the page and the annotated video of one run; one bad source spoils nothing."""
    (here / "text.mp4").write_text("no video")
    (here / "page.html").write_text("old")
    wanted = ("--json", "--faces", "faces", "--html", "page.html")
    done = run_here("video", "text.mp4", "clip.avi", *wanted, cwd=here)
    assert done.returncode == 65
    bad, good = json.loads(done.stdout)
    assert bad["error"].startswith("text.mp4: must hold a video that can be decoded")
    assert (good["frames"], good["note"], good["unclear"]) == (FRAMES + EMPTY, None, 0)
    known, stranger = good["people"]
    assert (known["name"], known["unknown"], known["first_s"]) == ("Obama", None, 0)
    assert known["proba"] > 0.9
    assert (stranger["name"], stranger["unknown"]) == (None, "unknown-1")
    assert 0.3 <= stranger["first_s"] <= 0.6
    assert 1.1 <= stranger["last_s"] <= 1.3
    assert good["recognisedPersons"] == ["Obama"]
    ((person,),) = [good["unknownPersons"]]
    assert (person["name"], person["frames"]) == ("unknown-1", stranger["frames"])
    assert person["images"] == [stranger["best"]["thumbnail"]]
    assert base64.b64decode(person["images"][0])[:3] == b"\xff\xd8\xff"
    for path in (*known["imagePaths"], *person["imagePaths"]):
        assert min(load_image(here / path).shape[:2]) > 50
    assert "face-det: text.mp4: must hold a video" in done.stderr
    assert done.stderr.endswith("face-det: 1 of 2 videos could not be read\n")
    page = (here / "page.html").read_text()
    assert page.count("data:image/jpeg;base64,") == 2
    assert "<h3>Obama</h3>" in page
    assert "<script" not in page


@pytest.mark.slow
@pytest.mark.usefixtures("shared_networks")
def test_the_table_and_the_annotated_video(here: Path) -> None:
    """A row for each person; and a video of the same length, in which faces have boxes."""
    done = run_here("video", "clip.avi", "--annotate", "out.webm", cwd=here)
    assert done.returncode == 0, done.stderr
    rows = [line.split("\u2502")[1].strip() for line in done.stdout.splitlines() if "\u2502" in line]
    assert rows == ["Obama", "unknown-1"]
    # On a busy machine, lines of progress come before.
    assert done.stderr.splitlines()[-1] == "clip.avi: 2 people, in 22 frames up to 0:02.1"
    with open_video(here / "out.webm") as film, open_video(here / "clip.avi") as clip:
        drawn, plain = list(film), list(clip)
    assert len(drawn) == len(plain)
    assert film.info.fps == FPS
    changed = [
        int((np.abs(one.rgb.astype(int) - other.rgb).max(axis=2) > 60).sum())
        for one, other in zip(drawn, plain, strict=True)
    ]
    assert min(changed[1:FRAMES]) > 10 * max(changed[-2:], default=0) + 100
    for arguments, said in {
        ("clip.avi", "clip.avi", "--annotate", "out.webm"): "--annotate takes one video at a time",
        ("clip.avi", "--annotate", "out.mp4"): "--annotate writes .webm, which browsers play; got '.mp4'",
        ("clip.avi", "--each-frame", "0"): "--each-frame must be at least 1",
    }.items():
        refused = run_here("video", *arguments, cwd=here)
        assert refused.returncode == 2
        assert said in refused.stderr


@pytest.mark.slow
@pytest.mark.usefixtures("shared_networks")
def test_ringfaces_settings(here: Path) -> None:
    """From options, from the environment under Ringface's names, and from config.json, in this order."""
    settings = {"eachFrame": 2, "stopAfterEmptyFrames": 2, "minThumbnailSizeInPx": 20}
    (here / "config.json").write_text(json.dumps({"faceDetServer": {"video": settings}}))

    def look(*arguments: str, **environ: str) -> dict[str, Any]:
        done = run_here("video", "clip.avi", "--json", *arguments, cwd=here, **environ)
        (answer,) = json.loads(done.stdout)
        return dict(answer)

    stopped = look()
    assert 8 <= stopped["frames"] <= 10
    assert stopped["note"] == "nobody was seen in 2 frames in a row; the rest is not looked at"
    first = look(MAX_FRAMES="6", EACH_FRAME="1")
    assert (first["frames"], first["note"]) == (6, "only the first 6 frames are looked at")
    assert look("--max-frames", "3", MAX_FRAMES="6", EACH_FRAME="1")["frames"] == 3
    large = look(MIN_TRUMBNAIL_SIZE_IN_PX="150", MIN_FRAMES="5", STOP_AFTER_EMPTY_FRAMES="0")
    assert (large["frames"], large["unknownPersons"], large["unclear"]) == (13, [], 1)


@pytest.mark.usefixtures("shared_networks")
def test_nobody_is_enrolled(home: Path, tmp_path: Path) -> None:
    """Everybody is a stranger, and the exit code says why."""
    (tmp_path / "config.json").write_text(json.dumps({"faceDetServer": {}}))
    done = run_here("video", home / "clip.avi", "--json", "--max-frames", "8", cwd=tmp_path)
    assert done.returncode == 69
    assert [person["name"] for person in json.loads(done.stdout)[0]["unknownPersons"]] == [
        "unknown-1",
        "unknown-2",
    ]


@pytest.mark.usefixtures("shared_networks")
def test_a_stream_whose_certificate_nobody_knows(here: Path, certificates: Path) -> None:
    """It is read only if any certificate will do."""
    frame = cv2.imencode(".jpg", np.full((120, 160, 3), 110, np.uint8))[1].tobytes()
    server = CameraServer([frame], certificate=certificates / f"{ITSELF}.pem")
    try:
        address = server.address("short")
        refused = run_here("video", address, "--json", cwd=here)
        assert refused.returncode == 65
        assert "its certificate is not accepted" in json.loads(refused.stdout)[0]["error"]
        read = run_here("video", address, "--json", "--no-verify-tls", cwd=here)
        assert (read.returncode, json.loads(read.stdout)[0]["width"]) == (0, 160)
    finally:
        server.stop()


@pytest.mark.usefixtures("shared_networks")
def test_an_annotated_video_that_cannot_be_finished(here: Path) -> None:
    """The people are printed nevertheless, and the exit code says that a file is missing."""
    with pytest.MonkeyPatch.context() as patch:
        real = Path(shutil.copytree(here, here / "copy"))
        patch.setattr(writer, "TIMEOUT_S", 0.0)  # the process that encodes has never answered by then
        done = run_here("video", "clip.avi", "--annotate", "out.webm", "--max-frames", "6", cwd=real)
    assert done.returncode == 75
    assert "Obama" in done.stdout
    assert "out.webm: cannot be written: nothing came within 0 s; nothing was changed" in done.stderr
    assert not (real / "out.webm").exists()


@pytest.mark.slow
def test_ctrl_c_prints_what_was_found(here: Path) -> None:
    """And leaves a video that can be played."""
    with (here / "long.mjpeg").open("wb") as long, open_video(here / "clip.avi") as clip:
        frames = [cv2.imencode(".jpg", frame.rgb[:, :, ::-1])[1].tobytes() for frame in clip][:FRAMES]
        for _ in range(400):
            long.writelines(frames)
    command = [sys.executable, "-m", "face_det.cli.main", "video", "long.mjpeg", "--json"]
    environ = {name: text for name, text in os.environ.items() if not name.startswith("FACE_DET_")}
    running = subprocess.Popen(
        [*command, "--annotate", "out.webm"],
        cwd=here,
        env=environ,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    until = time.monotonic() + 120
    while not any(path.stat().st_size for path in here.glob(".*.webm")):
        assert running.poll() is None, running.communicate()
        assert time.monotonic() < until
        time.sleep(0.05)
    running.send_signal(signal.SIGINT)
    out, err = running.communicate(timeout=120)
    assert running.returncode == 130, err
    (answer,) = json.loads(out)
    assert "Obama" in answer["recognisedPersons"]
    assert answer["note"] == "interrupted; the rest was not looked at"
    assert err.endswith("face-det: interrupted; this is what was found so far\n")
    assert not list(here.glob(".*.webm"))
    with open_video(here / "out.webm") as film:
        assert abs(len(list(film)) - answer["frames"]) <= 1
        assert film.problem is None


def test_a_wait_is_interrupted_at_once() -> None:
    """While nothing comes, there is nothing to finish first; otherwise the item is finished."""
    done = []
    with Interruption() as interruption:

        def items():
            yield 1
            os.kill(os.getpid(), signal.SIGINT)
            raise AssertionError("the wait goes on")

        done += interruption.until(items())
        assert (done, interruption.asked) == ([1], True)
    with Interruption() as interruption:
        for item in interruption.until(iter(range(5))):
            os.kill(os.getpid(), signal.SIGINT)
            done.append(item)
    assert done == [1, 0]
