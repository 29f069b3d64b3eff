"""The command `face-det enrol`: enrols somebody who stands in front of a camera."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import click

from face_det.cli import terminal
from face_det.cli.changes import confirm, require_terminal
from face_det.cli.shared_options import ConfigSource, daemon_options, refuse_keys
from face_det.types import UNKNOWN

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from face_det.cameras import CameraPicture, CameraSource
    from face_det.rpc import AsyncClient

TIMEOUT_S = 600.0
FPS = 3.0


@click.command(
    help="Enrol the one person in front of a camera: views that are clear and differ are collected, with "
    "hints what to do, and saved once you agree. The daemon must be running."
)
@click.argument("name")
@click.option("--camera", help="A camera of config.json; the first one if left out.")
@click.option("--count", type=click.IntRange(1, 50), default=8, show_default=True, help="How many views.")
@click.option(
    "--seconds", type=click.FloatRange(1, 3600), default=60, show_default=True, help="How long to look."
)
@click.option("-y", "--yes", is_flag=True, help="Do not ask before saving.")
@daemon_options
def command(
    name: str,
    camera: str | None,
    count: int,
    seconds: float,
    yes: bool,
    remote: str | None,
    keys: Path | None,
    config_source: ConfigSource,
) -> None:
    """Run the command."""
    from face_det.cameras import choose_source, configured_sources
    from face_det.gallery import check_person_name
    from face_det.rpc import AsyncClient

    config = config_source.load()
    refuse_keys(remote or config.zerorpc_pipe, keys)
    check_person_name(name)
    if not yes:
        require_terminal()
    source = replace(choose_source(configured_sources(config.cameras), camera, "--camera"), fps=FPS)
    client = AsyncClient.configured(config, TIMEOUT_S, remote, keys)
    asyncio.run(_enrol(client, name, source, (count, seconds), yes, remote is not None))


async def _enrol(
    client: AsyncClient,
    name: str,
    source: CameraSource,
    limits: tuple[int, float],
    yes: bool,
    remote: bool,
) -> None:
    from face_det.cameras import read_live
    from face_det.watch import collect_views, read_watched

    def read(source: CameraSource) -> AsyncGenerator[CameraPicture, None]:
        # Another machine's camera of this name is another one.
        return read_live(source) if remote else read_watched(client, source)

    count, seconds = limits
    said = ""

    def tell(hint: str, number: int) -> None:
        nonlocal said
        line = f"{number} of {count}: {hint}"
        if line != said:
            click.echo(line, err=True)
        said = line

    async with client:
        views = await collect_views(source, client, wanted=count, limit_s=seconds, tell=tell, read=read)
        others = sorted({view.name for view in views if view.name not in (None, UNKNOWN, name)})
        for other in others:
            click.echo(terminal.make_printable(f"note: this person looks like {other} so far"), err=True)
        confirm(f"Save {terminal.count_of(len(views), 'view')} of {name}?", yes)
        for view in views:
            done = await client.call("add_face", name, view.picture, {"faceBox": view.box})
        click.echo(f"{done['name']} has {terminal.count_of(done['images'], 'photo')}")
