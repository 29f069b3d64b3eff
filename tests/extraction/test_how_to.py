"""The commands of docs/how-to/training-data.md, as somebody would type them."""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path

import forked
import pytest
from alarm_records import draw_frame, person
from alarms import Alarms
from how_to import HowTo
from s3_server import S3Server

from face_det import errors

BUCKET = "smart-zoneminder"


@pytest.fixture
def page(tmp_path: Path) -> HowTo:
    """The page, to be run in a folder."""
    return HowTo("training-data.md", tmp_path)


def blocks_of(page: HowTo, title: str) -> list[str]:
    """The shell commands under a heading."""
    section = page.text.partition(f"\n## {title}\n")[2].partition("\n## ")[0]
    return re.findall(r"^```sh\n(.*?)^```$", section, re.M | re.S)


@pytest.mark.slow
def test_alarm_frames_become_a_persons_photos(
    s3_server: S3Server, page: HowTo, tmp_path: Path, photos: dict[str, Path]
) -> None:
    """From an empty folder to a model that knows Anna; the page has no command that is not run somewhere."""
    s3_server.client().create_bucket(Bucket=BUCKET)
    for number, name in enumerate(("obama", "obama2", "biden")):
        label = person("Anna" if name != "biden" else "Unknown", 0, 0, 9999, 9999)
        s3_server.put(BUCKET, f"upload/Porch/{number}.jpg", photos[name].read_bytes(), [label])
    environ = {**s3_server.environ(), "AWS_ENDPOINT_URL": s3_server.url}
    everything, chosen, moving = blocks_of(page, "Alarm frames from S3")
    assert "2 of them in earlier runs" not in page.run(everything, **environ)
    assert "3 of them in earlier runs" in page.run(
        chosen.replace("http://192.168.1.4:8333", s3_server.url), **environ
    )
    assert len(list(tmp_path.glob("frames/Unknown/*.jpg"))) == 1
    page.run(moving)
    before = sorted(path.name for path in tmp_path.glob("dataset/Anna/*.jpg"))
    assert len(before) == 2
    numbering, undoing = blocks_of(page, "Number the files")
    assert "2 pictures renamed" in page.run(numbering)
    assert {path.name for path in tmp_path.glob("dataset/Anna/*.jpg")} == {"00000001.jpg", "00000002.jpg"}
    page.run(undoing)
    assert sorted(path.name for path in tmp_path.glob("dataset/Anna/*.jpg")) == before
    quick = {"FACE_DET_FACEDETMODEL": "hog", "FACE_DET_NUMFACEIMGUPSAMPLE": "0"}
    (training,) = blocks_of(page, "Train on them")
    page.run(training, **quick)
    told = page.run(f"face-det recognize --json {photos['obama3']}", **quick)
    assert [face["face"] for face in json.loads(told)[0]["faces"]] == ["Anna"]


def test_exit_codes_are_those_of_the_errors(page: HowTo) -> None:
    """The table says with what the command ends."""
    section = page.text.partition("\n## Alarm frames from S3\n")[2].partition("\n## ")[0]
    codes = {int(code) for code in re.findall(r"^\| (\d\d) \|", section, re.M)}
    kinds = (
        errors.UnknownBucket,
        errors.BadName,
        errors.BucketFailed,
        errors.CannotWrite,
        errors.BucketRefused,
    )
    assert codes == {kind.exit_code for kind in kinds}


def test_the_command_of_the_script(alarms: Alarms, tmp_path: Path, repository: Path) -> None:
    """scripts/s3_extract_save.py does the same, with the same flags."""
    alarms.put("1.jpg", draw_frame(), [person("Anna")])
    script = str(repository / "scripts/s3_extract_save.py")
    flags = ["--bucket", alarms.name, "--endpoint-url", alarms.server.url, "--output", str(tmp_path / "x")]
    done = forked.run([sys.executable, script, *flags, "--prefix", "1"], env=alarms.server.environ())
    assert done.returncode == 0, done.stderr
    assert "1 picture of 1 person from 1 object" in done.stdout
    renumber = str(repository / "scripts/renumber_filenames.py")
    done = forked.run([sys.executable, renumber, "-d", str(tmp_path / "x" / "Anna")])
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "x/Anna/00000001.jpg").is_file()
