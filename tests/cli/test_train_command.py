"""`face-det train` and scripts/train.py: what is written where, what is said, and being cut off."""

from __future__ import annotations

import contextlib
import json
import os
import pty
import runpy
import signal
import subprocess
import sys
import warnings
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner, Result
from running_here import run_here
from sklearn.preprocessing import LabelEncoder
from sklearn.svm import SVC
from synthetic import gallery

from face_det.classifiers.specs import CLASSIFIERS, required_embedder
from face_det.cli.train import command
from face_det.errors import BadEncodings, Busy, CannotWrite, ConfigError, ModelMismatch, TooFewPeople
from face_det.gallery.gallery import Gallery
from face_det.recognition import in_use as used_file
from face_det.recognition import model, model_file
from face_det.storage import dump_pickle
from face_det.training import train as training

FAMILY = {"Alice": 5, "Bob": 5, "Unknown": 5}
KINDS = [kind for kind in CLASSIFIERS if required_embedder(kind) is None]
"""Those that learn from the encodings of these tests."""
EVERYTHING = {
    *(f"{kind}_face_recognizer.pickle" for kind in KINDS),
    *(f"{kind}-cm.png" for kind in KINDS),
    "face_labels.pickle",
}
pytestmark = pytest.mark.usefixtures("searched_once")

PRINTS = {"dlib_resnet": "dlib_resnet:1", "sface": "sface:2"}


@pytest.fixture(autouse=True)
def _in_a_folder_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def encodings(counts: dict[str, int] = FAMILY, name: str = "encodings.pickle") -> Path:
    place = Path.cwd() / name
    place.write_bytes(gallery(counts).dumps())
    return place


def train(*arguments: str) -> Result:
    return CliRunner().invoke(command, ["--quick", "-j1", *arguments])


def written(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir() if not path.name.startswith(".")}


def test_writes_all_classifiers_labels_and_pictures(tmp_path: Path) -> None:
    """With --all into --output, which is made; each model loads with the one label file."""
    encodings()
    result = train("--all", "--output", "deep/down")
    assert result.exit_code == 0, result.output
    folder = tmp_path / "deep" / "down"
    assert written(folder) == EVERYTHING
    for kind in KINDS:
        loaded = model_file.load_model(
            folder / f"{kind}_face_recognizer.pickle", folder / "face_labels.pickle"
        )
        assert loaded.card.kind == kind
        assert (folder / f"{kind}-cm.png").read_bytes().startswith(b"\x89PNG")


def test_report_on_stdout(tmp_path: Path) -> None:
    """Parameters, figures, what was written; progress is for terminals."""
    encodings()
    result = train("-c", "svm")
    for expected in ("svm: C=", "cross-validation: accuracy", "f1-score", f"written: {tmp_path}/svm_face"):
        assert expected in result.stdout
    assert result.stderr == ""


def test_a_name_that_no_font_draws() -> None:
    """The confusion matrices show it as a code, and the report says what to install."""
    encodings({"\U00030000": 5, "Bob": 5, "Unknown": 5})
    result = train("-c", "svm")
    assert "no installed font draws U+30000, so pictures show these codes instead" in result.stdout


def test_scan_as_json() -> None:
    """The same as one object."""
    encodings()
    found = json.loads(train("-c", "nearest", "-c", "svm", "--json").stdout)
    assert [one["classifier"] for one in found["trained"]] == ["svm", "nearest"]
    assert found["trained"][0]["heldOut"]["report"]["Alice"]["support"] == 1
    assert len(found["files"]) == 5
    assert found["skipped"] == []


def test_default_places_are_the_configs(tmp_path: Path) -> None:
    """modelPath is for the classifier it is named after; the others lie beside it."""
    (tmp_path / "etc").mkdir()
    encodings(name="etc/faces.pickle")
    section = {
        "modelPath": "m/xgb_face_recognizer.pickle",
        "labelPath": "l/l.pickle",
        "encodingsPath": "faces.pickle",
    }
    config = tmp_path / "etc" / "c.json"
    config.write_text(json.dumps({"faceDetServer": section}))
    assert train("--config", str(config), "-c", "xgb", "-c", "nearest").exit_code == 0
    models = written(tmp_path / "etc" / "m")
    assert models == {
        "xgb_face_recognizer.pickle",
        "xgb-cm.png",
        "nearest_face_recognizer.pickle",
        "nearest-cm.png",
    }
    assert written(tmp_path / "etc" / "l") == {"l.pickle"}


