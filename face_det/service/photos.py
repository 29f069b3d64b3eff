"""The photos of everybody enrolled: listed, shown, moved and removed. Each change can be undone."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from face_det.enrolment import (
    UNDO,
    Enroller,
    PhotoPlan,
    PhotoPlans,
    count_photos,
    open_photo_journal,
    photo_change_number,
    recipe_as_json,
    require_photos,
)
from face_det.errors import BadRequest, NoFace, UnknownPerson
from face_det.gallery import (
    EncodingCache,
    Gallery,
    PersonPhoto,
    WrongPhoto,
    check_person_name,
    count_recordings,
    describe_photos,
    find_photo,
    is_recording,
    photo_name,
)
from face_det.media import load_image, make_face_thumbnail, make_thumbnail
from face_det.recognition import Recognizer
from face_det.service import wire
from face_det.service.memory import Memory
from face_det.service.people_details import PeopleDetails
from face_det.service.renamings import Renamings
from face_det.sightings import find_changes, unknown_number
from face_det.types import UNKNOWN, Rgb

log = logging.getLogger(__name__)

MAX_PX = 4096
"""The longer side of a picture that is asked for, at most."""


DEFAULT_CHANGES, MAX_CHANGES = 50, 500
MAX_NAMES = 1000
"""How many people may be made one, at most."""


class Photos:
    """The verbs about people's photos. Those that change something hold `learning` while they do."""

    def __init__(
        self,
        enroller: Enroller,
        learning: threading.Lock,
        current: Callable[[], Recognizer],
        use: Callable[[Recognizer], None],
        renamings: Renamings,
    ) -> None:
        """`current` returns the recognizer in use, and `use` switches to another one.

        What was seen follows by `renamings`.
        """
        self._enroller = enroller
        self._learning = learning
        self._current = current
        self._use = use
        self._renamings = renamings
        self._also: Callable[[PhotoPlan], PhotoPlan] = lambda plan: plan
        self._details = PeopleDetails(enroller.paths)
        self._plans = PhotoPlans(enroller.paths, self._describe)
        enroller.recover_photos()
        renamings.follow()

    def follow_with(self, also: Callable[[PhotoPlan], PhotoPlan]) -> None:
        """Let `also` add files to every change from now on, to be written in the same transaction."""
        self._also = also

    def add_face(self, name: object, data: bytes, rgb: Rgb, options: object) -> dict[str, Any]:
        """Store a picture, given as the bytes of its file and its pixels, and learn its one face."""
        wanted = wire.require_options(options, known=("faceBox", "encoding"))
        with_encoding = wanted.get("encoding", False)
        if not isinstance(with_encoding, bool):
            raise BadRequest(f"options.encoding: must be true or false, got {with_encoding!r:.60}")
        near = wire.require_box(wanted["faceBox"], "options.faceBox") if "faceBox" in wanted else None
        with self._learning:
            enrolled = self._enroller.enrol(wire.require_text(name, "name"), data, rgb, near)
            self._use(enrolled.recognizer)
        model = enrolled.recognizer.model
        assert model is not None
        return {
            "name": enrolled.name,
            "images": enrolled.images,
            "photo": photo_name(enrolled.photo),
            "change": enrolled.change,
            "faceBox": wire.box_as_json(enrolled.face.box),
            "model": {"classifier": model.card.kind, **recipe_as_json(model.card)},
            **({"encoding": enrolled.encoding.tolist()} if with_encoding else {}),
        }

    def people(self) -> list[dict[str, Any]]:
        """List everybody enrolled, with the best photo, the median quality, and who looks most like them."""
        recognizer, dataset = self._current(), self._enroller.paths.dataset
        counts, recordings = count_photos(dataset, recognizer.model), count_recordings(dataset)
        plain = [
            {"name": name, "images": counts.get(name, 0), "recordings": recordings.get(name, 0)}
            for name in sorted({*counts, *recordings})
        ]
        return self._details.add_to(plain, recognizer.engine)

    def changes(self, limit: object = None, memory: Memory | None = None) -> list[dict[str, Any]]:
        """List the latest changes, newest first: to photos, and to what is remembered."""
        most = DEFAULT_CHANGES if limit is None else limit
        if isinstance(most, bool) or not isinstance(most, int) or not 1 <= most <= MAX_CHANGES:
            raise BadRequest(f"limit: must be a number from 1 to {MAX_CHANGES}, got {limit!r:.60}")
        found: list[dict[str, Any]] = [
            {
                "change": one.id,
                "time": one.time,
                "what": one.what,
                "undone": one.undone,
                "undoable": not one.undone and one.verb != UNDO,
            }
            for one in open_photo_journal(self._enroller.paths).changes()[:most]
        ]
        if memory is not None:
            found += memory.store.read(lambda connection: find_changes(connection, most))
        return sorted(found, key=lambda one: one["time"], reverse=True)[:most]

    def photos(self, name: object) -> list[dict[str, Any]]:
        """List a person's photos: when they were added, what they show, and why they are left out."""
        known, gallery = require_name(name), Gallery.load(self._enroller.paths.encodings)
        photos = require_photos(self._enroller.paths.dataset, known, gallery)
        try:
            described = self._describe(photos, known, gallery)
        except FileNotFoundError as error:
            raise UnknownPerson(
                f"{known}: the photos were changed while they were listed; ask again"
            ) from error
        wrong = self._details.wrong_photos(known, gallery)
        return [_as_json(one, None if one.row is None else wrong.get(one.row), known) for one in described]

    def photo(self, name: object, photo: object, max_px: object, options: object = None) -> bytes:
        """Return a photo as a JPEG, upright, of at most `max_px` pixels; with `face`, only its face."""
        known, side_px = require_name(name), _require_px(max_px)
        wanted = wire.require_options(options, known=("face",))
        face_only = wanted.get("face", False)
        if not isinstance(face_only, bool):
            raise BadRequest(f"options.face: must be true or false, got {face_only!r:.60}")
        gallery = Gallery.load(self._enroller.paths.encodings)
        photos = require_photos(self._enroller.paths.dataset, known, gallery)
        path = find_photo(photos, known, wire.require_text(photo, "photo"))
        rgb = load_image(path)
        if not face_only:
            return make_thumbnail(rgb, side_px)
        (described,) = self._describe([path], known, gallery)
        if described.face is None:
            raise NoFace(f"photo: {photo_name(path)}: {described.left_out}")
        return make_face_thumbnail(rgb, described.face.box, side_px)

    def delete_photo(self, name: object, photo: object) -> dict[str, Any]:
        """Remove a photo of a person; this can be undone."""
        known, file = require_name(name), wire.require_text(photo, "photo")
        return self._change(lambda gallery: self._plans.delete(known, file, gallery))

    def move_photo(self, name: object, photo: object, to: object) -> dict[str, Any]:
        """Move a photo to another person, perhaps one who is not enrolled yet."""
        known, file = require_name(name), wire.require_text(photo, "photo")
        other = _require_target(to, "to", strangers=True)
        done = self._change(lambda gallery: self._plans.move(known, file, other, gallery))
        return {**done, "name": other}

    def rename_person(self, name: object, to: object) -> dict[str, Any]:
        """Rename a person."""
        known, other = _require_target(name, "name"), _require_target(to, "to")
        done = self._change(lambda gallery: self._plans.rename(known, other, gallery))
        return {**done, "name": other}

    def merge_people(self, names: object, into: object) -> dict[str, Any]:
        """Merge several people into one."""
        if not isinstance(names, (list, tuple)) or not 1 <= len(names) <= MAX_NAMES:
            raise BadRequest(f"names: must be a list of 1 to {MAX_NAMES} names, got {names!r:.60}")
        known = [_require_target(name, f"names[{index}]") for index, name in enumerate(names)]
        other = _require_target(into, "into")
        done = self._change(lambda gallery: self._plans.merge(known, other, gallery))
        return {**done, "name": other}

    def remove_person(self, name: object) -> dict[str, Any]:
        """Remove all photos of a person; unlike with `forget`, this can be undone."""
        known = require_name(name)
        return self._change(lambda gallery: self._plans.remove(known, gallery))

    def undo(self, change: object) -> dict[str, Any]:
        """Undo a change such as photos-12."""
        number = photo_change_number(change)
        if number is None:
            raise BadRequest(f"change: must be a number or an id such as photos-12, got {change!r:.60}")
        return self._change(lambda gallery: self._plans.undo(number, gallery))

    def _change(self, plan: Callable[[Gallery], PhotoPlan]) -> dict[str, Any]:
        with self._learning:
            recognizer, change = self._enroller.change_photos(lambda gallery: self._also(plan(gallery)))
            # First: the recognizer reads who somebody is not, by name.
            followed = self._renamings.follow()
            if recognizer is not None or followed:
                self._use(recognizer or self._current())
        recordings = sum(is_recording(Path(move.source[1])) for move in change.moves)
        done = {"change": change.id, "what": change.what, "photos": len(change.moves) - recordings}
        return {**done, "recordings": recordings} if recordings else done

    def _describe(self, photos: Sequence[Path], name: str, gallery: Gallery) -> list[PersonPhoto]:
        with EncodingCache(self._enroller.paths.cache) as cache:
            return describe_photos(photos, name, gallery, self._current().engine, cache)


