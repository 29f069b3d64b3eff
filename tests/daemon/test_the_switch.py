"""docs/how-to/switch-from-smart-zoneminder.md, from its first command to its last, and the way back.

The page's sh blocks are run in their order, below a folder that stands for the machine. Only these differ:

- Lines that install (venv, pip), edit (nano) or are about users (chown, usermod) are left out: what is tested
  is installed already, and the settings of the page's first json block are made by the test.
- `sudo` is dropped, ~ is a folder, and that is the root of the service's paths and of `install-service`, too.
- systemctl's turn comes at the end of a block: `enable --now` starts what the unit says, if it is ours,
  `reload` sends SIGHUP, and the others do nothing.
"""

from __future__ import annotations

import base64
import json
import os
import pickle
import re
import shlex
import shutil
import signal
import subprocess
import sys
import warnings
import zlib
from pathlib import Path

import numpy as np
import PIL.Image
import pytest
import zerorpc
from node_uploader import NodeMissing, find_packages, start_uploader
from running import eventually
from sklearn.preprocessing import LabelEncoder
from sklearn.svm import SVC

from face_det.engine import EngineOptions, build_engine
from face_det.media import load_image

REPOSITORY = Path(__file__).parents[2]
PAGE = (REPOSITORY / "docs/how-to/switch-from-smart-zoneminder.md").read_text("utf-8")
OLD_FILES = json.loads((REPOSITORY / "tests/support/data/original_files.json").read_text("utf-8"))
COMMAND = f"{sys.executable} -m face_det.cli.main"
SERVICE_PATHS = re.compile(r"/(?=(?:etc/face-detect|etc/systemd|var/lib/face-detect|run/face-detect)\b)")
LEFT_OUT = re.compile(r"python3 -m venv|/pip install|^nano |^(chown|usermod) ")
UNIT = "etc/systemd/system/face-detect.service"
ORIGINAL_UNIT = """\
[Service]
Type=simple
User=me
WorkingDirectory=/home/me/smart-zoneminder/face-det-rec
ExecStart=/home/me/.virtualenvs/szm/bin/python3 face_detect_server.py
"""
ORIGINAL_CONFIG = {
    "comment": "Configuration for face_detect_server.py.",
    "modelPath": "./svm_face_recognizer.pickle",
    "labelPath": "./face_labels.pickle",
    "minProba": 0.9,
    "focusMeasureThreshold": 200,
    "minFace": 20,
    "numFaceImgUpsample": 1,
    "faceDetModel": "cnn",
    "numJitters": 500,
    "zerorpcHeartBeat": 60000,
    "zerorpcPipe": "ipc:///tmp/face_detect_zmq.pipe",
}
PEOPLE = {"Barack": ("obama", "obama2"), "Eileen": ("astronaut",), "Unknown": ("biden", "hanks", "carphone")}

pytestmark = pytest.mark.skipif(
    os.geteuid() != 0 or shutil.which("systemd-sysusers") is None,
    reason="install-service needs root and systemd-sysusers",
)


def blocks(language):
    """The page's fenced blocks of a language, in order."""
    return re.findall(rf"^```{language}\n(.*?)^```$", PAGE, re.M | re.S)


