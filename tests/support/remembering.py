"""A daemon that remembers whom it was shown: small copies of real photos, each with a camera and a time."""

from __future__ import annotations

import contextlib
import sys
import time
from pathlib import Path

from daemon_fixtures import lasting_daemon
from running import eventually

from face_det import Client
from face_det.media import load_image, make_thumbnail

SERVE = (sys.executable, "-m", "face_det.cli.main", "serve", "--config")
ODD_CAMERA = "<script>alert(1)</script>"
LONGER_SIDE_PX = 400
SHOWN = (
    # photo, camera, hours ago and, if need be, the longer side in pixels
    ("obama", ODD_CAMERA, 9.0),
    ("obama2", "door", 7.0),
    ("astronaut", "door", 5.0),
    ("biden", None, 3.0),
)
"""Whom the daemon has seen, the oldest first. Obama is unknown-1: he was seen twice."""


def small_copy(photo: Path, longer_side_px: int = LONGER_SIDE_PX) -> bytes:
    """A photo as a small JPEG, in which faces are quickly found."""
    return make_thumbnail(load_image(photo), longer_side_px)


@contextlib.contextmanager
def remembering_daemon(photos: dict[str, Path], shown=SHOWN):
    """The installed daemon, which has recorded these faces, one in each photo."""
    with lasting_daemon(SERVE, sightings={}) as daemon:
        with Client(daemon.endpoint, timeout_s=120) as client:
            for photo, camera, hours_ago, *side in shown:
                options = {"time": time.time() - 3600 * hours_ago}
                if camera is not None:
                    options["camera"] = camera
                faces = client.recognize(small_copy(photos[photo], *side), options)
                assert len(faces) == 1, photo
            eventually(lambda: client.status()["sightings"]["sightings"] == len(shown), "the sightings")
        yield daemon
