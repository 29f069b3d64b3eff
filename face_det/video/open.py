"""Opens a video, a folder of pictures or a stream."""

from __future__ import annotations

import os
import re
import stat
from pathlib import Path
from urllib.parse import urlsplit

from face_det.errors import VideoError
from face_det.streams import CertificateRefused, StreamFailed, probe_stream, tls_options
from face_det.video.decoded import DecodedVideo, DecodeRequest
from face_det.video.folder import PictureFolder
from face_det.video.frames import Sampling, VideoReader

STREAM_SCHEMES = ("rtsp", "rtsps", "http", "https")
"""How the address of a stream may begin."""
MAX_PIXELS = 100_000_000
TIMEOUT_S = 30.0

_FILE_FORMATS = (
    "mov,mp4,matroska,webm,avi,mpegts,mpeg,mpegvideo,flv,asf,ogg,mjpeg,jpeg_pipe,m4v,h264,hevc,av1,obu,ivf,dv,mxf,nut,"
    "gif,rm,vc1,wtv,yuv4mpegpipe"
)
_STREAM_FORMATS = "rtsp,sdp,rtp,mjpeg,mpjpeg,jpeg_pipe,mpegts,mov,mp4,matroska,webm,avi,flv,asf,ogg,h264,hevc"
_STREAM_PROTOCOLS = "tcp,udp,rtp,rtsp,rtsps,srtp,tls,http,https"
_ADDRESS = re.compile(r"([a-z][a-z0-9+.-]*)://", re.IGNORECASE)
_MP4_ATOMS = (b"ftyp", b"moov", b"mdat", b"free", b"skip", b"wide", b"pnot")
"""What an MP4 or QuickTime file begins with, after four bytes."""
_PLAIN_SUFFIX = re.compile(r"\.[A-Za-z0-9]{1,8}")
_WANTED = "must be a video file, a folder of pictures or a stream's address"


def open_video(
    source: Path | str,
    *,
    every: int = 1,
    dense: int = 0,
    timeout_s: float = TIMEOUT_S,
    max_pixels: int = MAX_PIXELS,
    place: str | None = None,
    verify_tls: bool = True,
) -> VideoReader:
    """Open a video file, a folder of pictures, or a stream by its address (rtsp, rtsps, http, https).

    Only every `every`-th frame is returned, after the first `dense`, which are all returned; the others are
    passed over at a fraction of the cost. Decoding happens in a process of its own, which the reader ends.
    Nothing but the file itself is read: playlists are refused. `timeout_s` is how long each frame may take,
    and opening. Frames with more pixels than `max_pixels` end the reading. `place` is what errors call the
    source, by default its path, or its address without a password and query. The certificate of an rtsps or
    https stream must be signed by an authority known here, for its address, unless `verify_tls` is False.

    Raises VideoError if not even one frame can be read. What goes wrong later is told by `problem`.

    >>> open_video("no such file.mp4")
    Traceback (most recent call last):
    ...
    face_det.errors.VideoError: no such file.mp4: must be a video file, a folder of pictures or a stream's address, but there is no such file
    """  # noqa: E501
    sampling = Sampling(every, dense)
    address = _ADDRESS.match(source) if isinstance(source, str) else None
    if address is not None:
        assert isinstance(source, str)
        place = place or _without_secrets(source)
        if address[1].lower() not in STREAM_SCHEMES:
            schemes = ", ".join(STREAM_SCHEMES)
            raise VideoError(f"{place}: a stream's address must begin with {schemes}")
        _probe(source, place, timeout_s, verify_tls)
        options = (
            f"rtsp_flags;prefer_tcp|max_redirects;0|protocol_whitelist;{_STREAM_PROTOCOLS}"
            f"|format_whitelist;{_STREAM_FORMATS}{tls_options(source, verify_tls=verify_tls)}"
        )
        return DecodedVideo(DecodeRequest(place, source, options, sampling, timeout_s, max_pixels))
    path = Path(source)
    place = place or _printable(path)
    if path.is_dir():
        return PictureFolder(path, place, sampling, max_pixels)
    descriptor = _open_file(path, place)
    try:
        # By the descriptor, so that what was checked is what is read, and no name is special to FFmpeg.
        is_mp4 = os.pread(descriptor, 8, 0)[4:] in _MP4_ATOMS
        suffix = path.suffix if _PLAIN_SUFFIX.fullmatch(path.suffix) else ""
        options = f"protocol_whitelist;file,subfile|format_whitelist;{_FILE_FORMATS}"
        request = DecodeRequest(
            place,
            None,
            options,
            sampling,
            timeout_s,
            max_pixels,
            descriptor,
            suffix,
            is_mp4,
        )
        return DecodedVideo(request)
    finally:
        os.close(descriptor)


def _probe(address: str, place: str, timeout_s: float, verify_tls: bool) -> None:
    """Raise VideoError for what FFmpeg would not say, or would let pass."""
    try:
        probe_stream(address, timeout_s, verify_tls=verify_tls)
    except CertificateRefused as failure:
        raise VideoError(
            f"{place}: {failure} (SSL_CERT_FILE may name a file with another authority; "
            "--no-verify-tls accepts any certificate)"
        ) from None
    except StreamFailed as failure:
        raise VideoError(f"{place}: {failure}") from None


def _open_file(path: Path, place: str) -> int:
    """Open a regular file that is not empty; without waiting, as opening a pipe might."""
    try:
        if not stat.S_ISREG(path.stat().st_mode):
            raise VideoError(f"{place}: {_WANTED}, got a device or a pipe")
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    except FileNotFoundError:
        raise VideoError(f"{place}: {_WANTED}, but there is no such file") from None
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise VideoError(f"{place}: {_WANTED}, but it cannot be opened: {reason}") from error
    found = os.fstat(descriptor)
    if stat.S_ISREG(found.st_mode) and found.st_size:
        return descriptor
    os.close(descriptor)
    raise VideoError(f"{place}: {_WANTED}, got {'an empty file' if not found.st_size else 'a device'}")


def _without_secrets(address: str) -> str:
    """Return an address without its user, password and query, for messages.

    >>> _without_secrets("rtsp://me:secret@camera:554/front?token=1")
    'rtsp://camera:554/front'
    """
    try:
        parts = urlsplit(address)
        return ascii(f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}")[1:-1]
    except ValueError:
        return "the stream"


def _printable(path: Path) -> str:
    text = str(path)
    return text if text.isprintable() else ascii(text)
