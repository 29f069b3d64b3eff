"""Decodes the bytes of a picture to pixels, or raises BadImage; no input can do worse.

Pillow decodes an explicit list of raster formats, recognised by their first bytes. Its defaults suit an
image viewer. Face recognition needs it to be stricter in three ways:

- the size in the header is checked against the caller's limit before memory is allocated;
- a truncated picture is refused, never padded with grey, even if another package has set the
  process-wide `ImageFile.LOAD_TRUNCATED_IMAGES`;
- 16-bit grey is scaled to 8 bits, where Pillow would clip it to white.

No process-wide setting is toggled, so any number of threads may decode at once.
"""

from __future__ import annotations

import codecs
import contextlib
import io
import struct
import threading
import warnings
import zlib
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from PIL import (
    AvifImagePlugin,
    BmpImagePlugin,
    GifImagePlugin,
    Image,
    ImageFile,
    JpegImagePlugin,
    PngImagePlugin,
    PpmImagePlugin,
    TiffImagePlugin,
    WebPImagePlugin,
)

from face_det.errors import BadImage
from face_det.media import jpeg_markers
from face_det.media.formats import picture_suffix
from face_det.media.pixels import copy_rgb
from face_det.types import Rgb

EXPECTED_IMAGE = "a JPEG, PNG, BMP, GIF, WebP, TIFF, PPM, AVIF or HEIC picture"
_HEIC_ADVICE = "install what reads them, pip install 'face_det[heic]', or save it as JPEG"

_ORIENTATION = 0x0112
_BITS_PER_SAMPLE = 258
_STRICT_CODEC = "face_det_strict"
_FILTERS_LOCK = threading.Lock()

# Everything that Pillow is known to raise for damaged bytes. It is a list because a decoder must not hide
# KeyboardInterrupt, and because an exception missing here should be noticed.
_DAMAGE_ERRORS = (
    OSError,
    SyntaxError,
    ValueError,
    TypeError,
    LookupError,
    ArithmeticError,
    AttributeError,
    AssertionError,
    RuntimeError,
    EOFError,
    MemoryError,
    struct.error,
    zlib.error,
)


class _JpegWithoutFakeEnd(JpegImagePlugin.JpegImageFile):
    """JPEG, or the first picture of an MPO, without the end marker that Pillow adds to truncated data."""

    def load_read(self, read_bytes: int) -> bytes:
        assert self.fp is not None
        return self.fp.read(read_bytes)


# Plain-text PPMs (P1 to P3) are left out: slow to read, and a final 12 may be a truncated 127.
_OPENERS: dict[str, Callable[[io.BytesIO], ImageFile.ImageFile]] = {
    ".jpg": _JpegWithoutFakeEnd,
    ".png": PngImagePlugin.PngImageFile,
    ".bmp": BmpImagePlugin.BmpImageFile,
    ".gif": GifImagePlugin.GifImageFile,
    ".webp": WebPImagePlugin.WebPImageFile,
    ".tif": TiffImagePlugin.TiffImageFile,
    ".ppm": PpmImagePlugin.PpmImageFile,
    ".avif": AvifImagePlugin.AvifImageFile,
}


class _StrictDecoder(ImageFile.PyDecoder):
    """Runs a picture's own decoder, and raises errors that Pillow can be set to ignore.

    The arguments are the name of that decoder, its arguments, and what Pillow adds to them.
    """

    def init(self, args: tuple[Any, ...]) -> None:
        name, inner, *added = args
        self._inner = Image._getdecoder(self.mode, name, inner, tuple(added))
        self._finished = False

    @property
    def pulls_fd(self) -> bool:
        return self._inner.pulls_fd

    def setfd(self, fd: Any) -> None:
        self._inner.setfd(fd)

    def setimage(self, im: Any, extents: tuple[int, int, int, int] | None = None) -> None:
        self._inner.setimage(im, extents)

    def decode(self, buffer: Any) -> tuple[int, int]:
        consumed, code = self._inner.decode(buffer)
        if consumed < 0:  # it needs no more input: it is done, or has failed
            if code < 0:
                raise OSError(f"decoder error {code}")
            self._finished = True
        return consumed, code

    def cleanup(self) -> None:
        self._inner.cleanup()
        if not self._finished:
            raise OSError("the data ends before the picture does")


