"""JSON whose parsed form, or whose list of faults, would be many times as large as what was sent."""

from __future__ import annotations

import json
import tracemalloc

import pytest

MERGE = "/api/v1/people/merge"
WRONG = {
    "items": (MERGE, {"names": [[]] * 20_000, "into": "x"}),
    "ids": ("/api/v1/unknowns/merge", {"ids": [7] * 20_000}),
    "numbers": ("/api/v1/unknowns/unknown-1/split", {"sightings": ["x"] * 20_000}),
    "paths": ("/classifier/fit", {"persons": [{"personName": "x", "imagePaths": [7] * 20_000}]}),
    "persons": ("/classifier/fit", {"persons": [7] * 20_000}),
    "keys": (MERGE, {f"key{number}": 0 for number in range(20_000)}),
    "a long key": (MERGE, {"names": ["x"], "into": "x", "k" * 20_000: 0}),
}


@pytest.mark.parametrize(("path", "body"), WRONG.values(), ids=WRONG)
def test_thousands_of_faults_are_told_in_a_sentence(gateway, path, body):
    """The first few say what is wrong; each of the others would only cost time and memory."""
    with gateway.client() as client:
        answer = client.post(path, json=body)
    assert answer.status_code == 400
    assert len(answer.json()["detail"]) < 1000
    assert not gateway.daemon.calls


def test_query_parameters_without_end_are_told_in_a_sentence(gateway):
    """The same in an address."""
    with gateway.client() as client:
        answer = client.get("/api/v1/sightings?" + "&".join(f"k{number}" for number in range(8000)))
    assert answer.status_code == 400
    assert len(answer.json()["detail"]) < 1000


def test_half_a_surrogate_pair_in_a_key_is_400(gateway):
    """No answer can hold it, and the one that says what is wrong does not try."""
    with gateway.client() as client:
        content = b'{"names": ["x"], "into": "x", "\\ud800": 0}'
        answer = client.post(MERGE, content=content, headers={"content-type": "application/json"})
    assert answer.status_code == 400
    assert answer.json()["detail"].startswith("body")


@pytest.mark.parametrize("kind", ["application/json", "application/problem+json; charset=utf-8"])
def test_json_is_smaller_than_a_picture(gateway, kind):
    """413 beyond 2 MB, declared or in chunks, though a picture of that size is welcome."""
    content = json.dumps({"names": ["x"] * 500_000, "into": "x"}).encode()
    with gateway.client() as client:
        for body in (content, iter([content])):
            answer = client.post(MERGE, content=body, headers={"content-type": kind})
            assert (answer.status_code, answer.json()["code"]) == (413, "TooLarge")
            assert "at most 2 MB" in answer.json()["detail"]
        assert not gateway.daemon.calls
        assert client.post("/api/v1/faces", content=content).status_code == 200


def test_a_picture_in_json_is_a_picture(serving):
    """Its own limit is that of pictures; a million lists instead of it are never made."""
    gateway = serving(standIns=["compreface"])
    bomb = b'{"file": [' + b"[]," * 1_000_000 + b"0]}"
    with gateway.client() as client:
        tracemalloc.start()
        try:
            answer = client.post(
                "/api/v1/recognition/recognize", content=bomb, headers={"content-type": "application/json"}
            )
            _, most = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
        assert answer.status_code == 400
        assert "base64" in answer.json()["message"]
        assert most < 10 * len(bomb)
        assert not gateway.daemon.calls
        picture = {"file": "data:image/jpeg;base64," + "AAAA" * 600_000}
        for route in ("recognition/recognize", "detection/detect", "recognition/faces?subject=x"):
            client.post(f"/api/v1/{route}", json=picture)
            assert bytes(1_800_000) in gateway.daemon.calls[-1]
        assert len(gateway.daemon.calls) == 3
        pictures = {"source_image": picture["file"], "target_image": picture["file"]}
        client.post("/api/v1/verification/verify", json=pictures)
        assert gateway.daemon.calls[-1].count(bytes(1_800_000)) == 2
        answer = client.post("/api/v1/recognition/faces/delete", json=["x" * 50] * 50_000)
        assert answer.status_code == 413
