"""Checks a dataset: encodes and measures photos, finds what is wrong, chooses what to quarantine."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable, Collection, Container, Sequence
from dataclasses import dataclass
from pathlib import Path

from face_det.embedders import DLIB_AND_SFACE, DLIB_RESNET, distance_thresholds
from face_det.engine import FaceEngine
from face_det.errors import DataError, TryAgain
from face_det.gallery.check.facts import collect_facts, facts_path
from face_det.gallery.check.findings import CheckedPhoto, Finding, FindingKind, find_problems
from face_det.gallery.dataset import list_photos
from face_det.gallery.encode import encode_dataset
from face_det.gallery.encoding_cache import EncodingCache, OmissionReason, encoding_cache_path, read_photo

QUARANTINED_FROM = 0.95
"""By default, photos are quarantined if a finding is at least this sure ..."""
QUARANTINED_KINDS = (FindingKind.MISPLACED, FindingKind.UNREADABLE, FindingKind.DUPLICATE)
"""... and of one of these kinds."""


@dataclass(frozen=True, slots=True)
class DatasetCheck:
    """The photos of a dataset, and the findings about them."""

    photos: list[CheckedPhoto]
    findings: list[Finding]


@dataclass(frozen=True, slots=True)
class QuarantinePlan:
    """The photos to quarantine, each with the finding that is the reason; and photos that must stay because a
    link to them stays, each with that link."""

    chosen: dict[Path, Finding]
    linked: dict[Path, Path]


def require_photos(dataset: Path) -> None:
    """Raise DataError if there are no photos in dataset/NAME/.

    >>> require_photos(Path("no such folder"))
    Traceback (most recent call last):
    face_det.errors.DataError: no such folder: must hold a folder of photos for each person, got none
    """
    if not list_photos(dataset):
        raise DataError(f"{dataset}: must hold a folder of photos for each person, got none")


def check_dataset(
    dataset: Path,
    engine: FaceEngine,
    encodings: Path | None = None,
    *,
    jobs: int,
    on_progress: Callable[[str, int, int], None],
) -> DatasetCheck:
    """Find what is wrong with the photos in dataset/NAME/.

    Encodings and facts come from the caches beside the file `encodings` where possible. Without it, hidden
    caches in the dataset are used, so that the photos of another dataset are not dropped from its caches.
    `on_progress` is called with (step, photos done, photos in total), from `jobs` processes that encode.
    Raises DataError for a dataset without photos, TryAgain if it changes meanwhile, and whatever the
    networks raise.
    """
    require_photos(dataset)
    listed = [(name, path) for name, paths in list_photos(dataset).items() for path in paths]
    encodings = dataset / ".encodings.pickle" if encodings is None else encodings
    with EncodingCache(encoding_cache_path(encodings)) as cache:
        report = encode_dataset(
            dataset,
            cache,
            engine.options,
            jobs=jobs,
            on_progress=lambda done, total: on_progress("encoding", done, total),
            engine=engine,
        )
    omissions = {one.path: one.reason for one in report.left_out}
    read = {path: _hash_photo(path) for _, path in listed}
    readable = {
        sha256: path
        for path, (sha256, _) in read.items()
        if sha256 and omissions.get(path) is not OmissionReason.BAD_IMAGE
    }
    facts = collect_facts(
        readable,
        engine,
        facts_path(encodings),
        lambda done, total: on_progress("measuring", done, total),
    )
    photos = [
        CheckedPhoto(name, path, sha256, omissions.get(path), facts.get(sha256), closed, path.is_symlink())
        for name, path in listed
        for sha256, closed in [read[path]]
    ]
    if tuple(photo.name for photo in photos if photo.omission is None) != tuple(report.gallery.names):
        raise TryAgain(f"{dataset}: was changed while it was being checked; try again")
    # Two networks together know more than one.
    embedder = DLIB_AND_SFACE if DLIB_AND_SFACE in report.gallery.embedders else DLIB_RESNET
    findings = find_problems(
        photos,
        report.gallery.of(embedder),
        embedder=embedder,
        even_distance=distance_thresholds(embedder).even_distance,
    )
    return DatasetCheck(photos, findings)


def select_findings(
    findings: Sequence[Finding], kinds: Collection[str] = (), sure: float | None = None
) -> list[Finding]:
    """Return the findings of these kinds (all if there are none) that are at least that sure.

    >>> finding = Finding(FindingKind.TOO_FEW, "anna", None, 1.0, "1 usable photo", "add some")
    >>> len(select_findings([finding])), len(select_findings([finding], ["blurry"]))
    (1, 0)
    """
    return [
        finding
        for finding in findings
        if (not kinds or finding.kind.value in kinds) and finding.sure >= (sure or 0.0)
    ]


def plan_quarantine(
    photos: Sequence[CheckedPhoto],
    findings: Sequence[Finding],
    kinds: Collection[str] = (),
    sure: float | None = None,
) -> QuarantinePlan:
    """Choose photos for quarantine by the selected findings about them.

    Without `kinds`, only findings of QUARANTINED_KINDS count, from QUARANTINED_FROM on unless `sure` says
    otherwise.

    >>> plan_quarantine([], [])
    QuarantinePlan(chosen={}, linked={})
    """
    limit = QUARANTINED_FROM if sure is None and not kinds else (sure or 0.0)
    chosen = choose_for_quarantine(findings, by_default=not kinds, sure=limit)
    linked = find_link_targets(photos, chosen)
    return QuarantinePlan({path: one for path, one in chosen.items() if path not in linked}, linked)


def choose_for_quarantine(
    findings: Sequence[Finding], *, by_default: bool, sure: float
) -> dict[Path, Finding]:
    """Return the photos to quarantine, each with the first finding that is at least `sure` that it should go.

    `by_default` restricts the findings to QUARANTINED_KINDS.

    >>> finding = Finding(FindingKind.BLURRY, "anna", Path("anna/1.jpg"), 1.0, "is blurry", "")
    >>> list(choose_for_quarantine([finding], by_default=False, sure=0.5))
    [PosixPath('anna/1.jpg')]
    """
    chosen: dict[Path, Finding] = {}
    for finding in findings:
        wrong = finding.sure if finding.wrong is None else finding.wrong
        counts = wrong > 0 and wrong >= sure and (not by_default or finding.kind in QUARANTINED_KINDS)
        if finding.path is not None and counts:
            chosen.setdefault(finding.path, finding)
    return chosen


def find_link_targets(photos: Sequence[CheckedPhoto], chosen: Container[Path]) -> dict[Path, Path]:
    """Return the chosen photos to which a link that is not chosen points, each with that link.

    Moving them would break the link.

    >>> find_link_targets([], [])
    {}
    """
    staying = {os.path.realpath(one.path): one.path for one in photos if one.link and one.path not in chosen}
    return {
        photo.path: staying[real]
        for photo in photos
        if photo.path in chosen and not photo.link and (real := os.path.realpath(photo.path)) in staying
    }


def _hash_photo(path: Path) -> tuple[str, str | None]:
    """Return a photo's sha256, or "" if it cannot be read, and the reason why its file cannot be opened."""
    try:
        return read_photo(path)[0], None
    except DataError as error:
        if isinstance(error.__cause__, OSError):
            return "", error.__cause__.strerror
        return "", None if path.exists() else os.strerror(errno.ENOENT)
