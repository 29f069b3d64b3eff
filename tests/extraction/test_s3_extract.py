"""Alarm frames in a real S3 server become pictures of the people who are named in them."""

from __future__ import annotations

import io
import json
import os
import re
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any
from unittest import mock

import botocore.session
import numpy as np
import PIL.Image
import pytest
from alarm_records import draw_frame, person
from alarms import Alarms
from disks import fill
from forked import Forked
from s3_server import CuttingProxy

from face_det.extraction import Bucket, open_output, picture_stem, save_alarm_frames
from face_det.extraction.direct_read import AddressSigner

PATIENCE_S = 300


def pixels(data: bytes) -> Any:
    with PIL.Image.open(io.BytesIO(data)) as picture:
        return np.asarray(picture.convert("RGB")).astype(int)


def until(condition: Callable[[], object], what: str) -> None:
    end = time.monotonic() + PATIENCE_S
    while not condition():
        assert time.monotonic() < end, f"waited {PATIENCE_S} s for {what}"
        time.sleep(0.01)


def test_each_person_is_cut_from_the_whole_picture(alarms: Alarms) -> None:
    """Not from what was cut out for the person before; boxes are clipped to the picture."""
    boxes = {"Anna": (10, 20, 60, 80), "Bob": (100.9, 5.2, 190, 99.5), "Eve": (-20, -5, 30, 1000)}
    alarms.put("upload/Porch/1.jpg", draw_frame(), [person(name, *box) for name, box in boxes.items()])
    done = alarms.run()
    found = {name.split("/")[0]: pixels(data) for name, data in alarms.tree().items()}
    assert {name: part.shape[:2] for name, part in found.items()} == {
        "Anna": (60, 50),
        "Bob": (94, 90),
        "Eve": (100, 30),
    }
    for name, (left, top) in {"Anna": (10, 20), "Bob": (100, 5), "Eve": (0, 0)}.items():
        wide, high = found[name].shape[1], found[name].shape[0]
        assert np.abs(found[name][..., 0] - np.arange(left, left + wide)).max() <= 4
        assert np.abs(found[name][..., 1] - np.arange(top, top + high)[:, None]).max() <= 4
    assert done.summary["people"] == {"Anna": 1, "Bob": 1, "Eve": 1}


def test_a_photo_keeps_its_quality(alarms: Alarms, photos: dict[str, Path]) -> None:
    """A crop of a real photo is a JPEG that hardly differs from the photo's pixels."""
    with PIL.Image.open(photos["obama"]) as picture:
        whole = np.asarray(picture.convert("RGB")).astype(int)
        wide, high = picture.size
    alarms.put("1.jpg", photos["obama"].read_bytes(), [person("Obama", 0, 0, wide, high)])
    alarms.run()
    (saved,) = alarms.tree().values()
    assert saved.startswith(b"\xff\xd8\xff")
    assert np.abs(pixels(saved) - whole).mean() < 1.5


