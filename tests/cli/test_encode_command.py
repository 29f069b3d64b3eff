"""`face-det encode` on real photos: the report, re-runs, kills, Ctrl-C."""

from __future__ import annotations

import base64
import importlib.util
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import forked
import PIL.Image
import psutil
import pytest
from PIL import Image

from face_det.cli import encode
from face_det.cli.main import run_cli
from face_det.gallery.encoding_cache import encoding_cache_path
from face_det.gallery.gallery import Gallery

# Lines of progress come by the clock: how slow the machine is must not decide what is on stderr.
WITHOUT_PROGRESS = "from face_det.cli import main, progress; progress.LINE_EVERY_S = 3600; main.run_cli()"
COMMAND = [sys.executable, "-c", WITHOUT_PROGRESS, "encode", "-d", "hog", "--upsample", "0"]
HEIC = Path(__file__).parents[1] / "support" / "data" / "astronaut.heic.base64"
SCRIPT = Path(__file__).parents[2] / "scripts" / "encode_faces.py"


@pytest.fixture
def dataset(tmp_path: Path, photos: Mapping[str, Path]) -> Path:
    """Three people, and photos that cannot be used."""
    return three_people(tmp_path / "dataset", photos)


def three_people(folder: Path, photos: Mapping[str, Path]) -> Path:
    for target, name in {
        "obama/1.jpg": "obama",
        "obama/2.JPG": "obama2",
        "obama/3.jpg": "obama3",
        "biden/1.jpg": "biden",
        "biden/crowd.jpg": "t1",
        "hopper/1.jpg": "grace_hopper",
        "hopper/cat.png": "chelsea",
    }.items():
        (folder / target).parent.mkdir(parents=True, exist_ok=True)
        if name in ("t1", "chelsea"):
            shutil.copy(photos[name], folder / target)
        else:
            small(photos[name], folder / target)
    (folder / "biden" / "text.jpg").write_text("hello")
    return folder


def small(photo: Path, target: Path) -> Path:
    """Small photos are encoded in a moment; nothing here depends on their size."""
    with PIL.Image.open(photo) as picture:
        smaller = picture.convert("RGB")
    smaller.thumbnail((500, 500))
    smaller.save(target, "JPEG", quality=95)
    return target


@pytest.fixture
def encodings(tmp_path: Path) -> Path:
    return tmp_path / "out" / "encodings.pickle"


def command(dataset: Path, encodings: Path, *more: str) -> list[str]:
    return [*COMMAND, "-i", str(dataset), "-e", str(encodings), *more]


def run(dataset: Path, encodings: Path, *more: str) -> subprocess.CompletedProcess[str]:
    return forked.run(command(dataset, encodings, *more))


def report(dataset: Path, encodings: Path, *more: str) -> dict[str, Any]:
    done = run(dataset, encodings, "--json", *more)
    assert done.returncode == 0, done.stderr
    values: dict[str, Any] = json.loads(done.stdout)
    return values


@pytest.fixture(scope="module")
def first(
    tmp_path_factory: pytest.TempPathFactory, photos: Mapping[str, Path]
) -> tuple[Path, Path, subprocess.CompletedProcess[str]]:
    """Such a dataset, the encodings of it, and what was said: only to be read."""
    folder = tmp_path_factory.mktemp("first")
    dataset, encodings = three_people(folder / "dataset", photos), folder / "out" / "encodings.pickle"
    return dataset, encodings, run(dataset, encodings, "--jobs", "2")


def counts(values: dict[str, Any]) -> tuple[int, int, int]:
    return values["encoded"], values["reused"], len(values["leftOut"])


