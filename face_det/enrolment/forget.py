"""What `forget` removes besides encodings, model and photos: everything else that says who somebody is."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from face_det.classifiers import CLASSIFIERS
from face_det.enrolment.results import Paths
from face_det.errors import CannotWrite, DataError
from face_det.gallery import (
    EncodingCache,
    delete_quarantined,
    facts_path,
    list_photos,
    read_photo,
    remove_person,
)
from face_det.storage import recover_folder

log = logging.getLogger(__name__)

DEFAULT_LABELS_NAME = "face_labels.pickle"
"""What `face-det train --output` calls the labels."""
_COPY_MARKS = ("~", ".bak", ".old", ".orig", ".save", ".backup", ".copy", ".tmp", ".swp")
"""How a copy of a file of ours is called that an editor or somebody made: encodings.pickle.bak,
encodings.pickle.bak2, encodings.pickle-2026-01-31.old."""


def find_other_models(places: Paths) -> Iterator[Path]:
    """What training left beside the model: other classifiers, labels and pictures, which know everybody."""
    names = [f"{kind}{end}" for kind in CLASSIFIERS for end in ("_face_recognizer.pickle", "-cm.png")]
    for name in (*names, DEFAULT_LABELS_NAME):
        path = places.model.parent / name
        if path not in (places.model, places.labels, places.encodings) and path.exists():
            yield path


def remove_traces(places: Paths, name: str) -> None:
    """Remove what caches, facts and copies hold of a person, whose photos are still there.

    Raises CannotWrite if something has to stay, DataError if it cannot be read.
    """
    kept = []
    for other, photos in list_photos(places.dataset).items():
        for path in photos if other != name else ():
            with suppress(DataError):
                kept.append(read_photo(path)[0])
    with EncodingCache(places.cache) as cache:
        # Not only the photos that are there: also those that were deleted by hand, or lie in quarantine.
        cache.keep_only(kept, strictly=True)
    # Its rows do not say whose they are; it is only a cache.
    _delete_file(facts_path(places.encodings))
    for path in _find_copies(places):
        log.warning("%s: a copy by hand of a file of ours, removed", path)
        _delete_file(path)


def remove_person_photos(places: Paths, name: str) -> int:
    """Remove a person's photos, also those in quarantine, and unfinished files; how many photos it was.

    The last step: until then, the next call finds whom to forget. Raises as `clean` does.
    """
    for folder in {path.parent for path in (places.encodings, places.model, places.labels)}:
        recover_folder(folder)
    removed = delete_quarantined(places.dataset, name) + remove_person(places.dataset, name)
    # Somebody may have put one aside between the two.
    return removed + delete_quarantined(places.dataset, name)


def _find_copies(places: Paths) -> Iterator[Path]:
    """Copies by hand of what we write, in the same folders. Whom they know cannot always be told."""
    ours = [places.encodings, places.model, places.labels, places.cache]
    ours.append(facts_path(places.encodings))
    for folder in sorted({path.parent for path in ours}):
        names = [path.name for path in ours if path.parent == folder]
        for path in sorted(folder.iterdir()):
            rest = next((path.name[len(name) :] for name in names if path.name.startswith(name)), "")
            if rest.startswith(("-journal", "-wal", "-shm")) or not path.is_file():
                continue  # sqlite's own
            if rest and any(mark in rest for mark in _COPY_MARKS):
                yield path


def _delete_file(path: Path) -> None:
    try:
        path.unlink(missing_ok=True)
    except OSError as error:
        raise CannotWrite(f"{path}: cannot be removed: {error.strerror}; remove it by hand") from error
