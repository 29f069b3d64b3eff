"""Access control in front of all routes."""

from __future__ import annotations

from fastapi import Request
from starlette.types import ASGIApp, Receive, Scope, Send

from face_det.gateway.problems import Problem, problem_response
from face_det.gateway.security.access import Access, Visitor
from face_det.gateway.turns import CURRENT_USER


class Guard:
    """Middleware that passes on only what `access` admits, so that no route can forget to ask.

    Routes find the Visitor in `request.state.visitor`.
    """

    def __init__(self, app: ASGIApp, access: Access) -> None:
        self._app = app
        self._access = access

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, or answer it with the problem."""
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return
        assert scope["type"] == "http", "this server does not support websockets"
        request = Request(scope)
        try:
            visitor = request.state.visitor = self._access.admit(request)
        except Problem as problem:
            # Not Basic, for which browsers would open their own dialog for a name and a password.
            headers = {"WWW-Authenticate": "Bearer"} if problem.status == 401 else None
            answer = problem_response(problem.status, problem.code, str(problem), headers)
            await answer(scope, receive, send)
            return
        CURRENT_USER.set(_user(visitor, request))
        await self._app(scope, receive, send)


def _user(visitor: Visitor, request: Request) -> str:
    """Tell users apart, as far as they show who they are."""
    if visitor.token is not None:
        return f"token {visitor.token}"
    if visitor.session is not None:
        return f"session {visitor.session.csrf}"
    return f"address {request.client.host if request.client else ''}"
