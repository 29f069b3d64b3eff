"""Sound of any format and rate becomes 16 kHz mono, and what is no sound a typed error."""

from __future__ import annotations

import tracemalloc
import wave
from pathlib import Path

import numpy as np
import pytest
from scipy.signal import resample_poly
from speech import write_recording

from face_det.errors import SoundError
from face_det.nets.network import Float32Array
from face_det.voices import read_sound
from face_det.voices.resampling import Resampler

pytest.importorskip("soundfile")


def tone(rate: int, seconds: float = 0.5) -> Float32Array:
    """440 Hz at half the loudest level."""
    return np.float32(0.5) * np.sin(2 * np.pi * 440 * np.arange(round(rate * seconds)) / rate).astype(
        np.float32
    )


def read(path: Path) -> Float32Array:
    """All sound of a file at once."""
    return np.concatenate([*read_sound(path), np.zeros(0, np.float32)])


@pytest.mark.parametrize(
    ("name", "rate", "form", "tolerance"),
    [
        ("16k.wav", 16000, {}, 1e-4),
        ("8bit.wav", 8000, {"subtype": "PCM_U8"}, 0.01),
        ("float.wav", 44100, {"subtype": "FLOAT"}, 2e-3),
        ("cd.flac", 44100, {}, 2e-3),
        ("studio.wav", 192000, {"subtype": "PCM_24"}, 2e-3),
        ("phone.aiff", 11025, {}, 2e-3),
        ("vorbis.ogg", 48000, {}, 0.05),
        ("no suffix", 22050, {"format": "WAV"}, 2e-3),
        ("an mp3.wav", 44100, {"format": "MP3"}, 0.05),
    ],
)
def test_every_format_and_rate_gives_the_same_sound(
    name: str, rate: int, form: dict[str, str], tolerance: float, tmp_path: Path
) -> None:
    """What is in the file counts, not its suffix; two channels are mixed."""
    stereo = np.stack([tone(rate) * 1.5, tone(rate) * 0.5], axis=1)
    samples = read(write_recording(tmp_path / name, stereo, rate, **form))
    assert abs(len(samples) - 8000) <= 1600
    inner = slice(1000, 7000)
    lags = range(-1700, 1701) if "mp3" in name else range(1)
    away = min(np.abs(np.roll(samples, lag)[inner] - tone(16000)[inner]).max() for lag in lags)
    assert away < tolerance


@pytest.mark.parametrize("rate", [8000, 12345, 44100, 192000])
def test_blocks_of_any_length_give_what_all_at_once_gives(rate: int) -> None:
    """Not one sample differs at the seams."""
    random = np.random.RandomState(7)
    sound = random.standard_normal(2 * rate + 17).astype(np.float32)
    resampler, found, start = Resampler(rate), [], 0
    while start < len(sound):
        length = random.randint(1, rate // 2)
        found.append(resampler.push(sound[start : start + length]))
        start += length
    found.append(resampler.finish())
    common = np.gcd(rate, 16000)
    assert np.array_equal(np.concatenate(found), resample_poly(sound, 16000 // common, rate // common))


def test_an_hour_needs_no_more_memory_than_a_second(tmp_path: Path) -> None:
    """A recording is read block by block."""
    path = tmp_path / "hour.wav"
    with wave.open(str(path), "wb") as file:
        file.setparams((1, 2, 16000, 0, "NONE", ""))
        file.setnframes(3600 * 16000)
        file.writeframesraw(b"")
        file._nframeswritten = 3600 * 16000  # type: ignore[attr-defined]
        file._datawritten = 3600 * 32000  # type: ignore[attr-defined]
    with path.open("r+b") as raw:
        raw.truncate(44 + 3600 * 32000)
    tracemalloc.start()
    assert sum(map(len, read_sound(path))) == 3600 * 16000
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 8_000_000


def test_a_file_without_samples_is_read(tmp_path: Path) -> None:
    """It has no sound, which is no error."""
    assert len(read(write_recording(tmp_path / "empty.wav", np.zeros(0)))) == 0


def test_what_is_no_sound_is_an_error_with_its_place(tmp_path: Path) -> None:
    """NaN, texts, cut files, impossible rates, folders and missing files."""
    bad = np.zeros(16000, np.float32)
    bad[15999] = np.nan
    whole = write_recording(tmp_path / "whole.flac", np.random.RandomState(1).standard_normal(48000) / 9)
    (tmp_path / "cut.flac").write_bytes(whole.read_bytes()[:9000])
    (tmp_path / "text.wav").write_text("Hello")
    cases = {
        write_recording(tmp_path / "nan.wav", bad, subtype="FLOAT"): "finite samples",
        write_recording(tmp_path / "loud.wav", bad * 0 + 1e9, subtype="FLOAT"): "finite samples",
        tmp_path / "cut.flac": "whole",
        tmp_path / "text.wav": "PyAV|a recording or a video",
        write_recording(tmp_path / "slow.wav", np.zeros(100), 100): "4000 to 400000 samples a second",
        tmp_path: "a recording, got Is a directory",
        tmp_path / "none.wav": "No such file",
    }
    for path, said in cases.items():
        with pytest.raises(SoundError, match=said) as error:
            read(path)
        assert str(path) in str(error.value)
        assert "\n" not in str(error.value)


def test_without_the_library_the_error_says_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In one line, with the extra's name."""
    path = write_recording(tmp_path / "a.wav", np.zeros(10))
    monkeypatch.setitem(__import__("sys").modules, "soundfile", None)
    with pytest.raises(SoundError, match=r"not installed; python -m pip install 'face_det\[voice\]'"):
        read(path)


def test_a_sound_track_is_read_by_pyav(tmp_path: Path) -> None:
    """Of a video with AAC, which libsndfile does not read; a video without one says so."""
    av = pytest.importorskip("av")
    path, silent = tmp_path / "video.mp4", tmp_path / "silent.mp4"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("aac", rate=44100, layout="mono")
        frame = av.AudioFrame.from_ndarray(tone(44100, 2.0)[None], format="fltp", layout="mono")
        frame.sample_rate = 44100
        for packet in (*stream.encode(frame), *stream.encode(None)):
            container.mux(packet)
    samples = read(path)
    assert abs(len(samples) - 32000) < 2000
    assert abs(np.sqrt(np.mean(samples[8000:24000] ** 2)) - 0.5 / np.sqrt(2)) < 0.02
    with av.open(str(silent), "w") as container:
        stream = container.add_stream("mpeg4", rate=10)
        stream.width, stream.height, stream.pix_fmt = 64, 64, "yuv420p"
        picture = av.VideoFrame.from_ndarray(np.zeros((64, 64, 3), np.uint8), format="rgb24")
        for packet in (*stream.encode(picture), *stream.encode(None)):
            container.mux(packet)
    with pytest.raises(SoundError, match="must have a sound track, got a file without one"):
        read(silent)