def in_use(folder: Path, name: str = "svm_face_recognizer.pickle") -> model.ModelCard:
    return used_file.load_model_in_use(folder / name, folder / "face_labels.pickle").card


def card(folder: Path, name: str = "svm_face_recognizer.pickle") -> model.ModelCard:
    return model_file.load_model(folder / name, folder / "face_labels.pickle").card


def test_at_model_path_lies_what_the_daemon_trains(tmp_path: Path) -> None:
    """template, from nothing, in a file of its own name; whoever asks for svm gets and keeps it."""
    encodings()
    first = train()
    assert first.exit_code == 0
    assert in_use(tmp_path).kind == "template"
    template = tmp_path / "template_face_recognizer.pickle"
    assert f"in use: {template}: template, the default for a first model" in first.stdout
    assert {name for name in written(tmp_path) if name.endswith("recognizer.pickle")} == {template.name}
    assert train("--all", "--output", "others").exit_code == 0
    assert written(tmp_path / "others") >= EVERYTHING
    for kind in KINDS:
        assert card(tmp_path / "others", f"{kind}_face_recognizer.pickle").kind == kind
    asked = train("-c", "svm")
    assert in_use(tmp_path).kind == "svm"
    assert "svm_face_recognizer.pickle: svm, asked for; the previous model was template" in asked.stdout
    again = train()
    assert in_use(tmp_path).kind == "svm", "what is in use stays its kind"
    assert "svm_face_recognizer.pickle: svm, the kind of the previous model\n" in again.stdout


ANY_CLASSIFIERS = [(), ("all",), *((kind,) for kind in KINDS), ("nearest", "template"), ("svm", "xgb")]


@pytest.mark.slow
@pytest.mark.parametrize("model_path", ["svm_face_recognizer.pickle", "mine.pickle"])
def test_whatever_is_asked_for_what_is_in_use_knows_everybody(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, model_path: str
) -> None:
    """Somebody more each time, any kinds: the model in use and its labels belong together."""
    # The pictures of other tests are drawn.
    monkeypatch.setattr("face_det.cli.train.draw_held_out_confusion", lambda *_: b"picture")
    (tmp_path / "config.json").write_text(json.dumps({"faceDetServer": {"modelPath": model_path}}))
    people = dict(FAMILY)
    for number, kinds in enumerate(ANY_CLASSIFIERS):
        people[f"P{number}"] = 2
        encodings(people)
        result = train(*(word for kind in kinds for word in ("-c", kind)), "--json")
        assert result.exit_code == 0, result.output
        found = in_use(tmp_path, model_path)
        assert found.classes == tuple(sorted(people))
        used = json.loads(result.stdout)["inUse"]
        assert used["classifier"] == found.kind
        if len(kinds) == 1 and kinds != ("all",):
            assert (found.recipe, used["wanted_by"]) == (kinds[0], "asked")
    # One photo of everybody: most kinds cannot be trained, and --output names the folder in use.
    encodings(dict.fromkeys(people, 1))
    for arguments in (("-c", "svm", "-c", "nearest"), ("-o", str(tmp_path)), ("-c", "all", "-o", ".")):
        assert train(*arguments).exit_code == 0
        assert in_use(tmp_path, model_path).classes == tuple(sorted(people))


def test_an_output_folder_may_not_part_model_and_labels(tmp_path: Path) -> None:
    """It holds the labels in use, or the model: refused before anything is written."""
    encodings()
    (tmp_path / "m").mkdir()
    for settings in ({"modelPath": "m/svm_face_recognizer.pickle"}, {"labelPath": "m/face_labels.pickle"}):
        (tmp_path / "config.json").write_text(json.dumps({"faceDetServer": settings}))
        assert train("-c", "nearest").exit_code == 0
        before = {path: path.read_bytes() for path in tmp_path.rglob("*.pickle")}
        for folder in (".", "m"):
            refused = train("-c", "nearest", "-o", folder)
            assert isinstance(refused.exception, ConfigError), refused.output
            assert "would part model and labels" in str(refused.exception)
        assert {path: path.read_bytes() for path in tmp_path.rglob("*.pickle")} == before
        for path in before:
            if path.name != "encodings.pickle":
                path.unlink()


