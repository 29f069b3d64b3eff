"""What /openapi.json says about errors: the same shape for all routes, and the statuses each may have."""

from __future__ import annotations

from typing import Any

Document = dict[str, Any]

_SCHEMA = "ProblemDetails"
_MEDIA_TYPE = "application/problem+json"

_PROBLEM: Document = {
    "type": "object",
    "title": _SCHEMA,
    "description": "An error: `detail` for people, `code` for programs.",
    "required": ["type", "title", "status", "detail", "ok", "code", "error"],
    "properties": {
        "type": {"type": "string"},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "detail": {"type": "string"},
        "ok": {"const": False},
        "code": {"type": "string"},
        "error": {"type": "string", "description": "The same as `detail`, for older clients."},
    },
    "examples": [
        {
            "type": "about:blank",
            "title": "Unprocessable Entity",
            "status": 422,
            "detail": "image: must show exactly one face, got none",
            "ok": False,
            "code": "NoFace",
            "error": "image: must show exactly one face, got none",
        }
    ],
}

_MEANINGS = {
    "400": "The request is malformed; `detail` says where.",
    "401": "The caller is not logged in.",
    "403": "The request is not allowed, or comes from a page elsewhere.",
    "404": "There is no such person, photo, sighting or change.",
    "409": "The current state does not allow it, for example because sightings are off.",
    "413": "The body is too large.",
    "422": "The picture, video or recording cannot be read, or does not have what is needed.",
    "429": "Too many requests are waiting; try again after Retry-After seconds.",
    "503": "The daemon does not answer; try again after Retry-After seconds.",
    "default": "Another error.",
}
_EVERYWHERE = ("400", "401", "403", "429", "503", "default")


def describe_problems(document: Document) -> Document:
    """Return an OpenAPI document in which every route describes its errors, as problem details.

    FastAPI's own description of invalid arguments is removed, because those are answered with 400.
    """
    schemas = dict(document.get("components", {}).get("schemas", {}))
    for unused in ("HTTPValidationError", "ValidationError"):
        schemas.pop(unused, None)
    paths = {
        path: {method: _describe(route, path) for method, route in methods.items()}
        for path, methods in document["paths"].items()
    }
    components = {**document.get("components", {}), "schemas": {**schemas, _SCHEMA: _PROBLEM}}
    return {**document, "paths": paths, "components": components}


def _describe(route: Document, path: str) -> Document:
    statuses = set(_EVERYWHERE)
    if "{" in path:
        statuses |= {"404", "409"}
    if "requestBody" in route:
        statuses |= {"409", "413", "422"}
    if {"sightings", "unknowns", "events", "training"} & set(route.get("tags", ())):
        statuses.add("409")
    problems = {
        status: {
            "description": _MEANINGS[status],
            "content": {_MEDIA_TYPE: {"schema": {"$ref": f"#/components/schemas/{_SCHEMA}"}}},
        }
        for status in sorted(statuses)
    }
    own = {status: answer for status, answer in route.get("responses", {}).items() if status != "422"}
    return {**route, "responses": {**own, **problems}}
