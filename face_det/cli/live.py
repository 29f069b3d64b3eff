"""The command `face-det live`: says, or shows, who is in front of a camera, or in a file."""

from __future__ import annotations

import asyncio
import json
import signal
import subprocess
import sys
import tempfile
from collections.abc import AsyncGenerator, AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager, nullcontext
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from face_det.cli.shared_options import ConfigSource, config_option
from face_det.cli.terminal import make_printable
from face_det.config import Config
from face_det.errors import FaceDetError, NoFace, Unreachable

if TYPE_CHECKING:
    from face_det.cameras import CameraPicture, CameraSource
    from face_det.cli.live_view import LiveView
    from face_det.rpc import AsyncClient
    from face_det.watch import BestFace, FaceFollower

TIMEOUT_S = 600.0
FPS = 10.0
_POLL_S = 0.1


@click.command(
    help="Say who is in front of a camera, or in a picture or video, whenever that changes. Nothing is "
    "remembered. Ctrl-C ends it."
)
@click.option(
    "--camera", help="A camera of config.json, or the number of a device. Default: the first, or 0."
)
@click.option(
    "--input",
    "file",
    type=click.Path(path_type=Path, exists=True, dir_okay=False, resolve_path=True),
    help="A picture or a video instead of a camera.",
)
@click.option(
    "--dataset",
    type=click.Path(path_type=Path, exists=True, file_okay=False, resolve_path=True),
    help="Recognise the people in this folder, each with a folder of photos; one photo is enough. A daemon "
    "of its own learns them first. Default: ask the daemon that runs.",
)
@click.option(
    "--view",
    is_flag=True,
    help="Show the pictures, with boxes and names: in a window or, where there is no display, in the "
    "terminal. Closing the window ends it.",
)
@click.option("--capture", metavar="NAME", help="At the end, enrol the clearest face under this name.")
@click.option("--json", "as_json", is_flag=True, help="Print a line of JSON for each change.")
@config_option
def command(
    camera: str | None,
    file: Path | None,
    dataset: Path | None,
    view: bool,
    capture: str | None,
    as_json: bool,
    config_source: ConfigSource,
) -> None:
    """Run the command."""
    from face_det.gallery import check_person_name

    if camera is not None and file is not None:
        raise click.UsageError("--camera and --input: give one of them")
    if capture is not None:
        check_person_name(capture)
    config = config_source.load()
    source = _choose(config, camera, file)
    shown_in = _choose_view(source, as_json) if view else None
    asyncio.run(_run(config, source, dataset, shown_in, capture, as_json))


def _choose_view(source: CameraSource, as_json: bool) -> LiveView:
    from face_det.cli.live_view import choose_view

    view = choose_view(f"face-det live: {source.name}")
    if view.takes_terminal and as_json:
        raise click.UsageError("--view and --json: there is no display, and the terminal cannot show both")
    return view


async def _run(
    config: Config,
    source: CameraSource,
    dataset: Path | None,
    view: LiveView | None,
    capture: str | None,
    as_json: bool,
) -> None:
    from face_det.cameras import read_live
    from face_det.watch import FaceFollower, read_watched

    def tell(at_s: float, faces: Sequence[Mapping[str, Any]]) -> None:
        if view is None or not view.takes_terminal:
            _print(at_s, faces, as_json)

    def show(picture: bytes, at_s: float, faces: Sequence[Mapping[str, Any]]) -> None:
        if view is not None:
            view.show(picture, faces, _describe(at_s, faces))

    async with _daemon(config, dataset) as client:
        follower = FaceFollower(client, tell, show)
        if dataset is not None or source.scheme == "file":
            pictures = read_live(source, once=source.scheme == "file")
        else:
            pictures = read_watched(client, source)
        with view or nullcontext():
            await _follow(follower, pictures, view)
        if capture is not None:
            await _capture(client, capture, follower.best)


