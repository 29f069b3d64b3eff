"""Strangers come from a copy of LFW, or from scikit-learn, whose real code runs on a copy made here."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
import tarfile
from pathlib import Path
from urllib.error import URLError

import numpy as np
import pytest
from click.testing import CliRunner, Result
from PIL import Image

from face_det.cli.fetch_lfw import command
from face_det.errors import DataError, FaceDetError, TryAgain
from face_det.sources import lfw

PEOPLE = {"Ann_Able": 3, "Bob_Baker": 1, "Cy_Cole": 2, "Dee_Dunn": 1, "Ed_Eve": 1}


def picture(number: int, side: int = 50) -> bytes:
    """Return a JPEG of one colour that depends on the number."""
    data = io.BytesIO()
    Image.new("RGB", (side, side), (number * 20 % 256, 90, 200)).save(data, "JPEG", quality=95)
    return data.getvalue()


def folders(place: Path, people: dict[str, int] = PEOPLE) -> Path:
    """Write a copy as LFW's archives unpack: NAME/NAME_0001.jpg."""
    for number, (name, count) in enumerate(people.items()):
        (place / name).mkdir(parents=True)
        for index in range(1, count + 1):
            (place / name / f"{name}_{index:04d}.jpg").write_bytes(picture(number))
    return place


def archive(path: Path, source: Path, root: str = "lfw") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    with tarfile.open(path, "w:gz") as file:
        file.add(source, root)
    return path


def names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


def run(*arguments: object) -> Result:
    return CliRunner().invoke(command, [str(argument) for argument in arguments])


@pytest.fixture(autouse=True)
def _in_a_folder_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


@pytest.mark.parametrize("shape", ["lfw", "lfw_home", "flat", "tgz"])
def test_every_shape_of_copy(tmp_path: Path, shape: str) -> None:
    """Folders, folders one level down, a flat folder, and the archive give the same photos."""
    copy = folders(tmp_path / "copy" / "lfw")
    if shape == "lfw_home":
        copy = copy.parent
    elif shape == "tgz":
        copy = archive(tmp_path / "lfw.tgz", copy)
    elif shape == "flat":
        flat = tmp_path / "flat"
        flat.mkdir()
        for path in copy.rglob("*.jpg"):
            path.rename(flat / path.name)
        copy = flat
    found = lfw.fetch_strangers(copy, tmp_path / "out", count=5)
    assert names(tmp_path / "out") == {f"{name}_0001.jpg" for name in PEOPLE}
    assert len(found.written) == 5
    assert (tmp_path / "out" / "Dee_Dunn_0001.jpg").read_bytes() == picture(3)


def test_second_photos_only_where_people_run_out(tmp_path: Path) -> None:
    """Strangers should be many people: nobody appears twice before everybody has appeared once."""
    copy = folders(tmp_path / "lfw")
    lfw.fetch_strangers(copy, tmp_path / "out", count=7)
    assert {f"{name}_0001.jpg" for name in PEOPLE} < names(tmp_path / "out")
    found = lfw.fetch_strangers(copy, tmp_path / "out", count=99)
    assert len(found.written) + len(found.there) == sum(PEOPLE.values())


def test_same_seed_same_strangers(tmp_path: Path) -> None:
    """A larger count adds to the earlier photos; another seed picks others."""
    copy = folders(tmp_path / "lfw", {f"Person_{letter}": 1 for letter in "abcdefghijkl"})
    for seed, count, place in ((1, 4, "a"), (1, 4, "b"), (1, 6, "c"), (2, 4, "d")):
        lfw.fetch_strangers(copy, tmp_path / place, count=count, seed=seed)
    assert names(tmp_path / "a") == names(tmp_path / "b") < names(tmp_path / "c")
    assert names(tmp_path / "d") != names(tmp_path / "a")


def test_what_is_there_is_left_as_it_is(tmp_path: Path) -> None:
    """A second run writes nothing, and a changed file stays changed."""
    copy = folders(tmp_path / "lfw")
    assert json.loads(run("--from", copy, "-n", 5, "--json").stdout)["there"] == []
    unknown = tmp_path / "dataset" / "Unknown"
    (unknown / "Ed_Eve_0001.jpg").write_bytes(b"mine")
    again = json.loads(run("--from", copy, "-n", 5, "--json").stdout)
    assert again["written"] == []
    assert len(again["there"]) == 5
    assert (unknown / "Ed_Eve_0001.jpg").read_bytes() == b"mine"


