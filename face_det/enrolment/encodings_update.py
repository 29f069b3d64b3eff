"""Brings the encodings file up to date with the photos of the dataset."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from face_det.engine import EngineOptions
from face_det.enrolment.model_change import add_encodings_backup
from face_det.enrolment.safeguards import list_lost_people
from face_det.errors import DataError
from face_det.gallery import EncodeReport, EncodingCache, encode_dataset, encoding_cache_path, list_photos
from face_det.storage import lock_for_update, make_folder, replace_files, report_write_errors, require_lock


@dataclass(frozen=True, slots=True)
class EncodingsUpdate:
    """What was encoded, who left the encodings file because no photo of them is left, and the copy of the
    original program's file, if that was replaced."""

    report: EncodeReport
    lost_people: tuple[str, ...]
    copy: Path | None


def update_encodings(
    dataset: Path,
    encodings: Path,
    options: EngineOptions,
    *,
    jobs: int,
    on_progress: Callable[[int, int], None],
) -> EncodingsUpdate:
    """Encode all photos of a dataset and replace the encodings file; `on_progress` gets (done, total).

    Raises DataError and writes nothing if no photo can be used.
    """
    if not dataset.is_dir():
        raise DataError(
            f"{dataset}: must be a folder with a folder of photos for each person, got no such folder"
        )
    with report_write_errors(encodings.parent, "it must be a writable folder"):
        make_folder(encodings.parent)
    require_lock(Path(os.path.realpath(encodings)))  # before an hour of work, not after it
    with EncodingCache(encoding_cache_path(encodings)) as cache:
        before = _dataset_state(dataset)
        report = encode_dataset(dataset, cache, options, jobs=jobs, on_progress=on_progress)
        with lock_for_update(encodings):
            if _dataset_state(dataset) != before:
                # Photos were added or removed meanwhile. Encode again; with the cache that takes seconds.
                report = encode_dataset(dataset, cache, options, jobs=jobs, on_progress=on_progress)
            if not report.gallery.names:
                raise DataError(_nothing_encoded_message(dataset, encodings, report))
            lost = list_lost_people(report.gallery.people, encodings)
            files, copies = add_encodings_backup({encodings: report.gallery.dumps()}, encodings)
            replace_files(files)
    return EncodingsUpdate(report, tuple(lost), next(iter(copies), None))


def _dataset_state(dataset: Path) -> list[tuple[Path, int, int]]:
    """Return path, size and time of each photo, which show whether the dataset has changed."""
    paths = [path for paths in list_photos(dataset, warn=False).values() for path in paths]
    return [(path, path.lstat().st_size, path.lstat().st_mtime_ns) for path in paths if path.exists()]


def _nothing_encoded_message(dataset: Path, encodings: Path, report: EncodeReport) -> str:
    kept = f"; {encodings} is unchanged" if encodings.exists() else ""
    left_out = report.unused
    if not left_out:
        return f"{dataset}: must hold a folder of photos for each person, got none{kept}"
    reasons = ", ".join(f"{item.path.name}: {item.reason.value}" for item in left_out[:3])
    more = ", ..." if len(left_out) > 3 else ""
    return f"{dataset}: must hold photos of one face each, got none that can be used ({reasons}{more}){kept}"
