"""One call of detect_faces: what there is to look at, and what is answered without looking."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from face_det.engine import Budget, View
from face_det.errors import BadImage
from face_det.media import pixel_region
from face_det.service import wire
from face_det.types import Face, Match, Reason, Rgb


class Batch:
    """The requests' persons, each with its place (image, label) and, in the end, an answer."""

    def __init__(self, requests: list[wire.ImageRequest]) -> None:
        self.answers: dict[tuple[int, int], wire.PersonAnswer] = {}
        self._paths = [request.path for request in requests]
        self._places: list[tuple[int, int]] = []
        self._persons: dict[str, list[tuple[int, wire.PersonLabel]]] = {}
        for index, request in enumerate(requests):
            for person in request.persons:
                self._persons.setdefault(request.path, []).append((index, person))

    def views(self, load: Callable[[str], Rgb], budget: Budget) -> Iterator[View]:
        """Each picture once, and of it each person's box; what cannot be looked at is answered, with
        `timeout` if `budget` is over.

        Others have their turn before each view but the first. A call that waits for its next one holds
        at most a picture, and that only if there are more persons in it.
        """
        for number, (path, persons) in enumerate(self._persons.items()):
            if number > 0 and not budget.over:
                budget.give_way()
            try:
                rgb = None if budget.over else load(path)
            except BadImage:
                for index, person in persons:
                    self.answers[index, person.label] = wire.PersonAnswer(reason=Reason.BAD_IMAGE)
                continue
            for nth, (index, person) in enumerate(persons):
                if nth > 0 and not budget.over:
                    budget.give_way()
                place = index, person.label
                if rgb is None or budget.over:
                    self.answers[place] = wire.PersonAnswer(reason=Reason.TIMEOUT)
                elif person.box is None or pixel_region(person.box, rgb.shape[1], rgb.shape[0]) is None:
                    self.answers[place] = wire.PersonAnswer(reason=Reason.BAD_ROI)
                else:
                    self._places.append(place)
                    yield rgb, person.box
            del rgb

    def frames(self, found: Sequence[tuple[Face, ...]]) -> list[str]:
        """The picture that each face is in, view after view."""
        return [
            self._paths[place[0]] for place, faces in zip(self._places, found, strict=True) for _ in faces
        ]

    def answer(self, found: Sequence[tuple[Face, ...]], matches: Sequence[Match], broken: set[int]) -> None:
        """The engine's answer to each view, and the decision about each face of them."""
        following = iter(matches)
        for index, (place, faces) in enumerate(zip(self._places, found, strict=True)):
            reason = Reason.BAD_IMAGE if index in broken else None
            self.answers[place] = wire.PersonAnswer(tuple((face, next(following)) for face in faces), reason)

    @property
    def late(self) -> int:
        """Persons whose turn did not come in time."""
        return sum(answer.reason is Reason.TIMEOUT for answer in self.answers.values())
