"""Puts users' own models, onnx:PATH, on the menu of embedders, from their files alone."""

from __future__ import annotations

from face_det.embedders.specs import EMBEDDERS


def know_file(name: str) -> str:
    """Put a user's own model, onnx:PATH, on this process's menu; other names are left alone. Return the name.

    Raises ModelMissing or ModelError if it cannot be read, or its description is wrong.

    >>> know_file("sface")
    'sface'
    """
    path = EMBEDDERS.path_in(name)
    if path is not None and name not in EMBEDDERS:
        # Only here: it imports what reads ONNX files.
        from face_det.embedders.onnx_file import describe_file

        EMBEDDERS.register(describe_file(path))
    return name
