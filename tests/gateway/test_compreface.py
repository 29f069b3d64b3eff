"""CompreFace's routes, as its own client and others call them."""

from __future__ import annotations

import base64
import json
import uuid

import PIL.Image
import PIL.ImageFilter
import pypi_clients
import pytest

RECOGNIZE = "/api/v1/recognition/recognize"
FACES = "/api/v1/recognition/faces"
VERIFY = "/api/v1/verification/verify"
SUBJECTS = "/api/v1/recognition/subjects"

pytestmark = pytest.mark.usefixtures("nobody_else")

SDK = """
import json, sys
from compreface import CompreFace
from compreface.collections import FaceCollection, Subjects

_, host, port, biden, obama, strangers, nobody, own = sys.argv
options = {"limit": 0, "det_prob_threshold": 0.3, "prediction_count": 1, "status": True}
options["face_plugins"] = "age,landmarks"
service = CompreFace(host, port, options).init_face_recognition("a key")
faces, subjects = service.get_face_collection(), service.get_subjects()
answers = {}
answers["added"] = faces.add(biden, "Joe")
answers["face"] = service.recognize(biden)
answers["crowd"] = service.recognize(strangers)
answers["nobody"] = service.recognize(nobody)
answers["listed"] = faces.list()
answers["verified"] = faces.verify(biden, answers["added"]["image_id"])
answers["refuted"] = faces.verify(obama, answers["added"]["image_id"])
answers["renamed"] = subjects.update("Joe", "Joseph")
answers["subjects"] = subjects.list()
answers["known"] = subjects.add("Joseph")
answers["new"] = subjects.add("Jill")
image_id = [each["image_id"] for each in faces.list()["faces"] if each["subject"] == "Joseph"][0]
answers["deleted"] = faces.delete(image_id)
answers["left"] = subjects.list()
answers["again"] = faces.add(biden, "Joe")
answers["all"] = faces.delete_all("Joe")
answers["gone"] = subjects.delete("Joe")
verification = CompreFace(host, port, options).init_face_verification("a key")
answers["same"] = verification.verify(obama, own)
answers["another"] = verification.verify(obama, biden)
answers["among"] = verification.verify(own, strangers)
answers["neither"] = verification.verify(obama, nobody)
detection = CompreFace(host, port, options).init_face_detection("a key")
answers["detected"] = detection.detect(strangers)
print(json.dumps(answers))
"""


@pytest.fixture(scope="session")
def sdk():
    try:
        return pypi_clients.find_client(pypi_clients.COMPREFACE)
    except pypi_clients.ClientMissing as missing:
        pytest.skip(str(missing))


def recognize(stand_in, photo, **query):
    answer = stand_in.post(RECOGNIZE, files={"file": photo.read_bytes()}, params=query)
    assert answer.status_code == 200, answer.text
    return answer.json()["result"]


def add(stand_in, photo, subject):
    answer = stand_in.post(FACES, params={"subject": subject}, files={"file": photo.read_bytes()})
    assert answer.status_code == 201, answer.text
    return answer.json()["image_id"]


@pytest.mark.slow
def test_the_real_client_is_content(stand_in, photos, sdk):
    """It adds, recognises, lists, verifies, renames and deletes."""
    named = (photos[name] for name in ("biden", "obama3", "t1", "nobody", "obama2"))
    base = stand_in.base_url
    said = pypi_clients.run_client(sdk, SDK, f"{base.scheme}://{base.host}", base.port, *named)
    image_id = said["added"]["image_id"]
    assert said["added"] == {"image_id": str(uuid.UUID(image_id)), "subject": "Joe"}
    (face,) = said["face"]["result"]
    (subject,) = face["subjects"]
    assert subject["subject"] == "Joe"
    assert 0.6 < subject["similarity"] <= 1
    assert face["box"].keys() == {"probability", "x_min", "y_min", "x_max", "y_max"}
    assert said["face"]["plugins_versions"].keys() == {"detector", "calculator"}
    assert [face["subjects"] for face in said["crowd"]["result"]] == [[]] * 6
    assert said["nobody"] == {"message": "No face is found in the given image", "code": 28}
    assert {"image_id": image_id, "subject": "Joe"} in said["listed"]["faces"]
    assert said["verified"]["result"][0]["similarity"] == subject["similarity"]
    assert said["refuted"]["result"][0]["similarity"] < 0.4
    assert said["renamed"] == {"updated": True}
    assert said["subjects"] == {"subjects": ["Joseph", "Obama"]}
    assert said["known"]["code"] == 43
    assert said["new"] == {"subject": "Jill"}
    assert said["deleted"]["subject"] == "Joseph"
    assert said["left"] == {"subjects": ["Obama"]}
    assert said["again"] == said["added"]
    assert said["all"] == {"deleted": 1}
    assert said["gone"]["code"] == 42
    assert len(said["detected"]["result"]) == 6
    (same,), (another,), (among,) = (said[each]["result"] for each in ("same", "another", "among"))
    assert said["same"]["plugins_versions"].keys() == {"detector", "calculator"}
    assert same["source_image_face"]["box"].keys() == face["box"].keys()
    assert 0.9 < same["face_matches"][0]["similarity"] <= 1
    assert another["face_matches"][0]["similarity"] < 0.4
    similar = [each["similarity"] for each in among["face_matches"]]
    assert len(similar) == 6
    assert similar == sorted(similar, reverse=True)
    assert similar[0] < 0.4
    assert said["neither"]["code"] == 28


