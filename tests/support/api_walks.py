"""Helpers of the tests that walk through /api/v1."""

from __future__ import annotations

import contextlib
import functools
import json
import re

import httpx
import jsonschema_rs
from running import eventually

API = "/api/v1"
LEAKS = ("/tmp", "/root", "/home", "/work", "Traceback", ".py")


def ask(web, method, path, status=200, **options):
    """Ask a route and hold it to its status; the answer, as JSON if it is any."""
    answer = web.request(method, API + path, **options)
    assert answer.status_code == status, (method, path, answer.text[:500])
    if status >= 400:
        require_problem(answer)
    kind = answer.headers.get("content-type", "").partition(";")[0]
    if kind == "application/json":
        require_described(web, method, path.partition("?")[0], answer)
    return answer.json() if kind.endswith("json") else answer


def require_described(web, method, path, answer):
    """Hold an answer to what /openapi.json says of it."""
    document = described(str(web.base_url))
    for template, routes in document["paths"].items():
        pattern = re.sub(r"\\{\w+\\}", "[^/]+", re.escape(template))
        if method.lower() in routes and re.fullmatch(pattern, API + path):
            content = routes[method.lower()]["responses"][str(answer.status_code)]["content"]
            schema = {**content["application/json"]["schema"], "components": document["components"]}
            jsonschema_rs.validator_for(schema).validate(answer.json())
            return
    raise AssertionError(f"{method} {path} is not described")


@functools.cache
def described(base_url):
    """The OpenAPI document of a gateway."""
    return httpx.get(f"{base_url}/openapi.json").json()


def require_problem(answer):
    """Hold an error to the one shape that errors have; nothing of the machine is in it."""
    assert answer.headers["content-type"] == "application/problem+json", answer.text[:500]
    problem = answer.json()
    assert problem.keys() == {"type", "title", "status", "detail", "ok", "code", "error"}
    assert (problem["status"], problem["ok"]) == (answer.status_code, False)
    assert problem["detail"] == problem["error"] != ""
    assert not any(leak in answer.text for leak in LEAKS), answer.text
    if answer.status_code in (429, 503):
        assert int(answer.headers["retry-after"]) >= 1
    return problem


def remember(web, photo, camera):
    """Have a picture named and remembered; the sightings that this made, newest first."""
    before = {one["id"] for one in ask(web, "GET", "/sightings?limit=500")["items"]}
    path = f"/faces?remember=true&camera={camera}"
    faces = ask(web, "POST", path, content=photo.read_bytes())["faces"]

    def found():
        items = ask(web, "GET", "/sightings?limit=500")["items"]
        new = [one for one in items if one["id"] not in before]
        return new if len(new) == len(faces) else None

    return eventually(found, "the sightings")


@contextlib.contextmanager
def forgotten(web, *names):
    """Whoever is enrolled in this block is forgotten after it."""
    try:
        yield
    finally:
        for name in names:
            web.post(f"{API}/people/{name}/forget")


def messages(lines):
    """The messages of a stream of server-sent events, as (id, type, data); comments are left out."""
    fields = {}
    for line in lines:
        if line and not line.startswith(":"):
            key, _, value = line.partition(": ")
            fields[key] = value
        elif not line and fields:
            yield fields.get("id"), fields.get("event"), json.loads(fields["data"])
            fields = {}
