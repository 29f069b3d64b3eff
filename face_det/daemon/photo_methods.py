"""The methods about people's photos."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, TypeVar

from face_det.daemon import logs
from face_det.daemon.workers import Workers

if TYPE_CHECKING:
    from face_det.service import Photos, Service

T = TypeVar("T")

log = logging.getLogger(__name__)


class PhotoMethods:
    """The daemon's methods about photos.

    `workers` read and look at photos. `learn` runs what changes them on the thread of everything that changes
    the model, with lines in the audit log. `undo_sightings` undoes what the memory noted.
    """

    def __init__(
        self,
        service: Callable[[], Service],
        workers: Workers,
        limit_s: float,
        learn: Callable[..., Any],
        undo_sightings: Callable[[Any], Any],
    ) -> None:
        self._service = service
        self._workers = workers
        self._limit_s = limit_s
        self._learn = learn
        self._undo_sightings = undo_sightings

    def methods(self) -> Mapping[str, Callable[..., Any]]:
        """Return the methods by name."""
        return {
            "undo": self.undo,
            "photos": self.photos,
            "photo": self.photo,
            "delete_photo": self.delete_photo,
            "move_photo": self.move_photo,
            "rename_person": self.rename_person,
            "merge_people": self.merge_people,
            "remove_person": self.remove_person,
            "changes": self.changes,
        }

    def photos(self, name: Any) -> Any:
        """List a person's photos, and say why some are left out."""
        return self._read("photos", lambda photos: photos.photos(name))

    def photo(self, name: Any, photo: Any, max_px: Any, options: Any = None) -> Any:
        """Return a photo of a person, or only its face, as the bytes of a JPEG."""
        return self._read("photo", lambda photos: photos.photo(name, photo, max_px, options))

    def delete_photo(self, name: Any, photo: Any) -> Any:
        """Remove a photo of a person; undo puts it back."""
        return self._change("delete_photo", lambda photos: photos.delete_photo(name, photo), name)

    def move_photo(self, name: Any, photo: Any, to: Any) -> Any:
        """Move a photo to another person."""
        return self._change("move_photo", lambda photos: photos.move_photo(name, photo, to), name)

    def rename_person(self, name: Any, to: Any) -> Any:
        """Rename a person."""
        return self._change("rename_person", lambda photos: photos.rename_person(name, to), name)

    def merge_people(self, names: Any, into: Any) -> Any:
        """Merge several people into one."""
        return self._change("merge_people", lambda photos: photos.merge_people(names, into), into)

    def remove_person(self, name: Any) -> Any:
        """Remove all photos of a person; undo puts them back."""
        return self._change("remove_person", lambda photos: photos.remove_person(name), name)

    def changes(self, limit: Any = None) -> Any:
        """List the latest changes, newest first, and whether each can be undone."""
        return self._read("changes", lambda photos: photos.changes(limit, self._service().memory))

    def undo(self, change: Any) -> Any:
        """Undo a change."""
        if isinstance(change, str):
            return self._change("undo", lambda photos: photos.undo(change))
        return self._undo_sightings(change)

    def _read(self, verb: str, ask: Callable[[Photos], T]) -> T:
        with logs.log_call(log, verb, logging.DEBUG) as notes:
            return self._workers.submit(
                lambda: ask(self._service().photos), limit_s=self._limit_s, notes=notes
            )

    def _change(self, verb: str, run: Callable[[Photos], T], name: Any = None) -> T:
        with logs.log_call(log, verb) as notes:
            result: T = self._learn(verb, lambda: run(self._service().photos), notes, name=name)
            return result