def test_the_journey(first: tuple[Path, Path, subprocess.CompletedProcess[str]], encodings: Path) -> None:
    """A table of people, each photo that was left out with its reason, a file that loads; re-runs reuse."""
    dataset, written, done = first
    assert (done.returncode, done.stderr) == (0, "")
    lines = done.stdout.splitlines()
    assert [line.split() for line in lines[:4]] == [
        ["person", "encoded", "reused", "left", "out"],
        ["biden", "1", "0", "2"],
        ["hopper", "1", "0", "1"],
        ["obama", "3", "0", "0"],
    ]
    left = {line.split(": ")[1]: line.split(": ")[2].split()[0] for line in lines[4:7]}
    assert left == {
        str(dataset / "biden" / "crowd.jpg"): "several_faces",
        str(dataset / "biden" / "text.jpg"): "bad_image",
        str(dataset / "hopper" / "cat.png"): "no_face",
    }
    assert lines[7] == f"{written}: 5 encodings of 3 people"
    gallery = Gallery.load(written)
    assert gallery.names == ("biden", "hopper", "obama", "obama", "obama")
    content = written.read_bytes()
    assert written.stat().st_mode & 0o777 == 0o600
    shutil.copytree(written.parent, encodings.parent)
    again = report(dataset, encodings)
    assert counts(again) == (0, 5, 3)
    assert again["people"][0] == {"name": "biden", "encoded": 0, "reused": 1, "leftOut": 2}
    assert encodings.read_bytes() == content
    encodings.unlink()
    encoding_cache_path(encodings).unlink()
    assert counts(report(dataset, encodings, "--jobs", "1")) == (5, 0, 3)
    assert encodings.read_bytes() == content, "the same with one process"


def test_encodings_tell_people_apart(first: tuple[Path, Path, subprocess.CompletedProcess[str]]) -> None:
    """What is written are encodings of these faces: photos of one person are near, of two far."""
    _, encodings, done = first
    assert done.returncode == 0, done.stderr
    gallery = Gallery.load(encodings)
    by_name = {
        name: [row for row, owner in zip(gallery.encodings, gallery.names, strict=True) if owner == name]
        for name in gallery.people
    }

    def distance(a: Any, b: Any) -> float:
        return float(((a - b) ** 2).sum() ** 0.5)

    assert all(distance(by_name["obama"][0], other) < 0.6 for other in by_name["obama"][1:])
    assert all(distance(by_name["biden"][0], other) > 0.6 for other in by_name["obama"])


@contextmanager
def started(dataset: Path, encodings: Path) -> Iterator[tuple[subprocess.Popen[str], list[psutil.Process]]]:
    """A run that is under way, in a process group of its own, with some photos done and some not."""
    for number in range(24):
        # Copies with other bytes behind the picture: so many different photos.
        source = dataset / "obama" / "1.jpg"
        (dataset / "obama" / f"more{number}.jpg").write_bytes(source.read_bytes() + bytes([number]))
    with subprocess.Popen(
        command(dataset, encodings, "--jobs", "2"),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    ) as process:
        deadline = time.monotonic() + 120
        while _kept(encodings) < 3:
            assert process.poll() is None, process.communicate()
            assert time.monotonic() < deadline
            time.sleep(0.01)
        workers = psutil.Process(process.pid).children(recursive=True)
        assert workers
        yield process, workers


def _kept(encodings: Path, mode: str = "ro") -> int:
    """Photos in the cache. With `rw` also what sqlite has to undo first, after a kill in mid-commit."""
    import sqlite3

    if not encoding_cache_path(encodings).exists():
        return 0
    connection = sqlite3.connect(f"file:{encoding_cache_path(encodings)}?mode={mode}", uri=True)
    try:
        return int(connection.execute("SELECT count(*) FROM photos").fetchone()[0])
    except sqlite3.OperationalError:
        return 0
    finally:
        connection.close()


def _old(encodings: Path) -> bytes:
    encodings.parent.mkdir(parents=True)
    encodings.write_bytes(Gallery.empty().plus("old", [0.5] * 128).dumps())
    return encodings.read_bytes()


@pytest.mark.slow
def test_kill(dataset: Path, encodings: Path) -> None:
    """kill -9: the old file loads, no process remains, and the next run goes on from there."""
    old = _old(encodings)
    with started(dataset, encodings) as (process, workers):
        process.send_signal(signal.SIGKILL)
    _gone, alive = psutil.wait_procs(workers, timeout=300)
    assert not alive
    assert encodings.read_bytes() == old
    kept = _kept(encodings, "rw")
    assert 3 <= kept < 32
    values = report(dataset, encodings, "--jobs", "1")
    assert values["reused"] + len(values["leftOut"]) >= kept
    assert values["encoded"] + values["reused"] == 5 + 24
    assert len(Gallery.load(encodings).names) == 29


