"""What a camera is: a name, an address, and how its pictures are wanted."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from time import monotonic
from urllib.parse import unquote, urlsplit, urlunsplit
from urllib.request import url2pathname

DEFAULT_FPS = 5.0
"""How many pictures a second are read of a live camera, at most."""


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
