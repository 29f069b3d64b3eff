"""`face-det compare`: detectors and recognisers side by side, on the user's own pictures."""

from __future__ import annotations

import json
from fractions import Fraction
from pathlib import Path

import click

from face_det.cli import progress, report_tables, terminal
from face_det.cli.shared_options import MenuChoice
from face_det.comparison import (
    DetectorSettings,
    build_tables,
    compare,
    comparison_as_json,
    prepare_output,
    render_html,
)
from face_det.detectors import DETECTORS
from face_det.storage import write_atomically

LEFT_OUT = ("cnn_dlib",)
"""Its boxes are those of cnn, many times as slowly; it has to be asked for."""
SCALES = ("1/8", "1/4", "1/2", "1", "2", "4")
MOST_NAMED = 10
"""How many pictures that cannot be read are named; the figures list them all."""
PAGE, FIGURES = "comparison.html", "comparison.json"


@click.command(
    help="Compare detectors on the pictures in FOLDER and the folders below it. The report is a page, "
    "comparison.html; what was measured before is not measured again."
)
@click.argument("folder", type=click.Path(path_type=Path))
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path, file_okay=False),
    default=Path("comparison"),
    help="Folder for the report and the results so far; default: ./comparison.",
)
@click.option(
    "-d",
    "--detector",
    "detectors",
    type=MenuChoice(DETECTORS),
    multiple=True,
    help="A detector to compare; may be repeated. Default: all that are installed.",
)
@click.option(
    "-s",
    "--scale",
    "scales",
    type=click.Choice(SCALES),
    multiple=True,
    default=("1/2", "1", "2"),
    help="Shrink pictures to this scale first, or have them doubled by the detector; may be repeated. "
    "Default: 1/2, 1 and 2.",
)
@click.option(
    "--annotations",
    type=click.Path(path_type=Path),
    help="Where the faces are: COCO's JSON, WIDER FACE's text, or Pascal VOC's XML, a file or a folder "
    "of them. Default: where most detectors see one.",
)
@click.option("--json", "as_json", is_flag=True, help="Print the figures as JSON.")
def command(
    folder: Path,
    output: Path,
    detectors: tuple[str, ...],
    scales: tuple[str, ...],
    annotations: Path | None,
    as_json: bool,
) -> None:
    """Run `face-det compare`."""
    folder = folder.absolute()
    settings = DetectorSettings(
        detectors or tuple(name for name in DETECTORS if name not in LEFT_OUT),
        tuple(dict.fromkeys(map(Fraction, scales))),
        annotations,
    )
    parts = prepare_output(output, folder)
    with progress.show_progress() as on_progress:
        found = compare(folder, parts, settings, on_progress)
        figures = comparison_as_json(found)
        write_atomically(output / FIGURES, json.dumps(figures, indent=2).encode())
        page = render_html(found, str(folder)).encode("utf-8", "backslashreplace")
        write_atomically(output / PAGE, page)
    if as_json:
        click.echo(json.dumps(figures, indent=2))
    else:
        report_tables.print_tables(build_tables(found), terminal.make_console())
    for path, why in found.pictures.unreadable[:MOST_NAMED]:
        click.echo(terminal.make_printable(f"{found.pictures.name(path)}: {why}"), err=True)
    if found.pictures.unreadable:
        left_out = terminal.count_of(len(found.pictures.unreadable), "picture")
        click.echo(f"left out, as they cannot be read: {left_out}", err=True)
    click.echo(f"written: {output / PAGE}, {output / FIGURES}", err=True)
