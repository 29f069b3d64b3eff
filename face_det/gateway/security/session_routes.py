"""Logging in and out."""

from __future__ import annotations

import asyncio
import logging
import math
from typing import Any

from fastapi import APIRouter, Request, Response
from pydantic import BaseModel, Field
from starlette.exceptions import HTTPException

from face_det.gateway.api.answers import Session, json_answer
from face_det.gateway.problems import Problem
from face_det.gateway.security.access import SESSION_COOKIE, Access, Visitor
from face_det.gateway.security.credentials import MAX_PASSWORD, verify_password
from face_det.gateway.security.sessions import LIFETIME_S

_LOG = logging.getLogger(__name__)

ROUTES = APIRouter(prefix="/api/v1", tags=["session"])

LOGIN_PATH = "/api/v1/login"
MAX_LOGIN_BYTES = 10_000


class Password(BaseModel):
    """The page's password."""

    password: str = Field(max_length=MAX_PASSWORD)


@ROUTES.post("/login", status_code=204)
async def login(body: Password, request: Request) -> Response:
    """Start a session, whose cookie lasts 30 days; 401 for a wrong password, 429 after too many attempts."""
    access: Access = request.app.state.access
    credentials = access.credentials()
    if credentials is None or credentials.password is None:
        raise Problem(
            409, "NoPassword", "there is no password to log in with; `face-det web password` sets one"
        )
    address = request.client.host if request.client else ""
    wait_s = access.attempts.take(address)
    if wait_s > 0:
        _LOG.warning("login refused from=%s: too many tries", address)
        raise HTTPException(
            429, "too many wrong passwords; wait a little", {"Retry-After": str(math.ceil(wait_s))}
        )
    async with access.comparisons:
        right = await asyncio.to_thread(verify_password, credentials.password, body.password)
    if not right:
        _LOG.warning("login refused from=%s: wrong password", address)
        raise Problem(401, "WrongPassword", "the password is wrong")
    access.attempts.give_back(address)
    _LOG.info("login from=%s", address)
    answer = Response(status_code=204)
    _set_cookie(answer, request, access.sessions.open(credentials.password), LIFETIME_S)
    return answer


@ROUTES.post("/logout", status_code=204)
async def logout(request: Request) -> Response:
    """End the session."""
    access: Access = request.app.state.access
    access.sessions.close(request.cookies.get(SESSION_COOKIE, ""))
    answer = Response(status_code=204)
    _set_cookie(answer, request, "", 0)
    return answer


@ROUTES.get("/session", **json_answer(Session))
async def session(request: Request) -> dict[str, Any]:
    """Return whether this browser is logged in, whether it must be, and what to send as X-CSRF-Token."""
    access: Access = request.app.state.access
    visitor: Visitor = request.state.visitor
    return {
        "authenticated": visitor.known,
        "required": access.is_required() and not visitor.ingress,
        "csrf": visitor.session.csrf if visitor.session is not None else None,
    }


def _set_cookie(answer: Response, request: Request, value: str, max_age_s: int) -> None:
    answer.set_cookie(
        SESSION_COOKIE,
        value,
        max_age=max_age_s,
        path=f"{request.scope.get('root_path', '')}/",
        secure=request.scope["scheme"] == "https",
        httponly=True,
        samesite="strict",
    )
