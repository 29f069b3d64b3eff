"""What `face-det train --masked` adds: masked copies of the dataset's photos."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from face_det import engine
from face_det.doors.assemble import enrolment_options
from face_det.identity import masked
from face_det.identity.cache import Cache, cache_path
from face_det.identity.fingerprints import BOTH, DLIB
from face_det.identity.gallery import Gallery
from face_det.settings import Config


def with_masks(
    gallery: Gallery, config: Config, source: Path, jobs: int, on_progress: Callable[[str, int, int], None]
) -> Gallery:
    """The gallery with masked copies of the photos; those encoded once are in the cache beside `source`."""
    built = engine.build(enrolment_options(config, BOTH, gallery.embedders))
    with Cache(cache_path(source.absolute())) as cache:
        return masked.with_masks(
            gallery,
            config.dataset_path,
            built,
            cache,
            jobs=jobs,
            on_progress=lambda done, total: on_progress("masks", done, total),
        )


def remarks(taught: Gallery, gallery: Gallery, source: Path, embedder: str) -> list[str]:
    """What the trainer should know of copies, learnt by that embedder; nothing if there are none."""
    if taught is gallery:
        return []
    copies = len(taught.names) - len(gallery.names)
    found = [
        f"{copies} masked copies were learnt as well; {source} is without them, and what the daemon learns "
        "next will be"
    ]
    if embedder == DLIB:
        found.append(
            "by dlib's encodings faces in masks are much alike: many more faces without one will stay "
            "unnamed (of LFW's, every other); with sface hardly any will"
        )
    return found
