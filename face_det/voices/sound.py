"""Reads the sound of a recording or a video as mono of one rate, however long it is.

libsndfile reads WAV, FLAC, Ogg, Opus, MP3 and AIFF, by what is in a file, whatever its name. For everything
else, such as a video's sound track, PyAV is asked if it is installed.
"""

from __future__ import annotations

import importlib
import io
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import IO, Any

import numpy as np

from face_det.errors import SoundError
from face_det.nets import Float32Array
from face_det.voices.filter_banks import SAMPLE_RATE
from face_det.voices.resampling import Resampler

INSTALL_VOICE_EXTRA = "python -m pip install 'face_det[voice]'"
INSTALL_SOUND_TRACKS = "python -m pip install 'face_det[sound-tracks]'"

LOWEST_RATE, HIGHEST_RATE = 4000, 400_000
"""Hertz. Below the lowest there is no telling voices apart."""

BLOCK_S = 4.0
"""Sound is read in blocks of so many seconds."""

_STORED_SUFFIXES = {
    "WAV": ".wav",
    "WAVEX": ".wav",
    "RF64": ".wav",
    "FLAC": ".flac",
    "OGG": ".ogg",
    "MP3": ".mp3",
    "AIFF": ".aiff",
}
"""What recordings are called, by libsndfile's name of their format."""

MAX_LEVEL = 1e6
"""Floating-point samples beyond this are damage; 1 is the loudest that other formats can hold."""


def read_sound(path: Path, rate: int = SAMPLE_RATE) -> Iterator[Float32Array]:
    """Yield the sound of a file in blocks, each of shape (n,): `rate` hertz, mono, about -1..1.

    Raises SoundError if the file cannot be read, is damaged or has no sound.
    """
    try:
        file = path.open("rb")
    except OSError as error:
        raise SoundError(f"{path}: must be a recording, got {error.strerror}") from error
    with file:
        yield from _read_by_sndfile(file, path, rate)


def limit_sound(
    blocks: Iterable[Float32Array], max_s: float, place: str, *, what_else: str
) -> Iterator[Float32Array]:
    """Yield sound, blocks of shape (n,) of 16 kHz; SoundError once it is longer than `max_s` seconds.

    >>> silence = [np.zeros(16000, np.float32)] * 3
    >>> sum(len(block) for block in limit_sound(silence, 3, "hall.wav", what_else="cut it"))
    48000
    """
    count = 0
    for block in blocks:
        count += len(block)
        if count > max_s * SAMPLE_RATE:
            raise SoundError(f"{place}: must last at most {max_s:g} s, got more; {what_else}")
        yield block


def make_storable(path: Path, data: bytes) -> tuple[bytes, str]:
    """Return what is stored of a recording in the file at `path`, whose bytes are `data`, and its suffix.

    Formats that a browser plays, or nearly so, are stored as they are; of others, such as the sound track of
    a video, the sound, as FLAC of 16 kHz. Raises SoundError.
    """
    require_sound_library()
    soundfile = importlib.import_module("soundfile")
    try:
        with soundfile.SoundFile(path) as sound:
            suffix = _STORED_SUFFIXES.get(sound.format)
    except (soundfile.SoundFileError, TypeError, ValueError):
        suffix = None
    if suffix is not None:
        return data, suffix
    buffer = io.BytesIO()
    samples = np.concatenate([np.zeros(0, np.float32), *read_sound(path)])
    soundfile.write(buffer, samples, SAMPLE_RATE, format="FLAC")
    return buffer.getvalue(), ".flac"


def require_sound_library() -> None:
    """Raise SoundError, with the command that installs it, if no library for sound is installed."""
    import_library("soundfile", INSTALL_VOICE_EXTRA, "voices need soundfile")


def _read_by_sndfile(file: IO[bytes], path: Path, rate: int) -> Iterator[Float32Array]:
    require_sound_library()
    soundfile = importlib.import_module("soundfile")
    try:
        sound = soundfile.SoundFile(file)
    except (soundfile.SoundFileError, TypeError, ValueError) as error:
        file.seek(0)
        # The message of the exception names the open file, which is of no use to anybody.
        why = getattr(error, "error_string", str(error)).strip(" .")
        yield from _read_by_av(file, path, rate, why)
        return
    with sound:
        resampler = make_resampler(sound.samplerate, str(path), rate)
        position = 0
        while True:
            try:
                block = sound.read(round(BLOCK_S * sound.samplerate), dtype="float32", always_2d=True)
            except (soundfile.SoundFileError, RuntimeError) as error:
                raise SoundError(f"{path}: must be whole, got {_one_line(error)}") from error
            if not len(block):
                break
            mono = mix_channels(block, f"{path}, {position / sound.samplerate:.1f} s")
            position += len(block)
            yield resampler.push(mono)
        yield resampler.finish()


def _read_by_av(file: IO[bytes], path: Path, rate: int, why: str) -> Iterator[Float32Array]:
    """Read what libsndfile could not; `why` is what that said."""
    av = import_library(
        "av", INSTALL_SOUND_TRACKS, f"{path}: is not WAV, FLAC, Ogg, MP3 or AIFF, so it needs PyAV"
    )
    try:
        container = av.open(file)
    except (av.error.FFmpegError, ValueError) as error:
        raise SoundError(f"{path}: must be a recording or a video with sound, got: {why}") from error
    with container:
        if not container.streams.audio:
            raise SoundError(f"{path}: must have a sound track, got a file without one")
        resampler = None
        try:
            for frame in container.decode(container.streams.audio[0]):
                if resampler is None:
                    resampler = make_resampler(frame.sample_rate, str(path), rate)
                    # Only the numbers change, so that every file is mixed and resampled alike.
                    planar = av.AudioResampler(format="fltp")
                for part in planar.resample(frame):
                    yield resampler.push(mix_channels(part.to_ndarray().T, str(path)))
        except av.error.FFmpegError as error:
            raise SoundError(f"{path}: must be whole, got {_one_line(error)}") from error
        if resampler is not None:
            yield resampler.finish()


def import_library(name: str, install: str, need: str) -> Any:
    """Import a library; SoundError says what needs it and the command that installs it."""
    try:
        return importlib.import_module(name)
    except (ImportError, OSError) as error:
        raise SoundError(f"{need}, which is not installed; {install}") from error


def make_resampler(rate: int, place: str, target: int = SAMPLE_RATE) -> Resampler:
    """Return a resampler; SoundError, which begins with `place`, for a rate that no sound has."""
    if not LOWEST_RATE <= rate <= HIGHEST_RATE:
        raise SoundError(f"{place}: must have {LOWEST_RATE} to {HIGHEST_RATE} samples a second, got {rate}")
    return Resampler(rate, target)


def mix_channels(block: Float32Array, place: str) -> Float32Array:
    """Mix channels, shape (n, channels), into one; SoundError for numbers that are no sound."""
    if not np.isfinite(block).all() or (len(block) and np.abs(block).max() > MAX_LEVEL):
        raise SoundError(f"{place}: must hold finite samples, got NaN, infinity or damage; record it again")
    mono: Float32Array = block.mean(axis=1, dtype=np.float32)
    return mono


def _one_line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0]
