"""The keys of config.json: what each must be, for error messages and the reference."""

from __future__ import annotations

from pydantic import BaseModel
from pydantic.alias_generators import to_camel
from pydantic.fields import FieldInfo

from face_det.config.choices import list_choices, takes_file
from face_det.config.sections.action import OnRecognition
from face_det.config.sections.body import Body
from face_det.config.sections.camera import Camera
from face_det.config.sections.frigate import Frigate
from face_det.config.sections.http import Http
from face_det.config.sections.liveness import Liveness
from face_det.config.sections.mqtt import Mqtt
from face_det.config.sections.pyzm import Pyzm
from face_det.config.sections.sightings import Sightings
from face_det.config.sections.video import VideoSettings
from face_det.config.sections.zoneminder import ZoneMinder
from face_det.config.settings import Config
from face_det.registry import FILE_PREFIX


def _keys(model: type[BaseModel]) -> dict[str, FieldInfo]:
    return {to_camel(name): about for name, about in model.model_fields.items()}


CONFIG_KEYS = _keys(Config)
"""Every key of the file, in the order above, with its pydantic field."""

SECTION_KEYS = {
    "sightings": _keys(Sightings),
    "body": _keys(Body),
    "liveness": _keys(Liveness),
    "http": _keys(Http),
    "video": _keys(VideoSettings),
    "cameras": _keys(Camera),
    "mqtt": _keys(Mqtt),
    "zoneminder": _keys(ZoneMinder),
    "onRecognition": _keys(OnRecognition),
    "frigate": _keys(Frigate),
    "pyzm": _keys(Pyzm),
}
"""The keys within each object of settings (of each camera, of each action), with their pydantic fields."""


def describe_expected_value(key: str) -> str:
    """Say what the value of a key must be, in the words that error messages use.

    >>> describe_expected_value("minProba")
    'a number from 0 to 1'
    >>> describe_expected_value("decision")
    'one of auto, proba'
    >>> describe_expected_value("sightings.frames")
    'true or false'
    """
    if names := list_choices(key):
        own = f" or {FILE_PREFIX}PATH" if takes_file(key) else ""
        return f"one of {', '.join(names)}{own}" if len(names) > 1 else names[0]
    group, _, member = key.partition(".")
    extra = (SECTION_KEYS[group][member] if member else CONFIG_KEYS[group]).json_schema_extra
    return str(extra["expected"]) if isinstance(extra, dict) else ""