def test_what_cannot_be_used_is_counted(alarms: Alarms, photos: dict[str, Path]) -> None:
    """Each kind of bad frame is counted, told by its key and skipped; the good ones are saved."""
    photo = photos["nobody"].read_bytes()
    alarms.put("1-none.jpg", photo)
    alarms.put("2-json.jpg", photo, '[{"Name": "person", ')
    alarms.put("3-shape.jpg", photo, {"Name": "person"})
    alarms.put("4-items.jpg", photo, ["person"])
    alarms.put("5-text.jpg", b"hello", [person("Anna")])
    alarms.put("6-cut-off.jpg", photo[: len(photo) // 2], [person("Anna")])
    alarms.put("7-car.jpg", photo, [{"Name": "car", "Box": {}}])
    alarms.put("8-nobody.jpg", photo, [person(None), {"Name": "person"}])
    alarms.put("9-outside.jpg", photo, [person("Anna", 5000, 5000, 6000, 6000), person("Anna", 9, 9, 3, 3)])
    alarms.put("a-box.jpg", photo, [{**person("Anna"), "Box": {"xmin": 1}}, person("Anna", xmin="ten")])
    alarms.put("b-names.jpg", photo, [person(face) for face in ("../../x", "", "a/b", ".x", 5, "unknown-3")])
    alarms.put("c-good.jpg", photo, [person("Anna")])
    alarms.put("d-huge.jpg", photo, '[{"Name":"person","Face":"A","Box":' + "[" * 1500 + "]" * 1500 + "}]")
    alarms.put("e-empty.jpg", b"", [person("Anna")])
    done = alarms.run()
    summary = done.summary
    assert {name: count for name, count in summary["skipped"].items() if count} == {
        "no_labels": 1,
        "broken_labels": 4 if "d-huge.jpg: labels" in done.stderr else 3,
        "bad_picture": 3,
    }
    assert summary["left_out"]["bad_name"] == 6
    assert summary["left_out"]["outside"] == 2
    assert summary["left_out"]["bad_box"] >= 2
    assert (summary["unnamed"], summary["pictures"], summary["objects"]) == (2, 1, 14)
    for key in ("2-json", "3-shape", "4-items", "5-text", "6-cut-off", "a-box", "b-names", "e-empty"):
        assert f"skipped: s3://{alarms.name}/{key}.jpg: " in done.stderr, key
    assert alarms.people() == {"Anna": 1}
    assert not list(alarms.output.parent.rglob("x*"))
    assert alarms.run().summary == {**summary, "earlier": 14}


def test_names_in_every_script(alarms: Alarms) -> None:
    """As ASCII with escapes, as UTF-8, and encoded as Amazon's S3 does it; Unknown has its folder."""
    names = ["Анна", "José", "李雷", "محمد", "Anna-Lena O'Neil", "Unknown"]
    for number, name in enumerate(names):
        alarms.put(f"{number} кадр.jpg", draw_frame(), [person(name)])
        alarms.put(f"{number}-raw.jpg", draw_frame(), [person(name)], raw=True)
    encoded = "=?UTF-8?B?W3siTmFtZSI6InBlcnNvbiIsIkZhY2UiOiLQkNC90L3QsCIsIkJveCI6eyJ4bWluIjowLCJ5bWluIjow"
    alarms.put("rfc2047.jpg", draw_frame(), encoded + "LCJ4bWF4Ijo5LCJ5bWF4Ijo5fX1d?=")
    alarms.run()
    assert alarms.people() == {name: 2 + (name == "Анна") for name in sorted(names)}


def test_keys_of_any_kind(alarms: Alarms) -> None:
    """The same name in two folders, blanks, dots and other scripts: a file each, in the person's folder."""
    keys = ["a/1.jpg", "b/1.jpg", "..jpg", "x/.jpg", "x y/ü .jpg", "no-suffix", "a.b.c.jpeg", "a" * 250]
    for key in keys:
        alarms.put(key, draw_frame(), [person("Anna"), person("Anna", 50, 50, 90, 90)])
    assert alarms.run().summary["pictures"] == 2 * len(keys)
    assert alarms.people() == {"Anna": 2 * len(keys)}


def test_prefix_and_since_choose(alarms: Alarms) -> None:
    """Only what is asked for is read; later runs take up the rest."""
    for key in ("upload/Porch/1.jpg", "upload/Porch/2.jpg", "upload/Yard/1.jpg"):
        alarms.put(key, draw_frame(), [person("Anna")])
    assert alarms.run("--prefix", "upload/Porch/").summary["objects"] == 2
    assert alarms.run("--since", "2099-01-01").summary["objects"] == 0
    summary = alarms.run("--since", "1d").summary
    assert (summary["objects"], summary["earlier"], summary["pictures"]) == (3, 2, 3)
    assert alarms.people() == {"Anna": 3}


@pytest.mark.slow
def test_more_than_a_page(alarms: Alarms) -> None:
    """A server lists 1,000 objects at a time; none is missed."""
    body = draw_frame(8, 8)
    for number in range(1005):
        alarms.client.put_object(
            Bucket=alarms.name,
            Key=f"{number}.png",
            Body=body,
            Metadata={"labels": json.dumps([person("Anna", 0, 0, 8, 8)])} if number % 100 == 0 else {},
        )
    summary = alarms.run().summary
    assert (summary["objects"], summary["pictures"]) == (1005, 11)
    assert alarms.run().summary["earlier"] == 1005


def test_new_and_changed_frames_are_read(alarms: Alarms) -> None:
    """A finished frame is read again once it has changed; what was saved of it stays."""
    alarms.put("1.jpg", draw_frame(), "no json")
    alarms.put("2.jpg", draw_frame(), [person("Anna")])
    alarms.run()
    before = alarms.tree()
    until(
        lambda: (
            int(time.time())
            > int(alarms.client.head_object(Bucket=alarms.name, Key="1.jpg")["LastModified"].timestamp()) + 1
        ),
        "another second",
    )
    alarms.put("1.jpg", draw_frame(), [person("Bob")])
    alarms.put("3.jpg", draw_frame(), [person("Bob")])
    summary = alarms.run().summary
    assert summary["earlier"] == 1
    assert summary["people"] == {"Anna": 1, "Bob": 2}
    assert before.items() <= alarms.tree().items()


def test_what_you_removed_stays_removed(alarms: Alarms) -> None:
    """Pictures that were sorted out, or moved to the dataset, do not come back."""
    alarms.put("1.jpg", draw_frame(), [person("Anna")])
    alarms.run()
    (path,) = alarms.output.glob("Anna/*.jpg")
    path.unlink()
    alarms.run()
    assert alarms.tree() == {}


def test_what_is_there_is_not_overwritten(alarms: Alarms) -> None:
    """A file that happens to have the picture's name stays as it is."""
    alarms.put("1.jpg", draw_frame(), [person("Anna")])
    mine = alarms.output / "Anna" / f"{picture_stem(f's3://{alarms.name}/1.jpg', 1)}.jpg"
    mine.parent.mkdir(parents=True)
    mine.write_bytes(b"mine")
    assert alarms.run().summary["pictures"] == 1
    assert mine.read_bytes() == b"mine"
    assert alarms.people() == {"Anna": 2}


@contextmanager
def opened(alarms: Alarms, url: str, **environ: str) -> Iterator[Bucket]:
    """The bucket at an address, with its owner's credentials."""
    with mock.patch.dict(os.environ, {**alarms.server.environ(), **environ}, clear=True):
        bucket = Bucket(alarms.name, endpoint_url=url)
    with closing(bucket):
        yield bucket


def test_deleted_between_listing_and_reading(alarms: Alarms) -> None:
    """It is counted, and the rest goes on."""
    for number in range(3):
        alarms.put(f"{number}.jpg", draw_frame(), [person("Anna")])
    with opened(alarms, alarms.server.url) as bucket, open_output(alarms.output) as output:
        pages = list(bucket.list_pages())
        alarms.client.delete_object(Bucket=alarms.name, Key="1.jpg")
        bucket.list_pages = lambda *_: iter(pages)  # type: ignore[method-assign]
        frames = list(save_alarm_frames(bucket, output))
        assert [dict(frame.counts) for frame in frames if "gone" in frame.counts] == [{"gone": 1}]
    assert alarms.people() == {"Anna": 2}


@pytest.mark.parametrize(
    ("arguments", "environ", "code", "says"),
    [
        ([], {"AWS_ACCESS_KEY_ID": "nobody"}, 78, "the access key is not known there.*set AWS_ACCESS_KEY_ID"),
        ([], {"AWS_SECRET_ACCESS_KEY": "wrong"}, 78, "the secret key is wrong.*set AWS_ACCESS_KEY_ID"),
        ([], {"AWS_ACCESS_KEY_ID": "stranger"}, 78, "may not be listed.*allow s3:ListBucket"),
        (
            [],
            {"AWS_ACCESS_KEY_ID": "", "AWS_SECRET_ACCESS_KEY": ""},
            78,
            "Unable to locate credentials.*set AWS_",
        ),
        ([], {"AWS_PROFILE": "missing", "AWS_ACCESS_KEY_ID": ""}, 78, "profile .*could not be found"),
        (["--bucket", "not-there"], {}, 65, "there is no such bucket; check --bucket and --endpoint-url"),
        (["--bucket", "No/Bucket"], {}, 65, "must be the name of a bucket"),
        (["--endpoint-url", "localhost:1"], {}, 78, "the endpoint must be like http://"),
        (
            ["--endpoint-url", "http://127.0.0.1:1"],
            {"AWS_MAX_ATTEMPTS": "1"},
            75,
            "no answer.*run the command again",
        ),
        (["--endpoint-url", "http://no.invalid"], {"AWS_MAX_ATTEMPTS": "1"}, 75, "no answer"),
    ],
    ids=[
        "key",
        "secret",
        "listing",
        "none",
        "profile",
        "bucket",
        "name",
        "endpoint",
        "refused",
        "no-network",
    ],
)
def test_what_ends_a_run_is_one_line(
    alarms: Alarms, arguments: list[str], environ: dict[str, str], code: int, says: str
) -> None:
    """It says where, what is wrong and what to do; the exit code is that of its kind."""
    done = alarms.run(*arguments, code=code, **environ)
    (line,) = done.stderr.splitlines()
    assert line.startswith("face-det: s3://")
    assert re.search(says, line), line
    assert alarms.tree() == {}


def test_frames_that_may_not_be_read(alarms: Alarms) -> None:
    """Somebody who may only list is told; nothing is taken for finished."""
    for number in range(3):
        alarms.put(f"{number}.jpg", draw_frame(), [person("Anna")])
    done = alarms.run(code=78, AWS_ACCESS_KEY_ID="lister")
    assert done.summary["skipped"]["refused"] == 3
    assert "3 objects may not be read; allow s3:GetObject" in done.stderr
    for number in range(3, 30):
        alarms.put(f"{number}.jpg", draw_frame(), [person("Anna")])
    done = alarms.run(code=78, AWS_ACCESS_KEY_ID="lister")
    assert done.stderr.splitlines()[-1].endswith("allow s3:GetObject to this user")
    assert alarms.run().summary["pictures"] == 30


def many(alarms: Alarms, count: int) -> None:
    """Frames that differ, with two people each."""
    for number in range(count):
        body = draw_frame(200 + number, 100)
        alarms.put(f"{number:03d}.png", body, [person("Anna"), person("Bob", 10, 10, 150 + number, 90)])


def until_saved(folder: Path, count: int, process: Forked) -> None:
    """Wait for so many pictures, or for the end of the process."""
    until(lambda: len(list(folder.rglob("*.jpg"))) >= count or process.poll() is not None, "pictures")


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGINT])
def test_an_interrupted_run_goes_on(alarms: Alarms, tmp_path: Path, number: int) -> None:
    """Killed or stopped with Ctrl-C in the middle, and run again: the same as one clean run."""
    many(alarms, 60)
    clean = alarms.run("--output", str(tmp_path / "clean"))
    saved = alarms.output
    for stop in (1, 20, 50):
        command = alarms.command("--json", "--workers", "2")
        with (tmp_path / "out").open("wb") as out:
            process = Forked(command, env=alarms.server.environ(), stdout=out, stderr=out)
            until_saved(saved, stop, process)
            process.send_signal(number)
            code = process.wait(PATIENCE_S)
        assert code in (-number, 130, 0), (tmp_path / "out").read_text()
        assert len(alarms.tree()) < 120 or stop == 50
    done = alarms.run()
    assert alarms.tree() == alarms.tree(tmp_path / "clean")
    assert {**done.summary, "earlier": 0, "output": ""} == {**clean.summary, "output": ""}
    assert not list(saved.rglob("*.tmp"))


