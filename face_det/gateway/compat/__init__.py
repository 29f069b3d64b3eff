"""Routes of other programs' servers, so that their clients can be pointed here."""

from face_det.gateway.compat import (
    compreface,
    compreface_collection,
    deepstack,
    home_assistant,
    ringface,
    web_app,
)

ROUTERS = (home_assistant.ROUTES, web_app.ROUTES, ringface.ROUTES)
STAND_INS = {
    "compreface": (compreface.ROUTES, compreface_collection.ROUTES),
    "deepstack": (deepstack.ROUTES,),
}
"""The routes that are served only if `http.standIns` names the server."""

JSON_PICTURES = compreface.JSON_PICTURES

__all__ = ["JSON_PICTURES", "ROUTERS", "STAND_INS"]
