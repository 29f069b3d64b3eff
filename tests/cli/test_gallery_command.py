"""`face-det gallery` on real photos: what is found, what is put aside, and back."""

from __future__ import annotations

import errno
import json
import os
import shutil
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from PIL import Image

from face_det.cli import gallery
from face_det.errors import CannotWrite, DataError
from face_det.gallery.check import facts
from face_det.gallery.check import run as check_run
from face_det.gallery.check.findings import Finding, FindingKind

pytestmark = pytest.mark.usefixtures("shared_networks")

SETTINGS = {"faceDetServer": {"faceDetModel": "hog", "numFaceImgUpsample": 0}}
LAID = {
    "Obama": ("obama", "obama2", "obama3"),
    "Biden": ("biden",),
    "Hopper": ("grace_hopper",),
    "Collins": ("astronaut",),
    "Unknown": ("nobody", "t1"),
}


@pytest.fixture(scope="module")
def photos(small_photos: dict[str, Path]) -> dict[str, Path]:
    """Nothing here depends on how large a photo is."""
    return small_photos


@pytest.fixture(scope="module")
def laid_out(tmp_path_factory: pytest.TempPathFactory, photos: dict[str, Path]) -> Path:
    """A folder with config.json and a dataset, checked once, so that its caches are there."""
    place = tmp_path_factory.mktemp("gallery")
    (place / "config.json").write_text(json.dumps(SETTINGS))
    for name, shots in LAID.items():
        (place / "dataset" / name).mkdir(parents=True)
        for shot in shots:
            shutil.copy(photos[shot], place / "dataset" / name)
    dataset = place / "dataset"
    shutil.copy(photos["biden"], dataset / "Obama" / "z-biden.jpg")
    shutil.copy(photos["obama2"], dataset / "Obama" / "z-again.jpg")
    with Image.open(photos["obama"]) as picture:
        half = picture.convert("RGB").resize((picture.width // 2, picture.height // 2))
    half.save(dataset / "Obama" / "z-half.jpg", quality=60)
    (dataset / "Biden" / "broken.jpg").write_bytes(photos["biden"].read_bytes()[:2000])
    (dataset / "Biden" / "odd\nname.jpg").write_bytes(b"")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(place)
        assert run("check", "-j1").exit_code == 0
    return place


@pytest.fixture
def dataset(tmp_path: Path, laid_out: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of it to change."""
    shutil.copytree(laid_out, tmp_path / "copy")
    monkeypatch.chdir(tmp_path / "copy")
    return tmp_path / "copy" / "dataset"


def run(*arguments: str) -> Result:
    return CliRunner().invoke(gallery.command, [str(argument) for argument in arguments])


def found(*arguments: str) -> dict[str, Any]:
    result = run("check", "-j1", "--json", *arguments)
    assert result.exit_code == 0, result.output
    report: dict[str, Any] = json.loads(result.stdout)
    return report


def files(place: Path) -> dict[str, bytes]:
    return {str(path.relative_to(place)): path.read_bytes() for path in place.rglob("*") if path.is_file()}


def test_everything_that_is_wrong_is_found(dataset: Path) -> None:
    """A photo of another, the same one twice and made smaller, broken ones, too many faces, none, too few."""
    report = found()
    kinds = {
        (one["kind"], one["path"] and Path(one["path"]).relative_to(dataset).as_posix())
        for one in report["findings"]
    }
    assert kinds == {
        ("misplaced", "Obama/z-biden.jpg"),
        ("unreadable", "Biden/broken.jpg"),
        ("unreadable", "Biden/odd\nname.jpg"),
        ("duplicate", "Obama/z-again.jpg"),
        ("near_duplicate", "Obama/z-half.jpg"),
        ("shared", "Biden/biden.jpg"),
        ("shared", "Obama/z-biden.jpg"),
        ("no_face", "Unknown/coffee.png"),
        ("several_faces", "Unknown/t1.jpg"),
        ("too_few", None),
    }
    (misplaced,) = (one for one in report["findings"] if one["kind"] == "misplaced")
    assert misplaced["sure"] > 0.9
    assert (report["photos"], report["people"], report["quarantined"]) == (13, 5, [])


def test_as_text(dataset: Path) -> None:
    """A line for each, what to do, and names that a terminal can show."""
    result = run("check", "-j1")
    assert "Obama/z-again.jpg: is the same file as obama2.jpg; delete one" in result.stdout
    assert "odd\\nname.jpg: cannot be read as a picture" in result.stdout
    assert "13 photos of 5 people" in result.stdout
    assert result.stderr == ""


def test_quarantine_and_undo(dataset: Path) -> None:
    """What is sure goes; a second run has nothing left to move; undo brings back every byte."""
    before = files(dataset)
    dry = found("--quarantine", "--dry-run")
    assert files(dataset) == before
    report = found("--quarantine")
    moved = {Path(path).relative_to(dataset).as_posix() for path in report["quarantined"]}
    broken = {"Biden/broken.jpg", "Biden/odd\nname.jpg"}
    assert moved == {*broken, "Obama/z-again.jpg", "Obama/z-biden.jpg"}
    assert dry["quarantined"] == report["quarantined"]
    assert not any((dataset / name).exists() for name in moved)
    assert found("--quarantine")["quarantined"] == []
    undone = run("undo")
    assert f"{len(moved)} photos put back, 0 in quarantine" in undone.stdout
    assert files(dataset) == before


def test_only_what_is_asked_for(dataset: Path) -> None:
    """--kind chooses both what is told and what goes."""
    report = found("--kind", "near_duplicate", "--kind", "several_faces", "--quarantine")
    assert {one["kind"] for one in report["findings"]} == {"near_duplicate", "several_faces"}
    assert {Path(path).name for path in report["quarantined"]} == {"z-half.jpg", "t1.jpg"}
    assert found("--sure", "1.0", "--kind", "near_duplicate")["findings"] == []
    assert json.loads(run("undo", "--json").stdout)["left"] == []


def refusing(monkeypatch: pytest.MonkeyPatch, call: str, *names: str) -> None:
    """Have a call to the system fail for files of these names, as it does for root in an immutable folder."""
    real = getattr(os, call)

    def called(source: Any, *rest: Any, **options: Any) -> Any:
        if Path(source).name in names:
            raise OSError(errno.EPERM, "Operation not permitted")
        return real(source, *rest, **options)

    monkeypatch.setattr(os, call, called)


def test_what_cannot_be_put_aside_is_told(dataset: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Findings, what went, what did not and why; the exit code is that of the error."""
    refusing(monkeypatch, "replace", "z-biden.jpg", "broken.jpg")
    result = run("check", "-j1", "--quarantine")
    assert "Photos that do not belong" in result.stdout
    assert "quarantined: Obama/z-again.jpg (duplicate)" in result.stdout
    assert f"not quarantined: {dataset}/Obama/z-biden.jpg: cannot be written: Operation not" in result.stdout
    assert isinstance(result.exception, CannotWrite)
    assert "2 photos could not be moved; the first: " in str(result.exception)
    assert sorted(path.name for path in dataset.glob("*/z-*")) == ["z-biden.jpg", "z-half.jpg"]
    result = run("check", "-j1", "--quarantine", "--kind", "misplaced", "--json")
    report = json.loads(result.stdout)
    (failed,) = report["failed"]
    assert (failed["path"], report["quarantined"]) == (str(dataset / "Obama/z-biden.jpg"), [])
    assert failed["why"] == str(result.exception)


def test_what_cannot_be_put_back_is_told(dataset: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The same of undo, which goes on where the others are."""
    before = files(dataset)
    assert len(found("--quarantine")["quarantined"]) == 4
    with monkeypatch.context() as patch:
        refusing(patch, "link", "z-biden.jpg")
        refusing(patch, "replace", "z-biden.jpg")
        result = run("undo")
        assert isinstance(result.exception, CannotWrite)
        assert "z-biden.jpg: cannot be written: Operation not permitted" in result.stdout
        assert "3 photos put back, 1 in quarantine" in result.stdout
        values = json.loads(run("undo", "--json").stdout)
    assert [one["path"] for one in values["failed"]] == [str(dataset / "Obama/z-biden.jpg")]
    run("undo")
    assert files(dataset) == before


def test_what_cannot_be_opened_stays(dataset: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """By its rights, or since a share is away: nobody knows that it is no picture."""
    for name, target in (("loop.jpg", "loop.jpg"), ("away.jpg", "/nowhere/1.jpg")):
        (dataset / "Biden" / name).symlink_to(target)
    opened = os.open

    def refusing_one(path: Any, *rest: Any, **options: Any) -> int:
        if str(path).endswith("broken.jpg"):
            raise PermissionError(errno.EACCES, "Permission denied")
        return opened(path, *rest, **options)

    monkeypatch.setattr(os, "open", refusing_one)
    report = found("--kind", "unreadable", "--quarantine")
    told = {Path(one["path"]).name: (one["what"], one["removable"]) for one in report["findings"]}
    assert told == {
        "away.jpg": ("cannot be opened: No such file or directory", False),
        "broken.jpg": ("cannot be opened: Permission denied", False),
        "loop.jpg": ("cannot be opened: Too many levels of symbolic links", False),
        "odd\nname.jpg": ("cannot be read as a picture", True),
    }
    assert [Path(path).name for path in report["quarantined"]] == ["odd\nname.jpg"]


def test_no_link_is_left_to_nowhere(dataset: Path) -> None:
    """Of a file and a link to it the link goes; a file stays as long as a link to it does."""
    (dataset / "Obama" / "a-link.jpg").symlink_to("obama2.jpg")
    (dataset / "Biden" / "link.jpg").symlink_to("../Obama/z-biden.jpg")
    (dataset / "Biden" / "biden.jpg").unlink()
    report = found("--quarantine", "--kind", "duplicate", "--kind", "misplaced")
    moved = [Path(path).name for path in report["quarantined"]]
    assert sorted(moved) == ["a-link.jpg", "z-again.jpg"]
    why = f"{dataset}/Obama/z-biden.jpg: {dataset}/Biden/link.jpg is a link to it"
    assert report["failed"] == [{"path": str(dataset / "Obama/z-biden.jpg"), "why": why}]
    assert all(path.exists() for path in dataset.glob("*/*"))


def test_a_shared_file_stays_where_it_belongs(dataset: Path) -> None:
    """--kind shared takes it from the folder where it is misplaced only, if that is as sure as asked for."""
    report = found("--kind", "shared", "--quarantine")
    assert len(report["findings"]) == 2
    assert report["quarantined"] == [str(dataset / "Obama/z-biden.jpg")]
    assert (dataset / "Biden/biden.jpg").is_file()
    places = [Path("A/1.jpg"), Path("B/1.jpg")]
    both = [
        Finding(FindingKind.SHARED, path.parent.name, path, 1.0, "", "", wrong=wrong)
        for path, wrong in zip(places, (0.0, 0.6), strict=True)
    ]
    for sure, taken in ((0.0, places[1:]), (0.9, [])):
        assert list(check_run.choose_for_quarantine(both, by_default=False, sure=sure)) == taken


def test_nothing_is_computed_twice(dataset: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Encodings and facts are kept; damaged facts are found again."""
    looked: list[Path] = []
    look = facts._measure_photo

    def counted(path: Path, *rest: Any) -> Any:
        looked.append(path)
        return look(path, *rest)

    monkeypatch.setattr(facts, "_measure_photo", counted)
    before = found()
    assert looked == []
    for content in ("[]", "\xff"):
        Path("encodings.facts.json").write_bytes(content.encode("latin-1"))
        looked.clear()
        assert found() == before
        assert len(looked) == 9


def test_another_dataset_leaves_the_caches_alone(dataset: Path, photos: dict[str, Path]) -> None:
    """Its own lie in it, hidden."""
    kept = Path("encodings.facts.json").read_bytes()
    other = dataset.parent / "other"
    (other / "Somebody").mkdir(parents=True)
    shutil.copy(photos["obama"], other / "Somebody")
    report = found("-i", str(other))
    assert [one["kind"] for one in report["findings"]] == ["too_few"]
    assert Path("encodings.facts.json").read_bytes() == kept
    assert (other / ".encodings.facts.json").is_file()


@pytest.mark.parametrize(
    ("arguments", "code"),
    [(["check", "--dry-run"], 2), (["check", "--kind", "ugly"], 2), (["check", "-i", "nowhere"], 65)],
)
def test_wrong_use(dataset: Path, arguments: list[str], code: int) -> None:
    """Exit codes by the contract."""
    result = run(*arguments)
    raised = getattr(result.exception, "exit_code", result.exit_code)
    assert raised == code


def test_undo_with_nothing_aside(dataset: Path) -> None:
    """Says so, and makes no folder."""
    assert "0 photos put back, 0 in quarantine" in run("undo").stdout
    assert not (dataset / ".quarantine").exists()


def test_undo_of_a_folder_that_is_not_there(dataset: Path) -> None:
    """A typing mistake is no success."""
    result = run("undo", "-i", "typo")
    assert isinstance(result.exception, DataError)
    assert "typo: must be a folder" in str(result.exception)
