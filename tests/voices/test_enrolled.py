"""Encoding and training beside a daemon that forgets, renames and enrols meanwhile."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
import speech
from speech import CARDS, READER

from face_det.enrolment import VoicePaths
from face_det.errors import TryAgain
from face_det.nets import SpeechNetwork
from face_det.voices import (
    VoiceEncoder,
    VoiceListener,
    VoiceRow,
    add_recording,
    encode_recordings,
    forget_voice,
    read_voices,
    save_voice_model,
    train_voices,
)

pytestmark = pytest.mark.skipif(speech.missing() is not None, reason=str(speech.missing()))


def test_who_is_forgotten_or_enrolled_meanwhile_stays_so(tmp_path: Path) -> None:
    """An encoding that takes minutes brings nobody back, and loses nobody; nor does a training."""
    listener = VoiceListener(SpeechNetwork(), VoiceEncoder())
    dataset, paths = tmp_path / "dataset", VoicePaths.beside(tmp_path / "encodings.pickle")
    for name, source in (("Reader", READER[1]), ("Cards", CARDS[4]), ("Gone", CARDS[3])):
        (dataset / name).mkdir(parents=True)
        shutil.copy(source, dataset / name / "1.wav")

    def meanwhile(done: int, total: int) -> None:
        """Gone is forgotten, and Late is enrolled, once everything was read."""
        if done == total:
            shutil.rmtree(dataset / "Gone")
            (dataset / "Late").mkdir()
            shutil.copy(CARDS[2], dataset / "Late" / "1.wav")
            encoding = listener.encoder.encode(speech.samples_of(CARDS[2]))
            row = VoiceRow("Late", "Late/1.wav", "0", 1.0, encoding)
            for path, data in add_recording(paths, row, listener.encoder.fingerprint, 0.001).items():
                assert data is not None
                path.write_bytes(data)

    report = encode_recordings(
        dataset, paths.encodings, listener, meanwhile, lock=tmp_path / "encodings.pickle"
    )
    assert report.gallery.people == ("Cards", "Late", "Reader")
    before = read_voices(paths.encodings)
    assert before is not None
    assert before.people == report.gallery.people
    trained = train_voices(before, ["template"], false_accept_rate=0.001, jobs=1, thorough=False)
    for path, data in forget_voice(paths, "Late", 0.001).files.items():
        assert data is not None
        path.write_bytes(data)
    after = paths.model.read_bytes()
    with pytest.raises(TryAgain, match="was changed during the training"):
        save_voice_model(trained.models[0], paths, before, tmp_path / "encodings.pickle")
    assert paths.model.read_bytes() == after
