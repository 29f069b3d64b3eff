"""What was encoded is kept, whatever happens to the process or to the file."""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from face_det.gallery.encoding_cache import (
    EncodingCache,
    EncodingResult,
    OmissionReason,
    encoding_cache_path,
    read_photo,
)

ENCODING = np.linspace(-1, 1, 128)
USED = EncodingResult(ENCODING, None)
LEFT_OUT = EncodingResult(None, OmissionReason.SEVERAL_FACES)


def test_outcomes_come_back(tmp_path: Path) -> None:
    """Encodings to the last bit, reasons, and nothing for other settings or photos."""
    with EncodingCache(tmp_path / "c") as cache:
        cache.put("1", "s", USED)
        cache.put("2", "s", LEFT_OUT)
    with EncodingCache(tmp_path / "c") as cache:
        used, left_out = cache.get("1", "s"), cache.get("2", "s")
        assert cache.get("1", "other") is None
        assert cache.get("3", "s") is None
    assert used is not None
    assert used.encoding is not None
    assert np.array_equal(used.encoding, ENCODING)
    assert used.reason is None
    assert left_out is not None
    assert (left_out.encoding, left_out.reason) == (None, OmissionReason.SEVERAL_FACES)


def test_encodings_of_two_embedders_come_back(tmp_path: Path) -> None:
    """256 numbers, to the last bit."""
    both = np.concatenate([ENCODING, -ENCODING])
    with EncodingCache(tmp_path / "c") as cache:
        cache.put("1", "s", EncodingResult(both, None))
        found = cache.get("1", "s")
    assert found is not None
    assert found.encoding is not None
    assert np.array_equal(found.encoding, both)


def test_it_is_its_owners_only(tmp_path: Path) -> None:
    """Encodings tell who somebody is."""
    EncodingCache(tmp_path / "c").close()
    assert (tmp_path / "c").stat().st_mode & 0o777 == 0o600


def test_beside_the_encodings() -> None:
    """encodings.pickle has encodings.cache.sqlite beside it."""
    assert encoding_cache_path(Path("/a/encodings.pickle")) == Path("/a/encodings.cache.sqlite")


