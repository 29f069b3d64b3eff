"""GET requests that change things, as some programs' webhooks send them: /add-face/NAME, /motion-detected."""

from __future__ import annotations

from fastapi import Request
from starlette.exceptions import HTTPException

from face_det.gateway.problems import Problem
from face_det.gateway.security.access import Access, host_of, require_own_page


def state_changing_get(request: Request) -> None:
    """Admit a GET request that changes something; the dependency of every such route.

        @ROUTES.get("/motion-detected", dependencies=[Depends(state_changing_get)])

    Raises HTTPException (405) unless `http.legacyGet` allows it, and Problem (403) if a browser sends it
    for a page elsewhere, as a picture or a link would.
    """
    access: Access = request.app.state.access
    if not access.legacy_get:
        raise HTTPException(
            405,
            "GET must not change anything here: send a POST, or set http.legacyGet in config.json to true",
            {"Allow": "POST"},
        )
    require_own_page(request)
    referer = request.headers.get("referer")
    if referer is not None and host_of(referer) != request.headers.get("host", "").lower():
        raise Problem(403, "ForeignPage", f"must not come from another site's page, got {referer[:100]}")
