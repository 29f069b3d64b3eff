from __future__ import annotations

import io
import itertools
import os
import random
import socket
import struct
import subprocess
import sys
import threading
import zlib
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import cv2
import matplotlib
import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st
from nobody import nobody
from PIL import Image, ImageFile, ImageFilter, ImageOps

from face_det.errors import BadImage
from face_det.media import decode
from face_det.media.allowed_paths import resolve_image_path
from face_det.media.image import load_image, read_image_bytes
from face_det.media.transform import crop_box, measure_focus, pixel_region
from face_det.types import Box, Rgb

WIDTH, HEIGHT = 70, 50
NOISE = np.random.default_rng(7).integers(0, 256, (HEIGHT, WIDTH, 3), dtype=np.uint8)
SOFT = Image.fromarray(NOISE).filter(ImageFilter.GaussianBlur(2))
DEEP = np.random.default_rng(8).integers(0, 65536, (HEIGHT, WIDTH), dtype=np.uint16)
HOPPER = Path(matplotlib.get_data_path(), "sample_data/grace_hopper.jpg")


def packed(picture: Image.Image, kind: str, **options: object) -> bytes:
    """Return the bytes of a picture file."""
    file = io.BytesIO()
    picture.save(file, kind, **options)
    return file.getvalue()


def pillow(data: bytes) -> Rgb:
    """Return what face_recognition.load_image_file makes of the same bytes."""
    return np.array(Image.open(io.BytesIO(data)).convert("RGB"))


def oriented(value: int) -> Image.Exif:
    exif = Image.Exif()
    exif[0x0112] = value
    return exif


def png_chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def png(width: int, height: int, bits: int, colour: int, rows: bytes) -> bytes:
    """A PNG by hand; `rows` are compressed."""
    header = struct.pack(">IIBBBBB", width, height, bits, colour, 0, 0, 0)
    chunks = png_chunk(b"IHDR", header) + png_chunk(b"IDAT", rows) + png_chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + chunks


def bomb() -> bytes:
    """A PNG of 30,000 x 30,000 with one bit per pixel: about 100 kB that unpack to 900 MB."""
    squeeze = zlib.compressobj(9)
    row = bytes(1 + 30_000 // 8)
    return png(30_000, 30_000, 1, 0, b"".join(squeeze.compress(row) for _ in range(30_000)) + squeeze.flush())


def tiff_of_12_bits(one: int, two: int) -> bytes:
    """A grey TIFF of two pixels with 12 bits each, which nothing here can write."""
    body = bytes((one >> 4, (one & 15) << 4 | two >> 8, two & 255, 0))
    tags = {256: 2, 257: 1, 258: 12, 259: 1, 262: 1, 273: 8, 277: 1, 278: 1, 279: 3}
    entries = b"".join(struct.pack("<HHII", tag, 4, 1, value) for tag, value in tags.items())
    return struct.pack("<2sHI", b"II", 42, 12) + body + struct.pack("<H", len(tags)) + entries + bytes(4)


def refusal(source: str | Path | bytes, **limits: int) -> str:
    """Return the message of the refusal, after checking that it is one line and names what was refused."""
    with pytest.raises(BadImage) as caught:
        load_image(source, **limits)
    message = str(caught.value)
    assert "\n" not in message
    assert "must " in message or message.endswith(": file not found")
    if isinstance(source, bytes):
        assert message.startswith("bytes: ")
    elif str(source).isprintable() and 0 < len(str(source)) < 200:
        assert message.startswith(f"{source}: ")
    return message


@pytest.fixture(params=[False, True], ids=["strict", "lenient"])
def pillow_is(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Pillow with its default setting, and with the one that `import face_recognition` leaves."""
    monkeypatch.setattr(ImageFile, "LOAD_TRUNCATED_IMAGES", request.param)


# --- pixels ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(packed(SOFT, "JPEG"), id="jpeg"),
        pytest.param(packed(SOFT, "JPEG", quality=100, subsampling=0), id="jpeg-444"),
        pytest.param(packed(SOFT, "JPEG", progressive=True), id="jpeg-progressive"),
        pytest.param(packed(SOFT.convert("L"), "JPEG"), id="jpeg-grey"),
        pytest.param(packed(SOFT, "PNG"), id="png"),
        pytest.param(packed(SOFT.convert("L"), "PNG"), id="png-grey"),
        pytest.param(HOPPER.read_bytes(), id="photo"),
    ],
)
def test_ordinary_pictures_equal_pillows(data: bytes, tmp_path: Path) -> None:
    """8-bit RGB and grey pictures have exactly Pillow's pixels, from a path, a string and bytes."""
    path = tmp_path / "picture"
    path.write_bytes(data)
    for source in (data, path, str(path)):
        rgb = load_image(source)
        np.testing.assert_array_equal(rgb, pillow(data))
        assert rgb.dtype == np.uint8
        assert rgb.flags.c_contiguous
        assert rgb.flags.writeable


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(packed(SOFT.convert("LA"), "PNG"), id="grey-alpha"),
        pytest.param(packed(SOFT.convert("RGBA"), "PNG"), id="alpha"),
        pytest.param(packed(SOFT.quantize(), "PNG"), id="palette"),
        pytest.param(packed(SOFT.quantize(), "PNG", transparency=bytes(range(256))), id="palette-alpha"),
        pytest.param(packed(SOFT.convert("1"), "PNG"), id="one-bit"),
        pytest.param(packed(SOFT.convert("CMYK"), "JPEG"), id="cmyk"),
        pytest.param(packed(SOFT, "BMP"), id="bmp"),
        pytest.param(packed(SOFT.quantize(), "BMP"), id="bmp-palette"),
        pytest.param(packed(SOFT, "WEBP"), id="webp"),
        pytest.param(packed(SOFT, "TIFF"), id="tiff"),
        pytest.param(packed(SOFT, "TIFF", compression="tiff_lzw"), id="tiff-lzw"),
        pytest.param(packed(SOFT, "TIFF", compression="jpeg"), id="tiff-jpeg"),
        pytest.param(packed(SOFT, "PPM"), id="ppm"),
        pytest.param(packed(SOFT.convert("L"), "PPM"), id="pgm"),
        pytest.param(packed(SOFT.convert("1"), "PPM"), id="pbm"),
    ],
)
def test_other_kinds_are_accepted(data: bytes) -> None:
    """Alpha, palettes, CMYK and the other raster formats give what Pillow's conversion gives."""
    np.testing.assert_array_equal(load_image(data), pillow(data))


