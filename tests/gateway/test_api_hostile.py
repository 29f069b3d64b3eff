"""What hostile clients and bad files send: an answer each time, no trace of the machine, and nothing lost."""

from __future__ import annotations

import concurrent.futures
import io
import json
import socket
import struct
import threading
import zlib

import httpx
import PIL.Image
import pytest
from api_walks import API, LEAKS, ask, forgotten, require_problem
from running import eventually
from tenacity import retry, retry_if_exception_type

pytestmark = pytest.mark.usefixtures("anew")

UPLOADS = ("/faces", "/why", "/people/Eve/photos")
CHUNKS = {
    b"IHDR": struct.pack(">IIBBBBB", 60_000, 60_000, 8, 2, 0, 0, 0),
    b"IDAT": zlib.compress(b"\0" * 1000),
    b"IEND": b"",
}
HUGE = b"\x89PNG\r\n\x1a\n" + b"".join(
    struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))
    for kind, body in CHUNKS.items()
)
"""A small file that says it has 60,000 x 60,000 pixels."""

NAMES = (
    "%2e%2e%2fx %2e%2e %00 a%00b Unknown unknown-3 %ff%fe %F0%9F%98%80 %2Fetc%2Fpasswd "
    f"http:%2F%2F127.0.0.1%2F CON%0d%0aX-Evil:%201 %20 %ED%A0%80 %E2%80%AEx {'x' * 300}"
).split(" ")


def images(web):
    return {person["name"]: person["images"] for person in ask(web, "GET", "/people")["people"]}


def jpeg(photo, side_px=320):
    """A small JPEG of a photo."""
    file = io.BytesIO()
    with PIL.Image.open(photo) as picture:
        picture.thumbnail((side_px, side_px))
        picture.convert("RGB").save(file, "JPEG")
    return file.getvalue()