@pytest.mark.parametrize("folder", ["Bob_Baker", "bob baker", "BOB.BAKER", "Bób Baker"])
def test_nobody_who_is_enrolled(tmp_path: Path, folder: str) -> None:
    """Enrolled people are skipped however their names are written."""
    copy = folders(tmp_path / "lfw")
    (tmp_path / "dataset" / folder).mkdir(parents=True)
    result = run("--from", copy, "-n", 9)
    assert result.exit_code == 0, result.output
    assert "skipped, because enrolled: Bob_Baker" in result.stdout
    assert "9 requested, but the copy has only 7" in result.stdout
    assert not [name for name in names(tmp_path / "dataset" / "Unknown") if name.startswith("Bob")]


def test_resize_scales_and_saves_as_jpeg(tmp_path: Path) -> None:
    """The option -r is the original's ratio; colours stay as they are."""
    copy = folders(tmp_path / "lfw", {"Ann_Able": 1, "Bob_Baker": 1})
    assert run("--from", copy, "-n", 2, "-r", 0.5, "-o", "small").exit_code == 0
    with Image.open(tmp_path / "small" / "Bob_Baker_0001.jpg") as small:
        assert small.size == (25, 25)
        assert np.abs(np.asarray(small).mean(axis=(0, 1)) - (20, 90, 200)).max() < 3


def test_damaged_photos_are_passed_over(tmp_path: Path) -> None:
    """A truncated photo is replaced by another, and a line says so."""
    copy = folders(tmp_path / "lfw")
    (copy / "Ed_Eve" / "Ed_Eve_0001.jpg").write_bytes(picture(4)[:300])
    result = run("--from", copy, "-n", 5)
    assert "skipped: Ed_Eve/Ed_Eve_0001.jpg" in result.stderr
    assert len(names(tmp_path / "dataset" / "Unknown")) == 5
    assert "Ed_Eve_0001.jpg" not in names(tmp_path / "dataset" / "Unknown")


def test_archives_write_only_where_they_may(tmp_path: Path) -> None:
    """Paths that lead outside, links and devices in an archive are ignored."""
    path = tmp_path / "deep" / "evil.tgz"
    path.parent.mkdir()
    with tarfile.open(path, "w:gz") as file:
        for name in ("../../Out_0001.jpg", "/tmp/Abs_0001.jpg", "a/..\n_0001.jpg"):
            member = tarfile.TarInfo(name)
            member.size = len(picture(1))
            file.addfile(member, io.BytesIO(picture(1)))
        link = tarfile.TarInfo("lfw/Link/Link_0001.jpg")
        link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
        file.addfile(link)
    before = set(tmp_path.rglob("*"))
    lfw.fetch_strangers(path, tmp_path / "deep" / "out", count=9)
    assert (tmp_path / "deep" / "out").stat().st_mode & 0o777 == 0o700, "as all folders of photos"
    new = {found.relative_to(tmp_path).as_posix() for found in set(tmp_path.rglob("*")) - before}
    assert all(name.startswith("deep/out") for name in new), new
    assert not any("Link" in name for name in new)


@pytest.mark.parametrize("kind", ["nothing", "empty", "text", "cut"])
def test_what_is_no_copy_is_refused(tmp_path: Path, kind: str) -> None:
    """The error is one line that says what is expected."""
    place = tmp_path / "copy"
    if kind == "empty":
        place.mkdir()
    elif kind == "text":
        place.write_text("no archive")
    elif kind == "cut":
        whole = archive(tmp_path / "whole.tgz", folders(tmp_path / "lfw")).read_bytes()
        place.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(DataError, match=r"must be a folder NAME/NAME_0001\.jpg"):
        lfw.fetch_strangers(place, tmp_path / "out", count=3)


def sklearn_home(place: Path) -> Path:
    """Put what scikit-learn expects into its folder, so that it downloads nothing."""
    home = place / "lfw_home"
    home.mkdir(parents=True)
    for name in ("pairsDevTrain.txt", "pairsDevTest.txt", "pairs.txt"):
        (home / name).write_text("")
    return home


