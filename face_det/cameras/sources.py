"""What a camera is: a name, an address, and how its pictures are wanted."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from time import monotonic
from typing import Protocol
from urllib.parse import unquote, urlsplit, urlunsplit
from urllib.request import url2pathname

from face_det.errors import UnknownCamera

DEFAULT_FPS = 5.0
"""How many pictures a second are read of a live camera, at most."""
MAX_PIXELS = 50_000_000
"""A larger picture of a camera is refused."""
ANY_CERTIFICATE = '("verifyTls": false accepts any)'
"""What to do about a camera whose certificate is not accepted."""


@dataclass(frozen=True, slots=True)
class CameraSource:
    """A camera. The address is left out of its `repr`, because it may contain a password.

    >>> CameraSource("front", "rtsp://me:secret@192.168.1.20/stream")
    CameraSource(name='front', verify_tls=True, fps=5.0)
    """

    name: str
    address: str = field(repr=False)
    verify_tls: bool = True
    fps: float = DEFAULT_FPS

    @property
    def scheme(self) -> str:
        """How the camera is reached, such as `rtsp`."""
        return urlsplit(self.address).scheme

    @property
    def path(self) -> Path:
        """The path of a `file` or of a `v4l2` device."""
        return Path(url2pathname(urlsplit(self.address).path))


class CameraSettings(Protocol):
    """The settings of a camera that matter here."""

    @property
    def url(self) -> str:
        """Its address."""
        ...

    @property
    def verify_tls(self) -> bool:
        """Whether its certificate is checked."""
        ...

    @property
    def fps(self) -> float:
        """The most pictures a second that are wanted of it."""
        ...


def configured_sources(cameras: Mapping[str, CameraSettings]) -> dict[str, CameraSource]:
    """Return the cameras of config.json by name, the default one first."""
    return {
        name: CameraSource(name, one.url, verify_tls=one.verify_tls, fps=one.fps)
        for name, one in cameras.items()
    }


def choose_source(
    sources: Mapping[str, CameraSource], name: str | None, place: str = "camera"
) -> CameraSource:
    """Return the camera of this name, the first one for None.

    Raises UnknownCamera, which says at `place` what there is, for a name that is not configured.

    >>> choose_source({"front": CameraSource("front", "http://cam/")}, "attic", "--camera")
    Traceback (most recent call last):
    ...
    face_det.errors.UnknownCamera: --camera: must be one of front, got 'attic'
    """
    if not sources:
        raise UnknownCamera("cameras: none is configured; add one to `cameras` in config.json")
    if name is None:
        return next(iter(sources.values()))
    if name not in sources:
        raise UnknownCamera(f"{place}: must be one of {', '.join(sources)}, got {name[:100]!r}")
    return sources[name]


@dataclass(frozen=True, eq=False, slots=True)
class CameraPicture:
    """An encoded picture, and when it was taken or arrived, in seconds since 1970 and on the monotonic clock.

    Its age counts by the latter, because the other may be set.
    """

    data: bytes = field(repr=False)
    time: float
    taken: float = field(default_factory=monotonic)

    @property
    def age_s(self) -> float:
        """How old it is."""
        return monotonic() - self.taken


def split_credentials(address: str) -> tuple[str, tuple[str, str] | None]:
    """Split an address into one without user and password, and these.

    >>> split_credentials("http://me:a%2Fb@cam/now.jpg")
    ('http://cam/now.jpg', ('me', 'a/b'))
    """
    parts = urlsplit(address)
    if parts.username is None:
        return address, None
    place = parts.netloc.rpartition("@")[2]
    return urlunsplit(parts._replace(netloc=place)), (unquote(parts.username), unquote(parts.password or ""))
