"""`face-det gallery`: check the photos of the dataset, put bad ones aside, and back."""

from __future__ import annotations

import os
from collections.abc import Container, Sequence
from pathlib import Path

from face_det.gallery.check.findings import CheckedPhoto, Finding, FindingKind

QUARANTINED_FROM = 0.95
"""What is put aside unless something else is asked for: these kinds, from this sureness on."""
QUARANTINED_KINDS = (FindingKind.MISPLACED, FindingKind.UNREADABLE, FindingKind.DUPLICATE)


def choose_for_quarantine(found: Sequence[Finding], *, by_default: bool, sure: float) -> dict[Path, Finding]:
    """Photos to put aside, each with the first finding about it."""
    chosen: dict[Path, Finding] = {}
    for finding in found:
        wrong = finding.sure if finding.wrong is None else finding.wrong
        wanted = wrong > 0 and wrong >= sure and (not by_default or finding.kind in QUARANTINED_KINDS)
        if finding.path is not None and wanted:
            chosen.setdefault(finding.path, finding)
    return chosen


def find_link_targets(photos: Sequence[CheckedPhoto], chosen: Container[Path]) -> dict[Path, Path]:
    """Photos that are chosen though a link to them is not, which would lead nowhere; and the link."""
    staying = {os.path.realpath(one.path): one.path for one in photos if one.link and one.path not in chosen}
    return {
        photo.path: staying[real]
        for photo in photos
        if photo.path in chosen and not photo.link and (real := os.path.realpath(photo.path)) in staying
    }
