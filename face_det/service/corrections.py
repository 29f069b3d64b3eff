"""Users' corrections: who an unknown person is, who somebody is not, which people are the same."""

from __future__ import annotations

import logging
import sqlite3
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from face_det.enrolment import Enroller
from face_det.errors import BadRequest, FaceDetError, NoFace
from face_det.gallery import check_person_name, list_photos, photo_file_name
from face_det.media import load_image
from face_det.recognition import Recognizer
from face_det.service import wire
from face_det.service.memory import Memory
from face_det.service.sighting_arguments import require_id, require_unknown
from face_det.sightings import (
    NO_PENDING_PHOTOS,
    Author,
    ChangeResult,
    EnrolledPhoto,
    PendingPhotos,
    TrainingPhoto,
    choose_photos,
    find_sighting,
    ignore_unknown,
    merge_unknowns,
    name_sighting,
    name_unknown,
    photo_of,
    read_pending_photos,
    require_not_ignored,
    split_unknown,
    undo_change,
    write_pending_photos,
)
from face_det.types import UNKNOWN

log = logging.getLogger(__name__)

MAX_IDS = 100_000


class Corrections:
    """The verbs by which users correct the memory. Each is recorded as a change, which can be undone."""

    def __init__(
        self,
        memory: Memory,
        enroller: Enroller,
        learning: threading.Lock,
        use: Callable[[Recognizer], None],
        refresh: Callable[[], None],
    ) -> None:
        """`learning` is held while photos change; `use` switches recognizers, `refresh` reads negatives."""
        self._store = memory.store
        self._enroller = enroller
        self._learning = learning
        self._use = use
        self._refresh = refresh

    def name_unknown(self, identifier: object, name: object, caller: str) -> dict[str, Any]:
        """Give an unknown person a name: enrol their best photos, and rename all their sightings.

        Raises NoFace if none of their photos can be enrolled.
        """
        number, known = require_unknown(identifier), _require_name(name)
        with self._learning:
            self._finish()
            person = self._store.read(lambda connection: dict(require_not_ignored(connection, number)))
            photos = self._store.read(lambda connection: choose_photos(connection, person["id"]))
            if not photos:
                raise NoFace(f"id: {identifier} has no sighting with a picture that could be enrolled")
            with self._enrolling(known, photos) as (recognizer, enrolled):
                done = self._change(
                    lambda connection, author: name_unknown(connection, number, known, enrolled, author),
                    caller,
                    lambda done: NO_PENDING_PHOTOS,
                )
            # Not before: past sightings are decided again by it, and would leave the person meanwhile.
            assert recognizer is not None
            self._use(recognizer)
        return {**_as_json(done), "name": known}

    def merge(self, identifiers: object, caller: str) -> dict[str, Any]:
        """Merge several unknown people into one; the oldest number is kept."""
        numbers = [
            require_unknown(one, f"ids[{index}]")
            for index, one in enumerate(_require_list(identifiers, "ids"))
        ]
        done = self._change(lambda connection, author: merge_unknowns(connection, numbers, author), caller)
        return _as_json(done)

    def split(self, identifier: object, sightings: object, caller: str) -> dict[str, Any]:
        """Split some sightings of an unknown person off into another one."""
        number = require_unknown(identifier)
        ids = [
            wire.require_number(one, f"sighting_ids[{index}]")
            for index, one in enumerate(_require_list(sightings, "sighting_ids"))
        ]
        done = self._change(lambda connection, author: split_unknown(connection, number, ids, author), caller)
        return _as_json(done)

    def ignore(self, identifier: object, caller: str) -> dict[str, Any]:
        """Stop reporting an unknown person, and never give that face a name."""
        number = require_unknown(identifier)
        done = self._change(lambda connection, author: ignore_unknown(connection, number, author), caller)
        self._refresh()
        return _as_json(done)

    def confirm(self, identifier: object, name: object, caller: str) -> dict[str, Any]:
        """Confirm that a sighting shows this person; a clear face becomes a training photo."""
        return self._name_sighting(require_id(identifier), _require_name(name), caller)

    def correct(self, identifier: object, name: object, caller: str) -> dict[str, Any]:
        """Correct a sighting: it shows the person with this name or, with None, nobody who is enrolled."""
        known = None if name is None else _require_name(name)
        return self._name_sighting(require_id(identifier), known, caller)

    def undo(self, change: object, caller: str) -> dict[str, Any]:
        """Undo a change: restore the sightings, and remove the photos that it enrolled."""
        number = wire.require_number(change, "change")
        with self._learning:
            self._finish()
            done = self._change(
                lambda connection, author: undo_change(connection, number, author),
                caller,
                lambda done: PendingPhotos(done.photos, done.withdrawn),
            )
            self._finish()
        self._refresh()
        return _as_json(done)

    def finish(self) -> None:
        """Finish the photos of a change that a kill or an error interrupted; errors are logged."""
        try:
            with self._learning:
                self._finish()
        except FaceDetError as error:
            log.error("photos of an interrupted change are still to be removed or enrolled: %s", error)

    def _name_sighting(self, sighting: int, name: str | None, caller: str) -> dict[str, Any]:
        with self._learning:
            self._finish()
            before = self._store.read(lambda connection: find_sighting(connection, sighting))
            photo = None
            if name is not None and not (before["face"] == name and before["edited"]):
                photo = self._store.read(lambda connection: photo_of(connection, sighting))
            # What the user says about the sighting is true even if it is no training photo.
            photos = [] if photo is None else [photo]
            with self._enrolling(name or "", photos, lenient=True) as (recognizer, enrolled):
                done = self._change(
                    lambda connection, author: name_sighting(
                        connection, self._store.people, sighting, name, enrolled, author
                    ),
                    caller,
                    lambda done: PendingPhotos(done.withdrawn),
                )
            if recognizer is not None:
                self._use(recognizer)
            self._finish()
        self._refresh()
        return {**_as_json(done), "name": name}

    @contextmanager
    def _enrolling(
        self, name: str, photos: Sequence[TrainingPhoto], *, lenient: bool = False
    ) -> Iterator[tuple[Recognizer | None, list[EnrolledPhoto]]]:
        """Enrol photos for the body of a `with` statement, and remove them again if it fails.

        Yields as `_enrol` returns; with `lenient`, nothing if none of the photos shows a face. The photos are
        noted first: after a kill, the next start removes them, unless the body's change was committed.
        """
        present = {path.name for path in list_photos(self._enroller.paths.dataset).get(name, [])}
        files = {photo_file_name(photo.jpeg): photo.sighting for photo in photos}
        added = [EnrolledPhoto(name, file, one) for file, one in files.items() if file not in present]
        due = PendingPhotos(tuple(added))
        if due:
            self._store.write(lambda connection: write_pending_photos(connection, due))
        try:
            try:
                enrolled = self._enrol(name, photos) if photos else (None, [])
            except NoFace as error:
                if not lenient:
                    raise
                log.info("sighting %d is no training photo: %s", photos[0].sighting, error)
                enrolled = None, []
            yield enrolled
        except BaseException:
            try:
                self._finish(due)
            except FaceDetError as error:
                log.error("%s: may still be enrolled: %s", ", ".join(one.file for one in added), error)
            raise

    def _finish(self, due: PendingPhotos | None = None) -> None:
        """Remove and enrol the photos that are noted, or `due`, and delete the note."""
        if due is None:
            due = self._store.read(read_pending_photos)
        if due:
            self._withdraw(due.remove)
            for photo in due.enrol:
                self._enrol_again(photo)
            self._store.write(lambda connection: write_pending_photos(connection, NO_PENDING_PHOTOS))

    def _enrol(self, name: str, photos: Sequence[TrainingPhoto]) -> tuple[Recognizer, list[EnrolledPhoto]]:
        """Enrol photos; return the recognizer to switch to, and the photos that were not there before."""
        pictures = [(photo.jpeg, load_image(photo.jpeg)) for photo in photos]
        enrolled = self._enroller.enrol_several(name, pictures)
        new = [
            EnrolledPhoto(name, path.name, photos[place].sighting) for place, path in enrolled.photos.items()
        ]
        return enrolled.recognizer, new

    def _enrol_again(self, photo: EnrolledPhoto) -> None:
        """Enrol a photo that was withdrawn, if its sighting is still kept."""
        kept = self._store.read(lambda connection: photo_of(connection, photo.sighting))
        if kept is not None:
            try:
                self._use(self._enrol(photo.name, [kept])[0])
            except NoFace as error:
                log.warning("%s: not enrolled again: %s", photo.file, error)

    def _withdraw(self, photos: Sequence[EnrolledPhoto]) -> None:
        by_name: dict[str, list[str]] = {}
        for photo in photos:
            by_name.setdefault(photo.name, []).append(photo.file)
        for name, files in by_name.items():
            self._use(self._enroller.withdraw(name, files))

    def _change(
        self,
        change: Callable[[Any, Author], ChangeResult],
        caller: str,
        due: Callable[[ChangeResult], PendingPhotos] | None = None,
    ) -> ChangeResult:
        """Make a change, and note in its transaction what is `due` about photos once it is committed."""
        author = Author(caller, self._store.now())

        def run(connection: sqlite3.Connection) -> ChangeResult:
            done = change(connection, author)
            if due is not None:
                write_pending_photos(connection, due(done))
            self._store.people.reload(connection)
            return done

        return self._store.write(run)


def _require_name(name: object) -> str:
    known = check_person_name(wire.require_text(name, "name"))
    if known == UNKNOWN:
        raise BadRequest(f"name: must be a person's name, got {known!r}")
    return known


def _require_list(value: object, place: str) -> Sequence[Any]:
    if isinstance(value, (list, tuple)) and len(value) <= MAX_IDS:
        return value
    found = len(value) if isinstance(value, (list, tuple)) else type(value).__name__
    raise BadRequest(f"{place}: must be a list of at most {MAX_IDS} ids, got {found}")


def _as_json(done: ChangeResult) -> dict[str, Any]:
    fields: dict[str, Any] = {"change": done.change, "sightings": done.sightings}
    if done.unknowns:
        fields["unknowns"] = list(done.unknowns)
    if done.photos:
        fields["photos"] = len(done.photos)
    if done.ignored:
        fields["ignored"] = True
    return fields
