"""A backup is downloaded, everybody is removed, and the file is restored, through the gateway."""

from __future__ import annotations

import sys

from daemon_fixtures import lasting_daemon
from gateway_fixtures import lasting_gateway

SERVE = (sys.executable, "-m", "face_det.cli.main", "serve", "--config")
SETTINGS = {"faceDetModel": "hog", "numFaceImgUpsample": 0, "embedder": "dlib_resnet", "sightings": {}}


def test_everything_as_one_file_and_back(small_photos, tmp_path):
    """What is no backup is a bad request; each answer names the backup of what was before."""
    with lasting_daemon(SERVE, **SETTINGS) as daemon:
        client = daemon.client()
        # What follows the picture makes the file larger than a part.
        client("add_face", "Obama", small_photos["obama"].read_bytes() + bytes(2**20))
        client("recognize", small_photos["obama3"].read_bytes())
        with lasting_gateway(tmp_path, daemon.endpoint) as web:
            found = web.get("/api/v1/backup")
            assert found.headers["content-type"] == "application/zip"
            assert len(found.content) > 2**20
            cleared = web.post("/api/v1/clear").json()
            assert (cleared["people"], cleared["photos"]) == (1, 1)
            assert client("people") == []
            refused = web.post("/api/v1/restore", content=found.content[:-100])
            assert (refused.status_code, client("people")) == (400, [])
            answer = web.post("/api/v1/restore", content=found.content)
            assert answer.status_code == 200, answer.text
            assert answer.json() | {"backup": ""} == {
                "backup": "",
                "people": 1,
                "photos": 1,
                "sightings": 1,
                "left_out": ["config.json"],
            }
        assert [one["id"] for one in client("backups")] == [answer.json()["backup"], cleared["backup"]]
        assert [(one["name"], one["images"]) for one in client("people")] == [("Obama", 1)]
        client.close()