@pytest.mark.slow
def test_interrupt(dataset: Path, encodings: Path) -> None:
    """Ctrl-C goes to all processes of the terminal: 130, how far it came, no traceback, nothing lost."""
    old = _old(encodings)
    with started(dataset, encodings) as (process, workers):
        os.killpg(process.pid, signal.SIGINT)
        out, err = process.communicate(timeout=300)
    assert process.returncode == 130
    assert out == ""
    lines = err.splitlines()
    assert len(lines) == 1, err
    assert lines[0].startswith("face-det: interrupted after ")
    assert f"of 32 photos, which are kept for the next run; {encodings} is unchanged" in lines[0]
    _gone, alive = psutil.wait_procs(workers, timeout=300)
    assert not alive
    assert encodings.read_bytes() == old
    assert int(lines[0].split()[3]) <= _kept(encodings, "rw") < 32


@pytest.mark.parametrize(
    ("when", "told"),
    [
        ("before", "before the first photo was encoded; {} is unchanged"),
        ("after", "when all was done; {} is complete"),
    ],
)
def test_an_interrupt_at_either_end(
    dataset: Path,
    encodings: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    when: str,
    told: str,
) -> None:
    """Ctrl-C before the first photo and after the file was written: just that is said."""
    real = encode.update_encodings

    def interrupted(*args: Any, **settings: Any) -> None:
        if when == "after":
            real(*args, **settings)
        raise KeyboardInterrupt

    old = _old(encodings)
    monkeypatch.setattr(encode, "update_encodings", interrupted)
    arguments = [
        "encode",
        "-d",
        "hog",
        "--upsample",
        "0",
        "-j",
        "1",
        "-i",
        str(dataset),
        "-e",
        str(encodings),
    ]
    with pytest.raises(SystemExit) as ended:
        run_cli(arguments)
    assert ended.value.code == 130
    assert capsys.readouterr().err.splitlines()[-1] == f"face-det: interrupted {told.format(encodings)}"
    assert (encodings.read_bytes() == old) is (when == "before")


@pytest.mark.parametrize("kind", ["missing", "empty", "unusable"])
def test_nothing_to_encode(tmp_path: Path, encodings: Path, photos: Mapping[str, Path], kind: str) -> None:
    """No dataset, nobody in it, or not one photo that can be used: 65, and the old file stays."""
    old = _old(encodings)
    dataset = tmp_path / "dataset"
    if kind != "missing":
        (dataset / "anna").mkdir(parents=True)
    if kind == "unusable":
        shutil.copy(photos["chelsea"], dataset / "anna" / "cat.png")
    done = run(dataset, encodings, "--jobs", "1")
    assert done.returncode == 65
    assert done.stdout == ""
    assert done.stderr.startswith(f"face-det: {dataset}: must ")
    assert done.stderr.count("\n") == 1
    assert ("cat.png: no_face" in done.stderr) is (kind == "unusable")
    assert encodings.read_bytes() == old


def test_bad_config(tmp_path: Path, dataset: Path, encodings: Path) -> None:
    """A configuration that cannot be used ends with 78 before anything is done."""
    (tmp_path / "config.json").write_text('{"faceDetServer": {"minFce": 1}}')
    done = run(dataset, encodings, "--config", str(tmp_path / "config.json"))
    assert done.returncode == 78
    assert "did you mean minFace?" in done.stderr
    assert not encodings.parent.exists()


