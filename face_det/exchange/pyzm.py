"""The known_faces folder of pyzm and zmeventnotification: NAME/*.jpg, or NAME.jpg for a single photo."""

from __future__ import annotations

from face_det.exchange.person_folders import PersonFolders


class KnownFaces(PersonFolders):
    """The folders and files of known_faces; it overlooks suffixes in capitals."""

    inside = ("known_faces",)
    loose = True
