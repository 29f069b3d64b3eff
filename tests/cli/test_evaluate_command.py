"""`face-det evaluate`: real photos in, tables, JSON and a page out; what it says of bad data; Ctrl-C."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from face_det.cli import encode
from face_det.cli.evaluate import command
from face_det.errors import CannotWrite, DataError

pytestmark = pytest.mark.usefixtures("shared_networks")


@pytest.fixture(scope="module")
def photos(small_photos: dict[str, Path]) -> dict[str, Path]:
    """Nothing here depends on how large a photo is."""
    return small_photos


@pytest.fixture
def dataset(tmp_path: Path, photos: dict[str, Path]) -> Path:
    """Somebody with three photos, and four strangers; two of them are trained on."""
    folder = tmp_path / "dataset"
    for name, person in (("obama", "Obama"), ("obama2", "Obama"), ("obama3", "Obama")):
        copy(photos[name], folder / person)
    for name in ("biden", "astronaut", "nobody", "t1"):
        copy(photos[name], folder / "Unknown")
    return folder


def copy(photo: Path, folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    shutil.copy(photo, folder)


@pytest.fixture(autouse=True)
def _quick_and_apart(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The quickest detector, in a folder of its own, with a cache of its own."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("FACE_DET_FACEDETMODEL", "hog")
    monkeypatch.setenv("FACE_DET_NUMFACEIMGUPSAMPLE", "0")


def evaluate(*arguments: str) -> Result:
    return CliRunner().invoke(command, ["--cache", "kept.sqlite", "-j1", *arguments])


def test_figures_as_json_and_again_from_the_cache(dataset: Path) -> None:
    """Enrolled with two photos, the third is named; the second run looks at no photo and says the same."""
    first = evaluate(str(dataset), "--json", "--embedder", "dlib_resnet")
    assert first.exit_code == 0, first.output
    said = json.loads(first.stdout)
    assert said["enrolled"] == 2
    assert said["embedder"] == "dlib_resnet"
    assert said["openSet"]["knownRight"]["of"] == 1
    assert said["openSet"]["knownWrong"]["count"] == 0
    assert said["openSet"]["strangersNamed"]["of"] == 2
    assert said["openSet"]["strangersNamed"]["count"] == 0
    # The last two by name are tested, and in one of them there is nobody.
    assert said["openSet"]["strangersNoFace"]["count"] == 1
    again = evaluate(str(dataset), "--json", "--embedder", "dlib_resnet")
    assert json.loads(again.stdout) == said
    assert Path("kept.sqlite").stat().st_mode & 0o077 == 0


@pytest.mark.slow
def test_tables_and_a_page(dataset: Path) -> None:
    """All that can be asked for: on stdout, and as one file that is its owner's only."""
    result = evaluate(
        str(dataset),
        "--compare",
        "--degrade",
        "--photos",
        "1,2",
        "--html",
        "page.html",
        "--embedder",
        "dlib_resnet",
    )
    assert result.exit_code == 0, result.output
    for title in (
        "End to end",
        "The decision alone",
        "By photos enrolled",
        "Beside others' rules",
        "made worse",
    ):
        assert title in result.stdout
    said = " ".join(result.stdout.split())
    assert said.startswith(
        "Of 1 photo of known people, 1 is named rightly and none wrongly; of 2 photos of strangers, none are "
        "named."
    )
    assert "rightly, end to end" in said
    page = Path("page.html").read_text("utf-8")
    assert page.startswith("<!DOCTYPE html>")
    assert page.count("data:image/png;base64,") == 6


def test_held_out_photos(dataset: Path, tmp_path: Path, photos: dict[str, Path]) -> None:
    """All of the dataset is enrolled."""
    for name, person, held in (("obama3", "Obama", "Obama"), ("biden", "Unknown", "Joe")):
        copy(photos[name], tmp_path / "held" / held)
        (dataset / person / photos[name].name).unlink()
    result = evaluate(str(dataset), "--held-out", "held", "--json", "--embedder", "dlib_resnet")
    assert result.exit_code == 0, result.output
    said = json.loads(result.stdout)
    assert said["enrolled"] == 2
    assert said["strangersTrained"] == 1, "two of the three show nobody, or several people"
    assert said["openSet"]["knownRight"]["of"] == 1
    assert said["openSet"]["strangersNamed"]["of"] == 1


