"""The page: static files."""

from face_det.gateway.page.routes import ROUTES, load

__all__ = ["ROUTES", "load"]