def contents(folder):
    """Path -> bytes of every file below a folder."""
    return {path.relative_to(folder): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def small(photo, target):
    """A photo of 320 pixels, so that cnn finds its face in a tenth of a second."""
    with PIL.Image.open(photo) as picture:
        smaller = picture.convert("RGB")
    smaller.thumbnail((320, 320))
    target.parent.mkdir(parents=True, exist_ok=True)
    smaller.save(target, "JPEG", quality=95)


def write_originals(folder, photos):
    """The original's folder: settings, photos, and pickles as encode_faces.py and train.py write them."""
    engine = build_engine(EngineOptions("cnn", upsample=1, embedder="dlib_resnet", focus_threshold=0))
    random = np.random.default_rng(7)
    encodings, names = [], []
    for name, its_photos in PEOPLE.items():
        for which in its_photos:
            photo = folder / "dataset" / name / f"{which}.jpg"
            small(photos[which], photo)
            ((face,),) = engine.faces([(load_image(photo), None)])
            # Its instructions ask for 20 photos of everybody, or many more.
            each = 60 // len(its_photos)
            encodings += [*(face.encoding + random.normal(0, 0.02, (each, 128)))]
            names += [name] * each
    labels = LabelEncoder()
    numbers = labels.fit_transform(names)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)  # probability=True is deprecated
        svm = SVC(C=10, kernel="linear", probability=True, random_state=1234).fit(
            np.array(encodings), numbers
        )
    written = {"svm_face_recognizer": svm, "face_labels": labels}
    written["encodings"] = {"encodings": encodings, "names": names}
    for name, thing in written.items():
        (folder / f"{name}.pickle").write_bytes(pickle.dumps(thing))
    packed = OLD_FILES["scikit-learn 0.24.2, xgboost 1.4.2"]["models"]["xgb"]
    (folder / "xgb_face_recognizer.pickle").write_bytes(zlib.decompress(base64.b64decode(packed)))
    (folder / "config.json").write_text(json.dumps({"faceDetServer": ORIGINAL_CONFIG}, indent=4))


