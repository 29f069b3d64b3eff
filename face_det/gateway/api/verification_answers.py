"""What the route that compares two pictures answers, as schemas with examples for /openapi.json."""

from __future__ import annotations

from face_det.gateway.api.answers import BOX, Answer, Box, with_example


class ComparedFace(Answer):
    """A face of the second picture; without `same`, it cannot be compared, and `faceReason` says why."""

    faceBox: Box
    same: bool | None = None
    proba: float | None = None
    similarity: float | None = None
    faceReason: str | None = None
    faceExplanation: str | None = None


class Verification(Answer):
    """Whether two pictures show the same person, and how each face of the second compares, largest first."""

    model_config = with_example(
        same=True,
        proba=0.98,
        similarity=0.71,
        faceBox=BOX,
        faces=[{"faceBox": BOX, "same": True, "proba": 0.98, "similarity": 0.71}],
    )
    same: bool
    proba: float
    similarity: float
    faceBox: Box
    faces: list[ComparedFace]
