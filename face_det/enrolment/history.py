"""Keeps the last few models that were replaced, with their labels, so that one of them can be used again.

A training replaces a model, and so does whatever changes its kind or settings; an enrolment only adds to it.

Whoever is forgotten must not come back with an old model, so forgetting anybody deletes all of them: even a
model that does not know the name may have learnt from the person's photos, filed under another one.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from face_det.errors import FaceDetError
from face_det.recognition import Model, fingerprint_model, parse_model
from face_det.storage import MAX_PICKLE_BYTES, make_folder, read_files

log = logging.getLogger(__name__)

KEPT_MODELS = 3
OWN_BACKUP_SUFFIX = "-auto.zip"
"""Ends the names of the backups that are made before everything is replaced, without being asked for."""
_NAME = re.compile(r"(\d{8})-([0-9a-f]{12})\.(model|labels)\.pickle")


@dataclass(frozen=True, eq=False, slots=True)
class KeptModel:
    """A model that was replaced, and the content of its classifier's file."""

    model: Model
    data: bytes


class ModelHistory:
    """The models in a folder. Without `keep`, none are added, but all are removed to forget somebody."""

    def __init__(self, folder: Path, *, keep: bool = True) -> None:
        self._folder = folder
        self._keep = keep

    def models(self) -> list[KeptModel]:
        """Return the models, the last replaced first; those that cannot be read are left out."""
        found = []
        for number, fingerprint in reversed(self._numbers()):
            classifier, labels = self._paths(number, fingerprint)
            content = read_files([classifier, labels], max_bytes=MAX_PICKLE_BYTES)
            data = content[classifier]
            try:
                model = parse_model(classifier, labels, data, content[labels])
            except FaceDetError as error:
                log.warning("%s; it cannot be used again", error)
                continue
            assert data is not None
            found.append(KeptModel(model, data))
        return found

    def adding(self, current: Model | None, label_path: Path, without: str = "") -> dict[Path, bytes | None]:
        """Return the changes of files that keep the model in use, and remove the oldest and `without`.

        `current` is the model on disk, whose labels are at `label_path`.
        """
        if current is None or not self._keep:
            return {}
        place = Path(current.place)
        content = read_files([place, label_path], max_bytes=MAX_PICKLE_BYTES)
        data, labels = content[place], content[label_path]
        if (
            data is None
            or labels is None
            or fingerprint_model(data, current.card.classes) != current.fingerprint
        ):
            return {}
        try:
            make_folder(self._folder)
        except OSError as error:
            # Whoever enrols somebody must not fail because nothing can be kept to go back to.
            log.warning("%s: the replaced model is not kept: %s", self._folder, error.strerror)
            return {}
        known = self._numbers()
        kept = [one for one in known if one[1] not in (current.fingerprint, without)]
        leaving = [one for one in known if one not in kept] + kept[: -(KEPT_MODELS - 1)]
        changes = self._removing(leaving)
        number = max((one[0] for one in known), default=0) + 1
        classifier, names = self._paths(number, current.fingerprint)
        return {**changes, classifier: data, names: labels}

    def replacing(
        self, current: Model | None, new: Model | None, label_path: Path, *, trained: bool, forgetting: bool
    ) -> dict[Path, bytes | None]:
        """Return the changes of files that go with a new model.

        The model in use before is kept if the new one was `trained` or has other settings. An enrolment only
        adds to it, and has a way back of its own. Nothing is kept when somebody is being forgotten.
        """
        if forgetting:
            return self.removing_all()
        return self.adding(current, label_path) if trained or _changes_settings(current, new) else {}

    def removing_all(self, *, backups: bool = True) -> dict[Path, bytes | None]:
        """Return the changes of files that remove every model, readable or not, and the last evaluation.

        With `backups`, those that nobody asked for go, too: each holds everybody of its time.
        """
        patterns = ("evaluation.*", *([f"backups/*{OWN_BACKUP_SUFFIX}"] if backups else []))
        made = [path for pattern in patterns for path in self._folder.parent.glob(pattern)]
        return {**self._removing(self._numbers()), **dict.fromkeys(path for path in made if path.is_file())}

    def _removing(self, models: Iterable[tuple[int, str]]) -> dict[Path, bytes | None]:
        return {path: None for one in models for path in self._paths(*one)}

    def _paths(self, number: int, fingerprint: str) -> tuple[Path, Path]:
        stem = f"{number:08}-{fingerprint}"
        return self._folder / f"{stem}.model.pickle", self._folder / f"{stem}.labels.pickle"

    def _numbers(self) -> list[tuple[int, str]]:
        """Return the number and fingerprint of each model, the first replaced first."""
        try:
            names = [entry.name for entry in self._folder.iterdir()]
        except OSError:
            return []
        found = (_NAME.fullmatch(name) for name in names)
        return sorted({(int(one[1]), one[2]) for one in found if one is not None})


def _changes_settings(current: Model | None, new: Model | None) -> bool:
    """Return True if another kind of classifier, embedder or false accept rate takes over.

    It is False if the same classifier only learns from other photos, and if there is no model any more.
    """
    return new is not None and current is not None and _settings_of(new) != _settings_of(current)


def _settings_of(model: Model) -> tuple[str, str | None, float | None]:
    rate = None if model.verifier is None else model.verifier.rate
    return model.card.kind, model.card.fingerprint, rate