@pytest.fixture(scope="module")
def killed(tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[list[int]]]:
    """What was there after each kill, by where the training writes: "in_use" or "output"."""
    roots = {name: tmp_path_factory.mktemp(name) for name in ("in_use", "output")}
    for root in roots.values():
        (root / "old").mkdir()
        (root / "new.pickle").write_bytes(gallery({"Alice": 5, "Bob": 5, "Carol": 5}).dumps())
        (root / "old/encodings.pickle").write_bytes(gallery({"Alice": 5, "Bob": 5}).dumps())
    config = roots["in_use"] / "old/config.json"
    config.write_text('{"faceDetServer": {}}')
    assert train("--config", str(config), "-c", "template").exit_code == 0
    old = roots["output"] / "old"
    before = ("-e", str(old / "encodings.pickle"), "-o", str(old))
    assert train(*before, "-c", "nearest", "-c", "svm").exit_code == 0
    for kind in ("nearest", "svm"):
        (old / f"{kind}-cm.png").write_bytes(b"old")
    driver = Path(__file__).parents[1] / "support/killed_train.py"
    # One process does both, because importing takes it longer than they do.
    ran = subprocess.run(
        [sys.executable, str(driver), *(f"{root}/now" for root in roots.values())],
        capture_output=True,
        text=True,
        check=True,
    )
    return dict(zip(roots, json.loads(ran.stdout.splitlines()[-1]), strict=True))


@pytest.mark.slow
def test_kill_9_between_model_and_labels(killed: dict[str, list[list[int]]]) -> None:
    """Killed before each step of a training that changes the kind in use: old or new, never a mixture."""
    assert_old_or_new(killed["in_use"])


def assert_old_or_new(states: list[list[int]]) -> None:
    killed = [seen for was_killed, seen in states if was_killed]
    assert len(killed) > 10
    assert set(killed) == {1, 2}
    assert killed == sorted(killed)
    assert states[-1] == [False, 2]


def original_files() -> dict[str, bytes]:
    """An svm and labels as the original's scripts write them: without a card."""
    made = gallery(FAMILY)
    people, y = np.unique(made.names, return_inverse=True)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)  # probability=True is deprecated
        svm = SVC(probability=True, C=7).fit(made.encodings, y)
    files = {"svm_face_recognizer.pickle": svm, "face_labels.pickle": LabelEncoder().fit(people)}
    for name, content in files.items():
        Path(name).write_bytes(dump_pickle(content))
    return {name: Path(name).read_bytes() for name in files}


def test_the_originals_files_are_kept_once(tmp_path: Path) -> None:
    """As copies beside the new ones; the report says how to go back, and that way leads back."""
    encodings()
    before = original_files()
    first = train("-c", "svm")
    assert first.exit_code == 0, first.output
    for name, content in before.items():
        assert Path(f"{name}.before-face_det").read_bytes() == content
        assert Path(name).read_bytes() != content
        assert f"to go back: mv '{tmp_path / name}.before-face_det' '{tmp_path / name}'" in first.stdout
    again = train("-c", "svm")
    assert "before-face_det" not in again.stdout
    assert train("-c", "template").exit_code == 0
    for name, content in before.items():
        assert Path(f"{name}.before-face_det").read_bytes() == content
        Path(f"{name}.before-face_det").rename(name)
    assert in_use(tmp_path).kind == "original"


def test_a_template_leaves_the_originals_svm(tmp_path: Path) -> None:
    """It has a file of its own; the labels, which both need, are kept as a copy."""
    encodings()
    before = original_files()
    done = train("-c", "template")
    assert in_use(tmp_path).kind == "template"
    assert "template, asked for; the previous model was svm" in done.stdout
    assert Path("svm_face_recognizer.pickle").read_bytes() == before["svm_face_recognizer.pickle"]
    assert Path("face_labels.pickle.before-face_det").read_bytes() == before["face_labels.pickle"]


