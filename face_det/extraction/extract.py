"""Extracts persons and faces from pictures into a folder; a run that was cut off is simply repeated."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice

from face_det.detectors import DETECTORS
from face_det.errors import BadImage, DataError, FaceDetError
from face_det.extraction.crops import WIDTH_PX, Crop, CropKind, Person, PictureCrops, cut_crops
from face_det.extraction.objects import LoadedPicture, PersonFinder
from face_det.extraction.output import FinishedSource, Output
from face_det.extraction.pictures import Picture, PictureSource
from face_det.extraction.sorting import Sorter, SortOptions, crop_stem
from face_det.recognition import Recognizer
from face_det.types import Match


@dataclass(frozen=True, slots=True)
class ExtractOptions:
    """What is cut out, how wide in pixels (0: as it is), and how it is sorted."""

    kinds: frozenset[CropKind] = frozenset({CropKind.PERSON})
    width_px: int = WIDTH_PX
    sort: SortOptions = field(default_factory=SortOptions)


@dataclass(slots=True)
class ExtractReport:
    """What came of a run; what earlier runs of the same pictures did is included.

    `pictures` were looked at, of which `before` by earlier runs. `counts` has the `persons` and `faces` that
    they show, how many faces are `unclear` (too small or too blurry), how many boxes lie `outside` of their
    picture, and the crops by kind. `unreadable` says which pictures could not be used, and why. `folders`
    has the number of crops in each folder, once they are sorted; None if they are not.
    """

    pictures: int = 0
    before: int = 0
    counts: Counter[str] = field(default_factory=Counter)
    unreadable: list[tuple[str, str]] = field(default_factory=list)
    folders: dict[str, int] | None = None


class Extraction:
    """One run: the pictures go in chunk by chunk, and the report is up to date after each."""

    def __init__(
        self,
        output: Output,
        recognizer: Recognizer,
        finder: PersonFinder | None,
        options: ExtractOptions,
    ) -> None:
        """Prepare a run. Without a `finder`, faces are searched for in whole pictures.

        Raises what `Sorter` raises, and ValueError if persons are wanted and nothing finds them.
        """
        if finder is None and options.kinds != {CropKind.FACE}:
            raise ValueError("without a person finder, only faces can be cut out")
        self._output, self._recognizer, self._finder, self._options = output, recognizer, finder, options
        self._sorter = (
            Sorter(output, options.sort, recognizer.engine.fingerprint) if options.sort.needs_all else None
        )
        self.report = ExtractReport()

    def run(
        self,
        pictures: Iterable[Picture],
        on_progress: Callable[[int], None] = lambda done: None,
    ) -> None:
        """Cut persons and faces out of the pictures, except those that were finished by an earlier run.

        `on_progress` gets how many were looked at. A picture that cannot be used is in the report. Raises
        CannotWrite, Unreachable if the object detection server is gone, and what the networks raise; what
        was finished before that is kept, and not done again.
        """
        for chunk in _chunks(pictures, 1 if self._finder is None else self._finder.batch):
            self._process(chunk)
            on_progress(self.report.pictures + len(self.report.unreadable))

    def sort(self, on_progress: Callable[[int, int], None] = lambda done, total: None) -> None:
        """Sort the crops, if that is wanted, once all pictures were seen. Raises CannotWrite."""
        if self._sorter is not None:
            self.report.folders = self._sorter.finish(on_progress)

    def _process(self, chunk: Sequence[Picture]) -> None:
        versions = {picture.source: self._version(picture) for picture in chunk}
        finished = self._output.find_finished(versions.items())
        loaded: list[LoadedPicture] = []
        for picture in chunk:
            if picture.source in finished:
                self._count(finished[picture.source])
                self.report.before += 1
                continue
            try:
                loaded.append((picture, picture.read()))
            except BadImage as error:
                self._leave_out(picture, error)
        found = self._find(loaded)
        for (picture, rgb), persons in zip(loaded, found, strict=True):
            if isinstance(persons, FaceDetError):
                self._leave_out(picture, persons)
                continue
            try:
                cut = cut_crops(
                    rgb,
                    persons,
                    self._recognizer.engine,
                    self._options.kinds,
                    width_px=self._options.width_px,
                    encode=self._sorter is not None,
                )
            except BadImage as error:
                self._leave_out(picture, error)
                continue
            self._keep(picture, versions[picture.source], cut)

    def _find(self, loaded: Sequence[LoadedPicture]) -> Sequence[list[Person] | FaceDetError | None]:
        if self._finder is None:
            return [None] * len(loaded)
        return self._finder.find(loaded) if loaded else []

    def _keep(self, picture: Picture, version: str, cut: PictureCrops) -> None:
        """Save the crops of a picture, or let them wait; only then the picture is finished."""
        if self._sorter is None:
            for crop in cut.crops:
                self._output.save(crop.jpeg, crop_stem(picture, crop))
        else:
            self._sorter.keep(picture, version, cut.crops, self._match(cut.crops))
        counts: Counter[str] = Counter(crop.kind.value for crop in cut.crops)
        counts |= {
            "persons": cut.persons,
            "faces": cut.faces,
            "unclear": cut.unclear,
            "outside": cut.outside,
        }
        finished = FinishedSource(picture.source, version, dict(counts))
        self._output.record(finished)
        self._count(finished)

    def _match(self, crops: Sequence[Crop]) -> list[Match]:
        """Say who each crop shows. Crops of one person have one face, which is asked about once."""
        faces = {id(crop.face): crop.face for crop in crops if crop.face is not None}
        known = self._recognizer.match(list(faces.values()), [0] * len(faces))
        by_face = dict(zip(faces, known, strict=True))
        return [by_face.get(id(crop.face), Match(None, None, None)) for crop in crops]

    def _count(self, finished: FinishedSource) -> None:
        self.report.pictures += 1
        self.report.counts.update(finished.counts)

    def _leave_out(self, picture: Picture, error: FaceDetError) -> None:
        reason = str(error).removeprefix(f"{picture.source}: ")
        self.report.unreadable.append((picture.source, reason))

    def _version(self, picture: Picture) -> str:
        """Return what the crops of a picture depend on: if any of it changes, they are cut out again."""
        options = self._options
        engine = self._recognizer.engine.options
        parts = (
            picture.version,
            sorted(kind.value for kind in options.kinds),
            options.width_px,
            self._finder.settings if self._finder is not None else "whole",
            "sorted" if self._sorter is not None else "flat",
            (
                DETECTORS.identify(engine.detector),
                engine.upsample,
                engine.min_face_px,
                engine.focus_threshold,
            ),
        )
        return hashlib.sha256(repr(parts).encode()).hexdigest()[:32]


def require_readable(report: ExtractReport, source: PictureSource) -> None:
    """Raise DataError if there was nothing to look at, or nothing of it could be read."""
    if report.pictures:
        return
    if report.unreadable:
        picture, reason = report.unreadable[0]
        several = len(report.unreadable) > 1
        what = f"none of the {len(report.unreadable)} pictures could be used; " if several else ""
        raise DataError(f"{what}{picture}: {reason}")
    if source.problem() is None:
        raise DataError("there are no pictures to extract from")


def _chunks(pictures: Iterable[Picture], size: int) -> Iterator[list[Picture]]:
    left = iter(pictures)
    while chunk := list(islice(left, size)):
        yield chunk
