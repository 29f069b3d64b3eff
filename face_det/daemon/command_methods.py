"""The methods that commands of face-det answer, in processes of their own."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from face_det.daemon import logs
from face_det.daemon.commands import CommandLine, Doctor, Evaluation

log = logging.getLogger(__name__)


class CommandMethods:
    """The daemon's methods for which it starts a command; `state` returns statePath."""

    def __init__(self, line: CommandLine, state: Callable[[], Path]) -> None:
        self.runs = Evaluation(line, state)
        self._doctor = Doctor(line)

    def methods(self) -> Mapping[str, Callable[..., Any]]:
        """Return the methods by name."""
        return {
            "evaluate": self.evaluate,
            "evaluation": self.evaluation,
            "doctor": self.doctor,
        }

    def evaluate(self, options: Any = None) -> Any:
        """Start to evaluate recognition on the enrolled photos; status() shows the progress."""
        with logs.log_call(log, "evaluate"):
            return self.runs.start(options)

    def evaluation(self) -> Any:
        """Return the report of the last evaluation, or null."""
        with logs.log_call(log, "evaluation", logging.DEBUG):
            return self.runs.report()

    def doctor(self) -> Any:
        """Check the installation, the configuration and the files; the answer may be some minutes old."""
        with logs.log_call(log, "doctor"):
            return self._doctor.check()
