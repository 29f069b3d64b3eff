"""`face-det recognize`, and what all commands share: exit codes, messages, an end by Ctrl-C."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import forked
import pytest
from click.testing import CliRunner
from PIL import Image
from running_here import run_here

from face_det.cli import recognize
from face_det.cli.main import COMMANDS
from face_det.config.load import load_config
from face_det.media import answers, image
from face_det.service import assembly

FACE_DET = (sys.executable, "-m", "face_det.cli.main")
SETTINGS = {"faceDetModel": "hog", "focusMeasureThreshold": 20, "numFaceImgUpsample": 0}


def run(*arguments, cwd, **options):
    environ = {name: text for name, text in os.environ.items() if not name.startswith("FACE_DET_")}
    return forked.run([*FACE_DET, *map(str, arguments)], cwd=cwd, env=environ, **options)


@pytest.fixture(scope="module")
def photos(small_photos):
    """Nothing here depends on how large a photo is."""
    return small_photos


@pytest.fixture(scope="module")
def once_trained(tmp_path_factory, photos):
    """A folder with config.json and a model that knows Obama, to be copied."""
    folder = tmp_path_factory.mktemp("trained") / "trained"
    folder.mkdir()
    (folder / "config.json").write_text(json.dumps({"faceDetServer": SETTINGS}))
    service = assembly.build_service(load_config(folder / "config.json", {}))
    service.add_face("Obama", str(photos["obama"]))
    return folder


@pytest.fixture
def trained(tmp_path, once_trained):
    """A folder with config.json and a model that knows Obama."""
    shutil.copytree(once_trained, tmp_path, dirs_exist_ok=True)
    return tmp_path


@pytest.mark.usefixtures("shared_networks")
def test_table_json_and_pictures(trained, photos):
    """One command names the faces, as a table and as JSON, and writes legible copies."""
    table = run("recognize", photos["obama3"], photos["chelsea"], cwd=trained)
    assert (table.returncode, table.stderr) == (0, "")
    assert "Obama" in table.stdout
    assert "no_face" in table.stdout
    done = run_here("recognize", photos["obama3"], "--json", "--annotate", "out", cwd=trained)
    assert done.returncode == 0, done.stderr
    ((face,),) = [answer["faces"] for answer in json.loads(done.stdout)]
    assert face["face"] == "Obama"
    assert face["headPose"]["yaw"] > 5, "he looks to the right edge"
    (written,) = (trained / "out").iterdir()
    assert image.load_image(written).shape == image.load_image(photos["obama3"]).shape


@pytest.mark.usefixtures("shared_networks")
def test_bad_pictures_do_not_spoil_the_others(trained, photos):
    """Every picture is answered; those that could not be read are counted at the end, exit 65."""
    (trained / "text.jpg").write_text("no picture")
    url = "http://camera/shot.jpg"
    done = run_here("recognize", url, "missing.jpg", "text.jpg", photos["obama3"], "--json", cwd=trained)
    assert done.returncode == 65
    missing, text, good, refused = json.loads(done.stdout)
    assert refused["error"].startswith(f"{url}: must be a file, got a URL; download the picture first")
    assert "file not found" in missing["error"]
    assert "got text" in text["error"]
    assert good["faces"][0]["face"] == "Obama"
    assert done.stderr == "face-det: 3 of 4 images could not be read; the table says why\n"


@pytest.mark.usefixtures("shared_networks")
def test_a_table_names_every_picture_in_full(trained, photos):
    """Long paths are folded and not cut, in a file and in a narrow terminal; brackets are no markup."""
    folder = trained / "a folder with a long name" / "[red] and one more"
    folder.mkdir(parents=True)
    for number in range(2):
        (folder / f"camera-at-the-front-door-{number}.jpg").write_bytes(photos["obama3"].read_bytes())
    for columns in ("", "60"):
        environ = {"COLUMNS": columns} if columns else {}
        (trained / "text.jpg").write_text("no picture")
        done = run_here("recognize", folder, "text.jpg", cwd=trained, **environ)
        told = "".join(
            line.split("\u2502")[1].strip() for line in done.stdout.splitlines() if "\u2502" in line
        )
        for number in range(2):
            assert f"[red] and one more/camera-at-the-front-door-{number}.jpg".replace(
                " ", ""
            ) in told.replace(" ", "")
        assert "\u2026" not in done.stdout
    assert "text.jpg: must be" in " ".join(done.stdout.replace("\u2502", " ").split())


def test_annotated_pictures_need_a_folder(trained, photos):
    """Said before the networks are loaded."""
    (trained / "file").write_text("")
    done = run("recognize", photos["obama3"], "--annotate", "file/x", cwd=trained)
    assert done.returncode == 75
    assert done.stderr.startswith("face-det: file/x: cannot be written")
    assert done.stdout == ""


def test_keys_are_for_a_daemon(trained, photos):
    """Without one they would be ignored."""
    done = run("recognize", photos["obama3"], "--keys", "keys", cwd=trained)
    assert done.returncode == 2
    assert "--keys needs --remote" in done.stderr


def test_strangers_are_not_drawn_as_people(monkeypatch, tmp_path, photos):
    """Green is for those who are known."""
    drawn = []
    monkeypatch.setattr(answers, "annotate_faces", lambda rgb, labels: drawn.extend(labels) or rgb)
    box = {"xmin": 1, "ymin": 1, "xmax": 9, "ymax": 9}
    faces = [{"face": name, "faceBox": box, "faceProba": 0.9} for name in ("Anna", "Unknown", None)]
    faces[2]["faceReason"] = "too_blurry"
    recognize._annotate(photos["obama3"].read_bytes(), faces, tmp_path / "x.jpg")
    assert [known for _, _, known in drawn] == [True, False, False]
    assert [text for _, text, _ in drawn] == ["Anna 90%", "Unknown", "too blurry"]


@pytest.mark.usefixtures("shared_networks")
def test_a_name_that_no_font_draws(trained, photos):
    """Said once, and only where pictures are written; the table has the name as it is."""
    name = "\U00030000"
    service = assembly.build_service(load_config(trained / "config.json", {}))
    service.add_face(name, str(photos["biden"]))
    asked = ("recognize", photos["biden"], photos["biden"])
    done = run_here(*asked, "--annotate", "out", cwd=trained)
    assert name in done.stdout
    told = "no installed font draws U+30000, so pictures show these codes instead"
    assert done.stderr.count(told) == 1
    assert "install fonts-noto-cjk" in done.stderr
    assert run_here(*asked, cwd=trained).stderr == ""


@pytest.mark.usefixtures("shared_networks")
def test_a_picture_that_is_cut_off_is_drawn_too(trained, photos):
    """What is there is named and drawn, and the table says that some is missing."""
    data = photos["obama3"].read_bytes()
    (trained / "cut.jpg").write_bytes(data[: len(data) * 3 // 4])
    done = run_here("recognize", "cut.jpg", "--annotate", "out", cwd=trained)
    assert done.returncode == 0, done.stderr
    assert "Obama" in done.stdout
    assert "the picture is cut off" in done.stdout
    (written,) = (trained / "out").iterdir()
    assert image.load_image(written).shape == image.load_image(photos["obama3"]).shape


@pytest.mark.skipif(not Path("/dev/full").is_char_device(), reason="needs /dev/full")
def test_a_full_disk_behind_stdout(trained):
    """One line, and the exit code of what cannot be written."""
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            [*FACE_DET, "--help"], stdout=full, stderr=subprocess.PIPE, text=True, check=False, cwd=trained
        )
    assert done.returncode == 75
    assert done.stderr.startswith("face-det: stdout: cannot be written: No space left")
    assert len(done.stderr.splitlines()) == 1


@pytest.mark.usefixtures("shared_networks")
def test_a_folder_stands_for_its_pictures(trained, photos):
    """A folder is searched; an empty one is bad data."""
    (trained / "a" / "b").mkdir(parents=True)
    empty = run_here("recognize", "a", cwd=trained)
    assert (empty.returncode, empty.stderr) == (65, "face-det: a: must hold images, got none\n")
    (trained / "a" / "b" / "one.JPG").write_bytes(photos["obama3"].read_bytes())
    done = run_here("recognize", "a", "--json", cwd=trained)
    assert [Path(answer["image"]).name for answer in json.loads(done.stdout)] == ["one.JPG"]


@pytest.mark.usefixtures("shared_networks")
def test_pictures_are_found_by_their_content(trained, photos):
    """Without a suffix and as AVIF; other files are counted, and an empty folder spoils nothing."""
    folder = trained / "a"
    (folder / "Unknown").mkdir(parents=True)
    shutil.copy(photos["obama3"], folder / "photo")
    Image.open(photos["obama3"]).save(folder / "photo.avif")
    (folder / "README.md").write_text("hello")
    done = run_here("recognize", *sorted(folder.iterdir()), "--json", cwd=trained)
    assert done.returncode == 0, done.stderr
    readme, answers = str(folder / "README.md"), json.loads(done.stdout)
    assert [(Path(one["image"]).name, len(one["faces"])) for one in answers[:2]] == [
        ("photo", 1),
        ("photo.avif", 1),
    ]
    assert answers[2:] == [{"image": readme, "faces": [], "skipped": "not a picture"}]
    assert done.stderr.splitlines() == [
        f"face-det: {folder}/Unknown: must hold images, got none",
        "not pictures: 1 (README.md)",
    ]
    alone = run_here("recognize", readme, cwd=trained)
    assert (alone.returncode, alone.stderr.count("could not be read")) == (65, 1)


@pytest.mark.usefixtures("shared_networks")
def test_without_a_model(tmp_path, photos):
    """The faces are shown, and the end says why nobody is named: exit 69, or 65 if a picture is bad, too."""
    (tmp_path / "config.json").write_text(json.dumps({"faceDetServer": SETTINGS}))
    for others, code in (((), 69), (("missing.jpg",), 65)):
        done = run_here("recognize", photos["obama3"], *others, cwd=tmp_path)
        assert done.returncode == code
        assert "unrecognised" in done.stdout
        assert "no model is trained yet" in done.stderr
    assert "1 of 2 images could not be read" in done.stderr


def test_asking_a_daemon(trained, photos, launch):
    """--remote asks the daemon, which needs no file of ours; nobody there is exit 75."""
    daemon = launch(command=(*FACE_DET, "serve", "--config"), **SETTINGS)
    daemon.client().add_face("Barack", photos["obama"].read_bytes())
    done = run("recognize", photos["obama3"], "--json", "--remote", daemon.endpoint, cwd=trained)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)[0]["faces"][0]["face"] == "Barack"
    daemon.stop()
    gone = run("recognize", photos["obama3"], "--remote", daemon.endpoint, cwd=trained)
    assert gone.returncode == 75
    assert "a daemon must answer there" in gone.stderr
    assert "`face-det serve` or `face-det up` starts it" in gone.stderr


@pytest.mark.parametrize("name", ["", *COMMANDS])
def test_every_command_has_help(name, tmp_path):
    """--help works for each, without a configuration and without loading a network."""
    from face_det.cli.main import root_command

    result = CliRunner().invoke(root_command, [*name.split(), "--help"])
    assert result.exit_code == 0
    assert "Usage:" in result.output


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["--wrong"], 2, "No such option"),
        (["unknwon"], 2, "No such command"),
        (["encod"], 2, "Did you mean"),
        (["recognize"], 2, "Missing argument"),
        (["recognize", "a.jpg", "--wrong"], 2, "No such option"),
        (["recognize", "a.jpg", "--config", "nowhere.json"], 78, "nowhere.json"),
        (["serve", "--config", "nowhere.json"], 78, "nowhere.json"),
    ],
)
def test_wrong_usage(arguments, code, message, tmp_path):
    """A wrong flag is 2, a bad configuration 78; the message is on stderr, no traceback anywhere."""
    done = run_here(*arguments, cwd=tmp_path)
    assert done.returncode == code
    assert message in done.stderr
    assert "Traceback" not in done.stderr
    assert done.stdout == ""


def test_all_faults_of_a_configuration(tmp_path):
    """Every fault is a line of its own, with the nearest right key."""
    (tmp_path / "config.json").write_text('{"faceDetServer": {"minProbe": 0.9, "threads": "two"}}')
    done = run("serve", cwd=tmp_path)
    assert done.returncode == 78
    assert len(done.stderr.splitlines()) == 2
    assert "did you mean minProba?" in done.stderr


@pytest.mark.slow
def test_interrupted(trained, photos):
    """Ctrl-C in the middle of a long job: 130, the answers until then, no traceback."""
    pictures = [str(photos["t1"])] * 400
    command = [*FACE_DET, "recognize", *pictures, "--annotate", "out", "--json"]
    with subprocess.Popen(
        command, cwd=trained, stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as job:
        while not list((trained / "out").glob("*.jpg")):
            assert job.poll() is None
        job.send_signal(signal.SIGINT)
        stdout, stderr = job.communicate(timeout=300)
    assert job.returncode == 130
    answers = json.loads(stdout)
    assert 0 < len(answers) < 400
    assert all(len(answer["faces"]) == 6 for answer in answers)
    told = ["annotated images are in out", f"face-det: interrupted after {len(answers)} of 400 images"]
    assert stderr.splitlines() == told


INTERRUPTED_AT_IMPORT = """
import os, signal, sys