@pytest.mark.slow
def test_ctrl_c_prints_what_there_is(alarms: Alarms, tmp_path: Path) -> None:
    """The summary says that it was interrupted, and the next run has that work behind it."""
    many(alarms, 40)
    with (tmp_path / "out").open("w") as out, (tmp_path / "err").open("w") as err:
        process = Forked(
            alarms.command("--json", "--workers", "1"), env=alarms.server.environ(), stdout=out, stderr=err
        )
        until(lambda: len(list(alarms.output.rglob("*.jpg"))) >= 10, "pictures")
        process.send_signal(signal.SIGINT)
        assert process.wait(PATIENCE_S) == 130
    summary = json.loads((tmp_path / "out").read_text())
    assert summary["interrupted"] is True
    assert 0 < summary["objects"] < 40
    assert "run the command again to go on" in (tmp_path / "err").read_text()
    assert alarms.run().summary["earlier"] == summary["objects"]


def test_a_full_disk(alarms: Alarms, disk: Callable[..., Path]) -> None:
    """It is told in one line, nothing half is left, and with room the run goes on."""
    many(alarms, 10)
    place = disk("size=1m")
    alarms.output = place / "frames"
    fill(place)
    done = alarms.run(code=75)
    (line,) = done.stderr.splitlines()
    assert "No space left on device" in line or "disk is full" in line
    assert "make room" in line
    assert all(data.endswith(b"\xff\xd9") for data in alarms.tree().values())
    (place / "filler").unlink()
    assert alarms.run().summary["pictures"] == 20
    assert len(alarms.tree()) == 20


