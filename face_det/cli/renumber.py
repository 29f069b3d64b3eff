"""The command `face-det renumber`: numbers as names for the pictures of a folder."""

from __future__ import annotations

import json
import shlex
from dataclasses import asdict
from pathlib import Path

import click

from face_det.cli import terminal
from face_det.extraction import Renumbering, renumber_pictures, undo_renumbering


@click.command(
    help="Rename the pictures of a folder (.jpg, .jpeg and .png) to 00000001.jpg, 00000002.jpg and so on, in "
    "the order of their names, in which 9 comes before 10. No file is ever lost or overwritten, and --undo "
    "gives them their old names back. Number a person's photos before you encode them."
)
@click.option(
    "-d",
    "--directory",
    required=True,
    type=click.Path(path_type=Path),
    help="Folder with the pictures; folders in it are left alone.",
)
@click.option("-n", "--dry-run", is_flag=True, help="Only print what would be renamed.")
@click.option("--undo", is_flag=True, help="Undo the last renumbering of the folder.")
@click.option("--json", "as_json", is_flag=True, help="Print the result as JSON.")
def command(directory: Path, dry_run: bool, undo: bool, as_json: bool) -> None:
    """Run the command."""
    done = (undo_renumbering if undo else renumber_pictures)(directory, dry_run=dry_run)
    for name in done.left:
        click.echo(f"face-det: left as it is, because it is gone or another picture: {name!a}", err=True)
    if as_json:
        click.echo(json.dumps({"directory": str(directory), "dry_run": dry_run, **asdict(done)}, indent=2))
        return
    for file in done.renamed if dry_run else ():
        click.echo(f"{terminal.make_printable(file.old)} -> {terminal.make_printable(file.new)}")
    if done.finished:
        click.echo("a renumbering that was cut off is finished")
    click.echo(_summarize(done, directory, dry_run=dry_run))


def _summarize(done: Renumbering, directory: Path, *, dry_run: bool) -> str:
    renamed = terminal.count_of(len(done.renamed), "picture")
    what = f"{renamed} would be renamed" if dry_run else f"{renamed} renamed"
    undo = (
        f"; face-det renumber -d {shlex.quote(str(directory))} --undo takes it back"
        if done.renamed and not dry_run
        else ""
    )
    return f"{directory}: {what}, of {done.pictures}{undo}"
