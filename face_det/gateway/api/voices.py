"""Who is speaking, and the recordings of everybody who is enrolled."""

from __future__ import annotations

import mimetypes
from typing import Annotated, Any

from fastapi import APIRouter, Path, Query, Request, Response

from face_det.gateway.api.answers import PhotoChange, file_answer, json_answer
from face_det.gateway.api.arguments import PersonName, upload_of
from face_det.gateway.api.voice_answers import EnrolledVoice, HeardVoices, Recordings, VoiceSegments
from face_det.gateway.leaving import work_while_awaited
from face_det.gateway.state import GatewayState
from face_det.gateway.uploads import read_picture

ROUTES = APIRouter()

FIELD = "audio"
LIMIT_S = 600.0
"""How long a call may take: a recording may last an hour."""

RecordingName = Annotated[str, Path(description="A recording's file name.", examples=["4f1c.wav"])]
_UPLOAD = upload_of(
    FIELD, "A recording, or a video with sound.", ("audio/wav", "audio/flac", "audio/ogg", "audio/mpeg")
)


@ROUTES.post("/voices", tags=["voices"], **json_answer(VoiceSegments), **_UPLOAD)
async def recognize_voice(
    request: Request,
    gateway: GatewayState,
    remember: Annotated[bool, Query(description="Keep who is heard as events; needs a camera.")] = False,
    camera: Annotated[str | None, Query(description="Where the recording was made.")] = None,
    time: Annotated[
        float | None, Query(ge=0, le=1e11, description="When it began, in seconds since 1970.")
    ] = None,
) -> dict[str, Any]:
    """Say who speaks when in an uploaded recording, of at most an hour.

    With `remember`, everybody who is heard is an event of type `heard`, if events are kept.
    """
    audio = await read_picture(request, FIELD)
    options = {"camera": camera, "time": time, "remember": remember}
    call = gateway.daemon.call("recognize_voice", audio, options, timeout_s=LIMIT_S)
    answer: dict[str, Any] = await work_while_awaited(request, call)
    return answer


@ROUTES.get("/heard", tags=["events"], **json_answer(HeardVoices))
async def heard(
    gateway: GatewayState,
    limit: Annotated[int, Query(ge=1, le=500, description="At most so many.")] = 50,
    camera: Annotated[str | None, Query(description="Only near this camera.")] = None,
    name: Annotated[str | None, Query(description="Only this person.")] = None,
) -> dict[str, Any]:
    """List who was heard near cameras, newest first."""
    query = {"limit": limit, "camera": camera, "name": name}
    return {"heard": await gateway.daemon.call("heard", query)}


@ROUTES.get("/people/{name}/recordings", tags=["people"], **json_answer(Recordings))
async def recordings(name: PersonName, gateway: GatewayState) -> dict[str, Any]:
    """List a person's recordings."""
    return {"name": name, "recordings": await gateway.daemon.call("recordings", name)}


@ROUTES.post(
    "/people/{name}/recordings",
    status_code=201,
    tags=["people"],
    **json_answer(EnrolledVoice, 201, "Learnt"),
    **_UPLOAD,
)
async def add_voice(name: PersonName, request: Request, gateway: GatewayState) -> dict[str, Any]:
    """Store a recording of one person's speech under a name and learn the voice; the next call knows it."""
    audio = await read_picture(request, FIELD)
    answer: dict[str, Any] = await gateway.daemon.call("add_voice", name, audio, timeout_s=LIMIT_S)
    return answer


@ROUTES.get(
    "/people/{name}/recordings/{recording}",
    tags=["people"],
    response_class=Response,
    **file_answer("audio/*"),
)
async def recording(name: PersonName, recording: RecordingName, gateway: GatewayState) -> Response:
    """Return a recording, as it was stored."""
    data = await gateway.daemon.call("recording", name, recording)
    return Response(data, media_type=_media_type(recording))


@ROUTES.delete("/people/{name}/recordings/{recording}", tags=["people"], **json_answer(PhotoChange))
async def delete_recording(
    name: PersonName, recording: RecordingName, gateway: GatewayState
) -> dict[str, Any]:
    """Remove a recording; this can be undone."""
    answer: dict[str, Any] = await gateway.daemon.call("delete_recording", name, recording)
    return answer


def _media_type(recording: str) -> str:
    """Return what a browser needs to play a recording.

    >>> _media_type("a.wav"), _media_type("a.flac"), _media_type("a.xyz")
    ('audio/wav', 'audio/flac', 'application/octet-stream')
    """
    known = {".wav": "audio/wav", ".flac": "audio/flac", ".ogg": "audio/ogg", ".opus": "audio/ogg"}
    suffix = recording[recording.rfind(".") :].lower()
    found = known.get(suffix) or mimetypes.guess_type(recording)[0] or ""
    return found if found.startswith("audio/") else "application/octet-stream"
