"""pyzm's gateway, as the real client of ZoneMinder's event server asks it; `pyzm.serve` is a stand-in."""

from __future__ import annotations

import json
import shutil
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qsl

import PIL.Image
import pypi_clients
import pytest
from gateway_fixtures import lasting_gateway
from zoneminder_api import PASSWORD, USER, ZoneMinderApi

from face_det.gateway.security.credentials import add_token, set_password

pytestmark = pytest.mark.usefixtures("anew")

CAR = {"label": "car", "confidence": 0.9, "box": [1, 2, 30, 40], "type": "object", "model_name": "yolo"}
UPSTREAM_USER, UPSTREAM_PASSWORD = "cam", "upstream secret"

CLIENT = """
import json, sys
import cv2
from pyzm.ml.detector import Detector

_, url, user, password, *pictures = sys.argv
detector = Detector.from_dict({
    "general": {"model_sequence": "object,face", "ml_gateway": url, "ml_gateway_mode": "image",
                "ml_user": user, "ml_password": password, "ml_timeout": 300},
    "object": {"general": {"pattern": ".*"}, "sequence": [
        {"name": "yolo", "object_framework": "opencv", "object_weights": "/x"}]},
    "face": {"general": {"pattern": ".*"}, "sequence": [
        {"name": "faces", "face_detection_framework": "dlib", "known_images_path": "/x"}]},
})
told = []
for picture in pictures:
    found = detector.detect(cv2.imread(picture))
    told.append([[each.label, each.confidence, each.bbox.as_list(), each.detection_type]
                 for each in found.detections])
print(json.dumps(told))
"""


class PyzmServe(ThreadingHTTPServer):
    """A stand-in for `pyzm.serve` with a model of cars: its routes, forms and login; `asked` has paths."""

    daemon_threads = True

    def __init__(self):
        super().__init__(("127.0.0.1", 0), _Handler)
        self.asked, self.forms, self.tokens = [], [], {"none yet"}
        threading.Thread(target=self.serve_forever, daemon=True).start()

    @property
    def url(self):
        return f"http://127.0.0.1:{self.server_port}"


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *about):
        pass

    def do_GET(self):
        self._send(200, {"models": [{"name": "yolo", "type": "object"}, {"name": "dlib", "type": "face"}]})

    def do_POST(self):
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        self.server.asked.append(self.path)
        if self.path == "/login":
            sent = json.loads(body)
            if sent != {"username": UPSTREAM_USER, "password": UPSTREAM_PASSWORD}:
                return self._send(401, {"detail": "Invalid credentials"})
            self.server.tokens.add(f"jwt {len(self.server.tokens)}")
            return self._send(200, {"access_token": f"jwt {len(self.server.tokens) - 1}", "expires": 3600})
        if self.headers.get("Authorization", "").removeprefix("Bearer ") not in self.server.tokens:
            return self._send(401, {"detail": "Invalid token"})
        self.server.forms.append(body)
        assert b"\xff\xd8\xff" in body or b"PNG" in body or b"index.php" in body
        if self.path == "/infer":
            assert b'name="type"\r\n\r\nobject' in body or b"type=object" in body
            return self._send(200, {"detections": [CAR], "error": None})
        lists = {"labels": ["car", "Biden"], "boxes": [CAR["box"], [0, 0, 9, 9]], "confidences": [0.9, 1.0]}
        kinds = {"model_names": ["yolo", "dlib"], "detection_types": ["object", "face"]}
        return self._send(200, {**lists, **kinds, "frame_id": None, "error_boxes": []})

    def _send(self, status, about):
        data = json.dumps(about).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)


@pytest.fixture(scope="module")
def upstream():
    server = PyzmServe()
    yield server
    server.shutdown()
    server.server_close()


@pytest.fixture(scope="module")
def zoneminder(tmp_path_factory, photos):
    """ZoneMinder's API with event 5, whose first frame shows Obama."""
    server = ZoneMinderApi()
    folder = tmp_path_factory.mktemp("event")
    with PIL.Image.open(photos["obama3"]) as picture:
        picture.convert("RGB").save(folder / "00001-capture.jpg")
    server.events[5] = {"Id": 5, "MonitorId": 3, "FileSystemPath": str(folder)}
    server.tokens.add("theirs")
    yield server
    server.shutdown()
    server.server_close()