async def _follow(
    follower: FaceFollower, pictures: AsyncGenerator[CameraPicture, None], view: LiveView | None
) -> None:
    """Look until the pictures end, or Ctrl-C, or the view is closed; a window stays open until then."""

    async def look() -> None:
        await follower.follow(pictures)
        if view is not None and not view.takes_terminal:
            await view.closed()

    tasks = [asyncio.ensure_future(look())]
    if view is not None:
        tasks.append(asyncio.ensure_future(view.closed()))
    loop = asyncio.get_running_loop()
    # Ctrl-C ends the looking; the clearest face is enrolled all the same.
    loop.add_signal_handler(signal.SIGINT, tasks[0].cancel)
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        loop.remove_signal_handler(signal.SIGINT)
        for task in tasks:
            task.cancel()
        ends = await asyncio.gather(*tasks, return_exceptions=True)
    for end in ends:
        if isinstance(end, Exception):
            raise end


async def _capture(client: AsyncClient, name: str, best: BestFace | None) -> None:
    if best is None:
        raise NoFace("--capture: needs a face, and none was seen")
    await client.call("add_face", name, best.picture, {"faceBox": best.box})
    click.echo(f"captured {name}", err=True)


def _print(at_s: float, faces: Sequence[Mapping[str, Any]], as_json: bool) -> None:
    if as_json:
        click.echo(json.dumps({"time_s": round(at_s, 2), "faces": faces}))
    else:
        click.echo(make_printable(_describe(at_s, faces)))


def _describe(at_s: float, faces: Sequence[Mapping[str, Any]]) -> str:
    from face_det.watch import describe_faces

    return f"{at_s:6.1f} s  {describe_faces(faces)}"


def _choose(config: Config, camera: str | None, file: Path | None) -> CameraSource:
    from face_det.cameras import CameraSource, choose_source, configured_sources

    if file is not None:
        return CameraSource("input", file.as_uri(), fps=FPS)
    name = camera or next(iter(config.cameras), "0")
    if name in config.cameras:
        return replace(choose_source(configured_sources(config.cameras), name), fps=FPS)
    if not name.isdecimal():
        names = ", ".join(config.cameras) or "none is configured"
        raise click.UsageError(f"--camera: must be a camera ({names}) or a number, got {name!r}")
    return CameraSource(name, f"v4l2:///dev/video{name}", fps=FPS)


@asynccontextmanager
async def _daemon(config: Config, dataset: Path | None) -> AsyncIterator[AsyncClient]:
    """Yield a client of the configured daemon, or of one that has learnt a dataset."""
    from face_det.rpc import AsyncClient

    if dataset is None:
        async with AsyncClient.configured(config, TIMEOUT_S) as client:
            yield client
        return
    with tempfile.TemporaryDirectory(prefix="face-det-") as name:
        settings = {"zerorpcPipe": f"ipc://{name}/s", "datasetPath": str(dataset)}
        path = Path(name, "config.json")
        path.write_text(json.dumps({"faceDetServer": settings}), "utf-8")
        command = [sys.executable, "-m", "face_det.cli.main", "serve", "--config", str(path)]
        with Path(name, "log").open("wb") as log:
            process = subprocess.Popen(command, stderr=log, start_new_session=True)
        try:
            async with AsyncClient(settings["zerorpcPipe"], timeout_s=TIMEOUT_S) as client:
                await _until_ready(client, process, Path(name, "log"))
                click.echo(f"learning the people in {dataset}", err=True)
                await client.call("train", timeout_s=TIMEOUT_S)
                yield client
        finally:
            process.terminate()
            process.wait()


async def _until_ready(client: AsyncClient, process: subprocess.Popen[bytes], log: Path) -> None:
    while True:
        try:
            await client.call("status")
        except Unreachable:
            if process.poll() is not None:
                last = log.read_text("utf-8", "replace").strip().splitlines()[-1:] or ["it said nothing"]
                raise FaceDetError(f"the daemon for --dataset did not start: {last[0]}") from None
            await asyncio.sleep(_POLL_S)
        else:
            return
