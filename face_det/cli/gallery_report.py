"""The report of `face-det gallery check`, as text and as JSON."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from face_det.cli.terminal import count_of, make_printable
from face_det.gallery import QUARANTINE_FOLDER, CheckedPhoto, Finding, FindingKind

_HEADINGS = {
    FindingKind.MISPLACED: "Photos that do not belong",
    FindingKind.NOT_A_STRANGER: "Enrolled people among the strangers",
    FindingKind.MIXED: "People whose photos do not agree",
    FindingKind.ONE_PERSON: "One person under two names",
    FindingKind.LOOK_ALIKE: "People who look alike",
    FindingKind.UNREADABLE: "Photos that cannot be read",
    FindingKind.DUPLICATE: "Further copies of a file",
    FindingKind.SHARED: "The same file under two names",
    FindingKind.NEAR_DUPLICATE: "Photos that add nothing",
    FindingKind.NO_FACE: "No face",
    FindingKind.SEVERAL_FACES: "More than one face",
    FindingKind.SMALL_FACE: "Small faces",
    FindingKind.BLURRY: "Blurry faces",
    FindingKind.TOO_FEW: "Too few photos",
}


def format_findings(dataset: Path, photos: Sequence[CheckedPhoto], found: Sequence[Finding]) -> str:
    """Format the findings under headings, with a line of totals at the end."""
    lines = []
    for kind in FindingKind:
        of_kind = [finding for finding in found if finding.kind is kind]
        if of_kind:
            lines.append(f"{_HEADINGS[kind]} ({kind.value}): {len(of_kind)}")
            lines += [f"  {_format_finding(dataset, finding)}" for finding in of_kind]
    people = count_of(len({photo.name for photo in photos}), "person")
    findings = count_of(len(found), "finding")
    lines.append(f"{dataset}: {count_of(len(photos), 'photo')} of {people}, {findings}")
    return "\n".join(map(make_printable, lines))


def _format_finding(dataset: Path, finding: Finding) -> str:
    place = finding.person if finding.path is None else str(finding.path.relative_to(dataset))
    sure = "" if finding.sure >= 1.0 else f" ({finding.sure:.2f})"
    return f"{place}: {finding.what}{sure}; {finding.todo}"


def format_quarantine(
    dataset: Path,
    photos: Sequence[Path],
    chosen: Mapping[Path, Finding],
    left: Mapping[Path, str],
    *,
    quarantine: bool,
    dry_run: bool,
) -> str:
    """Say what was quarantined or, with `dry_run`, would be.

    `photos` are those of `chosen` that were moved, and `left` those that were not, each with the reason.
    """
    if not quarantine:
        return f"--quarantine would move {len(chosen)} of them" if chosen else "nothing to quarantine"
    verb = "would be quarantined" if dry_run else "quarantined"
    lines = [f"{verb}: {path.relative_to(dataset)} ({chosen[path].kind.value})" for path in photos]
    lines += [f"not quarantined: {why}" for why in left.values()]
    lines.append(f"{len(photos)} photos {verb}, in {dataset / QUARANTINE_FOLDER}")
    if photos and not dry_run:
        lines.append("next: face-det encode, then face-det train; face-det gallery undo puts them back")
    return "\n".join(map(make_printable, lines))


def findings_as_json(
    dataset: Path,
    photos: Sequence[CheckedPhoto],
    found: Sequence[Finding],
    moved: Sequence[Path],
    left: Mapping[Path, str],
    dry_run: bool,
) -> dict[str, Any]:
    """Return the report as JSON values: the findings, the photos that were moved, and those that were not."""
    return {
        "dataset": str(dataset),
        "photos": len(photos),
        "people": len({photo.name for photo in photos}),
        "findings": [
            {
                "kind": finding.kind.value,
                "person": finding.person,
                "path": None if finding.path is None else str(finding.path),
                "sure": round(finding.sure, 4),
                "removable": finding.path is not None and finding.wrong != 0.0,
                "what": finding.what,
                "todo": finding.todo,
                "other": finding.other,
                "related": None if finding.related is None else str(finding.related),
            }
            for finding in found
        ],
        "quarantined": [str(path) for path in moved],
        "failed": [{"path": str(path), "why": why} for path, why in left.items()],
        "dryRun": dry_run,
    }
