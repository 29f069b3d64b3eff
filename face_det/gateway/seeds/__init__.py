"""Routes of other programs' servers, whose users point their clients here."""

from face_det.gateway.seeds import home_assistant, ringface, web_app

ROUTERS = (home_assistant.ROUTES, web_app.ROUTES, ringface.ROUTES)

__all__ = ["ROUTERS"]