@pytest.mark.parametrize("route", UPLOADS)
def test_files_that_are_no_picture(web, photos, route):
    """422, or 400 if there is no file at all; nobody is enrolled."""
    picture = photos["biden"].read_bytes()
    cut_off = picture[: len(picture) // 50]
    for content in (
        b"",
        b"x",
        b"<svg onload=alert(1)/>",
        b"http://127.0.0.1/x.jpg",
        cut_off,
        HUGE,
        b"\xff\xd8",
    ):
        ask(web, "POST", route, 422, files={"image": ("../../x.jpg", content, "image/jpeg")})
        ask(web, "POST", route, 422 if content else 400, content=content)
    for parts in (
        {"files": {"picture": picture}},
        {"files": [("image", picture), ("image", picture)]},
        {"files": {"image": (None, "text")}},
        {"content": b"--x", "headers": {"content-type": "multipart/form-data"}},
        {"content": b"--x\r\n\r\n", "headers": {"content-type": "multipart/form-data; boundary=x"}},
        {"content": picture, "headers": {"content-type": "multipart/form-data; boundary=x"}},
    ):
        ask(web, "POST", route, 400, **parts)
    assert images(web) == {"Obama": 1}


@pytest.mark.parametrize(
    "box",
    [
        *("", "x", "[]", "null", "{}", "[" * 100_000, '{"a":' * 100_000, '{"xmin": 1}'),
        '{"xmin": 1e999, "ymin": 0, "xmax": 9, "ymax": 9}',
        '{"xmin": NaN, "ymin": 0, "xmax": 9, "ymax": 9}',
        json.dumps({"xmin": "http://127.0.0.1/", "ymin": [[]], "xmax": None, "ymax": True}),
        json.dumps({"xmin": 9, "ymin": 9, "xmax": 0, "ymax": 0}),
        json.dumps({"xmin": 2**70, "ymin": -(2**70), "xmax": 2**80, "ymax": 0}),
    ],
    ids=lambda box: box[:12],
)
def test_boxes_that_are_none(web, photos, box):
    """400, or 422 if no face is there."""
    picture = jpeg(photos["biden"])
    for route in ("/why", "/people/Eve/photos"):
        answer = web.post(API + route, files={"image": picture}, data={"faceBox": box})
        require_problem(answer)
        assert answer.status_code in (400, 422)
    assert images(web) == {"Obama": 1}


@pytest.mark.parametrize("name", NAMES)
def test_names_that_are_none(web, photos, name):
    """400 or 404 wherever a name goes, and nothing is enrolled; strangers are nobody either."""
    picture, plain = jpeg(photos["biden"]), {"image": jpeg(photos["nobody"])}
    asked = [
        web.request("POST", f"{API}/people/{name}/photos", files=plain),
        web.request("POST", f"{API}/people/{name}/rename", json={"to": "Eve"}),
        web.request("POST", f"{API}/people/{name}/photos/x.jpg/move", json={"to": "Eve"}),
        web.request("DELETE", f"{API}/people/Obama/photos/{name}"),
        web.request("GET", f"{API}/people/Obama/photos/{name}"),
        web.request("POST", f"{API}/unknowns/{name}/name", json={"name": "Eve"}),
        web.request("POST", f"{API}/models/{name}/use"),
        web.request("POST", f"{API}/changes/{name}/undo"),
        web.request("GET", f"{API}/cameras/{name}/snapshot.jpg"),
    ]
    if name != "Unknown":
        asked.append(web.request("POST", f"{API}/people/{name}/photos", files={"image": picture}))
        asked.append(web.request("POST", f"{API}/people/{name}/forget"))
    for answer in asked:
        require_problem(answer)
        assert answer.status_code in (400, 404, 405, 422), answer.text
        assert "x-evil" not in answer.headers
    assert images(web) == {"Obama": 1}


def test_bodies_that_are_none(web):
    """400: nested too deep, of wrong types, with keys that nobody knows, not in Unicode, or no JSON."""
    rename = "/people/Nobody/rename"
    for content in (
        *(b"", b"{", b"[]", b"null", b'"x"', b"7", b"\xff\xfe", b"{}", b"[" * 200_000, b'{"to":' * 200_000),
        *(b'{"to": null}', b'{"to": 7}', b'{"to": ["x"]}', b'{"to": "\\ud800"}', b'{"to": "x", "from": "y"}'),
    ):
        ask(web, "POST", rename, 400, content=content, headers={"content-type": "application/json"})
    # Of two that are the same the last one counts, and nothing else happens.
    twice = b'{"to": "Eve", "to": "unknown-3"}'
    ask(web, "POST", "/people/Obama/rename", 400, content=twice, headers={"content-type": "application/json"})
    for path, body in (
        ("/people/merge", {"names": [], "into": "x"}),
        ("/people/merge", {"names": ["x"] * 100_000, "into": "x"}),
        ("/people/merge", {"names": "Obama", "into": "x"}),
        ("/unknowns/merge", {"ids": [{}]}),
        ("/unknowns/merge", {"ids": ["../x"]}),
        ("/unknowns/unknown-1/split", {"sightings": [2**70]}),
        ("/unknowns/unknown-1/split", {"sightings": [1.5, "x"]}),
        ("/sightings/1/correct", {}),
        ("/sightings/1/confirm", {"name": None}),
        ("/training", {"classifier": {"$ne": 1}}),
    ):
        assert ask(web, "POST", path, 400, json=body)["code"] == "BadRequest"
    assert images(web) == {"Obama": 1}


def test_no_address_that_is_sent_is_ever_asked(web, photos):
    """In no field, header or path: a server that listens there is not called."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(0.1)
        url = f"http://127.0.0.1:{server.getsockname()[1]}/x.jpg"
        quoted = url.replace("/", "%2F")
        picture = jpeg(photos["nobody"])
        for method, path, options in (
            ("POST", "/faces", {"content": url}),
            ("POST", "/faces", {"data": {"image": url}}),
            ("POST", "/faces", {"files": {"image": (url, picture)}, "params": {"camera": url}}),
            ("POST", "/why", {"files": {"image": url.encode()}, "data": {"faceBox": json.dumps(url)}}),
            ("POST", f"/people/{quoted}/photos", {"files": {"image": picture}}),
            ("POST", "/people/Obama/rename", {"json": {"to": url}}),
            ("POST", "/people/merge", {"json": {"names": [url], "into": url}}),
            ("GET", f"/cameras/{quoted}/snapshot.jpg", {}),
            ("POST", f"/cameras/{quoted}/faces", {}),
            ("GET", "/sightings", {"params": {"camera": url, "name": url}}),
            ("POST", "/unknowns/unknown-1/name", {"json": {"name": url}}),
            ("POST", "/training", {"json": {"classifier": url}}),
            ("GET", "/status", {"headers": {"referer": url, "x-forwarded-for": url}}),
        ):
            answer = web.request(method, API + path, **options)
            assert answer.status_code < 500, (path, answer.text)
        for path, body in (
            ("/recognition/local-image", {"imageFilePath": url}),
            ("/classifier/fit", {"persons": [{"personName": "Eve", "imagePaths": [url]}]}),
        ):
            assert web.post(path, json=body).status_code < 500
        for path in ("/motion-detected", "/recognize", "/add-face/Eve"):
            assert web.post(path, params={"camera": url}).status_code in (404, 405)
        with pytest.raises(TimeoutError):
            server.accept()


@pytest.mark.slow
def test_many_uploads_at_once(web, photos):
    """Each is answered or told when to come again, and every photo that was acknowledged is there."""
    picture = jpeg(photos["biden"])
    # What follows a JPEG's end makes another file of it, of the same face. The others show nobody.
    numbers = [number.to_bytes(2, "big") for number in range(500)]
    empty = jpeg(photos["nobody"], 64)
    pictures = [(empty if place % 10 else picture) + number for place, number in enumerate(numbers)]

    @retry(retry=retry_if_exception_type(httpx.RemoteProtocolError))
    def upload(content):
        # A connection on which no request comes for ten seconds is closed, and this machine may be busy.
        return web.post(f"{API}/people/Eve/photos", files={"image": content})

    with forgotten(web, "Eve"), concurrent.futures.ThreadPoolExecutor(100) as pool:
        answers = [*pool.map(upload, pictures)]
        done = [answer for answer in answers if answer.status_code == 201]
        for answer in answers:
            if answer.status_code != 201:
                assert require_problem(answer)["status"] in (422, 429, 503)
        assert done
        assert images(web)["Eve"] == len(done)
        assert len({answer.json()["photo"] for answer in done}) == len(done)
    assert images(web) == {"Obama": 1}


def test_the_daemon_is_killed_during_an_upload(web, gallery_daemon, photos):
    """503, and the same upload again is taken once the daemon is back; nobody is lost."""
    picture = photos["biden"].read_bytes()
    with forgotten(web, "Eve"):
        answers = []
        uploads = [
            threading.Thread(
                target=lambda: answers.append(web.post(f"{API}/people/Eve/photos", content=picture))
            )
            for _ in range(3)
        ]
        for upload in uploads:
            upload.start()
        eventually(lambda: ask(web, "GET", "/status")["learning"]["running"], "the enrolment to begin")
        gallery_daemon.process.kill()
        for upload in uploads:
            upload.join(120)
        assert len(answers) == 3
        for answer in answers:
            assert answer.status_code == 201 or require_problem(answer)["status"] == 503
        gallery_daemon.process.wait()
        gallery_daemon.start()
        gallery_daemon.until_notified("READY=1")
        assert ask(web, "POST", "/people/Eve/photos", 201, content=picture)["images"] == 1
        assert images(web) == {"Eve": 1, "Obama": 1}
    assert images(web) == {"Obama": 1}
    assert not any(leak in web.get("/healthz").text for leak in LEAKS)
