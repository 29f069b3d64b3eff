"""One detect_faces call: what to analyse, and what can be answered without analysis."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import replace

from face_det.budget import Budget
from face_det.engine import View
from face_det.errors import BadImage
from face_det.media import LoadedImage, pixel_region
from face_det.recognition import assign_faces
from face_det.service import wire
from face_det.types import Box, Face, Match, Reason, Rgb

OnPerson = Callable[[tuple[int, int], str, Rgb, Box], None]


class Batch:
    """The people in a request, each with a place (image, label) and, in the end, an answer."""

    def __init__(self, requests: list[wire.ImageRequest], on_person: OnPerson | None = None) -> None:
        """`on_person` is told the place, path, picture and box of each person that is looked at."""
        self._on_person = on_person
        self.answers: dict[tuple[int, int], wire.PersonAnswer] = {}
        self._paths = [request.path for request in requests]
        self._places: list[tuple[int, int]] = []
        self._boxes: list[Box] = []
        self._partial: set[tuple[int, int]] = set()
        self._persons: dict[str, list[tuple[int, wire.PersonLabel]]] = {}
        for index, request in enumerate(requests):
            for person in request.persons:
                self._persons.setdefault(request.path, []).append((index, person))

    def views(
        self,
        load: Callable[[str], LoadedImage],
        budget: Budget,
        on_unreadable: Callable[[BadImage], None],
    ) -> Iterator[View]:
        """Yield each image once for each person's box in it; answer those that cannot be analysed.

        `on_unreadable` is told the error of each image that cannot be read. A person is answered `timeout`
        once `budget` has run out. Before every view but the first, other calls get a turn. A waiting call
        holds at most one image, and only if more people in it follow.
        """
        for number, (path, persons) in enumerate(self._persons.items()):
            if number > 0 and not budget.over:
                budget.give_way()
            try:
                loaded = None if budget.over else load(path)
            except BadImage as error:
                on_unreadable(error)
                for index, person in persons:
                    self.answers[index, person.label] = wire.PersonAnswer(reason=Reason.BAD_IMAGE)
                continue
            rgb = None if loaded is None else loaded.rgb
            partial = loaded is not None and loaded.partial
            del loaded
            for nth, (index, person) in enumerate(persons):
                if nth > 0 and not budget.over:
                    budget.give_way()
                place = index, person.label
                if rgb is None or budget.over:
                    self.answers[place] = wire.PersonAnswer(reason=Reason.TIMEOUT)
                elif person.box is None or pixel_region(person.box, rgb.shape[1], rgb.shape[0]) is None:
                    self.answers[place] = wire.PersonAnswer(reason=Reason.BAD_ROI)
                else:
                    if partial:
                        self._partial.add(place)
                    self._places.append(place)
                    # Some callers send larger boxes than the picture.
                    self._boxes.append(person.box.clipped(rgb.shape[1], rgb.shape[0]))
                    if self._on_person is not None:
                        self._on_person(place, path, rgb, self._boxes[-1])
                    yield rgb, person.box
            del rgb

    def frames(self, found: Sequence[tuple[Face, ...]]) -> list[str]:
        """Return the image path of each face, view by view."""
        return [
            self._paths[place[0]] for place, faces in zip(self._places, found, strict=True) for _ in faces
        ]

    def answer(
        self,
        found: Sequence[tuple[Face, ...]],
        matches: Sequence[Match],
        broken: Collection[int],
        late: Collection[int] = (),
    ) -> None:
        """Record what the engine found in each view and the match for each face.

        `broken` and `late` are the views for which it found nothing because they crashed it, or for lack of
        time.
        """
        following = iter(matches)
        own = assign_faces(
            self._boxes,
            [[face.box for face in faces] for faces in found],
            [image for image, _ in self._places],
        )
        for index, (place, faces) in enumerate(zip(self._places, found, strict=True)):
            partial = place in self._partial
            # Where part of a picture is missing, nobody knows that there is no face.
            unknown = Reason.BAD_IMAGE if index in broken or partial else None
            reason = Reason.TIMEOUT if index in late else unknown
            matched = tuple((face, next(following)) for face in faces)
            self.answers[place] = wire.PersonAnswer(
                matched, reason, own[index], partial=partial and bool(faces)
            )

    def add_bodies(self, by_body: Mapping[tuple[int, int], Match]) -> None:
        """Say of each person by what they were named; `by_body` has those who were named by the body."""
        for place, answer in self.answers.items():
            self.answers[place] = replace(answer, says_by=True, body=by_body.get(place))

    def reasons(self) -> Counter[str]:
        """Count the reasons of the people for whom no face was found."""
        without = [answer for answer in self.answers.values() if answer.own is None]
        return Counter((answer.reason or Reason.NO_FACE).value for answer in without)
