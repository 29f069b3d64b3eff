"""Pictures that are still being written: waited for, and in the end answered with what is there."""

from __future__ import annotations

import io
import threading
import time
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from face_det.errors import BadImage
from face_det.media import image
from face_det.media.cut_off import is_cut_off
from face_det.media.image import load_image, load_perhaps_partial

ALL_DAY_S = 3600


def packed(path: Path, kind: str, **options: bool) -> bytes:
    file = io.BytesIO()
    Image.open(path).convert("RGB").save(file, kind, **options)
    return file.getvalue()


@pytest.mark.parametrize("start", [0, 5000])
@pytest.mark.parametrize("kind", ["JPEG", "PNG"])
def test_a_file_that_grows_is_waited_for(
    kind: str, start: int, tmp_path: Path, photos: Mapping[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Written in pieces, it is read as a whole, even if it was empty at first."""
    monkeypatch.setattr(image, "_STILL_S", ALL_DAY_S)
    data, path = packed(photos["astronaut"], kind), tmp_path / "frame"
    path.write_bytes(data[:start])
    waited = threading.Event()
    real_sleep = time.sleep

    def sleep(seconds: float) -> None:
        waited.set()
        real_sleep(seconds)

    monkeypatch.setattr(image.time, "sleep", sleep)

    def write() -> None:
        for at in range(start, len(data), 50_000):
            waited.wait()
            waited.clear()
            with path.open("ab") as file:
                file.write(data[at : at + 50_000])

    writer = threading.Thread(target=write)
    writer.start()
    loaded = load_perhaps_partial(path, wait_s=ALL_DAY_S)
    writer.join()
    assert not loaded.partial
    np.testing.assert_array_equal(loaded.rgb, load_image(data))


@pytest.mark.parametrize(
    ("kind", "options"), [("JPEG", {}), ("JPEG", {"progressive": True}), ("PNG", {})], ids=str
)
def test_what_is_there_is_returned(
    kind: str, options: dict[str, bool], tmp_path: Path, photos: Mapping[str, Path]
) -> None:
    """The upper part is that of the whole picture; a file that does not grow is given up soon."""
    data = packed(photos["astronaut"], kind, **options)
    path = tmp_path / "frame"
    path.write_bytes(data[: len(data) * 2 // 3] + bytes(100 if kind == "JPEG" else 0))
    loaded, whole = load_perhaps_partial(path, wait_s=ALL_DAY_S), load_image(data)
    assert loaded.partial
    assert loaded.rgb.shape == whole.shape
    if options:
        assert np.abs(loaded.rgb.astype(int) - whole).mean() < 10
    else:
        np.testing.assert_array_equal(loaded.rgb[:250], whole[:250])
        assert not np.array_equal(loaded.rgb, whole)
    with pytest.raises(BadImage, match="whole picture"):
        load_image(path)


@pytest.mark.parametrize("kind", ["JPEG", "PNG"])
def test_a_file_is_cut_off_until_its_last_byte(kind: str, photos: Mapping[str, Path]) -> None:
    """Wherever it ends, in its first bytes or in the last."""
    data = packed(photos["astronaut"], kind)
    for length in (*range(10), len(data) // 2, *range(len(data) - 8, len(data))):
        assert is_cut_off(data[:length]), length
    assert not is_cut_off(data)


@pytest.mark.parametrize("length", [0, 3, 20, 60])
@pytest.mark.parametrize("kind", ["JPEG", "PNG"])
def test_too_little_is_refused(kind: str, length: int, tmp_path: Path, photos: Mapping[str, Path]) -> None:
    """As before: nothing can be shown."""
    path = tmp_path / "frame"
    path.write_bytes(packed(photos["astronaut"], kind)[:length])
    with pytest.raises(BadImage):
        load_perhaps_partial(path)


def test_other_faults_are_not_waited_for(tmp_path: Path, photos: Mapping[str, Path]) -> None:
    """Text, a picture that is too large, a file that is missing, and a damaged one."""
    path = tmp_path / "frame"
    for content in (b"hello", packed(photos["hanks"], "JPEG").replace(b"\xff\xda", b"\xff\x99")):
        path.write_bytes(content)
        with pytest.raises(BadImage):
            load_perhaps_partial(path, wait_s=ALL_DAY_S)
    path.write_bytes(packed(photos["hanks"], "PNG")[:9000])
    with pytest.raises(BadImage):
        load_perhaps_partial(path, max_pixels=10)
    with pytest.raises(BadImage, match="file not found"):
        load_perhaps_partial(tmp_path / "missing", wait_s=ALL_DAY_S)
