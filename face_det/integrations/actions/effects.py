"""What actions do: run a command, call a webhook, switch a pin."""

from __future__ import annotations

from typing import Any, Protocol

from face_det.errors import FaceDetError


class ActionFailed(FaceDetError):
    """An action failed. The message contains no name, no token and no more of an address than its host."""


class ActionRefused(ActionFailed):
    """An action that would fail each time, for this event; it is not retried."""


class Effect(Protocol):
    """What an action does when somebody was seen."""

    async def perform(self, event: dict[str, Any]) -> None:
        """Do it, within a limited time; raise ActionFailed if it fails."""
        ...

    async def close(self) -> None:
        """Release what is held: connections, pins."""
        ...
