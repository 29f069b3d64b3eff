"""docs/how-to/from-compreface.md and from-double-take.md, from their first command to their last.

CompreFace and Double Take themselves are not run: the photos come from our own routes in CompreFace's place,
which its real client is content with (test_compreface.py), and Double Take's requests are made as it makes
them.
"""

from __future__ import annotations

import json
import re
import shutil

import httpx
import pytest
import yaml
from daemon_fixtures import lasting_daemon
from gateway_fixtures import lasting_gateway
from how_to import HowTo

from face_det.config import CONFIG_KEYS, SECTION_KEYS, load_config

from .conftest import SERVE

PEOPLE = {"Barack Obama": ("obama", "obama2"), "Joe/Biden": ("biden",)}


@pytest.fixture
def compreface(tmp_path_factory, photos):
    """Routes in CompreFace's place, with two people whose photos it keeps; its address."""
    with lasting_daemon(SERVE) as daemon:
        folder = tmp_path_factory.mktemp("compreface")
        with lasting_gateway(folder, daemon.endpoint, http={"standIns": ["compreface"]}) as web:
            for name, its in PEOPLE.items():
                for which in its:
                    web.post(
                        "/api/v1/recognition/faces",
                        params={"subject": name.replace("/", " ")},
                        files={"file": photos[which].read_bytes()},
                    ).raise_for_status()
            yield str(web.base_url)


def settings_of(block, tmp_path, **changed):
    """The settings of a page's block, written to config.json; the file is valid."""
    about = json.loads(block)["faceDetServer"]
    (tmp_path / "config.json").write_text(json.dumps({"faceDetServer": about}))
    load_config(tmp_path / "config.json", {})
    return about


def places(tmp_path):
    """The files that the page's commands made, for a daemon."""
    config = load_config(tmp_path / "config.json", {})
    named = {
        "datasetPath": config.dataset_path,
        "encodingsPath": config.encodings_path,
        "modelPath": config.model_path,
        "labelPath": config.label_path,
    }
    return {key: str(path) for key, path in named.items()}


def recognize(address, key, picture, **query):
    """Ask as programs ask CompreFace; the faces in its answer."""
    answer = httpx.post(
        f"{address}/api/v1/recognition/recognize",
        headers={"x-api-key": key},
        params=query,
        files={"file": picture},
        timeout=300,
    )
    return answer.raise_for_status().json()["result"]


@pytest.mark.slow
def test_from_compreface(compreface, photos, tmp_path):
    """Photos, settings, a token, and the page's own question."""
    page = HowTo("from-compreface.md", tmp_path)
    (tmp_path / "compreface.key").write_text("any")
    take, token, ask = page.blocks("sh")
    page.run(take.replace("http://127.0.0.1:8000", compreface))
    found = sorted(path.parent.name for path in (tmp_path / "dataset").glob("*/*.jpg"))
    assert found == ["Barack Obama", "Barack Obama", "Joe Biden"]
    about = settings_of(page.blocks("json")[0], tmp_path)
    with lasting_daemon(SERVE, **places(tmp_path)) as daemon:
        http = {**about["http"], "port": 0, "credentialsPath": str(tmp_path / "web-credentials.json")}
        key = page.run(token).split()[0]
        with lasting_gateway(tmp_path, daemon.endpoint, http=http) as web:
            shutil.copy(photos["obama3"], tmp_path / "visitor.jpg")
            said = page.run(ask.replace("http://127.0.0.1:8000", str(web.base_url)), TOKEN=key)
            (face,) = json.loads(said)["result"]
            assert face["subjects"][0]["subject"] == "Barack Obama"
            assert face["subjects"][0]["similarity"] > 0.5
            refused = web.post("/api/v1/recognition/recognize", headers={"x-api-key": "wrong"})
            assert refused.status_code == 401


def double_take(faces, settings):
    """What Double Take makes of CompreFace's answer with these settings: names and whether they match."""
    made = []
    for face in faces:
        subject = face["subjects"][0] if face["subjects"] else None
        confidence = round(subject["similarity"] * 100, 2) if subject else 0
        known = subject and confidence >= settings["unknown"]["confidence"]
        name = subject["subject"].lower() if known else "unknown"
        made.append((name, confidence >= settings["match"]["confidence"]))
    return made


@pytest.mark.slow
def test_from_double_take_with_its_own_settings(photos, tmp_path):
    """Its photos, and then its requests: known, stranger, and somebody whom it trains."""
    page = HowTo("from-double-take.md", tmp_path)
    trained = tmp_path / "double-take/.storage/train"
    for name, photo in (("obama", "obama"), ("obama", "obama2"), ("eileen", "astronaut")):
        (trained / name).mkdir(parents=True, exist_ok=True)
        shutil.copy(photos[photo], trained / name / f"{photo}.jpg")
    copy, token = page.blocks("sh")
    about = settings_of(page.blocks("json")[0], tmp_path)
    page.run(copy)
    key = page.run(token).split()[0]
    (block,) = page.blocks("yaml")
    theirs = yaml.safe_load(block)
    with lasting_daemon(SERVE, **places(tmp_path)) as daemon:
        http = {**about["http"], "host": "127.0.0.1", "port": 0}
        http["credentialsPath"] = str(tmp_path / "web-credentials.json")
        with lasting_gateway(tmp_path, daemon.endpoint, http=http) as web:

            def ask(photo):
                query = {"det_prob_threshold": theirs["detectors"]["compreface"]["det_prob_threshold"]}
                faces = recognize(web.base_url, key, photos[photo].read_bytes(), **query)
                return double_take(faces, theirs["detect"])

            assert ask("obama3") == [("obama", True)]
            assert ask("biden") == [("unknown", False)]
            web.post(
                "/api/v1/recognition/faces",
                headers={"x-api-key": key},
                params={"subject": "biden"},
                files={"file": photos["biden"].read_bytes()},
            ).raise_for_status()
            assert ask("biden") == [("biden", True)]


def test_the_settings_that_take_double_takes_place_exist(tmp_path):
    """Its second block is valid, and each setting in the table is one."""
    page = HowTo("from-double-take.md", tmp_path)
    settings_of(page.blocks("json")[1], tmp_path)
    table = page.text.partition("| Double Take's config.yml |")[2].partition("\n\n")[0]
    ours = re.findall(r"^\| [^|]* \| ([^|]*) \|$", table, re.M)
    named = {name for cell in ours for name in re.findall(r"`([a-z]\w*(?:\.[a-z]\w*)?)`", cell)}
    for name in named:
        section, _, key = name.partition(".")
        assert name in CONFIG_KEYS or key in SECTION_KEYS[section], name
    assert len(named) > 8
