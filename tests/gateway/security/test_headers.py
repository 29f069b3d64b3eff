"""What every answer tells the browser."""

from __future__ import annotations

import pytest

from face_det.gateway.page import routes as page_routes
from face_det.gateway.page.bundle import load_bundle


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
    assert headers["Permissions-Policy"].startswith("camera=(self), microphone=(self), geolocation=()")
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
    """page(script): the gateway is one that was started with a page that has this script."""

    def start(script):
        folder = tmp_path / script
        folder.mkdir()
        (folder / "index.html").write_text('<!doctype html><script src="page/app.js"></script>')
        (folder / "app.js").write_text(script)
        monkeypatch.setattr(page_routes, "FILES", folder)
        return load_bundle(folder).version

    return start


@pytest.mark.parametrize("path", ["/", "/page/app.js"])
@pytest.mark.parametrize("encoding", ["identity", "gzip, br"])
def test_what_has_no_version_is_asked_for_again(page, gateway, path, encoding):
    """304 while it is the same, without a body; 200 once another gateway serves another page."""
    page("old")
    with gateway.client(headers={"Accept-Encoding": encoding}) as client:
        first = client.get(path)
        assert (first.status_code, first.headers["Cache-Control"]) == (200, "no-cache")
        tag = {"If-None-Match": f'"other", W/{first.headers["ETag"]}'}
        again = client.get(path, headers=tag)
        assert (again.status_code, again.content, again.headers["ETag"]) == (304, b"", first.headers["ETag"])
        page("new")
        changed = client.get(path, headers=tag)
        assert changed.status_code == 200
        assert changed.text != first.text


def test_a_file_with_its_version_is_kept(page, gateway):
    """A page that is older than the gateway gets the present files, which it must not keep as its own."""
    old, new = page("old"), page("new")
    with gateway.client() as client:
        kept = client.get(f"/page/{new}/app.js")
        assert (kept.text, kept.headers["Cache-Control"]) == ("new", "public, max-age=31536000, immutable")
        other = client.get(f"/page/{old}/app.js")
        assert (other.text, other.headers["Cache-Control"]) == ("new", "no-cache")
        for path in (f"/page/{new}/nothing.js", f"/page/{new}/{new}/app.js", f"/page/{new}", "/page/v1/a.js"):
            missing = client.get(path)
            assert (missing.status_code, missing.headers["Cache-Control"]) == (404, "no-store")


def test_files_are_compressed_for_whoever_can_read_that(gateway):
    """Caches keep both forms apart."""
    with gateway.client() as client:
        plain = client.get("/page/style/all.css", headers={"Accept-Encoding": "identity"})
        compressed = client.get("/page/style/all.css", headers={"Accept-Encoding": "gzip, deflate"})
    assert plain.content == compressed.content
    assert "Content-Encoding" not in plain.headers
    assert compressed.headers["Content-Encoding"] == "gzip"
    assert plain.headers["Vary"] == compressed.headers["Vary"] == "Accept-Encoding"
    assert plain.headers["ETag"] != compressed.headers["ETag"]
    assert int(compressed.headers["Content-Length"]) < int(plain.headers["Content-Length"]) / 3