def test_a_gate_costs_names_end_to_end(dataset: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is too blurry is never named, and the verdict says so; the decision alone is as before."""
    asked = str(dataset), "--embedder", "dlib_resnet"
    free = json.loads(evaluate(*asked, "--json").stdout)
    assert free["endToEnd"]["knownRight"]["count"] == 1
    assert free["endToEnd"]["strangersUnnamed"]["no_face"]["count"] == 1
    encoded = count_cached()
    monkeypatch.setenv("FACE_DET_FOCUSMEASURETHRESHOLD", "100000")
    gated = json.loads(evaluate(*asked, "--json").stdout)
    assert gated["openSet"] == free["openSet"]
    assert gated["endToEnd"]["knownRight"]["count"] == 0
    assert gated["endToEnd"]["knownUnnamed"]["too_blurry"]["count"] == 1
    assert gated["endToEnd"]["strangersUnnamed"]["too_blurry"]["count"] == 1
    assert count_cached() == encoded, "no photo is encoded again for another gate"
    text = " ".join(evaluate(*asked).stdout.split())
    assert text.startswith("Of 1 photo of known people, none are named rightly and none wrongly;")
    assert "The face was too blurry in 1 photo of known people: lower focusMeasureThreshold" in text
    assert "Of 1 photo of known people, 1 was lost before the decision: 1 too blurry." in text


def count_cached() -> int:
    """How many results the cache holds."""
    with contextlib.closing(sqlite3.connect("kept.sqlite")) as cache:
        (count,) = cache.execute("SELECT count(*) FROM photos").fetchone()
    return int(count)


def test_enrols_what_encode_enrols(
    dataset: Path, tmp_path: Path, photos: dict[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The same photos are left out for the same reasons: several faces, none, too small, no picture."""
    for name in ("t1", "nobody", "hanks"):
        copy(photos[name], dataset / "Obama")
    (dataset / "Obama" / "broken.jpg").write_bytes(b"no picture")
    copy(photos["carphone"], tmp_path / "held" / "Joe")
    monkeypatch.setenv("FACE_DET_MINFACE", "100")
    asked = ["--embedder", "dlib_resnet", "--json", "-j1"]
    encoded = CliRunner().invoke(
        encode.command, ["--dataset", str(dataset), "--encodings", "encodings.pickle", *asked]
    )
    assert encoded.exit_code == 0, encoded.output
    report = json.loads(encoded.stdout)
    result = evaluate(str(dataset), "--held-out", "held", *asked)
    assert result.exit_code == 0, result.output
    said = json.loads(result.stdout)
    counts = {person["name"]: person["encoded"] for person in report["people"]}
    assert (said["enrolled"], said["strangersTrained"]) == (counts["Obama"], counts["Unknown"])
    reasons = Counter(item["reason"] for item in report["leftOut"])
    assert set(reasons) == {"several_faces", "no_face", "too_small", "bad_image"}
    assert said["leftOut"] == dict(reasons)
    assert sorted(said["notEnrolled"]) == sorted(item["path"] for item in report["leftOut"])


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["nowhere"], "nowhere: must be a folder"),
        (["empty"], "must hold a folder of photos for each person, got none"),
        (["dataset", "--people", "7"], "people: must be at most the 1 available, got 7"),
        (["dataset", "--photos", "1,9"], "photos: must be at most 2, the number enrolled, got 9"),
        (["dataset", "--html", "no/where.html"], "no/where.html: must be in an existing folder"),
    ],
)
def test_bad_data(dataset: Path, tmp_path: Path, arguments: list[str], message: str) -> None:
    """One line that says what is wrong; the command ends with 65."""
    (tmp_path / "empty").mkdir()
    result = evaluate(*arguments)
    assert isinstance(result.exception, DataError)
    assert result.exception.exit_code == 65
    assert message in str(result.exception)


@pytest.mark.parametrize("numbers", ["0", "1,x", "", "1,-2"])
def test_wrong_usage(numbers: str) -> None:
    """Exit 2, and what would be right."""
    result = evaluate(".", "--photos", numbers)
    assert result.exit_code == 2
    assert "must be whole numbers of at least 1, such as 1,3,5" in result.output


