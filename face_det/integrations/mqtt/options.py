"""What a bridge publishes."""

from __future__ import annotations

from dataclasses import dataclass

from face_det.integrations.mqtt.commands import FetchPicture
from face_det.integrations.mqtt.discovery import Topics


@dataclass(frozen=True)
class BridgeOptions:
    """What a bridge publishes. `late_after_s` is how old an event may be that is still reported as new.

    `page` is the address of our page, which Home Assistant shows. With `double_take`, events are also
    published in Double Take's format. Commands are carried out if there is a function that fetches a
    camera's picture.
    """

    topics: Topics
    cameras: tuple[str, ...] = ()
    late_after_s: float = 120
    page: str | None = None
    double_take: bool = False
    fetch_picture: FetchPicture | None = None

    @property
    def cursor(self) -> str:
        """The name under which the daemon keeps the bridge's cursor."""
        return f"mqtt-{self.topics.node}"