@pytest.mark.parametrize("kind", ["GIF", "WEBP", "TIFF", "MPO"])
def test_the_first_of_several_pictures_is_taken(kind: str) -> None:
    """Animations, and camera files with several pictures, give the first one."""
    frames = [Image.new("RGB", (WIDTH, HEIGHT), colour) for colour in ("red", "blue")]
    data = packed(frames[0], kind, save_all=True, append_images=frames[1:])
    red, green, blue = load_image(data)[HEIGHT // 2, WIDTH // 2]
    assert red > 240
    assert green < 15
    assert blue < 15


def test_16_bits_are_scaled() -> None:
    """16-bit grey keeps its high byte, as 16-bit colours do; Pillow would clip it to white."""
    expected = np.repeat((DEEP >> 8).astype(np.uint8)[:, :, None], 3, axis=2)
    for kind in ("PNG", "TIFF"):
        np.testing.assert_array_equal(load_image(packed(Image.fromarray(DEEP), kind)), expected)
    np.testing.assert_array_equal(load_image(packed(Image.fromarray(DEEP.astype(np.int32)), "PPM")), expected)
    colours = np.dstack([DEEP] * 3)
    np.testing.assert_array_equal(load_image(cv2.imencode(".png", colours)[1].tobytes()), expected)
    with_alpha = np.dstack([DEEP, DEEP, DEEP, DEEP[::-1]])
    np.testing.assert_array_equal(load_image(cv2.imencode(".png", with_alpha)[1].tobytes()), expected)


def test_16_bit_colours_keep_their_order() -> None:
    """16-bit red is red."""
    bgr = np.zeros((4, 4, 3), np.uint16)
    bgr[:, :, 2] = 0xABCD
    assert load_image(cv2.imencode(".png", bgr)[1].tobytes())[0, 0].tolist() == [0xAB, 0, 0]


def test_12_bits_are_scaled() -> None:
    """12-bit TIFFs, which Pillow returns unscaled, are scaled."""
    assert load_image(tiff_of_12_bits(0x123, 0xFED))[0, :, 0].tolist() == [0x12, 0xFE]


def test_32_bits_are_refused() -> None:
    """Floats and long integers have no known range, so no picture can be made of them."""
    assert "8 or 16 bits" in refusal(packed(Image.new("F", (8, 8)), "TIFF"))
    assert "8 or 16 bits" in refusal(packed(Image.new("I", (8, 8)), "TIFF"))


def test_ycck_is_accepted() -> None:
    """A CMYK JPEG in Adobe's YCCK: here its four planes are those of a light grey."""
    data = packed(Image.new("CMYK", (16, 16), (255 - 40, 127, 127, 0)), "JPEG", quality=100)
    marker = data.index(b"Adobe")
    ycck = data[: marker + 11] + b"\x02" + data[marker + 12 :]
    rgb = load_image(ycck)
    np.testing.assert_array_equal(rgb, pillow(ycck))
    assert int(np.ptp(rgb[0, 0])) <= 2
    assert abs(int(rgb[0, 0, 0]) - 215) <= 2


def test_one_pixel() -> None:
    """The smallest picture has an image's shape."""
    assert load_image(packed(Image.new("L", (1, 1), 9), "PNG")).tolist() == [[[9, 9, 9]]]


# --- EXIF ------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "TIFF"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_pictures_come_upright(kind: str, orientation: int) -> None:
    """Each of the eight orientations is undone as Pillow's own function does it."""
    data = packed(SOFT, kind, exif=oriented(orientation))
    expected = ImageOps.exif_transpose(Image.open(io.BytesIO(data))).convert("RGB")
    rgb = load_image(data)
    np.testing.assert_array_equal(rgb, np.array(expected))
    assert rgb.flags.c_contiguous  # dlib reads nothing else


def test_orientation_6_is_a_quarter_turn_clockwise() -> None:
    """In the usual portrait photo, what is stored at the left is shown at the top."""
    stored = Image.new("L", (20, 10), 0)
    stored.paste(255, (0, 0, 5, 10))
    shown = load_image(packed(stored, "PNG", exif=oriented(6)))
    assert shown.shape == (20, 10, 3)
    assert shown[:5].min() == 255
    assert shown[5:].max() == 0


@pytest.mark.parametrize("depth", [Image.fromarray(DEEP), SOFT.convert("1"), SOFT.convert("LA")])
def test_rare_kinds_come_upright(depth: Image.Image) -> None:
    """Turning works for every kind of pixel."""
    straight = load_image(packed(depth, "PNG"))
    np.testing.assert_array_equal(load_image(packed(depth, "PNG", exif=oriented(3))), straight[::-1, ::-1])


@pytest.mark.parametrize("orientation", [0, 9, 65535])
def test_unheard_of_orientations_are_ignored(orientation: int) -> None:
    """Only 1 to 8 mean something."""
    np.testing.assert_array_equal(load_image(packed(SOFT, "PNG", exif=oriented(orientation))), np.array(SOFT))


def test_broken_exif_does_not_spoil_a_picture(pillow_is: None) -> None:
    """Whatever the EXIF block holds, the pixels are there, at worst not turned."""
    straight = load_image(packed(SOFT, "JPEG"))
    exif = oriented(1)
    exif[0x010F] = "Maker"
    exif[0x011A] = 72.0
    exif[0x8769] = {0x9003: "2024:01:01 00:00:00"}
    good = exif.tobytes()
    dice = random.Random(3)
    for _ in range(400):
        broken = bytearray(good)
        for _ in range(dice.choice([1, 1, 3, 30])):
            broken[dice.randrange(6, len(broken))] = dice.choice([0, 1, 4, 0x7F, 0xFF, dice.randrange(256)])
        rgb = load_image(packed(SOFT, "JPEG", exif=bytes(broken[: dice.randrange(6, len(broken) + 1)])))
        assert sorted(rgb.shape) == sorted(straight.shape)
        assert rgb.sum(dtype=np.int64) == straight.sum(dtype=np.int64)


# --- damage ----------------------------------------------------------------------------------

CUTTABLE = {
    "jpeg": packed(SOFT, "JPEG"),
    "jpeg-progressive": packed(SOFT, "JPEG", progressive=True),
    "jpeg-exif": packed(SOFT, "JPEG", exif=oriented(6)),
    "jpeg-cmyk": packed(SOFT.convert("CMYK"), "JPEG"),
    "mpo": packed(SOFT, "MPO", save_all=True, append_images=[SOFT.rotate(90)]),
    "png": packed(SOFT, "PNG"),
    "png-palette": packed(SOFT.quantize(), "PNG"),
    "png-16": packed(Image.fromarray(DEEP), "PNG"),
    "bmp": packed(SOFT, "BMP"),
    "gif": packed(SOFT.quantize(), "GIF"),
    "webp": packed(SOFT, "WEBP"),
    "webp-lossless": packed(SOFT, "WEBP", lossless=True),
    "tiff": packed(SOFT, "TIFF"),
    "tiff-lzw": packed(SOFT, "TIFF", compression="tiff_lzw"),
    "ppm": packed(SOFT, "PPM"),
    "pbm": packed(SOFT.convert("1"), "PPM"),
}


@pytest.mark.parametrize("name", CUTTABLE)
def test_a_cut_picture_is_refused(name: str, pillow_is: None) -> None:
    """Wherever a file is cut, all of its pixels are returned or none: never a half-grey picture."""
    data = CUTTABLE[name]
    whole = load_image(data)
    refused = 0
    for length in {*range(0, len(data), 37), *range(len(data) - 30, len(data))}:
        try:
            rgb = load_image(data[:length])
        except BadImage:
            refused += 1
        else:
            np.testing.assert_array_equal(rgb, whole)
    assert refused > 10


def test_a_cut_photo_says_so(tmp_path: Path, pillow_is: None) -> None:
    """The message names the file and says that it is not whole; the same goes for a tail of zeros."""
    path = tmp_path / "cut.jpg"
    photo = HOPPER.read_bytes()
    path.write_bytes(photo[: len(photo) // 2])
    assert "whole picture" in refusal(path)
    path.write_bytes(photo[: len(photo) // 2] + bytes(10_000))
    assert "whole picture" in refusal(path)


def test_rows_that_are_not_there_are_refused(pillow_is: None) -> None:
    """A PNG that is intact, except that its pixels end halfway."""
    rows = zlib.compress(NOISE.tobytes())
    assert "whole picture" in refusal(png(WIDTH, HEIGHT, 8, 2, rows[: len(rows) // 2]))


def test_damaged_pixels_are_refused(pillow_is: None) -> None:
    """A PNG whose compressed pixels are garbled."""
    rows = bytearray(zlib.compress(NOISE.tobytes()))
    rows[len(rows) // 2 :] = os.urandom(len(rows) - len(rows) // 2)
    assert "whole picture" in refusal(png(WIDTH, HEIGHT, 8, 2, bytes(rows)))


def test_garbage_never_raises_anything_else() -> None:
    """Any change to any file gives pixels or BadImage."""
    dice = random.Random(5)
    for name, _ in itertools.product(CUTTABLE, range(40)):
        data = bytearray(CUTTABLE[name])
        for _ in range(dice.choice([1, 2, 20])):
            data[dice.randrange(min(len(data), dice.choice([32, 200, 10**6])))] = dice.choice(
                [0, 0xFF, dice.randrange(256)]
            )
        try:
            rgb = load_image(bytes(data), max_pixels=10**6)
        except BadImage:
            continue
        assert rgb.ndim == 3
        assert rgb.dtype == np.uint8


def test_threads_do_not_disturb_each_other(monkeypatch: pytest.MonkeyPatch) -> None:
    """Decoding is strict in every thread, even while another flips Pillow's process-wide switch."""
    monkeypatch.setattr(ImageFile, "LOAD_TRUNCATED_IMAGES", False)
    photo = HOPPER.read_bytes()
    expected = pillow(photo)
    done = threading.Event()

    def flip() -> None:
        while not done.is_set():
            ImageFile.LOAD_TRUNCATED_IMAGES = not ImageFile.LOAD_TRUNCATED_IMAGES

    def whole() -> bool:
        return bool((load_image(photo) == expected).all())

    def cut() -> bool:
        with pytest.raises(BadImage):
            load_image(photo[: len(photo) * 3 // 4])
        return True

    flipping = threading.Thread(target=flip)
    flipping.start()
    try:
        with ThreadPoolExecutor(8) as pool:
            assert all(call.result() for call in [pool.submit(job) for job in (whole, cut) * 24])
    finally:
        done.set()
        flipping.join()


def test_pillows_switch_is_left_alone(pillow_is: None) -> None:
    """Loading changes nothing for others who use Pillow."""
    before = ImageFile.LOAD_TRUNCATED_IMAGES, Image.MAX_IMAGE_PIXELS
    load_image(packed(SOFT, "JPEG"))
    refusal(packed(SOFT, "JPEG")[:-40])
    after = ImageFile.LOAD_TRUNCATED_IMAGES, Image.MAX_IMAGE_PIXELS
    assert after == before


# --- size ------------------------------------------------------------------------------------


def test_pixels_are_limited() -> None:
    """The caller sets the limit, and it is applied exactly."""
    data = packed(SOFT, "PNG")
    assert load_image(data, max_pixels=WIDTH * HEIGHT).shape == (HEIGHT, WIDTH, 3)
    message = refusal(data, max_pixels=WIDTH * HEIGHT - 1)
    assert "at most 3,499 pixels, got 70 x 50" in message


@pytest.mark.parametrize("pillows_limit", [10, WIDTH * HEIGHT - 1])
@pytest.mark.parametrize("kind", ["JPEG", "PNG", "BMP", "PPM"])
def test_pillows_own_limit_does_not_show(
    kind: str, pillows_limit: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Pillow's own limit causes neither a warning nor, if ours is higher, an error."""
    data = packed(SOFT, kind)
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", pillows_limit)
    assert load_image(data).shape == (HEIGHT, WIDTH, 3)


@pytest.mark.parametrize("kind", ["WEBP", "TIFF"])
def test_pillows_own_error_is_put_in_our_words(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Some of Pillow's readers check the limit too, depending on the version; its warning never shows."""
    data = packed(SOFT, kind)
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", WIDTH * HEIGHT - 1)
    assert load_image(data).shape == (HEIGHT, WIDTH, 3)
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 10)
    try:
        said = str(load_image(data).shape)
    except BadImage as error:
        said = str(error)
    assert said in ("(50, 70, 3)", "bytes: must have at most 100,000,000 pixels, but holds more inside")


MEASURE = """
import resource, sys
from face_det.errors import BadImage
from face_det.media import load_image
load_image({warm!r})
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
try:
    load_image(sys.argv[1])
except BadImage as error:
    print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before, error)
"""


def webp_bomb() -> bytes:
    """A WebP header that claims 16,000 x 16,000 pixels, with a real picture behind it."""
    picture = packed(Image.new("RGB", (16, 16)), "WEBP")[12:]
    body = b"VP8X" + struct.pack("<II", 10, 0) + (15_999).to_bytes(3, "little") * 2 + picture
    return b"RIFF" + struct.pack("<I", 4 + len(body)) + b"WEBP" + body


@pytest.mark.parametrize(("make", "size"), [(bomb, "30,000 x 30,000"), (webp_bomb, "16,000 x 16,000")])
def test_a_bomb_is_refused_by_its_header(make: Callable[[], bytes], size: str, tmp_path: Path) -> None:
    """A small file that unpacks to a gigabyte is refused before memory is taken."""
    path = tmp_path / "bomb"
    path.write_bytes(make())
    assert path.stat().st_size < 150_000
    script = MEASURE.format(warm=packed(SOFT, "PNG"))
    ran = subprocess.run([sys.executable, "-c", script, path], capture_output=True, text=True, check=True)
    grown_kb, _, message = ran.stdout.partition(" ")
    assert message.strip() == f"{path}: must have at most 100,000,000 pixels, got {size}"
    assert int(grown_kb) < 20_000
    assert ran.stderr == ""


def test_bytes_are_limited(tmp_path: Path) -> None:
    """The limit applies to files and to bytes; a file is not read first."""
    data = packed(SOFT, "PNG")
    path = tmp_path / "picture.png"
    path.write_bytes(data)
    assert load_image(path, max_bytes=len(data)).shape == (HEIGHT, WIDTH, 3)
    for source in (path, data):
        assert f"at most {len(data) - 1:,} bytes" in refusal(source, max_bytes=len(data) - 1)
    huge = tmp_path / "huge.jpg"
    with huge.open("wb") as file:
        file.truncate(10**12)  # sparse: takes no disk space
    assert "got 1,000,000,000,000" in refusal(huge)


def test_read_gives_the_bytes_as_they_are(tmp_path: Path) -> None:
    """Any regular file within the limit is read, picture or not."""
    path = tmp_path / "any"
    path.write_bytes(b"any bytes")
    assert read_image_bytes(path) == b"any bytes"
    with pytest.raises(BadImage, match="at most 8 bytes, got 9"):
        read_image_bytes(path, max_bytes=8)


# --- files that are not pictures ------------------------------------------------------------


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"", "0 bytes"),
        (b"hello\nworld\n", "got text"),
        (b"<html>404</html>", "got text"),
        ("ça et là, déjà".encode() * 40, "got text"),
        (b"P3 1 1 255 1 2 3\n", "got text"),
        (b"\0\0\0\x20ftypqt  " + bytes(40), "got a video"),
        (b"%PDF-1.7\n\xe2\xe3", "something else"),
        (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n", "got text"),
        (b"\xff", "something else"),
        (b"\xff\xd8\xff", "whole picture"),
        (b"BM", "whole picture"),
        (bytes(1000), "something else"),
    ],
)
def test_no_picture_inside(data: bytes, said: str, tmp_path: Path) -> None:
    """The bytes decide what a file is, not its name; only raster formats are opened."""
    path = tmp_path / "picture.jpg"
    path.write_bytes(data)
    assert said in refusal(path)
    assert said in refusal(data)


def test_no_byte_of_another_file_is_shown(tmp_path: Path) -> None:
    """A caller cannot read a secret by passing it off as a picture."""
    path = tmp_path / "shadow"
    path.write_bytes(b"root:secret:1:2:3\n")
    assert "secret" not in refusal(path)


def test_missing(tmp_path: Path) -> None:
    """The message says what is missing, and the cause is kept."""
    path = tmp_path / "none.jpg"
    with pytest.raises(BadImage, match="file not found") as caught:
        load_image(path)
    assert isinstance(caught.value.__cause__, FileNotFoundError)
    (tmp_path / "file").write_bytes(b"x")
    assert "not a folder" in refusal(tmp_path / "file" / "x.jpg")


@pytest.fixture
def odd_files(tmp_path: Path) -> Iterator[dict[str, Path]]:
    """Make one of each kind of thing that is not a regular file."""
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "folder").mkdir()
    listening = socket.socket(socket.AF_UNIX)
    here = Path.cwd()
    os.chdir(tmp_path)  # a socket's path has room for only about 100 characters
    listening.bind("socket")
    os.chdir(here)
    yield {
        "a pipe": tmp_path / "pipe",
        "a folder": tmp_path / "folder",
        "a socket": tmp_path / "socket",
        "a device": Path("/dev/zero"),
    }
    listening.close()


def descriptors() -> int:
    """Return the number of files that this process has open."""
    return len(list(Path("/proc/self/fd").iterdir()))


@pytest.mark.parametrize("kind", ["a pipe", "a folder", "a socket", "a device"])
def test_only_regular_files_are_read(kind: str, odd_files: dict[str, Path], tmp_path: Path) -> None:
    """Nothing blocks, and nothing endless is read; links are followed."""
    assert f"got {kind}" in refusal(odd_files[kind])
    (tmp_path / "link.jpg").symlink_to(odd_files[kind])
    assert f"got {kind}" in refusal(tmp_path / "link.jpg")


def test_a_device_is_not_even_opened(monkeypatch: pytest.MonkeyPatch) -> None:
    """A device is not even opened: opening /dev/watchdog starts it."""
    monkeypatch.setattr(os, "open", lambda *_: pytest.fail("opened"))
    assert "got a device" in refusal("/dev/zero")


@pytest.mark.parametrize("kind", ["a pipe", "a folder", "a socket", "a device"])
def test_a_file_swapped_before_it_is_opened(
    kind: str, odd_files: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The check is of the file that was opened, not of what was there a moment before."""
    harmless = tmp_path / "harmless.png"
    harmless.write_bytes(packed(SOFT, "PNG"))
    opened = os.open

    def swap(path: str, *arguments: int, **options: int) -> int:
        return opened(odd_files[kind] if path == str(harmless) else path, *arguments, **options)

    monkeypatch.setattr(os, "open", swap)
    before = descriptors()
    assert f"got {kind}" in refusal(harmless)
    assert descriptors() == before


def test_descriptors_are_closed(odd_files: dict[str, Path], tmp_path: Path) -> None:
    """Descriptors are closed however a load ends."""
    good = tmp_path / "good.png"
    good.write_bytes(packed(SOFT, "PNG"))
    before = descriptors()
    for path in (*odd_files.values(), tmp_path / "none"):
        refusal(path)
        load_image(good)
        refusal(good, max_bytes=1)
    assert descriptors() == before


def test_permission_denied(tmp_path: Path) -> None:
    """A file that this user may not read is refused as such."""
    path = tmp_path / "private.png"
    path.write_bytes(packed(SOFT, "PNG"))
    path.chmod(0)
    with nobody(tmp_path):
        assert path.parent.is_dir()
        assert "may not read" in refusal(path)


@pytest.mark.parametrize(
    ("path", "said"),
    [
        ("", "empty"),
        ("a\0b.jpg", "zero byte"),
        ("x" * 5000, "5,000 characters"),
        ("/" + "y/" * 5000, "10,001 characters"),
        ("\ud800.jpg", "no file name can contain"),
        ("line\nbreak.jpg", "file not found"),
        ("\udcff.jpg", "file not found"),
    ],
)
def test_impossible_paths(path: str, said: str) -> None:
    """The refusal can be printed and sent, and is not endless."""
    message = refusal(path)
    assert said in message
    assert len(message.encode()) < 600
    with pytest.raises(BadImage) as caught:
        load_image(Path("/nowhere", path, "deeper"))
    assert str(caught.value).isprintable()


def test_a_name_in_no_encoding_is_read(tmp_path: Path) -> None:
    """Linux file names are bytes, and cameras write whatever they like."""
    raw = os.fsencode(tmp_path) + b"/\xff\xfe.png"
    Path(os.fsdecode(raw)).write_bytes(packed(SOFT, "PNG"))
    assert load_image(os.fsdecode(raw)).shape == (HEIGHT, WIDTH, 3)


def test_links_in_a_circle(tmp_path: Path) -> None:
    """Neither loading nor resolving follows a loop of links."""
    (tmp_path / "a").symlink_to(tmp_path / "b")
    (tmp_path / "b").symlink_to(tmp_path / "a")
    assert "circle" in refusal(tmp_path / "a")
    assert "circle" in refusal(resolve_image_path(str(tmp_path / "a"), roots=[tmp_path]))


@pytest.mark.parametrize("source", [None, 3, 1.5, ["a.jpg"], object()])
def test_neither_path_nor_bytes(source: object) -> None:
    """A number is not treated as a file descriptor."""
    with pytest.raises(BadImage, match=r"^image: must be a path or bytes, got "):
        load_image(source)  # type: ignore[arg-type]


# --- resolve ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("path", "mount_point", "expected"),
    [
        ("/a/b.jpg", "", "/a/b.jpg"),
        ("a/b.jpg", "", "a/b.jpg"),
        ("/a/b.jpg", "/mnt/zm", "/mnt/zm/a/b.jpg"),
        ("a/b.jpg", "/mnt/zm/", "/mnt/zm/a/b.jpg"),
        ("//a/b.jpg", "/mnt/zm", "/mnt/zm/a/b.jpg"),
        ("/a/b.jpg", "/", "/a/b.jpg"),
        ("/a/b.jpg", "mnt", "mnt/a/b.jpg"),
    ],
)
def test_the_mount_point_is_put_before(path: str, mount_point: str, expected: str) -> None:
    """The mount point also goes before an absolute path, which is absolute on the caller's machine."""
    assert resolve_image_path(path, mount_point=mount_point) == Path(expected)


def test_roots(tmp_path: Path) -> None:
    """Only what really lies in a root is allowed, wherever links and dots lead."""
    root, outside = tmp_path / "root", tmp_path / "root-and-more"
    (root / "deep").mkdir(parents=True)
    outside.mkdir()
    for folder in (root, root / "deep", outside):
        (folder / "x.jpg").write_bytes(b"x")
    (root / "out.jpg").symlink_to(outside / "x.jpg")
    (root / "out").symlink_to(outside)
    (outside / "in.jpg").symlink_to(root / "x.jpg")
    (tmp_path / "other-name").symlink_to(root)

    def allowed(path: Path | str, *roots: Path) -> Path:
        return resolve_image_path(str(path), roots=roots or (root,))

    for inside in (root / "x.jpg", root / "deep/../x.jpg", outside / "in.jpg", tmp_path / "other-name/x.jpg"):
        assert allowed(inside) == root / "x.jpg"
    assert allowed(root / "x.jpg", outside, tmp_path / "other-name") == root / "x.jpg"
    assert allowed(root / "not-there-yet.jpg") == root / "not-there-yet.jpg"
    for escape in (
        outside / "x.jpg",
        root / "../root-and-more/x.jpg",
        root / "out.jpg",
        root / "out/x.jpg",
        "/etc/passwd",
    ):
        with pytest.raises(BadImage) as caught:
            allowed(escape)
        assert str(caught.value) == f"{escape}: must lie in an allowed folder ({root}), but leads outside"


def test_roots_hold_after_the_mount_point(tmp_path: Path) -> None:
    """Dots do not lead out of the mount point past the roots."""
    assert resolve_image_path("/a.jpg", mount_point=str(tmp_path), roots=[tmp_path]) == tmp_path / "a.jpg"
    with pytest.raises(BadImage, match="leads outside"):
        resolve_image_path("/../../etc/passwd", mount_point=str(tmp_path), roots=[tmp_path])


@pytest.mark.parametrize("roots", [[], [Path("/")], [Path("/proc"), Path("/dev"), Path("/sys")]])
@pytest.mark.parametrize(
    "path",
    [
        "/dev/zero",
        "//dev/zero",
        "/proc/self/environ",
        "/proc/self/root/etc/passwd",
        "//proc/self/cwd/x.jpg",
        "/tmp/../sys/kernel/notes",
        "/dev/fd/3",
        "/dev",
    ],
)
def test_the_kernels_folders_are_never_allowed(path: str, roots: list[Path]) -> None:
    """The kernel's folders are refused in any spelling, even with a root there."""
    with pytest.raises(BadImage, match="got a path into /proc, /dev, /sys"):
        resolve_image_path(path, roots=roots)


def test_the_kernels_folders_are_not_reached_by_link_or_mount(tmp_path: Path) -> None:
    """They are refused through symbolic links and mount points too."""
    (tmp_path / "link").symlink_to("/proc/self")
    for path, mount_point in (
        (str(tmp_path / "link/environ"), ""),
        ("/zero", "/dev"),
        ("../dev/zero", "/tmp"),
    ):
        with pytest.raises(BadImage, match="got a path into"):
            resolve_image_path(path, mount_point=mount_point)
    assert resolve_image_path("/device/x.jpg") == Path("/device/x.jpg")


@pytest.mark.parametrize("path", ["", "a\0b", "\ud800", "z" * 5000])
@pytest.mark.parametrize("roots", [[], [Path("/tmp")]])
@pytest.mark.parametrize("mount_point", ["", "/mnt"])
def test_impossible_paths_do_not_resolve(path: str, roots: list[Path], mount_point: str) -> None:
    """Whatever the path, the answer is a path that loading refuses, or BadImage."""
    with pytest.raises(BadImage) as caught:
        load_image(resolve_image_path(path, roots=roots, mount_point=mount_point))
    assert str(caught.value).isprintable()


# --- crop and focus --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("box", "expected"),
    [
        (Box(10, 20, 30, 40), (10, 20, 30, 40)),
        (Box(10.9, 20.9, 30.9, 40.9), (10, 20, 30, 40)),
        (Box(-0.9, -5.5, 30, 40), (0, 0, 30, 40)),
        (Box(-1e300, -1e300, 1e300, 1e300), (0, 0, 70, 50)),
        (Box(60, 40, 90, 90), (60, 40, 70, 50)),
        (Box(np.float32(1.5), np.float32(2.5), np.float32(9), np.float32(9)), (1, 2, 9, 9)),
        (Box(10.1, 10.1, 10.9, 20), None),  # less than a pixel
        (Box(10, 10, 10, 20), None),
        (Box(30, 20, 10, 40), None),
        (Box(10, 40, 30, 20), None),
        (Box(70, 10, 90, 20), None),
        (Box(-20, 10, -5, 20), None),
        (Box(float("nan"), 10, 30, 20), None),
        (Box(10, 10, float("inf"), 20), None),
        (Box(float("-inf"), 10, 30, 20), None),
    ],
)
def test_region(box: Box, expected: tuple[int, int, int, int] | None) -> None:
    """Fractions are dropped, edges are clipped, and an empty box is None; so is its crop."""
    assert pixel_region(box, WIDTH, HEIGHT) == expected
    part = crop_box(NOISE, box)
    if expected is None:
        assert part is None
        assert measure_focus(NOISE, box) == 0.0
    else:
        left, top, right, bottom = expected
        assert part is not None
        np.testing.assert_array_equal(part, NOISE[top:bottom, left:right])


@given(st.floats(0, WIDTH), st.floats(0, HEIGHT), st.floats(0, WIDTH), st.floats(0, HEIGHT))
def test_crop_is_the_originals_slice(xmin: float, ymin: float, xmax: float, ymax: float) -> None:
    """Inside the image, a crop is exactly img[int(ymin):int(ymax), int(xmin):int(xmax)]."""
    expected = NOISE[int(ymin) : int(ymax), int(xmin) : int(xmax)]
    part = crop_box(NOISE, Box(xmin, ymin, xmax, ymax))
    if expected.size:
        assert part is not None
        np.testing.assert_array_equal(part, expected)
    else:
        assert part is None


def test_crop_is_a_view() -> None:
    """A crop copies no pixels."""
    part = crop_box(NOISE, Box(1, 1, 9, 9))
    assert part is not None
    assert np.shares_memory(part, NOISE)


def laplacian(rgb: npt.NDArray[np.uint8]) -> float:
    grey = cv2.cvtColor(np.ascontiguousarray(rgb), cv2.COLOR_RGB2GRAY)
    return float(cv2.Laplacian(grey, cv2.CV_64F).var())


def test_focus_is_the_variance_of_the_laplacian() -> None:
    """The focus is that of the crop alone, whatever surrounds it."""
    rgb = load_image(HOPPER)
    assert measure_focus(rgb, Box(170.7, 90.2, 340, 270)) == laplacian(rgb[90:270, 170:340])
    assert measure_focus(rgb, Box(-50, -50, 100, 100)) == laplacian(rgb[:100, :100])


def test_focus_falls_with_blur() -> None:
    """A sharp face scores above 200, the same face blurred far below; a flat one 0."""
    rgb = load_image(HOPPER)
    face = Box(170, 90, 340, 270)
    assert measure_focus(rgb, face) > 200 > 10 * measure_focus(cv2.GaussianBlur(rgb, (0, 0), 5), face)
    assert measure_focus(np.full_like(rgb, 128), face) == 0.0


def test_an_interrupt_is_no_damage(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ctrl-C while a picture is decoded ends the program; it is not taken for a bad picture."""

    def interrupted(*_: object) -> tuple[int, int]:
        raise KeyboardInterrupt

    Image.new("RGB", (64, 64)).save(tmp_path / "a.png")
    monkeypatch.setattr(decode._StrictDecoder, "decode", interrupted)
    with pytest.raises(KeyboardInterrupt):
        load_image(tmp_path / "a.png")