def test_photos_within_those_enrolled(dataset: Path) -> None:
    """--photos beyond --enrol could not be kept."""
    result = evaluate(str(dataset), "--enrol", "1", "--photos", "1,2")
    assert result.exit_code == 2
    assert "--photos must be at most --enrol, 1, got 2" in result.output


def test_a_seed_draws_people(dataset: Path) -> None:
    """How many has to be said."""
    result = evaluate(str(dataset), "--seed", "1")
    assert result.exit_code == 2
    assert "--seed needs --people" in result.output


def test_repeating_with_fewer_photos_changes_nothing_else(dataset: Path) -> None:
    """The figures themselves are of all photos that would be enrolled without it."""
    plain, repeated = (
        json.loads(evaluate(str(dataset), "--json", "--embedder", "dlib_resnet", *more).stdout)
        for more in ((), ("--photos", "1"))
    )
    assert repeated.pop("byPhotos").keys() == {"1"}
    assert plain.pop("byPhotos") == {}
    assert repeated == plain


@pytest.mark.slow
def test_figures_are_said_before_the_page_is_written(dataset: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What fails in the end takes nothing with it."""

    def full(*_: object) -> None:
        raise CannotWrite("page.html: cannot be written: No space left on device")

    monkeypatch.setattr("face_det.cli.evaluate.write_atomically", full)
    result = evaluate(str(dataset), "--json", "--embedder", "dlib_resnet", "--html", "page.html")
    assert isinstance(result.exception, CannotWrite)
    assert json.loads(result.stdout)["enrolled"] == 2


@pytest.mark.slow
def test_names_of_files_need_not_be_text(dataset: Path, tmp_path: Path, photos: dict[str, Path]) -> None:
    """A page and tables all the same; nothing of a name reaches the terminal as a control character."""
    folder = tmp_path / os.fsdecode(b"caf\xe9")
    (dataset / "Obama" / "obama3.jpg").unlink(missing_ok=True)
    shutil.copy(photos["biden"], dataset / "Obama" / os.fsdecode(b"zz \xe9\x1b[31m[b].jpg"))
    dataset.rename(folder)
    result = evaluate(str(folder), "--html", "page.html", "--embedder", "dlib_resnet")
    assert result.exit_code == 0, result.output
    assert "\x1b" not in result.stdout
    assert "caf" in Path("page.html").read_text("utf-8")


@pytest.mark.slow
def test_a_name_that_no_font_draws(dataset: Path) -> None:
    """Said once, for the page's charts."""
    (dataset / "Obama").rename(dataset / "\U00030000")
    result = evaluate(str(dataset), "--html", "page.html", "--embedder", "dlib_resnet")
    assert result.exit_code == 0, result.output
    assert result.stderr.count("no installed font draws U+30000, so pictures show these codes instead") == 1


@pytest.mark.slow
def test_interrupted(dataset: Path, tmp_path: Path, photos: dict[str, Path]) -> None:
    """Ctrl-C while photos are looked at: exit 130 and one line."""
    for number in range(300):
        shutil.copy(photos["t1"], dataset / "Unknown" / f"x{number:03}.jpg")
        with (dataset / "Unknown" / f"x{number:03}.jpg").open("ab") as file:
            file.write(bytes([number % 256, number // 256]))  # another photo to the cache
    often = "from face_det.cli import main, progress; progress.LINE_EVERY_S = 0.1; main.run_cli()"
    process = subprocess.Popen(
        [
            sys.executable,
            "-c",
            often,
            "evaluate",
            str(dataset),
            "--cache",
            "kept.sqlite",
            "-j1",
            "--embedder",
            "dlib_resnet",
        ],
        cwd=tmp_path,
        env={**os.environ, "FACE_DET_NUMFACEIMGUPSAMPLE": "1"},
        stderr=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stderr is not None
        for line in process.stderr:
            if line.startswith("encoding:"):
                break
        process.send_signal(signal.SIGINT)
        out, error = process.communicate(timeout=300)
    finally:
        process.kill()
    assert process.returncode == 130, error
    assert error.strip() == "face-det: interrupted; the encodings so far are kept for the next run"
    assert out == ""
