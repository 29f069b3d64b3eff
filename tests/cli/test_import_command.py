"""`face-det import` and `export --to`: through a daemon, in the files, and cut off in the middle."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner, Result
from doomed_engine import FACE, picture
from immich_api import KEY, ImmichApi
from PIL import Image
from running import eventually

from face_det.cli import root_command
from face_det.config import load_config
from face_det.engine import build_engine
from face_det.errors import DataError, OtherDataset, PortalFailed
from face_det.gallery import Gallery, list_photos
from face_det.media import load_image
from face_det.service import build_enrolment_options

DOOMED = (sys.executable, Path(__file__).parents[1] / "support/doomed_engine.py")
SETTINGS = {"isolation": "process", "workers": 1, "embedder": "dlib_resnet", "focusMeasureThreshold": 0}
PEOPLE = {"Barack Obama": ("obama", "obama2", "obama3"), "Eileen": ("astronaut",), "Joe": ("biden",)}


def face_det(*arguments: object) -> Result:
    return CliRunner().invoke(root_command, [str(argument) for argument in arguments])


def report(done: Result) -> dict[str, Any]:
    assert done.exception is None, done.output
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def outcomes(about: dict[str, Any]) -> list[tuple[str, str, str]]:
    return [(Path(one["place"]).name, one["name"], one["outcome"]) for one in about["photos"]]


def configured(folder: Path) -> Path:
    """A folder with a config.json and without a daemon."""
    folder.mkdir(parents=True, exist_ok=True)
    settings: dict[str, object] = {"faceDetModel": "hog", "numFaceImgUpsample": 0, "embedder": "dlib_resnet"}
    settings["zerorpcPipe"] = f"ipc://{folder}/s"
    (folder / "config.json").write_text(json.dumps({"faceDetServer": settings}))
    return folder


@pytest.fixture
def alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The current folder is such a one."""
    monkeypatch.chdir(configured(tmp_path))
    return tmp_path


