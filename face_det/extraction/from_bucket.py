"""Saves the people who are named in the alarm frames of a bucket, each under OUTPUT/NAME/."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Generator, Iterator, Mapping
from dataclasses import dataclass, field
from typing import TypeAlias

from face_det.errors import BadImage, BucketRefused
from face_det.extraction.alarm_frames import BadLabels, LabelledPerson, cut_out_people, parse_labels
from face_det.extraction.bucket import Bucket, ObjectGone, ObjectRefused, StoredObject, map_in_order
from face_det.extraction.output import FinishedSource, Output, picture_stem

MAX_OBJECT_BYTES = 100_000_000
LABELS = "labels"
"""The name of the metadata, x-amz-meta-labels in HTTP."""
MANY_REFUSED = 10
"""So many refusals before a first success, and the rest is not tried."""

# What is counted, beside PERSON and the name.
PICTURES = "pictures"
UNNAMED = "unnamed"
PERSON = "person "
SKIPPED = {
    "no_labels": "without labels",
    "broken_labels": "with broken labels",
    "bad_picture": "not a picture that can be read",
    "too_large": "too large",
    "gone": "deleted meanwhile",
    "refused": "may not be read",
}
"""Reason -> in words. Each is of a whole object."""
LEFT_OUT = {
    "bad_name": "names that cannot be a folder",
    "bad_box": "people without a box",
    "outside": "boxes outside the picture",
}
"""Reason -> in words. Each is of one person in a frame."""


@dataclass(frozen=True, slots=True)
class ReadFrame:
    """An object that is done with: what came of it, and whether that was in an earlier run."""

    key: str
    counts: Mapping[str, int]
    remarks: tuple[str, ...] = ()
    earlier: bool = False


_Read: TypeAlias = tuple[StoredObject, ReadFrame]


def save_alarm_frames(
    bucket: Bucket,
    output: Output,
    *,
    prefix: str = "",
    since_s: float | None = None,
    workers: int = 16,
    until: Callable[[Iterator[_Read]], Iterator[_Read]] = iter,
) -> Generator[ReadFrame, None, None]:
    """Save the people of every object whose key starts with `prefix`; yield the objects in the order of keys.

    Objects that are finished in the journal of `output` are not read again, unless they have changed.
    Objects that are gone or may not be read do not enter it. `since_s`, in seconds since 1970, leaves out
    what was stored before; `workers` objects are read at a time. `until` may end the run early, but only
    while objects are waited for: whatever enters the journal is also yielded. Raises UnknownBucket,
    BucketRefused, BucketFailed, CannotWrite, and BadName if the folder of a person is a link.
    """
    reader = _Reader(bucket, output)
    objects = _list(bucket, output, prefix, since_s)
    refused, read = 0, False
    for item, frame in until(map_in_order(reader.read, objects, workers)):
        if "refused" in frame.counts:
            refused += 1
            if refused >= MANY_REFUSED and not read:
                raise BucketRefused([f"{frame.remarks[0]}; allow s3:GetObject to this user"])
        else:
            read = read or not frame.earlier
        if not frame.earlier and not {"refused", "gone"} & frame.counts.keys():
            output.record(_finish(bucket, item, frame))
        yield frame


@dataclass(slots=True)
class FrameTotals:
    """Adds frames up: `counts` as in the frames, `objects`, and how many of them an earlier run had read."""

    objects: int = 0
    earlier: int = 0
    counts: Counter[str] = field(default_factory=Counter)

    def add(self, frame: ReadFrame) -> None:
        """Count one more frame."""
        self.objects += 1
        self.earlier += frame.earlier
        self.counts.update(frame.counts)

    @property
    def people(self) -> dict[str, int]:
        """The number of pictures of each person, by name."""
        return {
            name.removeprefix(PERSON): count
            for name, count in sorted(self.counts.items())
            if name.startswith(PERSON)
        }

    def select(self, reasons: Mapping[str, str]) -> dict[str, int]:
        """Return how often each of some reasons was counted."""
        return {reason: self.counts[reason] for reason in reasons}


class _Reader:
    """Reads one object, cuts its people out and saves them; in any thread."""

    def __init__(self, bucket: Bucket, output: Output) -> None:
        self._bucket = bucket
        self._output = output

    def read(self, item: tuple[StoredObject, ReadFrame | None]) -> _Read:
        found, finished = item
        place = _printable(f"s3://{self._bucket.name}/{found.key}")
        if finished is not None:
            return found, finished
        if found.size > MAX_OBJECT_BYTES:
            remark = f"{place}: must have at most {MAX_OBJECT_BYTES:,} bytes, got {found.size:,}"
            return found, ReadFrame(found.key, {"too_large": 1}, (remark,))
        try:
            return found, self._read(found.key, place)
        except ObjectGone:
            return found, ReadFrame(found.key, {"gone": 1})
        except ObjectRefused as error:
            return found, ReadFrame(found.key, {"refused": 1}, (str(error),))
        except BadImage as error:
            return found, ReadFrame(found.key, {"bad_picture": 1}, (str(error),))

    def _read(self, key: str, place: str) -> ReadFrame:
        people: tuple[LabelledPerson, ...] = ()

        def has_people(metadata: Mapping[str, str]) -> bool:
            nonlocal people
            people = parse_labels(metadata[LABELS]) if LABELS in metadata else ()
            return any(person.box is not None for person in people)

        try:
            metadata, data = self._bucket.read(key, has_people)
        except BadLabels as error:
            return ReadFrame(key, {"broken_labels": 1}, (f"{place}: {error}",))
        if LABELS not in metadata:
            return ReadFrame(key, {"no_labels": 1})
        return self._save(key, place, people, data)

    def _save(
        self, key: str, place: str, people: tuple[LabelledPerson, ...], data: bytes | None
    ) -> ReadFrame:
        counts: Counter[str] = Counter()
        remarks = []
        for person in people:
            if person.fault is not None:
                counts["bad_name" if person.bad_name else "bad_box"] += 1
                remarks.append(f"{place}: {person.fault}")
            elif person.name is None:
                counts[UNNAMED] += 1
        for person, part in () if data is None else cut_out_people(data, people, place):
            if part is None:
                counts["outside"] += 1
                continue
            source = f"s3://{self._bucket.name}/{key}"
            self._output.save(part, picture_stem(source, person.number), person=person.name)
            counts[PICTURES] += 1
            counts[f"{PERSON}{person.name}"] += 1
        return ReadFrame(key, counts, tuple(remarks))


def _list(
    bucket: Bucket, output: Output, prefix: str, since_s: float | None
) -> Iterator[tuple[StoredObject, ReadFrame | None]]:
    for page in bucket.list_pages(prefix, since_s):
        finished = output.find_finished((f"s3://{bucket.name}/{item.key}", item.version) for item in page)
        for item in page:
            done = finished.get(f"s3://{bucket.name}/{item.key}")
            if done is None:
                yield item, None
            else:
                remarks = tuple((done.remark or "").splitlines())
                yield item, ReadFrame(item.key, done.counts, remarks, earlier=True)


def _finish(bucket: Bucket, item: StoredObject, frame: ReadFrame) -> FinishedSource:
    remark = "\n".join(frame.remarks) or None
    return FinishedSource(f"s3://{bucket.name}/{item.key}", item.version, dict(frame.counts), remark)


def _printable(text: str) -> str:
    return text if text.isprintable() else ascii(text)
