"""Checks that other users can neither read data that identifies people nor change what is loaded."""

from __future__ import annotations

import stat
from collections.abc import Iterator, Mapping
from pathlib import Path

from face_det.classifiers import CLASSIFIERS
from face_det.config import PRIVATE, Config, is_exposed, list_abandoned, place_outside
from face_det.doctor.checks import CheckResult, CheckState
from face_det.enrolment import VoicePaths
from face_det.gallery import encoding_cache_path, facts_path
from face_det.service import default_audit_path

_OTHERS = stat.S_IRWXG | stat.S_IRWXO
_WRITERS = stat.S_IWGRP | stat.S_IWOTH
_REMEMBERED = ("sightings.sqlite*", "spool.bin", "photos/*.json", "photos/*.pickle", "*.jsonl*")
"""The files in statePath that tell who was seen and whose photos changed; also damaged databases."""


def check_permissions(config: Config) -> Iterator[CheckResult]:
    """Check for files more open than 0600, a dataset more open than 0700, and folders others may write to."""
    from face_det.recognition import choose_model_path  # only now: it imports scikit-learn

    encodings = config.encodings_path
    log = config.audit_path or default_audit_path(encodings)
    files = [
        encodings,
        *sorted({config.model_path, *(choose_model_path(config.model_path, kind) for kind in CLASSIFIERS)}),
        config.label_path,
        encoding_cache_path(encodings),
        facts_path(encodings),
        *VoicePaths.beside(encodings).files,
    ]
    files += [log, log.with_name(f"{log.name}.key")]
    files += sorted(path for kind in _REMEMBERED for path in config.state_path.glob(kind))
    found = [*_find_wider(files, _OTHERS, "600"), *_find_wider([config.dataset_path], _OTHERS, "700")]
    folders = sorted({path.parent for path in files})
    found += _find_wider(folders, _WRITERS, "go-w")
    yield from found
    if not found:
        yield CheckResult(
            "permissions", CheckState.OK, "only their owner can read photos, encodings, models and logs"
        )


def check_places(config: Config, environ: Mapping[str, str]) -> Iterator[CheckResult]:
    """Check that what is private is in no git checkout, and that no moved checkout left something behind."""
    places = (config.state_path, config.keys_path, config.http.credentials_path)
    found = []
    for (key, name), path in zip(PRIVATE.items(), places, strict=True):
        outside = place_outside(path.parent, name, environ)
        if outside is not None and path.exists() and is_exposed(path, environ):
            text = f"{key} is {path}, in a git checkout, where git clean -x deletes it"
            advice = f"stop face_det, then: mkdir -p '{outside.parent}' && mv '{path}' '{outside}'"
            if path.name != name:
                advice += f"; then set {key} to the new path"
            found.append((text, advice))
    for folder in list_abandoned(environ):
        text = f"{folder} belongs to a config.json whose folder is not there any more"
        root = place_outside(Path("/"), "", environ)
        advice = f"if you moved that folder, move this one to its new path below {root}; otherwise delete it"
        found.append((text, advice))
    for text, advice in found:
        yield CheckResult("places", CheckState.WARNING, text, advice)
    if not found:
        yield CheckResult("places", CheckState.OK, f"statePath is {config.state_path}")


def _find_wider(paths: list[Path], refused: int, mode: str) -> Iterator[CheckResult]:
    for path in paths:
        try:
            there = stat.S_IMODE(path.stat().st_mode)
        except OSError:
            continue  # it does not exist yet, or another check reports it
        # In a sticky folder such as /tmp, others cannot replace our files.
        if there & refused and not (path.is_dir() and there & stat.S_ISVTX):
            text = f"{path} has mode {there:04o}: other users may read or change it"
            yield CheckResult("permissions", CheckState.WARNING, text, f"chmod {mode} '{path}'")