@pytest.mark.slow
def test_settings_come_from_the_config(tmp_path: Path, dataset: Path) -> None:
    """datasetPath, encodingsPath and minFace of config.json are used where nothing else is said."""
    settings = {
        "datasetPath": "./dataset",
        "encodingsPath": "./e.pickle",
        "minFace": 10_000,
        "faceDetModel": "hog",
    }
    (tmp_path / "config.json").write_text(json.dumps({"faceDetServer": settings}))
    done = subprocess.run(
        [*COMMAND[:4], "--config", str(tmp_path / "config.json"), "--jobs", "1", "--upsample", "0"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 65
    assert f"{dataset}: must hold photos of one face each" in done.stderr
    assert "1.jpg: too_small" in done.stderr


@pytest.mark.slow
def test_the_originals_script(dataset: Path, encodings: Path) -> None:
    """scripts/encode_faces.py keeps its flags, and needs the first two."""
    for name in ("obama/2.JPG", "obama/3.jpg", "biden/crowd.jpg"):
        (dataset / name).unlink()
    script = [sys.executable, str(SCRIPT)]
    flags = ["-i", str(dataset), "--encodings", str(encodings), "-d", "hog"]
    done = forked.run([*script, *flags])
    assert done.returncode == 0, done.stderr
    assert Gallery.load(encodings).people == ("biden", "hopper", "obama")
    for wrong, expected in ((flags[:2], "required"), ([*flags[:4], "-d", "xyz"], "'xyz' is not one of")):
        done = forked.run([*script, *wrong])
        assert done.returncode == 2
        assert expected in done.stderr
    assert subprocess.run([*script, "--help"], capture_output=True, check=False).returncode == 0


@pytest.mark.slow
def test_nothing_is_left_out_without_a_word(
    tmp_path: Path, encodings: Path, photos: Mapping[str, Path]
) -> None:
    """AVIF, HEIC and files without a suffix are photos; what is in the wrong place is listed."""
    dataset = tmp_path / "dataset"
    for name in ("anna/2023", "bob", "eileen", "tom: co"):
        (dataset / name).mkdir(parents=True)
    Image.open(photos["obama"]).save(dataset / "anna" / "1.avif")
    shutil.copy(photos["obama2"], dataset / "anna" / "photo")
    shutil.copy(photos["obama3"], dataset / "anna" / "2023" / "3.jpg")
    shutil.copy(photos["biden"], dataset / "loose.jpg")
    shutil.copy(photos["biden"], dataset / "tom: co" / "1.jpg")
    (dataset / "eileen" / "1.heic").write_bytes(base64.b64decode(HEIC.read_text()))
    (dataset / "anna" / "notes.txt").write_text("hello")
    (dataset / "anna" / "at-the-door.WAV").write_bytes(b"RIFF")
    # Somebody small at the edge does not make it unclear who the photo is of; six at a table do.
    behind = Image.open(photos["obama"])
    behind.paste(Image.open(photos["astronaut"]).crop((130, 0, 330, 240)))
    behind.save(dataset / "bob" / "main.png")
    shutil.copy(photos["t1"], dataset / "bob" / "six")
    values = report(dataset, encodings, "--jobs", "1")
    heic = importlib.util.find_spec("pi_heif") is not None
    assert {item["path"].removeprefix(f"{dataset}/"): item["reason"] for item in values["leftOut"]} == {
        "anna/2023/3.jpg": "in_subfolder",
        "bob/six": "several_faces",
        "loose.jpg": "no_person",
        "tom: co": "bad_name",
        **({} if heic else {"eileen/1.heic": "no_decoder"}),
    }
    assert values["notPictures"] == [str(dataset / "anna" / "notes.txt")]
    assert values["recordings"] == [str(dataset / "anna" / "at-the-door.WAV")]
    assert values["mainFaces"] == [str(dataset / "bob" / "main.png")]
    assert [(one["name"], one["encoded"]) for one in values["people"]] == [
        ("anna", 2),
        ("bob", 1),
        ("eileen", int(heic)),
    ]
    gallery = Gallery.load(encodings)
    anna, bob = (gallery.encodings[gallery.names.index(name)] for name in ("anna", "bob"))
    assert ((anna - bob) ** 2).sum() ** 0.5 < 0.6, "the main face is Obama's"
    done = run(dataset, encodings, "--jobs", "1")
    assert done.returncode == 0
    for line in (
        f"left out: {dataset}/anna/2023/3.jpg: in_subfolder (in a subfolder; move it up into anna/)",
        "not pictures: 1 (notes.txt)",
        "recordings: 1 (at-the-door.WAV); they are for face-det voice encode",
        f"main face of several: {dataset}/bob/main.png",
    ):
        assert line in done.stdout.splitlines()
    assert (done.stdout + done.stderr).count(f"{dataset}/tom: co") == 1


@pytest.mark.slow
def test_a_name_that_the_uploader_fails_on(
    tmp_path: Path, encodings: Path, photos: Mapping[str, Path]
) -> None:
    """Without asciiNames there is a warning, which is no part of the report; with it there is none."""
    (tmp_path / "dataset" / "Zoë").mkdir(parents=True)
    small(photos["obama2"], tmp_path / "dataset" / "Zoë" / "1.jpg")
    settings = tmp_path / "config.json"
    settings.write_text('{"faceDetServer": {"asciiNames": true}}')
    warning = "names beyond ASCII: 1; ZoneMinder's alarm uploader exits when it receives one"
    plain = run(tmp_path / "dataset", encodings, "--json")
    assert json.loads(plain.stdout)["encoded"] == 1
    assert warning in plain.stderr
    assert warning not in run(tmp_path / "dataset", encodings, "--config", str(settings)).stderr