def test_a_full_disk_in_the_middle(alarms: Alarms, disk: Callable[..., Path]) -> None:
    """What was saved before is whole."""
    many(alarms, 40)
    place = disk("size=120k")
    alarms.output = place / "frames"
    assert "make room" in alarms.run(code=75).stderr
    assert all(data.endswith(b"\xff\xd9") for data in alarms.tree().values())
    assert not list(alarms.output.rglob("*.tmp"))


def test_a_linked_folder_ends_the_run(alarms: Alarms, tmp_path: Path) -> None:
    """Nothing is written by way of it; once it is gone, the frame is saved after all."""
    alarms.put("1.jpg", draw_frame(), [person("Anna")])
    (tmp_path / "elsewhere").mkdir()
    alarms.output.mkdir()
    (alarms.output / "Anna").symlink_to(tmp_path / "elsewhere")
    assert "links are not followed" in alarms.run(code=65).stderr
    assert not list((tmp_path / "elsewhere").iterdir())
    (alarms.output / "Anna").unlink()
    assert alarms.run().summary["pictures"] == 1


@pytest.mark.parametrize("cuts", [1, 2])
def test_a_body_that_breaks_off_is_read_again(alarms: Alarms, cuts: int) -> None:
    """Neither http.client nor botocore repeats what breaks off in the middle of an object."""
    body = np.random.default_rng(0).bytes(200_000)
    alarms.put("1.png", body, [person("Anna")])
    with closing(CuttingProxy(alarms.server.port, cuts=cuts)) as proxy, opened(alarms, proxy.url) as bucket:
        _, data = bucket.read("1.png", lambda _: True)
    assert (data == body, proxy.cut) == (True, cuts)


