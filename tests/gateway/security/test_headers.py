"""What every answer tells the browser."""

from __future__ import annotations

import pytest

from face_det.gateway.page import routes as page_routes


@pytest.mark.parametrize(
    "path", ["/", "/api/v1/people", "/nothing", "/healthz", "/page/nothing.js", "/api/v1/sightings/1/picture"]
)
def test_every_answer_is_strict(gateway, path):
    """Pages, data and errors alike: only our own files, no frames elsewhere, no guessing of types."""
    with gateway.client() as client:
        headers = client.get(path).headers
    policy = dict(part.split(" ", 1) for part in headers["Content-Security-Policy"].split("; "))
    assert policy["default-src"] == policy["base-uri"] == "'none'"
    assert policy["script-src"] == policy["style-src"] == policy["frame-ancestors"] == "'self'"
    assert not any("unsafe" in sources or "*" in sources for sources in policy.values())
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Referrer-Policy"] == "same-origin"
    assert headers["Permissions-Policy"].startswith("camera=(self), microphone=()")
    assert headers["Cross-Origin-Opener-Policy"] == headers["Cross-Origin-Resource-Policy"] == "same-origin"
    assert "Strict-Transport-Security" not in headers
    assert "Server" not in headers


def test_refusals_are_strict_too(serving, with_password):
    """What the gate and the body's limit answer passes through here as well."""
    with serving(maxUploadMb=0.1).client() as client:
        for answer in (client.get("/api/v1/people"), client.post("/api/v1/login", content=bytes(20_000))):
            assert answer.status_code in (401, 413)
            assert "Content-Security-Policy" in answer.headers
            assert answer.headers["Cache-Control"] == "no-store"


def test_faces_are_never_kept(gateway):
    """Neither data nor pictures of people, nor errors about them."""
    with gateway.client() as client:
        for path in (
            "/api/v1/people",
            "/api/v1/sightings/1/thumbnail",
            "/api/v1/sightings/1/picture",
            "/openapi.json",
            "/nothing",
        ):
            assert client.get(path).headers["Cache-Control"] == "no-store"


@pytest.fixture
def page(tmp_path, monkeypatch):
    """The page's folder, with a script in it."""
    (tmp_path / "index.html").write_text("<!doctype html>")
    (tmp_path / "app.js").write_text("1")
    monkeypatch.setattr(page_routes, "FILES", tmp_path)
    return tmp_path


@pytest.mark.parametrize("path", ["/", "/page/app.js"])
def test_the_pages_files_are_asked_for_again(page, gateway, path):
    """304 while they are the same, without a body; 200 once they have changed."""
    with gateway.client() as client:
        first = client.get(path)
        assert (first.status_code, first.headers["Cache-Control"]) == (200, "no-cache")
        tag = {"If-None-Match": f'"other", W/{first.headers["ETag"]}'}
        again = client.get(path, headers=tag)
        assert (again.status_code, again.content, again.headers["ETag"]) == (304, b"", first.headers["ETag"])
        (page / {"/": "index.html"}.get(path, "app.js")).write_text("something longer")
        assert client.get(path, headers=tag).text == "something longer"


def test_a_file_with_its_version_is_kept(page, gateway):
    """`/page/app.js?v=2` is for ever; a missing one is not, and neither is data with such a query."""
    with gateway.client() as client:
        kept = client.get("/page/app.js?v=2").headers["Cache-Control"]
        assert kept == "public, max-age=31536000, immutable"
        for path in ("/page/nothing.js?v=2", "/api/v1/people?v=2"):
            assert client.get(path).headers["Cache-Control"] == "no-store"
        assert client.get("/?v=2").headers["Cache-Control"] == "no-cache"
