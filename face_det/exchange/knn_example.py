"""The folders of face_recognition's example face_recognition_knn.py: train/NAME/*.jpg."""

from __future__ import annotations

from face_det.exchange.person_folders import PersonFolders


class KnnFolders(PersonFolders):
    """The folders of train/; test/ beside it holds pictures of several people."""

    inside = ("train",)
