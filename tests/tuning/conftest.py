"""A model that knows two people, and a database with frames that show them."""

from __future__ import annotations

import json
import shutil

import pytest
from mongo_server import running_mongo

from face_det.config.load import load_config
from face_det.service import assembly

SETTINGS = {"faceDetModel": "hog", "numFaceImgUpsample": 0, "minProba": 0}


@pytest.fixture(scope="session")
def photos(small_photos):
    """Nothing here depends on how large a photo is."""
    return small_photos


@pytest.fixture(scope="session")
def once_trained(tmp_path_factory, photos):
    """A folder with config.json and a model that knows Obama and Biden, to be copied."""
    folder = tmp_path_factory.mktemp("trained") / "trained"
    folder.mkdir()
    (folder / "config.json").write_text(json.dumps({"faceDetServer": SETTINGS}))
    service = assembly.build_service(load_config(folder / "config.json", {}))
    service.add_face("Obama", str(photos["obama"]))
    service.add_face("Biden", str(photos["biden"]))
    return folder


@pytest.fixture
def trained(tmp_path, once_trained):
    """A copy of it, which is the current folder of what is run."""
    shutil.copytree(once_trained, tmp_path, dirs_exist_ok=True)
    # A socket of its own, where no daemon answers.
    settings = {**SETTINGS, "zerorpcPipe": f"ipc://{tmp_path}/s"[:100]}
    (tmp_path / "config.json").write_text(json.dumps({"faceDetServer": settings}))
    return tmp_path


@pytest.fixture(scope="session")
def mongo(tmp_path_factory):
    """A server for all tests here; each takes a database of its own."""
    with running_mongo(tmp_path_factory.mktemp("mongo")) as server:
        yield server


@pytest.fixture
def record(mongo, request):
    """record(document, ...): what the uploader recorded; returns the flags that lead there."""
    database = f"t{abs(hash(request.node.name)) % 10**9}"

    def store(*documents):
        with mongo.client() as client:
            client[database]["alarms"].insert_many(
                [{"status": "processed", "objDet": "local", **one} for one in documents]
            )
        return ["--mongo-url", mongo.url, "--database", database]

    return store
