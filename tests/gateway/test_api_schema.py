"""What /openapi.json says is true: schemathesis asks each route, and holds the answers to it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from api_walks import API, ask
from gateway_fixtures import lasting_gateway

SCHEMATHESIS = Path(sys.executable).with_name("schemathesis")
CHECKS = "not_a_server_error,status_code_conformance,content_type_conformance,response_schema_conformance"
NOT_ASKED = "(events|restore|clear|training|evaluation|backup|doctor|log(in|out))$"
"""Those that go on for long, or change everything."""
METHODS = {"get", "put", "post", "delete"}


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_every_route_answers_as_it_says(web, gallery_daemon, door, photos, tmp_path):
    """With the examples and with made-up values, good and bad; the same ones each time."""
    door.write_bytes(photos["t1"].read_bytes())
    # Here every camera answers: 502 would be a server's error.
    with lasting_gateway(tmp_path, gallery_daemon.endpoint, cameras={"door": {"url": door.as_uri()}}) as own:
        run = subprocess.run(
            [
                *(SCHEMATHESIS, "run", f"{own.base_url}/openapi.json", "--checks", CHECKS),
                *("--include-path-regex", f"^{API}/", "--exclude-path-regex", NOT_ASKED),
                *("--phases", "examples,fuzzing", "--max-examples", "3", "--generation-deterministic"),
                *("--no-shrink", "--continue-on-failure", "--no-color", "--request-timeout", "120"),
            ],
            cwd=tmp_path,
            capture_output=True,
            text=True,
            check=False,
        )
        assert run.returncode == 0, run.stdout + run.stderr
        assert "Traceback" not in own.gateway.log
    put_back(web, photos)


def put_back(web, photos):
    """Schemathesis may have used names that it was told of."""
    for person in ask(web, "GET", "/people")["people"]:
        if (person["name"], person["images"]) != ("Obama", 1):
            ask(web, "POST", f"/people/{person['name']}/forget")
    if not ask(web, "GET", "/people")["people"]:
        ask(web, "POST", "/people/Obama/photos", 201, content=photos["obama"].read_bytes())
    ask(web, "PUT", "/tuning", json={"falseAcceptRate": None})


def test_every_route_is_described(web):
    """A summary, what each parameter is, what an upload is, an answer with an example, and the errors."""
    document = web.get("/openapi.json").json()
    schemas = document["components"]["schemas"]
    for path, methods in document["paths"].items():
        if not path.startswith(f"{API}/"):
            continue
        for method, route in methods.items():
            place = f"{method} {path}"
            assert method in METHODS
            assert route["summary"], place
            assert route["description"], place
            for parameter in route.get("parameters", ()):
                assert parameter.get("description"), f"{place}: {parameter['name']}"
            (good,) = (status for status in route["responses"] if status.startswith("2"))
            for kind, content in route["responses"][good].get("content", {}).items():
                model = content["schema"].get("$ref", "").rpartition("/")[2]
                assert kind != "application/json" or schemas[model]["examples"], place
            for status in ("400", "429", "503", "default"):
                assert [*route["responses"][status]["content"]] == ["application/problem+json"], place
            assert "422" not in route["responses"] or "requestBody" in route, place
    for path in ("/faces", "/why", "/people/{name}/photos"):
        upload = document["paths"][API + path]["post"]["requestBody"]["content"]
        assert {*upload} == {"multipart/form-data", "image/jpeg", "image/png"}
