"""Removes every trace of a person beyond encodings, model and photos: caches, copies, other models."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from face_det.classifiers import CLASSIFIERS
from face_det.enrolment.model_change import model_file_candidates
from face_det.enrolment.photo_journal import open_photo_journal
from face_det.enrolment.results import Paths
from face_det.errors import CannotWrite, DataError
from face_det.gallery import (
    EncodingCache,
    delete_quarantined,
    facts_path,
    has_person_folder,
    list_photos,
    quarantine_mentions,
    read_photo,
    remove_person,
)
from face_det.storage import BACKUP_SUFFIX, recover_folder

log = logging.getLogger(__name__)

DEFAULT_LABELS_NAME = "face_labels.pickle"
"""The name of the labels file that `face-det train --output` writes."""
_COPY_MARKS = ("~", ".bak", ".old", ".orig", ".save", ".backup", ".copy", ".tmp", ".swp", BACKUP_SUFFIX)
"""Marks in the names of copies that editors or people make of our files: encodings.pickle.bak,
encodings.pickle.bak2, encodings.pickle-2026-01-31.old."""


def find_other_models(paths: Paths) -> Iterator[Path]:
    """Yield the classifiers, labels and pictures in the model's folder, which name everybody.

    The model in use is among them: it is about to be replaced.
    """
    names = [*(f"{kind}-cm.png" for kind in CLASSIFIERS), DEFAULT_LABELS_NAME]
    for path in (*model_file_candidates(paths.model), *(paths.model.parent / name for name in names)):
        if path not in (paths.labels, paths.encodings) and path.exists():
            yield path


def has_traces(paths: Paths, name: str) -> bool:
    """Return True if photos, quarantine or the journal of changes still hold something of a person."""
    return (
        has_person_folder(paths.dataset, name)
        or quarantine_mentions(paths.dataset, name)
        or (paths.changes is not None and open_photo_journal(paths).mentions(name))
    )


def remove_traces(paths: Paths, name: str) -> None:
    """Remove a person from caches, facts and copies, while the person's photos are still there.

    Raises CannotWrite if something cannot be removed, and DataError if something cannot be read.
    """
    kept = []
    for other, photos in list_photos(paths.dataset).items():
        for path in photos if other != name else ():
            with suppress(DataError):
                kept.append(read_photo(path)[0])
    with EncodingCache(paths.cache) as cache:
        # This also covers photos that were deleted by hand or are in quarantine.
        cache.keep_only(kept, strictly=True)
    remove_copies(paths)


def remove_copies(paths: Paths) -> None:
    """Remove what was found out about photos, and copies of our files; raises CannotWrite."""
    # Its rows do not say whose they are, and it is only a cache.
    _delete_file(facts_path(paths.encodings))
    for path in _find_copies(paths):
        log.warning("%s: removed: this copy of one of our files may name the person", path)
        _delete_file(path)


def remove_person_photos(paths: Paths, name: str) -> int:
    """Remove a person's photos, including those in quarantine and those that can be put back, and unfinished
    files; return how many photos.

    This comes last: until then, a repeated call still finds the person. Raises as `remove_traces` does.
    """
    for folder in {path.parent for path in (paths.encodings, paths.model, paths.labels)}:
        recover_folder(folder)
    removed = delete_quarantined(paths.dataset, name) + remove_person(paths.dataset, name)
    if paths.changes is not None:
        removed += open_photo_journal(paths).forget(name)
    # Somebody may have quarantined a photo meanwhile.
    return removed + delete_quarantined(paths.dataset, name)


def _find_copies(paths: Paths) -> Iterator[Path]:
    """Yield copies that somebody made of our files in the same folders; they may name anybody."""
    files = [paths.encodings, *model_file_candidates(paths.model), paths.labels, paths.cache]
    files += [facts_path(paths.encodings), paths.model.parent / DEFAULT_LABELS_NAME, *paths.voices.files]
    for folder in sorted({path.parent for path in files}):
        names = [path.name for path in files if path.parent == folder]
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