def decode_image(data: bytes, place: str, *, max_pixels: int) -> Rgb:
    """Decode a picture to writable RGB uint8 of shape (H, W, 3), turned upright by its EXIF.

    Alpha is dropped, 16 bits are scaled to 8, and only the first of several frames is read. `place`
    names the picture in errors. Raises BadImage.

    >>> decode_image(b"P5 2 1 255 " + bytes([0, 9]), "test.pgm", max_pixels=100).tolist()
    [[[0, 0, 0], [9, 9, 9]]]
    """
    with _faults_named(place, max_pixels):
        if picture_suffix(data) == ".heic":
            return _decode_heic(data, place, max_pixels)
        picture = _read_header(data, place, max_pixels)
        _decode_strictly(picture)
        return _apply_exif_orientation(_to_rgb(picture, place), _orientation(picture))


def decode_for_cropping(data: bytes, place: str, *, max_pixels: int) -> Image.Image:
    """Decode a picture to the pixels of `decode_image`, but leave them with Pillow if they need no change.

    Copying them out takes a quarter of the time, which a small part of the picture is not worth. The result
    has mode RGB. Raises BadImage.

    >>> decode_for_cropping(b"P6 2 1 255 " + bytes(6), "test.ppm", max_pixels=100).size
    (2, 1)
    """
    with _faults_named(place, max_pixels):
        if picture_suffix(data) == ".heic":
            return Image.fromarray(_decode_heic(data, place, max_pixels))
        picture = _read_header(data, place, max_pixels)
        _decode_strictly(picture)
        orientation = _orientation(picture)
        if picture.mode == "RGB" and orientation not in range(2, 9):
            return picture
        return Image.fromarray(_apply_exif_orientation(_to_rgb(picture, place), orientation))


def decode_small(data: bytes, place: str, longer_px: int, *, max_pixels: int) -> Image.Image:
    """Decode a picture to grey, `longer_px` wide or high, and a JPEG no larger than that needs.

    It is not turned by its EXIF. Raises BadImage.
    """
    with _faults_named(place, max_pixels):
        if picture_suffix(data) == ".heic":
            picture = Image.fromarray(_decode_heic(data, place, max_pixels))
        else:
            picture = _read_header(data, place, max_pixels)
        share = longer_px / max(picture.size)
        size = (max(1, round(picture.width * share)), max(1, round(picture.height * share)))
        picture.draft("L", size)
        return picture.convert("L").resize(size, Image.Resampling.BOX)


@contextlib.contextmanager
def _faults_named(place: str, max_pixels: int) -> Iterator[None]:
    """Raise BadImage for whatever Pillow raises for damaged bytes."""
    _silence_pillow()
    try:
        yield
    except Image.DecompressionBombError as error:
        raise BadImage(f"{place}: must have at most {max_pixels:,} pixels, but holds more inside") from error
    except _DAMAGE_ERRORS as error:
        _require_no_interrupt(error)
        said = " ".join(str(error).split())[:200] or type(error).__name__
        raise BadImage(
            f"{place}: must be a whole picture, got a damaged or truncated one ({said})"
        ) from error


def lacks_decoder(data: bytes) -> bool:
    """Return True for a picture that only an optional package can read, if that is not installed.

    >>> lacks_decoder(b"GIF89a")
    False
    """
    return picture_suffix(data) == ".heic" and _find_heif_reader() is None


def _find_heif_reader() -> Callable[..., Any] | None:
    try:
        from pi_heif import open_heif
    except ImportError:
        return None
    reader: Callable[..., Any] = open_heif
    return reader


def _decode_heic(data: bytes, place: str, max_pixels: int) -> Rgb:
    """Decode the primary picture of a HEIC file, which libheif turns upright by the file's own boxes."""
    open_heif = _find_heif_reader()
    if open_heif is None:
        raise BadImage(f"{place}: HEIC pictures cannot be read here; {_HEIC_ADVICE}")
    picture = open_heif(io.BytesIO(data))
    _check_size(picture.size, place, max_pixels)
    pixels = np.asarray(picture)  # decoded only now
    if pixels.ndim == 2:
        return np.repeat(pixels[:, :, np.newaxis], 3, axis=2)
    return np.array(pixels[:, :, :3])


def _require_no_interrupt(error: BaseException) -> None:
    """Raise the Ctrl-C behind an error, if any: an interrupted decoder also ends before the picture does."""
    cause = error.__context__
    while cause is not None:
        if not isinstance(cause, Exception):
            raise cause
        cause = cause.__context__


def _silence_pillow() -> None:
    """Keep Pillow's warnings about odd metadata off stderr; what matters here is raised.

    Not with warnings.catch_warnings, which on exit may restore another thread's filters.
    """
    with _FILTERS_LOCK:
        warnings.filterwarnings("ignore", module=r"PIL\.")


