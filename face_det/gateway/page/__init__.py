"""The page: static files."""

from face_det.gateway.page.routes import ROUTES

__all__ = ["ROUTES"]