@pytest.fixture(scope="module")
def gateway(gallery_daemon, upstream, zoneminder, tmp_path_factory):
    """A gateway that stands in for pyzm's, requires a login, and has a `pyzm.serve` for cars."""
    folder = tmp_path_factory.mktemp("pyzm")
    (folder / "secret").write_text(UPSTREAM_PASSWORD + "\n")
    (folder / "zm").write_text(PASSWORD)
    about = {
        "pyzm": {"upstream": upstream.url, "user": UPSTREAM_USER, "passwordFile": str(folder / "secret")},
        "zoneminder": {"url": zoneminder.url, "user": USER, "passwordFile": str(folder / "zm")},
    }
    http = {"standIns": ["pyzm"], "credentialsPath": str(folder / "credentials.json")}
    credentials = folder / "credentials.json"
    set_password(credentials, "of the page")
    token = add_token(credentials, "zm")
    with lasting_gateway(folder, gallery_daemon.endpoint, http=http, **about) as web:
        web.token = token
        web.headers["Authorization"] = f"Bearer {token}"
        yield web


def find_client(which):
    try:
        return pypi_clients.find_client(which)
    except pypi_clients.ClientMissing as missing:
        pytest.skip(str(missing))


@pytest.mark.slow
@pytest.mark.parametrize(
    "which",
    [pypi_clients.PYZM, pytest.param(pypi_clients.PYZM_24, marks=pytest.mark.slow)],
    ids=lambda which: which[0],
)
def test_the_real_client_is_content(gateway, upstream, photos, tmp_path, which):
    """It logs in with a token, and gets the cars of its own server and our names, in both protocols."""
    pictures = []
    for name in ("obama3", "biden", "nobody"):
        pictures.append(tmp_path / f"{name}{photos[name].suffix}")
        shutil.copy(photos[name], pictures[-1])
    address = str(gateway.base_url).rstrip("/") + "/pyzm"
    told = pypi_clients.run_client(find_client(which), CLIENT, address, "zm", gateway.token, *pictures)
    labels = [sorted(each[0] for each in found) for found in told]
    assert labels == [["Obama", "car"], ["car", "unknown"], ["car"]]
    (obama,) = [each for each in told[0] if each[0] == "Obama"]
    assert 0.5 < obama[1] <= 1
    assert obama[3] == "face"
    left, top, right, bottom = obama[2]
    assert (0 <= left < right, 0 <= top < bottom) == (True, True)
    assert "/login" in upstream.asked


def infer(gateway, picture=None, **fields):
    files = {"image": ("frame.png", picture.read_bytes())} if picture else {"nothing": ("", b"")}
    answer = gateway.post("/pyzm/infer", data={"type": "face", "name": "", **fields}, files=files)
    assert answer.status_code == 200, answer.text
    return answer.json()


def test_without_a_daemon_no_models_are_loaded(tmp_path):
    """The health says so, and stays 200: objects are still found by the upstream."""
    with lasting_gateway(tmp_path, f"ipc://{tmp_path}/nobody", http={"standIns": ["pyzm"]}) as web:
        answer = web.get("/pyzm/health")
        assert (answer.status_code, answer.json()) == (200, {"status": "ok", "models_loaded": False})
        assert web.gateway.stop() == 0


def test_the_login_takes_tokens_only(gateway):
    """Without a token nothing but the login and the health is answered; a wrong password is refused."""
    anonymous = {"Authorization": ""}
    for path in ("/pyzm/models", "/api/v1/status"):
        for headers in (anonymous, {"Authorization": "Bearer x"}):
            assert gateway.get(path, headers=headers).status_code == 401
    assert gateway.post("/pyzm/infer", data={"type": "face"}, headers=anonymous).status_code == 401
    health = gateway.get("/pyzm/health", headers=anonymous)
    assert (health.status_code, health.json()) == (200, {"status": "ok", "models_loaded": True})
    wrong = gateway.post("/pyzm/login", json={"username": "zm", "password": "fd_x"}, headers=anonymous)
    assert wrong.status_code == 401
    right = {"username": "zm", "password": gateway.token}
    answer = gateway.post("/pyzm/login", json=right, headers=anonymous)
    assert answer.json() == {"access_token": gateway.token, "expires": 3600}
    types = [each["type"] for each in gateway.get("/pyzm/models").json()["models"]]
    assert types == ["face", "object"]