def test_scikit_learn_unpacks_and_we_take_the_files(tmp_path: Path) -> None:
    """scikit-learn's real code unpacks an archive from where it would have downloaded it to."""
    home = sklearn_home(tmp_path / "data")
    archive(home / "lfw.tgz", folders(tmp_path / "lfw"))
    result = run("-d", tmp_path / "data", "-n", 5)
    assert result.exit_code == 0, result.output
    assert names(tmp_path / "dataset" / "Unknown") == {f"{name}_0001.jpg" for name in PEOPLE}
    assert (home / "lfw").is_dir()
    assert not (home / "lfw.tgz").exists()


def test_an_unpacking_that_was_cut_off_is_not_taken_for_whole(tmp_path: Path) -> None:
    """While the archive is still beside the folder, the archive is used."""
    home = sklearn_home(tmp_path / "data")
    archive(home / "lfw.tgz", folders(tmp_path / "lfw"))
    folders(home / "lfw", {"Ann_Able": 1})
    assert lfw.download_lfw(tmp_path / "data") == home / "lfw.tgz"


@pytest.mark.parametrize("folder", ["lfw", "lfw_funneled"])
def test_what_scikit_learn_has_is_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, folder: str) -> None:
    """Nothing is downloaded if photos are there, even the funneled ones that the original's script left."""
    home = sklearn_home(tmp_path / "data")
    folders(home / folder)
    monkeypatch.setenv("SCIKIT_LEARN_DATA", str(tmp_path / "data"))
    assert lfw.download_lfw(None) == home / folder


@pytest.mark.parametrize(
    ("raised", "kind", "said"),
    [
        (URLError("no route"), TryAgain, "no route"),
        (TimeoutError("timed out"), TryAgain, "timed out"),
        (OSError("The SHA256 checksum of lfw.tgz differs"), TryAgain, "SHA256"),
        (PermissionError(13, "Permission denied"), FaceDetError, "cannot be written: Permission denied"),
        (OSError(28, "No space left on device"), FaceDetError, "No space left"),
        (EOFError("Compressed file ended"), FaceDetError, "damaged"),
    ],
)
def test_every_way_to_fail_has_a_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, raised: Exception, kind: type[FaceDetError], said: str
) -> None:
    """A network failure may be retried; a full disk may not."""

    def fail(**_: object) -> None:
        raise raised

    monkeypatch.setattr(lfw, "fetch_lfw_people", fail)
    with pytest.raises(FaceDetError, match=said) as caught:
        lfw.download_lfw(tmp_path)
    assert type(caught.value) is kind


@pytest.mark.slow
def test_without_a_network(tmp_path: Path) -> None:
    """A proxy that does not answer gives exit code 75 and advice, from the script too."""
    script = Path(__file__).parents[2] / "scripts" / "fetch_lfw_faces.py"
    environ = {
        "https_proxy": "http://127.0.0.1:9",
        "HTTPS_PROXY": "http://127.0.0.1:9",
        "HOME": str(tmp_path),
        # Where tests/conftest.py has compiled modules kept.
        "PYTHONPYCACHEPREFIX": os.environ["PYTHONPYCACHEPREFIX"],
    }
    done = subprocess.run(
        [sys.executable, script, "-n", "3", "-d", tmp_path / "home"],
        env=environ,
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 75, done.stderr
    assert done.stderr.startswith("face-det: LFW: cannot be downloaded (")
    assert "--from lfw/" in done.stderr
    assert done.stderr.count("\n") == 1
    assert not (tmp_path / "dataset").exists()


@pytest.mark.slow
def test_interrupted_leaves_whole_files_only(tmp_path: Path) -> None:
    """Ctrl-C exits with 130 and leaves only whole photos; the next run continues."""
    copy = folders(tmp_path / "lfw", {f"Person_{number}": 1 for number in range(400)})
    code = (
        "import os, signal\n"
        "from face_det.cli.main import run_cli\n"
        "put, count = os.fsync, iter(range(10**6))\n"
        "def fsync(descriptor):\n"
        "    if next(count) == 41: os.kill(os.getpid(), signal.SIGINT)\n"
        "    put(descriptor)\n"
        "os.fsync = fsync\n"
        f"run_cli(['fetch-lfw', '--from', {str(copy)!r}, '-n', '400'])\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 130, done.stderr
    unknown = tmp_path / "dataset" / "Unknown"
    lying = names(unknown)
    assert 0 < len(lying) < 400
    assert all(name.endswith(".jpg") for name in lying)
    for path in unknown.iterdir():
        with Image.open(path) as image:
            image.load()
    assert len(lfw.fetch_strangers(copy, unknown, count=400).there) == len(lying)