class Machine:
    """The folder that stands for the machine, and the daemon that its systemd would run."""

    def __init__(self, root):
        self.root = root
        self.daemon = None
        self.log = root / "journal"

    def path(self, text):
        """A text of the page with the service's paths below the root folder."""
        return SERVICE_PATHS.sub(f"{self.root}/", text)

    def run(self, block):
        """Run an sh block of the page, and then what it asks systemctl for; what was said."""
        script, asked = "set -e\n", []
        for line in self.path(block).splitlines():
            line = re.sub(r"\bsudo (-u face-detect )?", "", line)
            if line.startswith("systemctl"):
                asked += [shlex.split(part)[1:] for part in line.split("#")[0].split("&&")]
            elif not LEFT_OUT.search(line):
                line = line.replace("/opt/face_det/.venv/bin/face-det", COMMAND)
                script += line.replace("install-service", f"install-service --root {self.root}") + "\n"
        environ = {**os.environ, "HOME": str(self.root)}
        done = subprocess.run(["sh", "-c", script], capture_output=True, text=True, env=environ, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
        for words in asked:
            self._systemctl(*words)
        return done.stdout + done.stderr

    def _systemctl(self, verb, *words):
        if verb == "enable":
            assert words == ("--now", "face-detect")
            (start,) = re.findall(r"^ExecStart=\S+ (.*)$", (self.root / UNIT).read_text(), re.M)
            if start.startswith("serve "):
                self._start(shlex.split(f"{COMMAND} {self.path(start)}"))
        elif verb == "reload":
            before = self.log.read_text().count(" changed=")
            self.daemon.send_signal(signal.SIGHUP)
            eventually(lambda: self.log.read_text().count(" changed=") > before, "the reload")
        else:
            assert verb in ("disable", "daemon-reload")

    def _start(self, argv):
        with self.log.open("wb") as log:
            self.daemon = subprocess.Popen(argv, stderr=log)
        eventually(lambda: " ready" in self.log.read_text() or self.daemon.poll() is not None, "the start")
        assert self.daemon.poll() is None, self.log.read_text()

    def stop(self):
        """SIGTERM, as systemd sends it; the exit code."""
        self.daemon.terminate()
        return self.daemon.wait(timeout=120)


@pytest.fixture
def machine(folder):
    """The folder, with the original in the home folder and its unit in place."""
    machine = Machine(folder)
    (folder / UNIT).parent.mkdir(parents=True)
    (folder / UNIT).write_text(ORIGINAL_UNIT)
    yield machine
    if machine.daemon is not None and machine.daemon.poll() is None:
        machine.daemon.kill()
        machine.daemon.wait()


def uploaded(endpoint, images, folder):
    """The reply that the uploader gets, by zerorpc of Python and, if Node is there, by its own."""
    client = zerorpc.Client(timeout=30, heartbeat=60)
    client.connect(endpoint)
    try:
        reply = json.loads(client.detect_faces(images))
    finally:
        client.close()
    try:
        packages = find_packages()
    except NodeMissing:
        return reply
    with start_uploader(packages, endpoint, 1, images, folder) as uploader:
        eventually(lambda: uploader.poll() is not None, "the uploader's end")
    assert ((folder / "errors").read_text(), uploader.returncode) == ("", 0)
    assert [json.loads(line) for line in (folder / "replies").read_text().splitlines()] == [reply, reply]
    return reply


@pytest.mark.slow
def test_the_page(machine, folder, photos, shared_networks):
    """The original's files answer with names, people are enrolled, and both ways back lead to what was."""
    originals = folder / "smart-zoneminder/face-det-rec"
    write_originals(originals, photos)
    small(photos["obama3"], folder / "frame.jpg")
    small(photos["grace_hopper"], folder / "zoe.jpg")
    before = contents(originals)
    state = folder / "var/lib/face-detect"
    install, look, copy, switch, status, enrol, train, model_back, server_back = blocks("sh")
    changes, uploader = (json.loads(machine.path(block)) for block in blocks("json"))

    assert machine.run(install) == ""
    said = machine.run(look)
    assert "config.json is valid" in said
    assert "numJitters 500: encoding a face takes about 4.0 s" in said
    assert "Barack" in said
    assert contents(originals) == before, "looking changes nothing"

    machine.run(copy)
    mine = originals / "config.face_det.json"
    mine.write_text(json.dumps({"faceDetServer": {**ORIGINAL_CONFIG, **changes}}))
    endpoint = uploader["faceDetZerorpcPipe"]
    # systemd makes this folder. The file is what the original's instructions ask for in the socket's place.
    (folder / "run/face-detect").mkdir(parents=True)
    Path(endpoint.removeprefix("ipc://")).touch()
    assert "kept: /etc/systemd/system/face-detect.service.before-face_det" in machine.run(switch)
    assert "numJitters" not in machine.log.read_text()
    assert "svm_face_recognizer.pickle: original of 2 people" in machine.run(status)

    box = {"ymin": 0.0, "xmin": 0.0, "ymax": 320.0, "xmax": 320.0}
    labels = [
        {"id": 1, "name": "person", "score": 0.97, "box": box},
        {"id": 18, "name": "dog", "score": 0.5, "box": box},
    ]
    frames = [folder / "frame.jpg", folder / "zoe.jpg", folder / "none.jpg"]
    images = [{"image": str(frame), "labels": labels} for frame in frames]
    reply = uploaded(endpoint, images, folder)
    assert [answer["labels"][1] for answer in reply] == [labels[1]] * 3
    known, stranger, missing = (answer["labels"][0] for answer in reply)
    assert known["face"] == "Barack"
    assert known["faceProba"] >= 0.9
    assert stranger["face"] in ("Unknown", None)
    assert (missing["face"], missing["faceReason"]) == (None, "bad_image")

    assert "nearest stands in for svm" in machine.run(enrol)
    assert {path.name.removesuffix(".before-face_det") for path in state.glob("*.before-face_det")} == {
        "svm_face_recognizer.pickle",
        "face_labels.pickle",
        "encodings.pickle",
    }
    machine.run(train)
    assert "template_face_recognizer.pickle: template of 3 people" in machine.run(status)
    machine.run(model_back)
    for name, data in before.items():
        if name.suffix == ".pickle":
            assert (state / name).read_bytes() == data
    assert uploaded(endpoint, images, folder) == reply

    assert machine.stop() == 0
    machine.run(server_back)
    assert (folder / UNIT).read_text() == ORIGINAL_UNIT
    assert not [*(folder / UNIT).parent.glob("*.before-face_det")]
    mine.unlink()
    assert contents(originals) == before
