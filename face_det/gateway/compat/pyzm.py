"""The routes of pyzm's gateway (`pyzm.serve`), which ZoneMinder's event server asks for faces and objects.

They are below /pyzm, because /detect is taken. Faces are recognised here; everything else is relayed to the
`pyzm.serve` in config.json, because pyzm sends all of its models to one gateway.
"""

from __future__ import annotations

import logging
from typing import Any
from urllib.parse import parse_qsl, urlencode

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse
from starlette.datastructures import FormData, UploadFile

from face_det import errors
from face_det.config import ZoneMinder
from face_det.gateway.bodies import Body
from face_det.gateway.compat.stand_ins import (
    RequestError,
    describe_request_error,
    routes_with,
    whole_box,
)
from face_det.gateway.health import PATIENCE_S
from face_det.gateway.problems import Problem, describe_error, status_of
from face_det.gateway.security.access import Access
from face_det.gateway.state import Gateway, GatewayState
from face_det.gateway.uploads import read_form
from face_det.integrations import Portal, ServerSettings, Upstream, UpstreamSettings, hide_login, pick_rights
from face_det.media import names_somebody

_LOG = logging.getLogger(__name__)

FACE = "face"
STRANGER = "unknown"
MODEL = "face_det"
TOKEN_S = 3600
"""What clients are told about how long their token is valid; a token of ours is valid until it is removed."""
_RELAYED = ("type", "name", "min_confidence", "verify_ssl")


def error_response(error: RequestError) -> JSONResponse:
    """Return an error as pyzm.serve does: {"detail"}; the client then gives up on the whole gateway."""
    if isinstance(error, errors.FaceDetError):
        status = status_of(error)
    elif isinstance(error, Problem):
        status = error.status
    else:
        status = getattr(error, "status_code", 400)
    return JSONResponse({"detail": describe_request_error(error)}, status)


ROUTES = APIRouter(prefix="/pyzm", tags=["pyzm"], route_class=routes_with(error_response))


class Login(Body):
    """The login that pyzm sends; the password is a token from `face-det web tokens`."""

    username: str
    password: str


@ROUTES.post("/login")
async def log_in(request: Request, login: Login) -> dict[str, Any]:
    """Return the token that a client sends as its password, as its access token; empty if none is needed."""
    access: Access = request.app.state.access
    return {"access_token": access.check_token(login.password), "expires": TOKEN_S}


@ROUTES.get("/health")
async def health(gateway: GatewayState) -> dict[str, Any]:
    """Say that the gateway runs, and whether the daemon answers: it does once its networks are loaded.

    Without a daemon, the models of the upstream can still be used, so this is no failure.
    """
    try:
        await gateway.daemon.call("status", timeout_s=PATIENCE_S)
    except errors.FaceDetError:
        return {"status": "ok", "models_loaded": False}
    return {"status": "ok", "models_loaded": True}


@ROUTES.get("/models")
async def models(gateway: GatewayState) -> dict[str, Any]:
    """List the face model, and the other models of the upstream `pyzm.serve`."""
    about = gateway.config.pyzm
    mine = {"name": MODEL, "type": FACE, "framework": MODEL, "loaded": True}
    if about is None:
        return {"models": [mine]}
    async with _upstream(gateway) as upstream:
        others = await upstream.models()
    return {"models": [mine, *(each for each in others if _is_other(each))]}


@ROUTES.post("/infer")
async def infer(request: Request, gateway: GatewayState) -> dict[str, Any]:
    """Return what one model detects in a picture from the form or from ZoneMinder.

    If that fails, the answer has an `error`, which makes pyzm go on without this model.
    """
    form = await read_form(request)
    try:
        if form.get("type") == FACE:
            return {"detections": await _find_faces(gateway, form), "error": None}
        if gateway.config.pyzm is None:
            raise errors.BadRequest(f"no model of type {form.get('type')!r:.40}; set pyzm.upstream")
        fields = {key: value for key in _RELAYED if isinstance(value := form.get(key), str)}
        if _text(form, "url"):
            fields |= _picture_to_fetch(gateway, form)
        async with _upstream(gateway) as upstream:
            return await upstream.infer(fields, await _uploaded(form, "image"))
    except errors.FaceDetError as error:
        _LOG.warning("a request of pyzm for type %.40r failed: %s", form.get("type"), error)
        return {"detections": [], "error": describe_error(error)}


