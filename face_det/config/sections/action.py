"""The settings of each action in `onRecognition`."""

from __future__ import annotations

import re
from itertools import pairwise
from pathlib import Path
from urllib.parse import urlsplit

from pydantic import BaseModel, field_validator, model_validator

from face_det.config.fields import STRICT, absolute, field, integer, list_to_tuple, number

FORMATS = ("json", "ntfy")
OUTCOMES = ("known", "uncertain", "unknown")
"""The values of `types.Outcome`, without numpy: it must not be loaded before its threads are limited."""
WORDS = (
    "person",
    "camera",
    "outcome",
    "time",
    "probability",
    "quality",
    "frames",
    "sighting",
    "visit",
    "seq",
)
"""The placeholders in arguments and messages, which are written in braces."""
TOKEN = "{token}"
_WORD = re.compile(r"\{([a-z]+)\}")
_HOURS = re.compile(r"([01]\d|2[0-3]):[0-5]\d-([01]\d|2[0-3]):[0-5]\d")
SHELLS = ("sh", "ash", "bash", "dash", "ksh", "zsh")
_SCRIPT_FOLLOWS = re.compile(r"-[a-z]*c")
_LISTS = ("command", "persons", "cameras", "outcomes")


class OnRecognition(BaseModel):
    """The settings of one action in `onRecognition`: what it does, and when."""

    model_config = STRICT

    name: str = field(
        ...,
        "1 to 64 letters, digits, _ and -",
        "What the log calls the action. Its cursor in the events is stored under this name, too.",
        pattern=r"^[A-Za-z0-9_-]{1,64}$",
    )
    command: tuple[str, ...] = field(
        (),
        "a list of strings: a program and its arguments",
        "What to run, without a shell. Arguments may contain placeholders, which are filled in from the "
        f"event: {', '.join(f'`{{{word}}}`' for word in WORDS)}.",
    )
    webhook: str = field(
        "",
        "an address that begins with http or https",
        f"The address to POST to. `{TOKEN}` in it is replaced by the content of `tokenFile`.",
    )
    format: str = field(
        "json",
        f"one of {', '.join(FORMATS)}",
        "What to send to the webhook: the event as JSON, or `message` as plain text, for ntfy.",
    )
    message: str = field(
        "{person} at {camera}", "text", "The message for `ntfy`, with placeholders as in `command`."
    )
    token_file: Path | None = field(
        None,
        "a path",
        f"A file that holds the webhook's token and nothing else. Without `{TOKEN}` in the address it is "
        "sent as a bearer token.",
    )
    verify_tls: bool = field(
        True, "true or false", "Check the webhook's certificate; false if it is self-signed."
    )
    gpio: str = field("", "a pin, such as GPIO17", "The pin to switch on, by gpiozero's name.")
    seconds: float = number(1, 0.01, 3600, "How many seconds the pin stays on.")
    active_low: bool = field(
        False, "true or false", "The pin is high when it is off, as many relay boards need."
    )
    persons: tuple[str, ...] = field(
        (), "a list of names", "Only if one of these people was seen. Default: anybody."
    )
    cameras: tuple[str, ...] = field(
        (), "a list of cameras", "Only if one of these cameras saw the person. Default: any."
    )
    outcomes: tuple[str, ...] = field(
        (),
        f"a list of {', '.join(OUTCOMES)}",
        "Only if the person is enrolled (known), may be (uncertain), or is not (unknown). Default: any.",
    )
    hours: str = field(
        "",
        "hours such as 22:00-06:00",
        "Only if the person was seen in these hours, by this machine's clock. Default: at any time.",
    )
    heard: bool = field(
        False,
        "true or false",
        "Also if the person was heard, not only if seen. Default: only if seen.",
    )
    once_per_visit: bool = field(
        False, "true or false", "Only once per visit, whoever else is seen. Default: for each event."
    )
    opens: bool = field(
        False,
        "true or false",
        "The action opens something, so it needs `persons` and is stricter: see ../how-to/actions.md#doors.",
    )
    timeout: float = number(10, 0.1, 600, "How many seconds the command or the webhook may take.")
    attempts: int = integer(
        6, 1, 100, "How many times to try before giving up. An action that opens something is tried once."
    )
    max_age: float = number(
        3600, 1, 10**7, "Seconds. For somebody who was seen longer ago than this, the action is given up."
    )

    _paths = field_validator("token_file", mode="before")(absolute)

    _lists = field_validator(*_LISTS, mode="before")(list_to_tuple)

    @field_validator("command")
    @classmethod
    def _command_can_be_run(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        if (value and not value[0].strip()) or any("\0" in part for part in value):
            raise ValueError("no command")
        return value

    @field_validator("webhook")
    @classmethod
    def _is_an_address(cls, value: str) -> str:
        parts = urlsplit(value)
        if value and (parts.scheme not in ("http", "https") or not parts.hostname):
            raise ValueError("no address of a webhook")
        _ = parts.port  # raises ValueError if there is no such port
        return value

    @field_validator("format")
    @classmethod
    def _format_exists(cls, value: str) -> str:
        if value not in FORMATS:
            raise ValueError("not on the menu")
        return value

    @field_validator("outcomes")
    @classmethod
    def _outcomes_exist(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        if not set(value) <= set(OUTCOMES):
            raise ValueError("not on the menu")
        return value

    @field_validator("hours")
    @classmethod
    def _are_hours(cls, value: str) -> str:
        begin, _, end = value.partition("-")
        if value and (not _HOURS.fullmatch(value) or begin == end):
            raise ValueError("no hours")
        return value

    @model_validator(mode="after")
    def _does_one_thing(self) -> OnRecognition:
        if sum(map(bool, (self.command, self.webhook, self.gpio))) != 1:
            raise ValueError("must have one of command, webhook and gpio")
        if TOKEN in self.webhook and self.token_file is None:
            raise ValueError(f"{TOKEN} in webhook needs tokenFile")
        for text in (*self.command, self.message):
            for word in _WORD.findall(text):
                if word not in WORDS:
                    raise ValueError(f"{{{word}}} is none of {', '.join(WORDS)}")
        return self

    @model_validator(mode="after")
    def _runs_nothing_from_an_event(self) -> OnRecognition:
        # Whoever calls the daemon chooses the camera's name, so it must be neither a program nor a script.
        if self.command and _WORD.search(self.command[0]):
            raise ValueError("command must begin with a program, without placeholders")
        shell = False
        for part, script in pairwise(self.command):
            shell = shell or Path(part).name in SHELLS
            if shell and _SCRIPT_FOLLOWS.fullmatch(part) and (found := _WORD.search(script)):
                raise ValueError(
                    "a script must have no placeholders, as the shell would run what is filled in; write "
                    f'$1 for {found[0]}, and after the script the arguments "sh", "{found[0]}"'
                )
        return self

    @model_validator(mode="after")
    def _hears_what_it_can(self) -> OnRecognition:
        if self.heard and self.opens:
            raise ValueError("opens excludes heard: a voice may be a recording")
        if self.heard and self.once_per_visit:
            raise ValueError("oncePerVisit excludes heard: voices belong to no visit")
        return self

    @model_validator(mode="after")
    def _opens_for_somebody(self) -> OnRecognition:
        if self.opens and not self.persons:
            raise ValueError("opens needs persons: the names of those for whom it opens")
        if self.opens and self.outcomes not in ((), ("known",)):
            raise ValueError('opens needs outcomes ["known"], or none')
        return self