class Interrupt:
    def find_spec(self, name, *_):
        if name == "MODULE":
            os.kill(os.getpid(), signal.SIGINT)

sys.meta_path.insert(0, Interrupt())
from ENTRY0 import ENTRY1 as run
run()
"""


@pytest.mark.parametrize("module", ["click", "face_det.errors", "face_det.cli.people"])
def test_interrupted_before_it_has_begun(module, tmp_path):
    """While the command is still imported: the same as later, one line and 130."""
    (entry,) = re.findall(r'"face-det = (.*):(.*)"', (Path(__file__).parents[2] / "setup.py").read_text())
    program = INTERRUPTED_AT_IMPORT.replace("MODULE", module)
    program = program.replace("ENTRY0", entry[0]).replace("ENTRY1", entry[1])
    done = subprocess.run(
        [sys.executable, "-c", program, "people"], cwd=tmp_path, capture_output=True, text=True
    )
    assert (done.returncode, done.stderr) == (130, "face-det: interrupted; nothing was done\n")


def test_an_uncertain_face_says_who_it_may_be():
    """The table names the candidates behind the reason."""
    box = {"xmin": 0, "ymin": 0, "xmax": 9, "ymax": 9}
    candidates = [{"name": "Ann", "proba": 0.6}, {"name": "Bea", "proba": 0.3}]
    face = {"face": None, "faceReason": "unrecognised", "faceProba": 0.6, "faceBox": box}
    table = recognize._build_table([{"image": "a.jpg", "faces": [{**face, "candidates": candidates}, face]}])
    assert [str(cell) for cell in table.columns[3].cells] == ["unrecognised: Ann or Bea?", "unrecognised"]