def test_a_stranger_has_no_subjects(stand_in, photos):
    """So no threshold of a client, however low, makes a name of one."""
    for face in recognize(stand_in, photos["t1"]):
        assert face["subjects"] == []


def test_candidates_stay_below_what_clients_take_for_a_name(stand_in, photos, tmp_path):
    """Whoever asks for more than one prediction gets them; Double Take names from 40 % on."""
    blurred, offered = tmp_path / "blurred.png", []
    with PIL.Image.open(photos["obama2"]) as picture:
        small = picture.convert("RGB").resize((78, 150))
    for radius in (2, 2.5, 3, 3.5):
        small.filter(PIL.ImageFilter.GaussianBlur(radius)).save(blurred)
        (alone,) = recognize(stand_in, blurred)
        (face,) = recognize(stand_in, blurred, prediction_count=5)
        if not alone["subjects"]:
            offered += face["subjects"]
    assert {each["subject"] for each in offered} == {"Obama"}
    assert all(0 < each["similarity"] < 0.4 for each in offered)


@pytest.mark.slow
def test_the_largest_faces_come_first(stand_in, photos):
    """`limit` keeps them, and `det_prob_threshold` leaves out what is less sure."""

    def area(face):
        box = face["box"]
        return (box["x_max"] - box["x_min"]) * (box["y_max"] - box["y_min"])

    faces = recognize(stand_in, photos["t1"])
    assert [*map(area, faces)] == sorted(map(area, faces), reverse=True)
    assert recognize(stand_in, photos["t1"], limit=2) == faces[:2]
    least = max(face["box"]["probability"] for face in faces)
    assert len(recognize(stand_in, photos["t1"], det_prob_threshold=least - 0.001)) < 6
    answer = stand_in.post(
        RECOGNIZE, files={"file": photos["t1"].read_bytes()}, params={"det_prob_threshold": 1}
    )
    assert (answer.status_code, answer.json()["code"]) == (400, 28)


@pytest.mark.parametrize("prefix", ["", "data:image/jpeg;base64,"])
def test_a_picture_may_come_as_base64(stand_in, photos, prefix):
    """In a JSON object, as browsers send it."""
    text = prefix + base64.b64encode(photos["obama3"].read_bytes()).decode()
    (face,) = stand_in.post(RECOGNIZE, json={"file": text}).json()["result"]
    assert face["subjects"][0]["subject"] == "Obama"
    (pair,) = stand_in.post(VERIFY, json={"source_image": text, "target_image": text}).json()["result"]
    assert pair["face_matches"][0]["similarity"] > 0.9


def test_photos_are_listed_a_page_at_a_time(stand_in, photos):
    """Each once, and one person's alone if asked for."""
    ids = {add(stand_in, photos[name], who) for name, who in (("biden", "Joe"), ("obama2", "Barry"))}
    pages = [stand_in.get(FACES, params={"page": page, "size": 1}).json() for page in range(4)]
    assert [len(page["faces"]) for page in pages] == [1, 1, 1, 0]
    assert {page["total_pages"] for page in pages} == {3} == {page["total_elements"] for page in pages}
    assert ids < {face["image_id"] for page in pages for face in page["faces"]}
    whole = stand_in.get(FACES).json()
    assert whole["faces"] == [face for page in pages for face in page["faces"]]
    (joe,) = stand_in.get(FACES, params={"subject": "Joe"}).json()["faces"]
    assert joe["subject"] == "Joe"


def test_a_photo_is_shown_and_several_are_deleted(stand_in, photos):
    """Ids that do not exist, or are no ids, are passed over."""
    image_id = add(stand_in, photos["biden"], "Joe")
    shown = stand_in.get(f"{FACES}/{image_id}/img")
    assert shown.headers["content-type"] == "image/jpeg"
    assert shown.content.startswith(b"\xff\xd8")
    deleted = stand_in.post(f"{FACES}/delete", json=[str(uuid.uuid4()), "../Obama", image_id])
    assert deleted.json() == [{"image_id": image_id, "subject": "Joe"}]
    assert stand_in.get(f"{FACES}/{image_id}/img").json()["code"] == 44
    for nothing in (str(uuid.uuid4()), "..%2Fx", image_id):
        answer = stand_in.delete(f"{FACES}/{nothing}")
        assert (answer.status_code, answer.json().get("code")) in ((404, 44), (404, "NotFound"))