def test_the_clients_least_confidence(gateway, photos):
    """A name below it is left out; a stranger has none to compare."""
    (found,) = infer(gateway, photos["obama3"])["detections"]
    assert found["label"] == "Obama"
    assert found["confidence"] < 1
    assert infer(gateway, photos["obama3"], min_confidence="1")["detections"] == []
    assert [each["label"] for each in infer(gateway, photos["biden"], min_confidence="1")["detections"]] == [
        "unknown"
    ]
    assert "min_confidence" in infer(gateway, photos["obama3"], min_confidence="x")["error"]


def test_pictures_of_zoneminder(gateway, zoneminder):
    """Fetched with the client's rights, or ours if it sends none; from nowhere else."""
    frame = f"{zoneminder.url}/index.php?view=image&eid=5&fid=1"
    for auth in ("token=theirs", ""):
        answer = infer(gateway, url=frame, zm_auth=auth, verify_ssl="1")
        assert [each["label"] for each in answer["detections"]] == ["Obama"], answer
    assert "sends no pictures" in infer(gateway, url=frame, zm_auth="token=wrong")["error"]
    asked = len(zoneminder.asked)
    elsewhere = (
        frame.replace("127.0.0.1", "localhost"),
        frame.replace("/zm/", "/zm/../"),
        frame.replace("http://", "http://x@"),
        frame.replace("view=image", "view=view_video"),
        "file:///etc/passwd",
        "http://[",
    )
    for address in elsewhere:
        assert "must be a picture below" in infer(gateway, url=address, zm_auth="token=theirs")["error"]
    assert len(zoneminder.asked) == asked


def test_the_upstream_fetches_from_zoneminder_only(gateway, upstream, zoneminder):
    """A picture, with the client's rights, and nothing else that an address might do there or elsewhere."""
    asked = len(upstream.forms)
    view = f"{zoneminder.url}/index.php?view=image"
    for address in ("http://127.0.0.1:9/admin", view.replace("127.0.0.1", "localhost"), "file:///etc/passwd"):
        assert "must be a picture below" in infer(gateway, type="object", url=address)["error"]
    assert len(upstream.forms) == asked
    rights = "token=theirs&view=request&action=delete"
    answer = infer(gateway, type="object", url=f"{view}&eid=5&fid=1&request=event", zm_auth=rights)
    assert answer == {"detections": [CAR], "error": None}
    form = dict(parse_qsl(upstream.forms[-1].decode()))
    assert (form["url"], form["zm_auth"]) == (f"{view}&eid=5&fid=1", "token=theirs")


def test_what_cannot_be_answered_is_an_error_of_that_model(gallery_daemon, tmp_path, photos):
    """No upstream, one that is away, a file that is no picture: pyzm goes on with its other models."""
    http = {"standIns": ["pyzm"]}
    (tmp_path / "away").mkdir()
    with lasting_gateway(tmp_path, gallery_daemon.endpoint, http=http) as web:
        answer = infer(web, photos["obama3"], type="object")
        assert (answer["detections"], "pyzm.upstream" in answer["error"]) == ([], True)
        assert "zoneminder" in infer(web, url="http://127.0.0.1/zm/index.php?view=image&eid=1&fid=1")["error"]
        assert "image" in infer(web)["error"]
        login = web.post("/pyzm/login", json={"username": "a", "password": "b"})
        assert login.json()["access_token"] == ""
    away = {"pyzm": {"upstream": "http://127.0.0.1:9", "timeout": 5}}
    with lasting_gateway(tmp_path / "away", gallery_daemon.endpoint, http=http, **away) as web:
        assert "does not answer" in infer(web, photos["obama3"], type="object")["error"]
        assert infer(web, photos["obama3"])["error"] is None
        picture = {"file": ("x.jpg", photos["obama3"].read_bytes())}
        assert web.post("/pyzm/detect", files=picture).status_code == 502
        assert web.post("/pyzm/detect").status_code == 400


def test_it_is_off_unless_it_is_named(web):
    """Neither its login nor its health is there, with or without a token."""
    assert web.get("/pyzm/health").status_code == 404
    assert web.post("/pyzm/login", json={"username": "a", "password": "b"}).status_code == 404