def both_embedders(counts: dict[str, int] = FAMILY) -> Gallery:
    """encodings.pickle with sface's numbers, which are other ones."""
    made = gallery(counts)
    other = gallery(counts, seed=1).encodings
    unit = other / np.linalg.norm(other, axis=1, keepdims=True)
    made = Gallery({"dlib_resnet": made.encodings, "sface": unit}, made.names, PRINTS)
    Path("encodings.pickle").write_bytes(made.dumps())
    return made


@pytest.mark.parametrize("embedder", ["dlib_resnet", "sface", "both"])
def test_the_model_notes_whose_encodings_it_learnt_by(tmp_path: Path, embedder: str) -> None:
    """By flag and by config.json; the report says it."""
    made = both_embedders()
    found = json.loads(train("--embedder", embedder, "-c", "svm", "--json").stdout)
    assert found["embedder"] == embedder
    assert found["remarks"] == []
    assert card(tmp_path).fingerprint == made.fingerprint_of(embedder)
    (tmp_path / "config.json").write_text(json.dumps({"faceDetServer": {"embedder": embedder}}))
    result = train("-c", "nearest")
    assert f"trained on encodings of {embedder}" in result.stdout
    assert card(tmp_path, "nearest_face_recognizer.pickle").fingerprint == made.fingerprint_of(embedder)


def test_encodings_of_the_original_note_nothing(tmp_path: Path) -> None:
    """They are dlib's, and so is the model; sface cannot be trained on them."""
    encodings()
    assert json.loads(train("-c", "svm", "--json").stdout)["embedder"] == "dlib_resnet"
    assert card(tmp_path).fingerprint is None
    refused = train("-c", "svm", "--embedder", "sface")
    assert isinstance(refused.exception, BadEncodings)
    assert "must hold those of sface for every photo" in str(refused.exception)


def test_another_embedder_than_configured_is_remarked(tmp_path: Path) -> None:
    """The daemon would refuse that model: what to do is said at once."""
    both_embedders()
    (tmp_path / "config.json").write_text(json.dumps({"faceDetServer": {"embedder": "dlib_resnet"}}))
    advice = "trained on encodings of sface: set embedder to sface or auto in config.json"
    told = train("-c", "svm", "--embedder", "sface")
    assert advice in told.stdout
    assert isinstance(told.exception, ModelMismatch), "what serves must not end by exit 0 with what does not"
    assert advice not in train("-c", "svm", "--embedder", "sface", "-o", "elsewhere").stdout


def test_a_model_path_of_ones_own_is_for_the_configured_classifier(tmp_path: Path) -> None:
    """The daemon then finds there what it trains itself."""
    encodings()
    (tmp_path / "config.json").write_text(
        json.dumps({"faceDetServer": {"modelPath": "mine.pickle", "classifier": "nearest"}})
    )
    assert train("--all").exit_code == 0
    assert (
        model_file.load_model(tmp_path / "mine.pickle", tmp_path / "face_labels.pickle").card.kind
        == "nearest"
    )
    assert "svm_face_recognizer.pickle" in written(tmp_path)


def test_says_what_is_stale(tmp_path: Path) -> None:
    """A classifier that was skipped and no longer fits the labels is named; one that fits is left.

    What may be deleted is that classifier, and not the labels.
    """
    encodings()
    train("-c", "svm", "-c", "nearest")
    assert "left as it was: " in train("-c", "nearest").stdout
    encodings({"Alice": 5})
    result = train("-c", "all")
    assert result.exit_code == 0
    assert "skipped: svm: must have photos of 2 people, got 1" in result.stdout
    (stale,) = [line for line in result.stdout.splitlines() if line.startswith("stale: ") and "/svm_" in line]
    assert stale.startswith(f"stale: {tmp_path}/svm_face_recognizer.pickle: does not fit the new labels")
    assert "train -c svm" in stale
    assert f"in use: {tmp_path}/nearest_face_recognizer.pickle: nearest, the kind of" in result.stdout
    with pytest.raises(ModelMismatch):
        model_file.load_model(tmp_path / "svm_face_recognizer.pickle", tmp_path / "face_labels.pickle")


