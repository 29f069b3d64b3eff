"""Routes of other programs' servers, so that their clients can be pointed here."""

from face_det.gateway.compat import (
    compreface,
    compreface_collection,
    deepstack,
    home_assistant,
    pyzm,
    ringface,
    web_app,
)

ROUTERS = (home_assistant.ROUTES, web_app.ROUTES, ringface.ROUTES)
STAND_INS = {
    "compreface": (compreface.ROUTES, compreface_collection.ROUTES),
    "deepstack": (deepstack.ROUTES,),
    "pyzm": (pyzm.ROUTES,),
}
"""The routes that are served only if `http.standIns` names the server."""

JSON_PICTURES = compreface.JSON_PICTURES

PYZM_LOGIN = f"{pyzm.ROUTES.prefix}/login"

__all__ = ["JSON_PICTURES", "PYZM_LOGIN", "ROUTERS", "STAND_INS"]