def _read_header(data: bytes, place: str, max_pixels: int) -> ImageFile.ImageFile:
    """Find the right plug-in and check the size in the header; no pixel is decoded.

    The plug-in is called directly because Image.open has a process-wide pixel limit of its own.
    """
    opener = _OPENERS.get(picture_suffix(data) or "")
    if opener is None:
        raise BadImage(f"{place}: must be {EXPECTED_IMAGE}, got {_describe_bytes(data)}")
    if opener is WebPImagePlugin.WebPImageFile:  # it allocates the picture as soon as it is opened
        _check_size(_webp_size(data), place, max_pixels)
    if opener is _JpegWithoutFakeEnd and (fault := jpeg_markers.find_marker_fault(data)) is not None:
        raise OSError(fault)
    picture = opener(io.BytesIO(data))
    _check_size(picture.size, place, max_pixels)
    return picture


def _describe_bytes(data: bytes) -> str:
    """Say what bytes that are not a picture look like, without showing any: they may be secret."""
    if data[4:8] == b"ftyp":
        return "a video"
    head = codecs.getincrementaldecoder("utf-8")("replace").decode(data[:256])
    if all(sign.isprintable() or sign.isspace() for sign in head) and "\ufffd" not in head:
        return "text"
    return "something else"


def _check_size(size: tuple[int, int], place: str, max_pixels: int) -> None:
    width, height = size
    if width * height > max_pixels:
        error = BadImage(f"{place}: must have at most {max_pixels:,} pixels, got {width:,} x {height:,}")
        error.too_large = True
        raise error


def _webp_size(data: bytes) -> tuple[int, int]:
    """Read width and height from a WebP header (RFC 9649, sections 2.5 to 2.7 and 3.4)."""
    kind = data[12:16]
    if kind == b"VP8X":
        return int.from_bytes(data[24:27], "little") + 1, int.from_bytes(data[27:30], "little") + 1
    if kind == b"VP8L":
        bits = int.from_bytes(data[21:25], "little")
        return (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
    return int.from_bytes(data[26:28], "little") & 0x3FFF, int.from_bytes(data[28:30], "little") & 0x3FFF


def _decode_strictly(picture: ImageFile.ImageFile) -> None:
    """Decode the pixels, running each of Pillow's decoders inside ours.

    libtiff, and WebP, which has no tiles until it is loaded, report errors anyway.
    """
    Image.register_decoder(_STRICT_CODEC, _StrictDecoder)
    if not any(tile.codec_name == "libtiff" for tile in picture.tile):
        picture.tile = [
            tile._replace(codec_name=_STRICT_CODEC, args=(tile.codec_name, tile.args))
            for tile in picture.tile
        ]
    picture.load()


def _to_rgb(picture: ImageFile.ImageFile, place: str) -> Rgb:
    """Convert the decoded picture to RGB; for 8-bit pictures exactly as Image.convert("RGB") does."""
    mode = picture.mode
    if mode.startswith("I;16") or (mode == "I" and picture.format in ("PNG", "PPM")):
        return _from_16_bits(picture)
    if mode in ("I", "F"):
        raise BadImage(f"{place}: must have 8 or 16 bits a channel, got 32 bits or signed numbers")
    if mode in ("RGBa", "La"):  # colours premultiplied by alpha
        return copy_rgb(picture.convert(mode.upper()).convert("RGB"))
    return copy_rgb(picture if mode == "RGB" else picture.convert("RGB"))


def _from_16_bits(picture: ImageFile.ImageFile) -> Rgb:
    """Take the high byte, as Pillow itself does for 16-bit colours."""
    unused = 0
    if isinstance(picture, TiffImagePlugin.TiffImageFile):
        unused = max(0, 16 - picture.tag_v2.get(_BITS_PER_SAMPLE, (16,))[0])  # 12-bit TIFFs come unscaled
    high = np.clip(np.asarray(picture).astype(np.int32) << unused >> 8, 0, 255).astype(np.uint8)
    return np.repeat(high[:, :, np.newaxis], 3, axis=2)


def _orientation(picture: ImageFile.ImageFile) -> int:
    """Return the EXIF orientation, 1..8; 1 if there is none or the EXIF is broken. TIFFs come turned."""
    try:
        return int(picture.getexif().get(_ORIENTATION, 1))
    except _DAMAGE_ERRORS:
        return 1  # broken metadata must not spoil good pixels


def _apply_exif_orientation(rgb: Rgb, orientation: int) -> Rgb:
    """Turn and mirror the picture upright, by the table for tag 0x0112 in EXIF 2.32."""
    if orientation in (5, 6, 7, 8):
        rgb = rgb.transpose(1, 0, 2)
    if orientation in (2, 3, 6, 7):
        rgb = rgb[:, ::-1]
    if orientation in (3, 4, 7, 8):
        rgb = rgb[::-1]
    return np.ascontiguousarray(rgb)
