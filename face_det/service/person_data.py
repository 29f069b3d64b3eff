"""Exports or forgets all that is known about one person, from photos and sightings."""

from __future__ import annotations

import io
import json
import logging
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from face_det.enrolment import Enroller, Paths
from face_det.errors import BadRequest, CannotWrite, FaceDetError, TryAgain, UnknownPerson
from face_det.gallery import Gallery, list_photos, list_recordings
from face_det.recognition import Recognizer
from face_det.service.memory import Memory
from face_det.service.sighting_arguments import composed
from face_det.sightings import (
    SYSTEM_CLOCKS,
    ErasureCounts,
    MemoryOptions,
    SightingStore,
    export_sightings,
    has_sightings,
    unknown_number,
)

log = logging.getLogger(__name__)

NOTHING_SEEN = ErasureCounts(0, 0)


def export_person(paths: Paths, memory: Memory | None, name: str) -> bytes:
    """Return a zip of all that is known about a person, or about an unknown one with an id such as unknown-3.

    It holds the enrolled photos and recordings and their encodings, those of the body, and the sightings with
    thumbnails, events and changes; about.json says how much of each. Raises UnknownPerson if nothing is
    known.
    """
    buffer = io.BytesIO()
    photos = list_photos(paths.dataset).get(name, [])
    recordings = list_recordings(paths.dataset, warn=False).get(name, [])
    gallery = Gallery.load(paths.encodings)
    rows = [index for index, owner in enumerate(gallery.names) if owner == name]
    about: dict[str, Any] = {"name": name, "photos": len(photos), "encodings": len(rows)}
    with zipfile.ZipFile(buffer, "w") as archive:
        for photo in photos:
            archive.write(photo, f"photos/{photo.name}", zipfile.ZIP_STORED)
        for recording in recordings:
            archive.write(recording, f"recordings/{recording.name}", zipfile.ZIP_STORED)
        encodings = {embedder: gallery.of(embedder)[rows].tolist() for embedder in gallery.embedders}
        archive.writestr("encodings.json", json.dumps(encodings), zipfile.ZIP_DEFLATED)
        if body := _export_body(paths.bodies, name):
            about["bodies"] = len(body)
            archive.writestr("bodies.json", json.dumps(body), zipfile.ZIP_DEFLATED)
        voice = _export_voice(paths, name)
        if voice or recordings:
            about["recordings"] = len(recordings)
            archive.writestr("voices.json", json.dumps(voice), zipfile.ZIP_DEFLATED)
        if memory is not None:
            number = unknown_number(name)
            seen = memory.store.read(lambda connection: export_sightings(connection, archive, name, number))
            about |= {
                "sightings": seen.sightings,
                "pictures": seen.pictures,
                "picturesLeftOut": seen.left_out,
            }
        if not (photos or recordings or voice or rows or body or about.get("sightings")):
            raise UnknownPerson(f"nothing is known about {name!r}; people() and unknowns() list everybody")
        archive.writestr("about.json", json.dumps(about, indent=1, ensure_ascii=False), zipfile.ZIP_DEFLATED)
    return buffer.getvalue()


def forget_person(
    enroller: Enroller,
    memory: Memory | None,
    state: Path | None,
    name: str,
    current: Recognizer | None = None,
    use: Callable[[Recognizer], None] = lambda recognizer: None,
) -> dict[str, Any]:
    """Remove a person's sightings, photos and encodings; return how many of each.

    `current` is the recognizer in use, which is read from disk if None; `use` switches to another one. Raises
    what Enroller.forget raises: but for CannotWrite, nothing was changed then.
    """
    enroller.check_forget(name)
    if current is None and state is not None and has_sightings(state):
        current = _load_if_usable(enroller)
    # First: later, nobody could tell whom past sightings show.
    seen = _forget_sightings(memory, state, name, current)
    bodies = _forget_body(enroller.paths.bodies, name)
    recordings = len(list_recordings(enroller.paths.dataset, warn=False).get(composed(name), []))
    try:
        forgotten = enroller.forget(name, lambda: _files_without_voice(enroller, composed(name)))
    except UnknownPerson:
        if not (seen.sightings or seen.people or bodies):
            raise
        if current is not None:
            # Sightings that users marked as wrong are gone.
            use(current)
        nothing = {"images": 0, "encodings": 0}
        return {**nothing, **_count_bodies(bodies), **_erased_as_json(seen, remembers=True)}
    except CannotWrite:
        # Part of it may be done already, and people who are gone must no longer be named.
        use(enroller.load())
        raise
    use(forgotten.recognizer)
    late = _forget_late_sightings(memory, name, current)
    removed = {"images": forgotten.images, "encodings": forgotten.encodings, **_count_bodies(bodies)}
    if recordings:
        removed["recordings"] = recordings
    return {**removed, **_erased_as_json(seen, late, remembers=memory is not None)}