@pytest.fixture(scope="module")
def trained(small_photos: dict[str, Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A train folder with three people."""
    folder = tmp_path_factory.mktemp("train")
    for name, theirs in PEOPLE.items():
        (folder / name).mkdir()
        for photo in theirs:
            shutil.copy(small_photos[photo], folder / name / f"{photo}.jpg")
    return folder


def test_through_a_daemon(launch, call, folder: Path, tmp_path: Path) -> None:
    """The daemon learns each photo once, and one that is somebody else's is refused with the reason."""
    daemon = launch(command=DOOMED, **SETTINGS)
    here = ("--config", daemon.config, "--json")
    source = tmp_path / "known_faces"
    for name, number in (("Ann", 1), ("Ann", 2), ("Bob", 3)):
        (source / name).mkdir(parents=True, exist_ok=True)
        picture(source / name, FACE, number)
    shutil.copy(source / "Ann/0-1.png", source / "Bob/copy.png")
    rehearsed = face_det("import", "--from", "pyzm", source, "--dry-run", "--remote", daemon.endpoint)
    assert rehearsed.exit_code == 2
    about = report(face_det("import", "--from", "pyzm", source, *here))
    assert outcomes(about) == [
        ("0-1.png", "Ann", "added"),
        ("0-2.png", "Ann", "added"),
        ("0-3.png", "Bob", "added"),
        ("copy.png", "Bob", "refused"),
    ]
    assert "the very file that is Ann's photo" in about["photos"][-1]["reason"]
    assert about["by"] == f"by the daemon at {daemon.endpoint}; photos: {about['dataset']}"
    assert [(one["name"], one["images"]) for one in call(daemon, "people")] == [("Ann", 2), ("Bob", 1)]
    again = report(face_det("import", "--from", "pyzm", source, *here))
    assert (again["added"], again["present"], again["refused"]) == (0, 3, 1)
    out = tmp_path / "out"
    exported = report(face_det("export", "--to", "pyzm", out, *here))
    assert len(exported["written"]) == 3
    assert sorted(path.read_bytes() for path in out.glob("*/*")) == sorted(
        path.read_bytes() for path in source.glob("*/0-*")
    )


def test_a_daemon_with_other_photos_is_told(launch, tmp_path: Path) -> None:
    """A daemon at this address that serves another dataset is not mistaken for ours."""
    daemon = launch(command=DOOMED, **SETTINGS)
    settings = {"zerorpcPipe": daemon.endpoint, "datasetPath": str(tmp_path / "other")}
    (tmp_path / "config.json").write_text(json.dumps({"faceDetServer": settings}))
    picture(tmp_path, FACE, 1)
    here = ("--config", tmp_path / "config.json")
    assert isinstance(face_det("import", "--from", "pyzm", tmp_path, *here).exception, OtherDataset)
    assert isinstance(face_det("export", "--to", "pyzm", tmp_path / "out", *here).exception, OtherDataset)


@pytest.mark.slow
def test_in_the_files(alone: Path, trained: Path, small_photos: dict[str, Path]) -> None:
    """Checked first, then imported, with the reasons; what is exported and imported again is the same."""
    source = alone / "train"
    shutil.copytree(trained, source)
    shutil.copy(small_photos["nobody"], source / "Joe/nobody.jpg")
    (source / "Eileen").rename(source / "Eileen: C")
    rehearsed = face_det("import", "--from", "double-take", source, "--dry-run")
    assert rehearsed.exit_code == 0, rehearsed.output
    assert "Eileen: C: becomes Eileen- C\n" in rehearsed.stdout
    assert "Barack Obama: 3 photos would be added, 0 there already, 0 refused\n" in rehearsed.stdout
    assert f"{source}/Joe/nobody.jpg: must show one face, got none" in rehearsed.stdout
    assert not (alone / "dataset").exists()
    about = report(face_det("import", "--from", "double-take", source, "--json"))
    assert (about["added"], about["refused"]) == (5, 1)
    assert about["renamed"] == {"Eileen: C": "Eileen- C"}
    assert Gallery.load(alone / "encodings.pickle").names == (*["Barack Obama"] * 3, "Eileen- C", "Joe")
    exported = face_det(
        "export", "--to", "face-recognition", "out", "--person", "Barack Obama", "--person", "Joe"
    )
    assert exported.stdout.endswith("out: 4 files written, 0 there already, 0 left out\n"), exported.output
    shutil.move(alone / "dataset", alone / "before")
    for file in alone.glob("*.pickle"):
        file.unlink()
    report(face_det("import", "--from", "face-recognition", "out", "--json"))
    shutil.rmtree(alone / "before/Eileen- C")
    assert files(alone / "dataset") == files(alone / "before")


def test_a_photo_that_is_there_twice(alone: Path, small_photos: dict[str, Path]) -> None:
    """The same bytes under two names are one photo: the second counts as there, also in a rehearsal."""
    (alone / "train/Joe").mkdir(parents=True)
    for name in ("1.jpg", "2.jpg"):
        shutil.copy(small_photos["biden"], alone / "train/Joe" / name)
    command = ("import", "--from", "double-take", "train", "--json")
    for about in (report(face_det(*command, "--dry-run")), report(face_det(*command))):
        assert outcomes(about) == [("1.jpg", "Joe", "added"), ("2.jpg", "Joe", "present")]
    assert len(files(alone / "dataset")) == 1


@pytest.mark.parametrize("form", ["frigate", "ringface"])
def test_the_dataset_is_no_place_to_export_to(alone: Path, small_photos: dict[str, Path], form: str) -> None:
    """What is written there would be enrolled, so it is refused, also by way of a link; and so is a file."""
    (alone / "dataset/Joe").mkdir(parents=True)
    shutil.copy(small_photos["biden"], alone / "dataset/Joe/1.png")
    (alone / "link").symlink_to("dataset")
    (alone / "file").touch()
    before = sorted(alone.rglob("*"))
    for folder, said in (
        ("dataset", "outside"),
        ("dataset/Joe", "outside"),
        ("link/new", "outside"),
        ("file", "got a file"),
    ):
        refused = face_det("export", "--to", form, folder)
        assert isinstance(refused.exception, DataError), refused.output
        assert f"{folder}: must be a folder" in str(refused.exception)
        assert said in str(refused.exception)
    assert sorted(alone.rglob("*")) == before


def files(folder: Path) -> dict[str, bytes]:
    """Every photo of a dataset, by its path in it."""
    return {
        f"{name}/{path.name}": path.read_bytes()
        for name, paths in list_photos(folder).items()
        for path in paths
    }


def learnt(folder: Path) -> tuple[dict[str, bytes], tuple[str, ...], np.ndarray]:
    gallery = Gallery.load(folder / "encodings.pickle")
    return files(folder / "dataset"), gallery.names, gallery.encodings


@pytest.fixture(scope="module")
def clean(trained: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What one import makes that nothing disturbs."""
    folder = configured(tmp_path_factory.mktemp("clean"))
    finish(importing(folder, trained))
    return folder


def importing(folder: Path, source: Path) -> subprocess.Popen[str]:
    """The command, in a process of its own."""
    return subprocess.Popen(
        [sys.executable, "-m", "face_det.cli.main", "import", "--from", "double-take", str(source)],
        cwd=folder,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        env=os.environ,
    )


def finish(process: subprocess.Popen[str]) -> None:
    """Wait for the command's end; it must be a good one."""
    _, said = process.communicate(timeout=600)
    assert process.returncode == 0, said


@pytest.mark.slow
@pytest.mark.parametrize(("number", "code"), [(signal.SIGKILL, -9), (signal.SIGINT, 130)])
def test_cut_off_and_run_again(
    clean: Path, trained: Path, tmp_path: Path, number: signal.Signals, code: int
) -> None:
    """Whatever ends it in the middle, the same command goes on, and the end is that of one clean run."""
    configured(tmp_path)
    process = importing(tmp_path, trained)
    eventually(lambda: len(files(tmp_path / "dataset")) >= 2 or process.poll() is not None)
    process.send_signal(number)
    _, said = process.communicate(timeout=600)
    assert process.returncode == code, said
    assert len(files(tmp_path / "dataset")) < 5, "it was in the middle"
    if number == signal.SIGINT:
        assert "interrupted; the same command goes on" in said
    finish(importing(tmp_path, trained))
    photos, names, encodings = learnt(tmp_path)
    assert (photos, names) == learnt(clean)[:2]
    assert np.array_equal(encodings, learnt(clean)[2])


@pytest.mark.slow
def test_a_face_that_immich_points_at(alone: Path, small_photos: dict[str, Path]) -> None:
    """Of two people in a picture, each is learnt from the own face; without the server, one may try again."""
    with Image.open(small_photos["obama"]) as left, Image.open(small_photos["biden"]) as right:
        both = Image.new("RGB", (left.width + right.width, max(left.height, right.height)))
        both.paste(left, (0, 0))
        both.paste(right, (left.width, 0))
        half = left.width
    both.save(alone / "both.jpg", quality=95)
    engine = build_engine(build_enrolment_options(load_config(alone / "config.json", {})))
    (faces,) = engine.faces([(load_image(alone / "both.jpg"), None)])
    boxes = [[2 * edge for edge in (one.box.xmin, one.box.ymin, one.box.xmax, one.box.ymax)] for one in faces]
    api = ImmichApi()
    api.people = [("o", "Barack"), ("b", "Joe")]
    owned = [("o" if box[0] / 2 < half else "b", *box) for box in boxes]
    assert {owner for owner, *_ in owned} == {"o", "b"}
    api.show("both", (alone / "both.jpg").read_bytes(), (2 * both.width, 2 * both.height), *owned)
    (alone / "key").write_text(f"{KEY}\n")
    command = ("import", "--from", "immich", api.url, "--api-key-file", "key")
    about = report(face_det(*command, "--json"))
    assert [(one["name"], one["outcome"]) for one in about["photos"]] == [
        ("Barack", "added"),
        ("Joe", "added"),
    ]
    again = report(face_det(*command, "--json"))
    assert [one["outcome"] for one in again["photos"]] == ["present", "present"]
    (joe,) = list_photos(alone / "dataset")["Joe"]
    assert load_image(joe).shape[1] < both.width, "only a part of the picture is kept"
    api.shutdown()
    api.server_close()
    assert isinstance(face_det(*command).exception, PortalFailed)


@pytest.mark.slow
def test_faces_without_surroundings(alone: Path, trained: Path) -> None:
    """Frigate's crops and tf-face-recognition's strips, as they are exported, are enrolled from again."""
    report(face_det("import", "--from", "double-take", trained, "--json"))
    for form in ("frigate", "tf-face-recognition"):
        report(face_det("export", "--to", form, form, "--json"))
        (alone / form / "elsewhere").mkdir()
        shutil.copy("config.json", alone / form / "elsewhere")
        place = ("--config", alone / form / "elsewhere/config.json")
        about = report(face_det("import", "--from", form, form, "--json", "--dry-run", *place))
        assert about["added"] == 5, about["photos"]
    assert load_image(next((alone / "frigate/Joe").iterdir())).shape[0] < 400
    strip = load_image(alone / "tf-face-recognition/train_Barack Obama_160_3.jpg")
    assert strip.shape == (160, 480, 3)


def test_nothing_usable(alone: Path, small_photos: dict[str, Path]) -> None:
    """Without a single photo that can be enrolled, the command fails; so does one that names nobody."""
    (alone / "train/Joe").mkdir(parents=True)
    shutil.copy(small_photos["nobody"], alone / "train/Joe")
    failed = face_det("import", "--from", "double-take", "train")
    assert isinstance(failed.exception, DataError)
    assert "must hold photos that can be enrolled, got none" in str(failed.exception)
    assert "must show one face" in failed.stdout
    assert face_det("import", "--from", "photoprism", "train").exit_code == 2
    assert isinstance(face_det("export", "--to", "pyzm", "out").exception, DataError)
    assert isinstance(face_det("export", "--to", "pyzm", "out", "--person", "Zoe").exception, DataError)
    assert face_det("export", "--to", "pyzm", "out", "--output", "x.zip").exit_code == 2
    assert face_det("export", "Joe", "--person", "Joe").exit_code == 2
    assert (
        face_det("import", "--from", "immich", "http://127.0.0.1:1", "--api-key-file", "gone").exit_code == 1
    )
