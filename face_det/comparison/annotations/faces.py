"""Annotated faces, whatever format they were written in."""

from __future__ import annotations

from dataclasses import dataclass

from face_det.types import Box


@dataclass(frozen=True, slots=True)
class AnnotatedFace:
    """A face that somebody marked, in pixels of the picture.

    An `ignored` one, such as a crowd or a face marked as difficult, counts neither as found nor as missed.
    """

    box: Box
    ignored: bool = False


@dataclass(frozen=True, slots=True)
class AnnotatedPicture:
    """A picture as annotations name it, its faces, and its (width, height) in pixels if they say so."""

    name: str
    faces: tuple[AnnotatedFace, ...]
    size: tuple[int, int] | None = None


@dataclass(frozen=True, slots=True)
class Annotations:
    """All annotated pictures, and the name of the format."""

    format: str
    pictures: tuple[AnnotatedPicture, ...]
