"""Listens to a microphone, by PortAudio."""

from __future__ import annotations

import logging
import queue
import time
from collections.abc import Iterator
from typing import Any

from face_det.errors import SoundError
from face_det.nets import Float32Array
from face_det.voices.filter_banks import SAMPLE_RATE
from face_det.voices.sound import import_library, make_resampler, mix_channels

log = logging.getLogger(__name__)

INSTALL_MICROPHONE = (
    "python -m pip install 'face_det[microphone]' (on Debian and Ubuntu also: apt-get install libportaudio2)"
)

BLOCK_S = 0.03
_MOST_BLOCKS = 1000
"""Half a minute may wait while the machine is busy; more is dropped."""
_POLL_S, _SILENT_S = 0.5, 5.0
"""A microphone without a single sample for so many seconds is gone."""


def read_microphone(device: str | int | None = None, rate: int = SAMPLE_RATE) -> Iterator[Float32Array]:
    """Yield what a microphone hears, for ever, blocks of shape (n,): `rate` hertz, mono, about -1..1.

    `device` is PortAudio's number or a part of the name; None is the usual one. Raises SoundError if there is
    no such microphone, if it cannot be opened, or if it is unplugged.
    """
    sounddevice = import_library("sounddevice", INSTALL_MICROPHONE, "a microphone needs PortAudio")
    blocks: queue.Queue[Float32Array] = queue.Queue(_MOST_BLOCKS)
    lost = _Lost()

    def keep(data: Float32Array, frames: int, times: object, status: Any) -> None:
        lost.add(bool(status.input_overflow))
        try:
            blocks.put_nowait(data.copy())
        except queue.Full:
            lost.add(True)

    try:
        found = sounddevice.query_devices(device, "input")
        place = f"microphone {found['name']}"
        own_rate = round(found["default_samplerate"])
        stream = sounddevice.InputStream(
            device=found["index"],
            samplerate=own_rate,
            channels=1,
            dtype="float32",
            blocksize=round(BLOCK_S * own_rate),
            callback=keep,
        )
        with stream:
            resampler = make_resampler(own_rate, place, rate)
            yield from _pass_on(blocks, stream, resampler, place, lost)
    except (sounddevice.PortAudioError, ValueError) as error:
        name = "the usual microphone" if device is None else f"microphone {device}"
        raise SoundError(
            f"{name}: must be a device that records, got: {' '.join(str(error).split())}; "
            f"{_describe(sounddevice)}"
        ) from error


def _pass_on(
    blocks: queue.Queue[Float32Array], stream: Any, resampler: Any, place: str, lost: _Lost
) -> Iterator[Float32Array]:
    heard = time.monotonic()
    while True:
        try:
            block = blocks.get(timeout=_POLL_S)
        except queue.Empty:
            if not stream.active or time.monotonic() - heard > _SILENT_S:
                raise SoundError(
                    f"{place}: must go on recording, got nothing any more; plug it in again and start again"
                ) from None
            continue
        heard = time.monotonic()
        lost.tell(place)
        yield resampler.push(mix_channels(block, place))


class _Lost:
    """Counts blocks that were lost because the machine was too busy, and tells once of them."""

    def __init__(self) -> None:
        self._count, self._told = 0, 0

    def add(self, lost: bool) -> None:
        self._count += lost

    def tell(self, place: str) -> None:
        if self._count > self._told == 0:
            log.warning("%s: some sound was lost, because this machine is too busy", place)
            self._told = self._count


def _describe(sounddevice: Any) -> str:
    """Return which devices there are, to choose another."""
    try:
        names = [
            f"{one['index']} ({one['name']})"
            for one in sounddevice.query_devices()
            if one["max_input_channels"]
        ]
    except sounddevice.PortAudioError:
        names = []
    if not names:
        return "no microphone is there; plug one in, or pass the sound to --file -"
    return f"choose one by --device: {', '.join(names)}"
