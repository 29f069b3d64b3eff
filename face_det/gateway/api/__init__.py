"""Our own API, under /api/v1: the daemon's verbs as resources."""

from fastapi import APIRouter

from face_det.gateway.api import (
    backup,
    changes,
    events,
    faces,
    people,
    sightings,
    status,
    training,
    unknowns,
    videos,
    voices,
)

API = APIRouter(prefix="/api/v1")
for _part in (status, faces, videos, voices, people, sightings, unknowns, changes, training, events, backup):
    API.include_router(_part.ROUTES)

__all__ = ["API"]