@ROUTES.post("/detect")
async def detect(request: Request, gateway: GatewayState) -> dict[str, Any]:
    """Return what all models detect in a picture, for pyzm up to 2.4: faces here, all else upstream."""
    picture = await _uploaded(await read_form(request), "file")
    if picture is None:
        raise Problem(400, "BadRequest", "file: must be a picture in the form")
    answer: dict[str, Any] = {}
    if gateway.config.pyzm is not None:
        async with _upstream(gateway) as upstream:
            answer = await upstream.detect(picture)
    faces = await _recognize(gateway, picture, 0.0)
    lists = {
        "labels": "label",
        "boxes": "box",
        "confidences": "confidence",
        "model_names": "model_name",
        "detection_types": "type",
    }
    others = [number for number, kind in enumerate(answer.get("detection_types") or []) if kind != FACE]
    merged = {
        name: [(answer.get(name) or [])[number] for number in others] + [face[key] for face in faces]
        for name, key in lists.items()
    }
    return {**answer, **merged}


async def _find_faces(gateway: Gateway, form: FormData) -> list[dict[str, Any]]:
    text = form.get("min_confidence") or "0"
    try:
        least = float(text) if isinstance(text, str) else 0.0
    except ValueError as error:
        raise errors.BadRequest("min_confidence: must be a number from 0 to 1") from error
    if url := _text(form, "url"):
        picture = await _fetch(gateway, url, _text(form, "zm_auth"))
    else:
        picture = await _uploaded(form, "image")
    if picture is None:
        raise errors.BadImage(
            "image: must be a picture in the form; or url: must be the address of one in ZoneMinder"
        )
    return await _recognize(gateway, picture, least)


async def _recognize(gateway: Gateway, picture: bytes, least: float) -> list[dict[str, Any]]:
    """Return the faces good enough to compare, without names below the client's least confidence."""
    found = []
    for face in await gateway.daemon.call("recognize", picture, None):
        if names_somebody(face):
            label, confidence = face["face"], float(face["faceProba"])
            if confidence < least:
                continue
        elif face.get("faceReason") == "unrecognised" or face["face"] is not None:
            # A stranger has no probability, so the confidence is the picture's quality.
            label, confidence = STRANGER, float(face.get("quality") or 0)
        else:
            continue
        box = whole_box(face)
        sides = [box[side] for side in ("x_min", "y_min", "x_max", "y_max")]
        found.append(
            {"label": label, "confidence": confidence, "box": sides, "type": FACE, "model_name": MODEL}
        )
    return found


async def _fetch(gateway: Gateway, url: str, auth: str) -> bytes | None:
    """Return a frame of ZoneMinder, with the client's own rights."""
    about, asked = _require_picture(gateway, url)
    async with Portal(ServerSettings.configured(about)) as portal:
        return await portal.frame_for(asked, pick_rights(parse_qsl(auth)))


def _picture_to_fetch(gateway: Gateway, form: FormData) -> dict[str, str]:
    """Return what makes the upstream fetch a frame of ZoneMinder: it would fetch any address."""
    about, asked = _require_picture(gateway, _text(form, "url"))
    rights = pick_rights(parse_qsl(_text(form, "zm_auth")))
    query = {"view": "image", **asked}
    return {"url": f"{hide_login(about.url)}/index.php?{urlencode(query)}", "zm_auth": urlencode(rights)}


def _require_picture(gateway: Gateway, url: str) -> tuple[ZoneMinder, dict[str, str]]:
    """Return the settings, and the `eid` and `fid` of a picture's address; raise BadRequest for any other.

    Only the ZoneMinder in config.json has any.
    """
    about = gateway.config.zoneminder
    if about is None:
        raise errors.BadRequest("url: config.json has no `zoneminder`, so pictures must be sent, not fetched")
    base = hide_login(about.url)
    address, _, query = url.partition("?")
    asked = dict(parse_qsl(query))
    if address != f"{base}/index.php" or asked.get("view") != "image":
        raise errors.BadRequest(f"url: must be a picture below {base}/, which is zoneminder.url")
    return about, {key: asked[key] for key in ("eid", "fid") if key in asked}


def _text(form: FormData, field: str) -> str:
    value = form.get(field)
    return value if isinstance(value, str) else ""


def _upstream(gateway: Gateway) -> Upstream:
    about = gateway.config.pyzm
    assert about is not None
    return Upstream(UpstreamSettings(about.upstream, about.user, about.password_file, about.timeout))


def _is_other(model: Any) -> bool:
    return isinstance(model, dict) and model.get("type") != FACE


async def _uploaded(form: FormData, field: str) -> bytes | None:
    part = form.get(field)
    return await part.read() if isinstance(part, UploadFile) else None
