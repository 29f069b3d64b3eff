"""The command `face-det fetch-lfw`: strangers' photos from Labeled Faces in the Wild."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import click
from rich.console import Console
from rich.progress import BarColumn, Progress, ProgressColumn, Task, TextColumn
from rich.text import Text

from face_det.cli import progress
from face_det.cli.shared_options import ConfigSource, config_option
from face_det.errors import DataError
from face_det.sources import FetchResult, download_lfw, fetch_strangers, lfw_home
from face_det.types import UNKNOWN

COUNT = 200


@click.command(
    help="Put photos of strangers from Labeled Faces in the Wild into dataset/Unknown. They show as many "
    "different people as possible, but nobody who is enrolled. The first run downloads about 200 MB through "
    "scikit-learn."
)
@click.option(
    "-n",
    "--num_faces",
    "count",
    type=click.IntRange(min=1),
    default=COUNT,
    help=f"How many photos the folder should hold; default: {COUNT}.",
)
@click.option(
    "-d",
    "--data_home",
    type=click.Path(path_type=Path, file_okay=False),
    help="Where the download is kept; default: scikit-learn's folder, ~/scikit_learn_data.",
)
@click.option(
    "-r",
    "--resize",
    "ratio",
    type=click.FloatRange(0.0, 4.0, min_open=True),
    default=1.0,
    help="Factor to scale the photos by (250 x 250 px, faces 90 px); default: 1, the original files.",
)
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path, file_okay=False),
    help="Folder to write to; default: Unknown in datasetPath.",
)
@click.option("--seed", type=int, default=0, help="Another seed picks other strangers; default: 0.")
@click.option(
    "--from",
    "copy",
    type=click.Path(path_type=Path),
    help="Use a local copy instead: lfw/, lfw_funneled/, a folder of NAME_0001.jpg, or lfw.tgz.",
)
@config_option
@click.option("--json", "as_json", is_flag=True, help="Print the report as JSON.")
def command(
    count: int,
    data_home: Path | None,
    ratio: float,
    output: Path | None,
    seed: int,
    copy: Path | None,
    config_source: ConfigSource,
    as_json: bool,
) -> None:
    """Run the command."""
    config = config_source.load()
    output = (output or config.dataset_path / UNKNOWN).absolute()
    if copy is None:
        with _downloading(lfw_home(data_home)):
            copy = download_lfw(data_home)
    with progress.show_progress() as show:
        fetched = fetch_strangers(
            copy,
            output,
            count=count,
            ratio=ratio,
            seed=seed,
            enrolled=_enrolled(config.dataset_path, output),
            on_progress=progress.progress_for("photos", show),
        )
    for line in fetched.unreadable:
        click.echo(f"face-det: skipped: {line}", err=True)
    click.echo(_scan_as_json(fetched, output, count) if as_json else _format_report(fetched, output, count))


def _enrolled(dataset: Path, output: Path) -> set[str]:
    """Return the people with a folder in the dataset or beside the Unknown folder that is written to."""
    datasets = {dataset.absolute()} | ({output.parent} if output.name == UNKNOWN else set())
    try:
        folders = [entry for place in datasets if place.is_dir() for entry in place.iterdir()]
    except OSError as error:
        raise DataError(f"{error.filename}: must be a readable folder, got {error.strerror}") from error
    return {folder.name for folder in folders if folder.is_dir()} - {UNKNOWN}


def _format_report(fetched: FetchResult, output: Path, count: int) -> str:
    lines = [f"{output}: {len(fetched.written)} photos written, {len(fetched.there)} already there"]
    lines += [f"skipped, because enrolled: {name}" for name in fetched.enrolled]
    if (got := len(fetched.written) + len(fetched.there)) < count:
        lines.append(f"{count} requested, but the copy has only {got} usable ones")
    if fetched.written:
        lines.append("next: face-det encode, then face-det train")
    return "\n".join(lines)


def _scan_as_json(fetched: FetchResult, output: Path, count: int) -> str:
    return json.dumps(
        {
            "output": str(output),
            "asked": count,
            "written": [str(path) for path in fetched.written],
            "there": [str(path) for path in fetched.there],
            "unreadable": list(fetched.unreadable),
            "enrolled": list(fetched.enrolled),
        },
        indent=2,
    )


class _DownloadedColumn(ProgressColumn):
    """A column that shows how much has been downloaded, from the size of the partial file."""

    def __init__(self, place: Path) -> None:
        super().__init__()
        self._place = place

    def render(self, task: Task) -> Text:
        """Return the size in megabytes."""
        parts = self._place.glob("*.part_*")
        arrived = sum(path.stat().st_size for path in parts if path.exists())
        return Text(f"{arrived / 1e6:.0f} MB" if arrived else "")


@contextmanager
def _downloading(place: Path) -> Iterator[None]:
    console = Console(stderr=True)
    columns = (TextColumn("downloading LFW, once"), BarColumn(), _DownloadedColumn(place))
    with Progress(*columns, console=console, disable=not console.is_terminal, transient=True) as bar:
        bar.add_task("LFW", total=None)
        yield
