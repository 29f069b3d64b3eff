"""What `forget` removes besides encodings, model and photos: everything else that says who somebody is."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from face_det import registry
from face_det.errors import CannotWrite, DataError
from face_det.identity import check_facts, enrol, quarantine, storage
from face_det.identity.cache import Cache, read_photo
from face_det.identity.learnt import Places

log = logging.getLogger(__name__)

LABELS = "face_labels.pickle"
"""What `face-det train --output` calls the labels."""
_COPIES = ("~", ".bak", ".old", ".orig", ".save", ".backup", ".copy", ".tmp", ".swp")
"""How a copy of a file of ours is called that an editor or somebody made: encodings.pickle.bak,
encodings.pickle.bak2, encodings.pickle-2026-01-31.old."""


def others_models(places: Places) -> Iterator[Path]:
    """What training left beside the model: other classifiers, labels and pictures, which know everybody."""
    names = [
        f"{kind}{end}" for kind in registry.CLASSIFIERS for end in ("_face_recognizer.pickle", "-cm.png")
    ]
    for name in (*names, LABELS):
        path = places.model.parent / name
        if path not in (places.model, places.labels, places.encodings) and path.exists():
            yield path


def clean(places: Places, name: str) -> None:
    """Remove what caches, facts and copies hold of a person, whose photos are still there.

    Raises CannotWrite if something has to stay, DataError if it cannot be read.
    """
    kept = []
    for other, photos in enrol.photos(places.dataset).items():
        for path in photos if other != name else ():
            with suppress(DataError):
                kept.append(read_photo(path)[0])
    with Cache(places.cache) as cache:
        # Not only the photos that are there: also those that were deleted by hand, or lie in quarantine.
        cache.keep_only(kept, strictly=True)
    # Its rows do not say whose they are; it is only a cache.
    _remove(check_facts.facts_path(places.encodings))
    for path in _copies(places):
        log.warning("%s: a copy by hand of a file of ours, removed", path)
        _remove(path)


def remove_photos(places: Places, name: str) -> int:
    """Remove a person's photos, also those in quarantine, and unfinished files; how many photos it was.

    The last step: until then, the next call finds whom to forget. Raises as `clean` does.
    """
    for folder in {path.parent for path in (places.encodings, places.model, places.labels)}:
        storage.recover(folder)
    removed = quarantine.forget(places.dataset, name) + enrol.remove_person(places.dataset, name)
    # Somebody may have put one aside between the two.
    return removed + quarantine.forget(places.dataset, name)


def _copies(places: Places) -> Iterator[Path]:
    """Copies by hand of what we write, in the same folders. Whom they know cannot always be told."""
    ours = [places.encodings, places.model, places.labels, places.cache]
    ours.append(check_facts.facts_path(places.encodings))
    for folder in sorted({path.parent for path in ours}):
        names = [path.name for path in ours if path.parent == folder]
        for path in sorted(folder.iterdir()):
            rest = next((path.name[len(name) :] for name in names if path.name.startswith(name)), "")
            if rest.startswith(("-journal", "-wal", "-shm")) or not path.is_file():
                continue  # sqlite's own
            if rest and any(mark in rest for mark in _COPIES):
                yield path


def _remove(path: Path) -> None:
    try:
        path.unlink(missing_ok=True)
    except OSError as error:
        raise CannotWrite(f"{path}: cannot be removed: {error.strerror}; remove it by hand") from error