def require_name(name: object) -> str:
    """Return a person's name, spelt as names are kept; raises BadRequest or BadName."""
    return check_person_name(wire.require_text(name, "name"))


def _require_target(name: object, place: str, *, strangers: bool = False) -> str:
    """Return the name of a person, new or known: not one that is reserved. Raises BadRequest or BadName."""
    known = check_person_name(wire.require_text(name, place))
    if (known == UNKNOWN and not strangers) or unknown_number(known) is not None:
        raise BadRequest(f"{place}: must be a person's name, got {known!r}")
    return known


def _require_px(max_px: object) -> int:
    if isinstance(max_px, bool) or not isinstance(max_px, int) or not 1 <= max_px <= MAX_PX:
        raise BadRequest(f"max_px: must be a number of pixels from 1 to {MAX_PX}, got {max_px!r:.60}")
    return max_px


def _as_json(photo: PersonPhoto, wrong: WrongPhoto | None, name: str) -> dict[str, Any]:
    found, face = photo.found, photo.face
    best = face or next(iter(found.faces), None)
    return {
        "photo": photo_name(photo.path),
        "added": photo.path.lstat().st_mtime,
        "width": found.width or None,
        "height": found.height or None,
        "quality": None if best is None or best.quality is None else float(best.quality),
        "faceBox": None if face is None else wire.box_as_json(face.box),
        "faces": [wire.box_as_json(one.box) for one in found.faces],
        "state": "left_out" if photo.left_out else "enrolled",
        "reason": photo.left_out,
        "wrongPerson": None if wrong is None else {"likely": wrong.likely, "why": wrong.explain(name)},
    }
