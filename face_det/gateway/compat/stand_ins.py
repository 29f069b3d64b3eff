"""What stand-ins share: errors in the format of the server they stand in for, and form fields."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Any

from fastapi import Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute
from starlette.exceptions import HTTPException

from face_det.errors import FaceDetError, TryAgain
from face_det.gateway.bodies import describe_faults
from face_det.gateway.problems import RETRY_AFTER_S, Problem, describe_error

RequestError = FaceDetError | Problem | RequestValidationError | HTTPException
"""What ends a request that cannot be answered."""

HIGHEST_UNNAMED = 0.39
"""The similarity of a candidate who is certain but not named. Double Take takes 0.4 for a name."""

Handler = Callable[[Request], Coroutine[Any, Any, Response]]


def routes_with(answer: Callable[[RequestError], Response]) -> type[APIRoute]:
    """Return a class of routes whose errors become responses by `answer`.

    `Retry-After` is added if a later request may succeed.
    """

    class StandInRoute(APIRoute):
        def get_route_handler(self) -> Handler:
            handle = super().get_route_handler()

            async def respond(request: Request) -> Response:
                try:
                    return await handle(request)
                except (FaceDetError, Problem, RequestValidationError, HTTPException) as error:
                    response = answer(error)
                    if isinstance(error, TryAgain):
                        response.headers["Retry-After"] = str(RETRY_AFTER_S)
                    return response

            return respond

    return StandInRoute


def describe_request_error(error: RequestError) -> str:
    """Return a sentence that says what is wrong with a request.

    >>> describe_request_error(Problem(400, "BadRequest", "userid not specified"))
    'userid not specified'
    """
    if isinstance(error, RequestValidationError):
        return describe_faults(error.errors())
    if isinstance(error, FaceDetError):
        return describe_error(error)
    return str(error.detail) if isinstance(error, HTTPException) else str(error)


def similarity_of(verified: dict[str, Any]) -> float:
    """Return how similar two faces are that the daemon compared, so that a client's threshold agrees with it.

    >>> similarity_of({"same": True, "proba": 0.98}), similarity_of({"same": False, "proba": 0.9})
    (0.98, 0.351)
    """
    return round(float(verified["proba"]) * (1.0 if verified["same"] else HIGHEST_UNNAMED), 5)


def whole_box(face: dict[str, Any]) -> dict[str, int]:
    """Return a face's box in whole pixels, none of them negative, under the names that stand-ins share.

    >>> whole_box({"faceBox": {"xmin": -1.5, "ymin": 2.4, "xmax": 30.5, "ymax": 40}})
    {'x_min': 0, 'y_min': 2, 'x_max': 30, 'y_max': 40}
    """
    box = face["faceBox"]
    return {f"{key[0]}_{key[1:]}": max(0, round(box[key])) for key in ("xmin", "ymin", "xmax", "ymax")}
