"""Names speakers by acoustic features and a small network, every seven seconds, whoever it is.

This is how it was done before there were speaker networks; it knows no strangers. It is here to compare with.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from face_det.classifiers import FeedForward, fit_feed_forward
from face_det.errors import BadEncodings, DataError, ModelMissing, SoundError
from face_det.gallery import is_recording
from face_det.nets import Float32Array
from face_det.storage import dump_pickle, load_pickle, make_folder, replace_files, report_write_errors
from face_det.voices.acoustics import compute_acoustics
from face_det.voices.sound import read_sound

FRAGMENT = ACOUSTIC_RATE = 32_000
"""A fragment has so many samples, and a second as many."""

PREDICTED_FRAGMENTS = 7
"""A prediction is made of so many fragments."""

MODEL_NAME = "speakers.pickle"


@dataclass(frozen=True, slots=True)
class AcousticAnswer:
    """Who is said to speak from `begin_s` to `end_s`, and the network's probability, 0..1."""

    begin_s: float
    end_s: float
    name: str
    probability: float


@dataclass(frozen=True, slots=True)
class AcousticTraining:
    """What was trained: the samples of each person, the share of validation samples that is named rightly,
    the samples for validation, and the files that were left out, each with the reason."""

    samples: dict[str, int]
    right: int
    validated: int
    left_out: tuple[tuple[Path, str], ...]


def person_of(path: Path) -> str:
    """Return whose sample a file is: its name without the last character, which tells samples apart.

    >>> person_of(Path("train/anna1.wav")), person_of(Path("train/annab.flac"))
    ('anna', 'anna')
    """
    return path.stem[:-1].strip()


def acoustic_samples(
    blocks: Iterable[Float32Array],
) -> Iterator[tuple[float, float, npt.NDArray[np.float64]]]:
    """Yield begin and end in seconds, and features, shape (193,), of every seven seconds of sound of 32 kHz.

    The rest counts if it is a whole fragment or more, and if it is all there is.
    """
    wanted = FRAGMENT * PREDICTED_FRAGMENTS
    kept, length, begin = [np.zeros(0, np.float32)], 0, 0
    for block in blocks:
        kept.append(block)
        length += len(block)
        while length >= wanted:
            sound = np.concatenate(kept)
            yield _sample(sound[:wanted], begin)
            kept, length, begin = [sound[wanted:]], length - wanted, begin + wanted
    if length >= FRAGMENT or (length and not begin):
        yield _sample(np.concatenate(kept), begin)


def _sample(sound: Float32Array, begin: int) -> tuple[float, float, npt.NDArray[np.float64]]:
    features = compute_acoustics(sound, ACOUSTIC_RATE).mean()
    return begin / ACOUSTIC_RATE, (begin + len(sound)) / ACOUSTIC_RATE, features


def train_acoustic_speakers(
    audios: Path, models: Path, on_progress: Callable[[int, int], None] = lambda done, total: None
) -> AcousticTraining:
    """Train on audios/train/*, validate on audios/validation/*, and write models/speakers.pickle.

    Raises DataError without such folders, and TooFewPeople for fewer than two people.
    """
    files = {kind: _list_samples(audios / kind) for kind in ("train", "validation")}
    every = [path for paths in files.values() for path in paths]
    rows: dict[str, list[npt.NDArray[np.float64]]] = {"train": [], "validation": []}
    names: dict[str, list[str]] = {"train": [], "validation": []}
    left_out: list[tuple[Path, str]] = []
    for number, path in enumerate(every):
        on_progress(number, len(every))
        kind, name = path.parent.name, person_of(path)
        try:
            found = [one for _, _, one in acoustic_samples(read_sound(path, ACOUSTIC_RATE))] if name else []
        except SoundError as error:
            left_out.append((path, str(error)))
            continue
        if not found:
            left_out.append(
                (path, f"{path}: {'has no sound' if name else 'has no name before its last character'}")
            )
        rows[kind] += found
        names[kind] += [name] * len(found)
    on_progress(len(every), len(every))
    network = fit_feed_forward(rows["train"], names["train"], rows["validation"], names["validation"])
    with report_write_errors(models, "nothing was written"):
        make_folder(models)
    replace_files({models.absolute() / MODEL_NAME: dump_pickle(network.as_table())})
    said = [network.names[place] for place in network.probabilities(rows["validation"]).argmax(axis=1)]
    right = sum(one == name for one, name in zip(said, names["validation"], strict=True))
    samples = {name: names["train"].count(name) for name in network.names}
    return AcousticTraining(samples, right, len(said), tuple(left_out))


def load_acoustic_speakers(models: Path) -> FeedForward:
    """Read what was trained; raises ModelMissing, UnsafePickle and BadEncodings."""
    path = models.absolute() / MODEL_NAME
    try:
        return FeedForward.from_table(load_pickle(path))
    except FileNotFoundError:
        raise ModelMissing(
            f"{path}: must be a trained network, file not found; run it with --train first"
        ) from None
    except (ValueError, TypeError) as error:
        raise BadEncodings(f"{path}: {error}; run it with --train again") from error


def name_acoustically(network: FeedForward, blocks: Iterable[Float32Array]) -> Iterator[AcousticAnswer]:
    """Yield who speaks in each seven seconds of sound, blocks of shape (n,) of 32 kHz, as they come.

    Somebody is named in any case: strangers, music and silence as well.
    """
    for begin_s, end_s, features in acoustic_samples(blocks):
        (shares,) = network.probabilities(features[None])
        yield AcousticAnswer(begin_s, end_s, network.names[int(shares.argmax())], float(shares.max()))


def _list_samples(folder: Path) -> list[Path]:
    if not folder.is_dir():
        raise DataError(
            f"{folder}: must hold recordings such as anna1.wav and anna2.wav, got no such folder; "
            "its last character tells samples of a person apart"
        )
    found = sorted(path for path in folder.iterdir() if is_recording(path) and path.is_file())
    if not found:
        raise DataError(f"{folder}: must hold recordings such as anna1.wav and anna2.wav, got none")
    return found
