"""Changes the false accept rate of the model in use, together with the setting: both or neither."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from face_det.enrolment.enroller import Enroller
from face_det.enrolment.model_change import dump_model_in_use
from face_det.enrolment.retrain import load_model_if_usable
from face_det.gallery import Gallery
from face_det.recognition import Recognizer
from face_det.storage import lock_for_update, make_folder, replace_files, report_write_errors
from face_det.training import recalibrate_model


def change_rate(enroller: Enroller, rate: float, files: Mapping[Path, bytes | None]) -> Recognizer | None:
    """Set the rate for the model in use and for those to come, and write `files` with it.

    Returns the recognizer to swap in; None if the model has no threshold to change, so that the rate takes
    effect with the next training. Raises CannotWrite, or BadEncodings if the model's encodings are not there;
    nothing was changed then.
    """
    paths = enroller.paths
    for folder in {path.parent for path in files}:
        with report_write_errors(folder, "it must be a writable folder"):
            make_folder(folder)
    with lock_for_update(paths.encodings):
        current = load_model_if_usable(enroller.model)
        gallery = Gallery.load(paths.encodings)
        model = None if current is None else recalibrate_model(current, gallery, rate)
        changes = dict(files)
        if model is not None:
            changes |= dump_model_in_use(model, paths.model, paths.labels)
        recognizer = None if model is None else enroller.make_recognizer(model)
        replace_files(changes)
        enroller.options = replace(enroller.options, false_accept_rate=rate)
    return recognizer