@pytest.mark.parametrize("counts", [{"Alice": 1}, {"Alice": 2, "Bob": 2}, {"Alice": 5}])
def test_the_first_photos_are_enough(tmp_path: Path, counts: dict[str, int]) -> None:
    """While svm cannot be trained, or has fewer than 3 photos of somebody, nearest is at modelPath.

    How many photos that takes is said once, and --classifier is named only where it would help.
    """
    (tmp_path / "config.json").write_text(json.dumps({"faceDetServer": {"classifier": "svm"}}))
    encodings(counts)
    result = train()
    assert result.exit_code == 0
    place = tmp_path / "svm_face_recognizer.pickle"
    assert f"{place}: holds nearest, which" in result.stdout
    (in_use,) = [line for line in result.stdout.splitlines() if line.startswith("in use: ")]
    assert "until each person has 5 photos (3 are enough for face-det train)" in in_use
    assert "once everybody has" not in result.stdout
    assert ("--classifier svm puts" in result.stdout) == ("skipped: svm" not in result.stdout)
    loaded = model_file.load_model(place, tmp_path / "face_labels.pickle")
    assert (loaded.card.kind, loaded.recipe) == ("nearest", "svm")
    encodings(FAMILY)
    assert "holds nearest" not in train().stdout
    assert model_file.load_model(place, tmp_path / "face_labels.pickle").card.kind == "svm"


def test_an_old_picture_does_not_outlive_its_classifier(tmp_path: Path) -> None:
    """Where nothing can be held out any more, the picture of last time would be a lie."""
    encodings()
    train("-c", "nearest")
    assert (tmp_path / "nearest-cm.png").exists()
    encodings({"Alice": 1})
    train("-c", "nearest")
    assert not (tmp_path / "nearest-cm.png").exists()


def test_no_encodings() -> None:
    """Names the file and the command that makes it; writes nothing."""
    result = train("--output", "out")
    assert isinstance(result.exception, BadEncodings)
    assert "encodings.pickle: must hold encodings" in str(result.exception)
    assert "face-det encode" in str(result.exception)
    assert not Path("out").exists()


def test_nothing_to_train_leaves_the_old_files(tmp_path: Path) -> None:
    """svm alone on one person is an error, and last time's svm is still there."""
    encodings()
    train("-c", "svm")
    before = (tmp_path / "svm_face_recognizer.pickle").read_bytes()
    encodings({"Alice": 3})
    assert isinstance(train("-c", "svm").exception, TooFewPeople)
    assert (tmp_path / "svm_face_recognizer.pickle").read_bytes() == before


def test_enrolled_meanwhile_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Somebody whom the daemon learns during a training is not in it: the report says so."""
    place = encodings()
    real = training.train_classifiers

    def and_meanwhile(*arguments: object, **named: object) -> training.TrainingResult:
        place.write_bytes(gallery({**FAMILY, "Carol": 1}).dumps())
        return real(*arguments, **named)  # type: ignore[arg-type]

    monkeypatch.setattr("face_det.cli.train.train_classifiers", and_meanwhile)
    assert "was changed while this ran; run face-det train again" in train("-c", "nearest").stdout


@pytest.mark.parametrize("left", [{"Alice": 5, "Unknown": 5}, None])
def test_who_is_forgotten_meanwhile_does_not_come_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, left: dict[str, int] | None
) -> None:
    """What was trained still knows them: it is not written, and the next run trains without them."""
    place = encodings()
    real = training.train_classifiers

    def and_meanwhile(*arguments: object, **named: object) -> training.TrainingResult:
        if left is None:
            place.unlink()
        else:
            place.write_bytes(gallery(left).dumps())
        return real(*arguments, **named)  # type: ignore[arg-type]

    monkeypatch.setattr("face_det.cli.train.train_classifiers", and_meanwhile)
    result = train("-c", "nearest", "-o", "out")
    assert isinstance(result.exception, Busy)
    assert result.exception.exit_code == 75
    assert "Bob" in str(result.exception)
    assert "nothing was written, run it again" in str(result.exception)
    assert not [*tmp_path.glob("**/*_face_recognizer.pickle")]


def test_encodings_that_may_only_be_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """They are somebody else's, or on a read-only file system; the classifiers go elsewhere."""
    encodings()

    @contextlib.contextmanager
    def refused(path: Path, **_: object) -> Iterator[None]:
        raise CannotWrite(f"{path}: cannot be written: Read-only file system")
        yield

    monkeypatch.setattr("face_det.enrolment.training_outputs.lock_for_update", refused)
    result = train("-c", "nearest", "-o", "out")
    assert result.exit_code == 0, result.output
    assert (tmp_path / "out" / "nearest_face_recognizer.pickle").exists()


