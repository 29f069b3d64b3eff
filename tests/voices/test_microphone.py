"""A microphone is heard: one that PulseAudio makes, into which a recording is played."""

from __future__ import annotations

import contextlib
import ctypes.util
import importlib.util
import itertools
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np
import pytest
from speech import write_recording

from face_det.errors import SoundError
from face_det.voices import read_microphone

SERVER = ("pulseaudio", "-n", "--daemonize=no", "--use-pid-file=no", "--exit-idle-time=-1")
NEEDS = ("pulseaudio", "pactl", "paplay")

LISTEN = """
import sys
import numpy as np
from face_det.voices import read_microphone
for block in read_microphone(None, 16000):
    sys.stdout.buffer.write(np.asarray(block, "<f4").tobytes())
    sys.stdout.flush()
"""


@pytest.fixture
def no_library(monkeypatch: pytest.MonkeyPatch) -> None:
    """As if sounddevice were not installed."""
    monkeypatch.setitem(sys.modules, "sounddevice", None)


@pytest.mark.usefixtures("no_library")
def test_without_the_library_the_error_says_what_to_install() -> None:
    """In one line, with the extra and Debian's package."""
    with pytest.raises(SoundError, match=r"face_det\[microphone\].*apt-get install libportaudio2"):
        next(read_microphone())


@pytest.fixture
def loop(tmp_path: Path) -> Iterator[Mapping[str, str]]:
    """The environment of programs that hear what is played; PulseAudio runs meanwhile."""
    if importlib.util.find_spec("sounddevice") is None or ctypes.util.find_library("portaudio") is None:
        pytest.skip("needs sounddevice and libportaudio2")
    if not all(map(shutil.which, NEEDS)) or not list(Path("/usr/lib").glob("*/alsa-lib/*pcm_pulse.so")):
        pytest.skip("needs apt-get install pulseaudio pulseaudio-utils libasound2-plugins")
    (tmp_path / ".asoundrc").write_text("pcm.!default { type pulse }\nctl.!default { type pulse }\n")
    socket = tmp_path / "socket"
    found = {
        **os.environ,
        "HOME": str(tmp_path),
        "XDG_RUNTIME_DIR": str(tmp_path),
        "PULSE_SERVER": f"unix:{socket}",
        "PULSE_SINK": "loop",
        "PULSE_SOURCE": "loop.monitor",
    }
    modules = (f"module-native-protocol-unix socket={socket}", "module-null-sink sink_name=loop rate=48000")
    server = subprocess.Popen(
        [*SERVER, *itertools.chain(*(("-L", one) for one in modules))],
        env=found,
        stderr=subprocess.DEVNULL,
    )
    ask = ["pactl", "list", "short", "sources"]
    while b"loop.monitor" not in subprocess.run(ask, env=found, capture_output=True, check=False).stdout:
        assert server.poll() is None
    yield {**found, "PULSE_PID": str(server.pid)}
    server.kill()
    server.wait()


@pytest.mark.slow
def test_what_is_played_is_heard_until_the_server_is_gone(loop: Mapping[str, str], tmp_path: Path) -> None:
    """A tone of 440 Hz, in 16 kHz; then one line says that the microphone is gone."""
    tone = write_recording(
        tmp_path / "tone.wav", 0.5 * np.sin(2 * np.pi * 440 * np.arange(96000) / 48000), 48000
    )
    with (
        subprocess.Popen(
            [sys.executable, "-c", LISTEN], env=loop, stdout=subprocess.PIPE, stderr=subprocess.PIPE
        ) as listening,
        subprocess.Popen(["sh", "-c", 'while paplay "$0"; do :; done', str(tone)], env=loop),
    ):
        assert listening.stdout is not None
        assert listening.stderr is not None
        loud = False
        while not loud:
            sound = np.frombuffer(listening.stdout.read(4 * 8000), "<f4")
            assert len(sound) == 8000, listening.stderr.read()
            spectrum = np.abs(np.fft.rfft(sound))
            loud = bool(np.argmax(spectrum) == 220 and spectrum[220] > 500)
        with contextlib.suppress(ProcessLookupError):
            os.kill(int(loop["PULSE_PID"]), 9)
        _, said = listening.communicate(timeout=300)
    assert "SoundError: microphone" in said.decode().splitlines()[-1]
    assert "must go on recording" in said.decode().splitlines()[-1]


@pytest.mark.slow
def test_a_microphone_that_is_not_there_is_one_line(loop: Mapping[str, str]) -> None:
    """With the microphones that are there."""
    code = "from face_det.voices import read_microphone; next(read_microphone('no such'))"
    done = subprocess.run(
        [sys.executable, "-c", code], env=loop, capture_output=True, text=True, check=False, timeout=300
    )
    last = done.stderr.splitlines()[-1]
    assert "microphone no such: must be a device that records" in last
    assert "choose one by --device: " in last
