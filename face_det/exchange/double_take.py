"""Double Take's training photos: .storage/train/NAME. It looks at .jpg, .jpeg and .png."""

from __future__ import annotations

from face_det.exchange.person_folders import PersonFolders


class DoubleTakeFolders(PersonFolders):
    """The folders of .storage/train."""

    inside = (".storage/train", "train")