def test_a_name_that_is_somebodys_joins_the_two(stand_in, photos):
    """As CompreFace does."""
    before = stand_in.get(FACES, params={"subject": "Obama"}).json()["faces"]
    add(stand_in, photos["obama2"], "Barry")
    assert stand_in.put(f"{SUBJECTS}/Barry", json={"subject": "Obama"}).json() == {"updated": True}
    assert stand_in.get(SUBJECTS).json() == {"subjects": ["Obama"]}
    after = stand_in.get(FACES, params={"subject": "Obama"}).json()["faces"]
    (added,) = [face for face in after if face not in before]
    assert stand_in.delete(f"{FACES}/{added['image_id']}").json() == added


def test_everybody_is_removed_only_if_no_name_is_given(stand_in, web, photos):
    """An empty name is a mistake; and what was removed can be put back."""
    add(stand_in, photos["biden"], "Joe")
    answer = stand_in.delete(FACES, params={"subject": ""})
    assert (answer.status_code, answer.json()["code"]) == (400, 5)
    assert stand_in.delete(FACES, params={"subject": "Nobody"}).json() == {"deleted": 0}
    last = web.delete("/api/v1/people/Joe").json()["change"]
    try:
        assert stand_in.delete(SUBJECTS).json() == {"deleted": 1}
        assert stand_in.get(SUBJECTS).json() == {"subjects": []}
        assert web.post(f"/api/v1/changes/photos-{int(last.rpartition('-')[2]) + 1}/undo").is_success
        assert stand_in.get(SUBJECTS).json() == {"subjects": ["Obama"]}
    finally:
        if not stand_in.get(SUBJECTS).json()["subjects"]:
            add(stand_in, photos["obama"], "Obama")


@pytest.mark.parametrize(
    ("request_", "status", "code"),
    [
        (("POST", RECOGNIZE, {"json": {"file": "no base64!"}}), 400, 36),
        (("POST", RECOGNIZE, {"json": ["x"]}), 400, 36),
        (("POST", RECOGNIZE, {"files": {"image": b"x"}}), 400, 36),
        (("POST", RECOGNIZE, {"files": {"file": b"no picture"}}), 400, 21),
        (("POST", RECOGNIZE, {"params": {"limit": -1}, "files": {"file": b"x"}}), 400, 36),
        (("POST", VERIFY, {"files": {"source_image": b"x"}}), 400, 36),
        (("POST", VERIFY, {"content": b"x", "headers": {"content-type": "image/jpeg"}}), 400, 36),
        (("POST", VERIFY, {"json": {"source_image": "eA=="}}), 400, 36),
        (("POST", FACES, {"files": {"file": b"x"}}), 400, 33),
        (("POST", SUBJECTS, {"json": {"subject": "../x"}}), 400, 26),
        (("PUT", f"{SUBJECTS}/Nobody", {"json": {"subject": "Joe"}}), 404, 42),
        (("DELETE", f"{SUBJECTS}/Nobody", {}), 404, 42),
    ],
)
def test_errors_have_its_codes(stand_in, request_, status, code):
    """{"message", "code"}, and nothing else."""
    method, path, content = request_
    answer = stand_in.request(method, path, **content)
    assert answer.status_code == status, answer.text
    assert answer.json().keys() == {"message", "code"}
    assert answer.json()["code"] == code


def test_several_faces_are_no_example(stand_in, photos):
    """Nobody is enrolled by the largest face."""
    answer = stand_in.post(FACES, params={"subject": "Joe"}, files={"file": photos["t1"].read_bytes()})
    assert (answer.status_code, answer.json()["code"]) == (400, 31)
    assert stand_in.get(SUBJECTS).json() == {"subjects": ["Obama"]}


def test_it_is_served_only_where_it_is_wanted(web):
    """404 without `standIns`."""
    for path in (SUBJECTS, FACES, "/v1/vision/face/list"):
        assert web.get(path).status_code == 404
        assert web.post(path).status_code == 404
    assert not [path for path in web.get("/openapi.json").json()["paths"] if "recognition/faces" in path]


def test_what_it_stands_in_for_is_described(stand_in):
    """/openapi.json has the routes that are served."""
    described = json.dumps(stand_in.get("/openapi.json").json())
    assert SUBJECTS in described
    assert "/v1/vision/face/recognize" in described