def _forget_body(path: Path | None, name: str) -> int:
    """Remove the encodings of a person's body, also if they are not used any more; return how many."""
    if path is None or not path.exists():
        return 0
    # Only here: who knows no bodies loads nothing for them.
    from face_det.bodies import forget_body

    return forget_body(path, name)


def _files_without_voice(enroller: Enroller, name: str) -> Mapping[Path, bytes | None]:
    """Return the files of voices without a person; none if they do not know the person."""
    paths = enroller.paths.voices
    if not any(path.exists() for path in paths.files):
        return {}
    from face_det.voices import forget_voice

    return forget_voice(paths, name, enroller.options.false_accept_rate).files


def _export_voice(paths: Paths, name: str) -> list[dict[str, Any]]:
    """Return the encodings of a person's voice, each with its recording."""
    if not paths.voices.encodings.exists():
        return []
    from face_det.voices import read_voices

    known = read_voices(paths.voices.encodings)
    rows = known.rows if known is not None else ()
    return [
        {"recording": Path(row.file).name, "speech": row.speech_s, "encoding": row.encoding.tolist()}
        for row in rows
        if row.name == name
    ]


def _count_bodies(count: int) -> dict[str, int]:
    return {"bodies": count} if count else {}


def _export_body(path: Path | None, name: str) -> list[dict[str, Any]]:
    """Return the encodings of a person's body, each with its visit."""
    if path is None or not path.exists():
        return []
    from face_det.bodies import load_bodies

    known = load_bodies(path)
    rows = zip(known.names, known.visits, known.X.tolist(), strict=True)
    return [{"visit": visit, "encoding": row} for owner, visit, row in rows if owner == name]


def _erased_as_json(*erased: ErasureCounts, remembers: bool) -> dict[str, int]:
    counts = {
        "sightings": sum(one.sightings for one in erased),
        "recognised": sum(one.recognised for one in erased),
        # Not the sum: those that stayed are counted each time.
        "notCompared": max(one.not_compared for one in erased),
    }
    return {key: count for key, count in counts.items() if count or (key == "sightings" and remembers)}


def _load_if_usable(enroller: Enroller) -> Recognizer | None:
    try:
        return enroller.load()
    except FaceDetError as error:
        log.warning("sightings without a name are not compared with the person's photos: %s", error)
        return None


def _forget_sightings(
    memory: Memory | None, state: Path | None, name: str, recognizer: Recognizer | None
) -> ErasureCounts:
    """Erase all that was seen of a person, also if nothing is remembered any more but once was.

    Raises CannotWrite or AlreadyRunning if the sightings cannot be erased.
    """
    name = composed(name)
    if memory is not None:
        return memory.forget(name, recognizer)
    if state is None or not has_sightings(state):
        return NOTHING_SEEN
    store = SightingStore(state, KEEP_ALL, SYSTEM_CLOCKS)
    store.open()
    try:
        return Memory(store).forget(name, recognizer)
    finally:
        store.close()


def _forget_late_sightings(memory: Memory | None, name: str, recognizer: Recognizer | None) -> ErasureCounts:
    """Erase what was recorded of a person until the photos were gone; an error says that these are."""
    if memory is None:
        return NOTHING_SEEN
    try:
        return _forget_sightings(memory, None, name, recognizer)
    except TryAgain as error:
        raise type(error)(f"photos and encodings: removed; sightings: {error}") from error


KEEP_ALL = MemoryOptions(keep_days=1e6, max_count=2**62, max_mb=1e12, unknown_keep_days=1e6)
"""For a store that is opened to forget one person and nobody else."""


def require_known_name(name: object) -> str:
    """Return a name to look for, spelt as names are kept; raises BadRequest for anything but text."""
    if not isinstance(name, str) or not name:
        raise BadRequest(f"name: must be a person's name or an id such as unknown-3, got {name!r:.60}")
    return composed(name)