def test_kill_loses_nothing(tmp_path: Path) -> None:
    """A process that is killed right after put has kept everything."""
    code = (
        "import os, signal, sys; from pathlib import Path\n"
        "from face_det.gallery.encoding_cache import EncodingCache, EncodingResult, OmissionReason\n"
        "cache = EncodingCache(Path(sys.argv[1]))\n"
        "result = EncodingResult(None, OmissionReason.NO_FACE)\n"
        "for number in range(20): cache.put(str(number), 's', result)\n"
        "os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    done = subprocess.run([sys.executable, "-c", code, str(tmp_path / "c")], check=False)
    assert done.returncode == -signal.SIGKILL
    with EncodingCache(tmp_path / "c") as cache:
        assert all(cache.get(str(number), "s") is not None for number in range(20))


@pytest.mark.parametrize("damage", ["text", "zeros in the middle", "another table", "cut"])
def test_damaged_file_is_moved_aside(tmp_path: Path, caplog: pytest.LogCaptureFixture, damage: str) -> None:
    """No error: a line in the log, and the photos are encoded again."""
    path = tmp_path / "c"
    with EncodingCache(path) as cache:
        for number in range(100):
            cache.put(str(number), "s", USED)
    content = path.read_bytes()
    if damage == "text":
        path.write_text("hello, this is no database\n" * 10)
    elif damage == "zeros in the middle":
        path.write_bytes(content[:8192] + bytes(len(content) - 12288) + content[-4096:])
    elif damage == "cut":
        path.write_bytes(content[: len(content) // 2])
    else:
        path.unlink()
        with sqlite3.connect(path) as connection:
            connection.execute("CREATE TABLE photos (something TEXT)")
        connection.close()
    with EncodingCache(path) as cache:
        assert cache.get("1", "s") is None
        cache.put("1", "s", USED)
        assert cache.get("1", "s") is not None
    assert (tmp_path / "c.damaged").exists()
    assert "moved aside, photos are encoded again" in caplog.text


def test_a_row_of_something_else_is_no_outcome(tmp_path: Path) -> None:
    """Rows that are none of ours are not believed."""
    rows = [
        ("1", "x", None),
        ("2", None, b"short"),
        ("3", None, None),
        ("4", None, bytes(7) + b"\x7f" * 1017),
    ]
    with EncodingCache(tmp_path / "c") as cache:
        connection = sqlite3.connect(tmp_path / "c")
        for sha256, reason, encoding in rows:
            connection.execute("INSERT INTO photos VALUES (?, 's', ?, ?)", (sha256, reason, encoding))
        connection.execute(
            "UPDATE photos SET encoding = ? WHERE sha256 = '4'", ((ENCODING * np.nan).tobytes(),)
        )
        connection.commit()
        connection.close()
        assert [cache.get(sha256, "s") for sha256, _, _ in rows] == [None] * 4


def test_folder_that_cannot_be_written(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Without a place for it, what is encoded now is not kept; that is all."""
    with EncodingCache(tmp_path / "no" / "c") as cache:
        cache.put("1", "s", USED)
        assert cache.get("1", "s") is not None
    assert "what is encoded now is not kept" in caplog.text


def test_trouble_while_it_is_open_is_told_once(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """A disk that is full, say, costs the cache, not the encoding."""
    cache = EncodingCache(tmp_path / "c")
    cache._connection.execute("PRAGMA max_page_count = 1")
    for number in range(100):
        cache.put(str(number), "s", USED)
    cache.close()
    assert caplog.text.count("continuing without it") == 1


def test_forgetting_leaves_no_trace(tmp_path: Path) -> None:
    """After forget the encoding's bytes are nowhere in the file, nor is a damaged one left."""
    photo, other = tmp_path / "photo.jpg", tmp_path / "other.jpg"
    photo.write_bytes(b"photo")
    other.write_bytes(b"other")
    path = tmp_path / "c"
    (tmp_path / "c.damaged").write_bytes(ENCODING.tobytes())
    with EncodingCache(path) as cache:
        cache.put(read_photo(photo)[0], "s", USED)
        cache.put(read_photo(photo)[0], "t", USED)
        cache.put(read_photo(other)[0], "s", LEFT_OUT)
        assert ENCODING.tobytes()[:64] in path.read_bytes()
        cache.keep_only([read_photo(other)[0]])
        assert cache.get(read_photo(photo)[0], "s") is None
        assert cache.get(read_photo(other)[0], "s") is not None
    assert ENCODING.tobytes()[:64] not in path.read_bytes()
    assert sorted(entry.name for entry in tmp_path.iterdir()) == ["c", "other.jpg", "photo.jpg"]


def test_keep_only(tmp_path: Path) -> None:
    """Photos that are not in the dataset any more are forgotten, with any settings."""
    with EncodingCache(tmp_path / "c") as cache:
        for sha256 in ("1", "2", "3"):
            cache.put(sha256, "s", USED)
            cache.put(sha256, "t", LEFT_OUT)
        cache.keep_only(["2", "9"])
        known = [sha256 for sha256 in "123" if cache.get(sha256, "s") or cache.get(sha256, "t")]
    assert known == ["2"]


def test_two_processes_share_it(tmp_path: Path) -> None:
    """Two runs at a time see each other's outcomes."""
    with EncodingCache(tmp_path / "c") as one, EncodingCache(tmp_path / "c") as two:
        one.put("1", "s", USED)
        two.put("2", "s", USED)
        assert one.get("2", "s") is not None
        assert two.get("1", "s") is not None


def test_read_photo_waits_for_nobody(tmp_path: Path) -> None:
    """A named pipe called .jpg is an error, not a wait."""
    from face_det.errors import DataError

    os.mkfifo(tmp_path / "pipe.jpg")
    with pytest.raises(DataError, match="must be a file"):
        read_photo(tmp_path / "pipe.jpg")
