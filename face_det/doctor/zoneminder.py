"""Checks the ZoneMinder in config.json: does it answer, does it accept the login, are its events there?"""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Iterator
from pathlib import Path

from face_det.config import Config
from face_det.doctor.checks import CheckResult, CheckState
from face_det.errors import ConfigError, PortalFailed

FULL_BYTES = 10_000_000
"""With less room than this, the pictures of a few events fill the disk."""


def check_zoneminder(config: Config) -> Iterator[CheckResult]:
    """Check what is configured in `zoneminder`, if anything."""
    about = config.zoneminder
    if about is None:
        return
    from face_det.integrations import ServerSettings, hide_login  # only now: they import httpx

    place = f"ZoneMinder at {hide_login(about.url)}"
    try:
        version = asyncio.run(_ask_version(ServerSettings.configured(about)))
    except (PortalFailed, ConfigError) as error:
        advice = "correct url, user or passwordFile in zoneminder, or start ZoneMinder"
        yield CheckResult("zoneminder", CheckState.NOT_OK, str(error), advice)
    else:
        how = f"accepts {about.user}" if about.user else "wants no login"
        yield CheckResult("zoneminder", CheckState.OK, f"{place}, version {version}, {how}")
    if about.events_path is not None:
        yield from _look_at_the_folder(about.events_path)


def _look_at_the_folder(path: Path) -> Iterator[CheckResult]:
    if not path.is_dir():
        text = f"eventsPath {path}: must be the folder of ZoneMinder's events, and is not seen"
        advice = "correct zoneminder.eventsPath, or let this user read it"
        yield CheckResult("zoneminder", CheckState.WARNING, text, advice)
    elif (free := shutil.disk_usage(path).free) < FULL_BYTES:
        text = f"eventsPath {path}: its disk has {free // 1000} kB left, so events get names but no pictures"
        advice = "let ZoneMinder's PurgeWhenFull filter remove events earlier"
        yield CheckResult("zoneminder", CheckState.WARNING, text, advice)


async def _ask_version(settings: object) -> str:
    from face_det.integrations import Portal, ServerSettings

    assert isinstance(settings, ServerSettings)
    async with Portal(settings) as portal:
        return await portal.version()
