"""`face-det gallery` on real photos: what is found, what is put aside, and back."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from PIL import Image

from face_det.doors.commands import gallery
from face_det.identity import check_facts

SETTINGS = {"faceDetServer": {"faceDetModel": "hog", "numFaceImgUpsample": 0}}
LAID = {
    "Obama": ("obama", "obama2", "obama3"),
    "Biden": ("biden",),
    "Hopper": ("grace_hopper",),
    "Collins": ("astronaut",),
    "Unknown": ("nobody", "t1"),
}


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


def test_nothing_is_computed_twice(dataset: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Encodings and facts are kept; damaged facts are found again."""
    looked: list[Path] = []
    look = check_facts._look

    def counted(path: Path, *rest: Any) -> Any:
        looked.append(path)
        return look(path, *rest)

    monkeypatch.setattr(check_facts, "_look", counted)
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