@pytest.mark.slow
def test_script_of_the_originals_name(
    tmp_path: Path, repository: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """No flags: reads and writes in the current folder; a failure ends with its exit code."""
    script = str(repository / "scripts" / "train.py")
    missing = subprocess.run([sys.executable, script], capture_output=True, text=True, check=False)
    assert missing.returncode == 65
    assert missing.stderr.startswith("face-det: ")

    def run(*flags: str) -> None:
        """In this process, which has imported everything."""
        monkeypatch.setattr(sys, "argv", [script, *flags])
        with pytest.raises(SystemExit) as end:
            runpy.run_path(script, run_name="__main__")
        assert (end.value.code or 0, capsys.readouterr().err) == (0, "")

    encodings({"Alice": 2})
    run()
    assert "nearest_face_recognizer.pickle" in written(tmp_path)
    encodings()
    for flags in ((), ("-c", "svm"), ("--classifier", "nearest")):
        run("--quick", "-j1", *flags)
        assert card(tmp_path).kind == "svm", "a file of the original's name holds what the original's does"


@pytest.mark.slow
def test_kill_9_leaves_the_old_files_or_the_new(killed: dict[str, list[list[int]]]) -> None:
    """Killed before each step it takes in its folder: all loads, and all is of one training."""
    assert_old_or_new(killed["output"])


@pytest.mark.slow
def test_ctrl_c_leaves_the_old_files(tmp_path: Path) -> None:
    """Interrupted in the middle of the search, at a terminal: exit 130, and nothing has changed."""
    encodings()
    train("-c", "svm")
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    encodings(dict.fromkeys("ABCDEFGHIJ", 300), name="many.pickle")
    terminal, end = pty.openpty()
    with subprocess.Popen(
        [sys.executable, "-m", "face_det.cli.main", "train", "-e", "many.pickle", "-c", "svm"],
        stderr=end,
        env={**os.environ, "TERM": "xterm"},
    ) as running:
        os.close(end)
        shown = b""
        while b"svm" not in shown:
            shown += os.read(terminal, 4096)
        running.send_signal(signal.SIGINT)
        while True:
            try:
                shown += os.read(terminal, 4096)
            except OSError:  # a terminal whose other end is closed
                break
    os.close(terminal)
    assert running.returncode == 130, shown
    assert b"Traceback" not in shown
    assert b"interrupted; the classifiers are unchanged" in shown
    assert {name: (tmp_path / name).read_bytes() for name in before} == before


def test_several_kinds_are_one_table(tmp_path: Path) -> None:
    """A line each with the same columns, and no report of each person six times over."""
    encodings()
    lines = train("--all").stdout.splitlines()
    head = next(number for number, line in enumerate(lines) if line.startswith("classifier "))
    rows = lines[head + 1 : head + 1 + len(KINDS)]
    assert [row.split()[0] for row in rows] == KINDS
    assert "f1-score" not in "\n".join(lines)
    assert "each person's figures: face-det train --classifier KIND, or --json" in lines


def test_one_person_under_two_names(tmp_path: Path) -> None:
    """The report names the two and points at the command that finds what is wrong with the folders."""
    made = gallery({"Alice": 12, "Bob": 6, "Unknown": 5})
    names = [f"Alice{number % 2}" if name == "Alice" else name for number, name in enumerate(made.names)]
    (tmp_path / "encodings.pickle").write_bytes(Gallery(made.encodings, names).dumps())
    told = train("-c", "template").stdout
    assert (
        "confused with each other on held-out photos: Alice0 and Alice1; face-det gallery check finds photos "
        "in the wrong folder and one person under two names"
    ) in told
    encodings()
    assert "gallery check" not in train("-c", "template").stdout


def test_ctrl_c_before_the_search(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is said to be kept where nothing was done."""
    encodings()

    def interrupted(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("face_det.cli.train.choose_model_files", interrupted)
    ran = run_here("train", "-c", "nearest", cwd=tmp_path)
    assert ran.returncode == 130
    assert ran.stderr.strip() == "face-det: interrupted; the classifiers are unchanged"
