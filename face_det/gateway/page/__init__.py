"""The page: files that are sent as they are."""

from face_det.gateway.page.routes import ROUTES

__all__ = ["ROUTES"]
