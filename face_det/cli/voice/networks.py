"""Loads what the commands for voices listen with."""

from __future__ import annotations

from typing import TYPE_CHECKING

from face_det.config import Config
from face_det.errors import ModelMissing
from face_det.recognition import DecisionRule

if TYPE_CHECKING:
    from face_det.voices import VoiceListener, VoiceRecognizer


def make_listener(config: Config) -> VoiceListener:
    """Load the networks; SoundError or WeightsError says in one line what to install."""
    from face_det.nets import SpeechNetwork
    from face_det.voices import VoiceEncoder, VoiceListener, require_sound_library

    require_sound_library()
    return VoiceListener(SpeechNetwork(config.compute), VoiceEncoder(config.compute))


def make_recognizer(config: Config) -> VoiceRecognizer:
    """Load the networks and the model of voices; ModelMissing says which commands make that."""
    from face_det.enrolment import VoicePaths
    from face_det.voices import VoiceRecognizer, load_voice_model

    listener = make_listener(config)
    paths = VoicePaths.beside(config.encodings_path)
    try:
        model = load_voice_model(paths, listener.encoder.fingerprint)
    except ModelMissing as error:
        raise ModelMissing(
            f"{paths.model}: must be a trained classifier of voices, file not found; "
            "run 'face-det voice encode' and 'face-det voice train'"
        ) from error
    return VoiceRecognizer(listener, model, DecisionRule(config.min_proba, config.decision))