@pytest.mark.parametrize(
    ("region", "signed"), [("us-east-1", "&Signature="), ("eu-south-2", "&X-Amz-Signature=")]
)
def test_each_object_is_asked_for_once(alarms: Alarms, region: str, signed: str) -> None:
    """By an address that is signed, over one connection, without botocore, which takes longer for both."""
    keys = ["1.jpg", "x y/ü+&?#%.jpg", "a//b.jpg", "b~'()*.jpg"]
    for key in keys:
        alarms.put(key, key.encode(), [person("Jörg")])
    with (
        closing(CuttingProxy(alarms.server.port, cuts=0)) as proxy,
        opened(alarms, proxy.url, AWS_DEFAULT_REGION=region) as bucket,
    ):
        read = [bucket.read(key, lambda found: "labels" in found) for key in keys]
    assert [data for _, data in read] == [key.encode() for key in keys]
    assert len(proxy.requests) == len(keys)
    assert all(signed in one for one in proxy.requests)
    assert proxy.connections == 1


@pytest.mark.parametrize(
    ("region", "style", "own"),
    [("us-east-1", "path", True), ("eu-south-2", "path", True), ("eu-south-2", "virtual", False)],
)
@pytest.mark.parametrize("token", ["", "a+token/="])
def test_addresses_are_botocores(tmp_path: Path, region: str, style: str, own: bool, token: str) -> None:
    """Letter by letter, whatever the key and the kind of signature; what is not known botocore signs."""
    (tmp_path / "aws").write_text(f"[default]\nregion = {region}\ns3 =\n    addressing_style = {style}\n")
    keys = ["1.jpg", "x y/ü+&?#%.jpg", "a//b", "/a/../b", "~-_.!*'();:@&=+$,/?#[]%41", "x" * 900]
    environ = {"AWS_CONFIG_FILE": str(tmp_path / "aws"), "AWS_SESSION_TOKEN": token}
    environ |= {"AWS_ACCESS_KEY_ID": "AKIA/+=", "AWS_SECRET_ACCESS_KEY": "secret"}
    with mock.patch.dict(os.environ, environ):
        session = botocore.session.get_session()
        client = session.create_client("s3", endpoint_url="http://host.example:8333")
        credentials = session.get_credentials()
    signer = AddressSigner(client, credentials, "alarms")
    with mock.patch.object(client, "generate_presigned_url", wraps=client.generate_presigned_url) as asked:
        signer.sign("first")
        made = 0
        for key in keys:
            wanted = {"Bucket": "alarms", "Key": key}
            # Both have the time in them, in seconds.
            for _ in "123":
                made += 1
                same = signer.sign(key) == client.generate_presigned_url("get_object", wanted, 300)
                if same:
                    break
            assert same, key
    assert asked.call_count == (1 + made if own else 2 + 2 * made)


def test_a_server_without_signed_addresses(alarms: Alarms) -> None:
    """Objects are read as botocore reads them, and the other way is not tried for ever."""
    alarms.put("1.jpg", b"a body", [person("Anna")])
    with closing(CuttingProxy(alarms.server.port, cuts=0)) as proxy, opened(alarms, proxy.url) as bucket:
        bucket._client.generate_presigned_url = lambda *_, **__: (
            f"{proxy.url}/{alarms.name}/1.jpg?Signature=wrong"
        )
        for _ in range(15):
            assert bucket.read("1.jpg", lambda _: True)[1] == b"a body"
    assert sum("Signature=wrong" in line for line in proxy.requests) == 10
    assert len(proxy.requests) == 25
