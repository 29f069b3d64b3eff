"""Our own API, under /api/v1: the daemon's verbs as resources."""

from fastapi import APIRouter

from face_det.gateway.api import faces, people, sightings, status, unknowns

API = APIRouter(prefix="/api/v1")
for _part in (status, faces, people, sightings, unknowns):
    API.include_router(_part.ROUTES)

__all__ = ["API"]
