"""All that is known about one person, from the photos and from the sightings: exported, or forgotten."""

from __future__ import annotations

import io
import json
import unicodedata
import zipfile
from pathlib import Path
from typing import Any

from face_det.enrolment import Paths
from face_det.errors import BadRequest, TryAgain, UnknownPerson
from face_det.gallery import Gallery, list_photos
from face_det.service.memory import Memory
from face_det.sightings import (
    SYSTEM_CLOCKS,
    Erased,
    MemoryOptions,
    SightingStore,
    export_sightings,
    has_sightings,
    unknown_number,
)

NOTHING_SEEN = Erased(0, 0)


def export_person(paths: Paths, memory: Memory | None, name: str) -> bytes:
    """Return a zip of all that is known about a person, or about an unknown one with an id such as unknown-3.

    It holds the enrolled photos and their encodings, and the sightings with thumbnails, events and changes;
    about.json says how much of each. Raises UnknownPerson if nothing is known.
    """
    buffer = io.BytesIO()
    photos = list_photos(paths.dataset).get(name, [])
    gallery = Gallery.load(paths.encodings)
    rows = [index for index, owner in enumerate(gallery.names) if owner == name]
    about: dict[str, Any] = {"name": name, "photos": len(photos), "encodings": len(rows)}
    with zipfile.ZipFile(buffer, "w") as archive:
        for photo in photos:
            archive.write(photo, f"photos/{photo.name}", zipfile.ZIP_STORED)
        encodings = {embedder: gallery.of(embedder)[rows].tolist() for embedder in gallery.embedders}
        archive.writestr("encodings.json", json.dumps(encodings), zipfile.ZIP_DEFLATED)
        if memory is not None:
            number = unknown_number(name)
            seen = memory.store.read(lambda connection: export_sightings(connection, archive, name, number))
            about |= {
                "sightings": seen.sightings,
                "pictures": seen.pictures,
                "picturesLeftOut": seen.left_out,
            }
        if not (photos or rows or about.get("sightings")):
            raise UnknownPerson(f"nothing is known about {name!r}; people() and unknowns() list everybody")
        archive.writestr("about.json", json.dumps(about, indent=1, ensure_ascii=False), zipfile.ZIP_DEFLATED)
    return buffer.getvalue()


def forget_sightings(memory: Memory | None, state: Path | None, name: str) -> Erased:
    """Erase all that was seen of a person, also if nothing is remembered any more but once was.

    Raises CannotWrite or AlreadyRunning if the sightings cannot be erased.
    """
    name = unicodedata.normalize("NFC", name)
    if memory is not None:
        return memory.forget(name)
    if state is None or not has_sightings(state):
        return NOTHING_SEEN
    store = SightingStore(state, KEEP_ALL, SYSTEM_CLOCKS)
    store.open()
    try:
        return Memory(store).forget(name)
    finally:
        store.close()


def forget_late_sightings(memory: Memory | None, name: str) -> Erased:
    """Erase what was recorded of a person until the photos were gone; an error says that these are."""
    if memory is None:
        return NOTHING_SEEN
    try:
        return forget_sightings(memory, None, name)
    except TryAgain as error:
        raise type(error)(f"photos and encodings: removed; sightings: {error}") from error


KEEP_ALL = MemoryOptions(keep_days=1e6, max_count=2**62, max_mb=1e12, unknown_keep_days=1e6)
"""For a store that is opened to forget one person and nobody else."""


def require_known_name(name: object) -> str:
    """Return a name to look for, spelt as names are kept; raises BadRequest for anything but text."""
    if not isinstance(name, str) or not name:
        raise BadRequest(f"name: must be a person's or an id such as unknown-3, got {name!r:.60}")
    return unicodedata.normalize("NFC", name)
