"""The command `face-det recognize`: names the faces in images, here or through a daemon."""

from __future__ import annotations

import contextlib
import json
import re
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import click
from rich.console import Console
from rich.progress import track
from rich.table import Table

from face_det.cli import terminal
from face_det.cli.interruption import Interruption
from face_det.cli.shared_options import ConfigSource, config_option, keys_option, refuse_keys
from face_det.errors import BadImage, DataError, ModelMissing
from face_det.media import (
    annotate_answer,
    describe_reason,
    explain_missing_fonts,
    find_pictures,
    is_picture_file,
    label_answer,
    read_image_bytes,
    resolve_image_path,
    save_image,
)
from face_det.storage import make_folder, report_write_errors

Answer = dict[str, Any]


@click.command(help="Name the faces in images. A folder stands for the images in it.")
@click.argument("paths", nargs=-1, required=True, type=click.Path(readable=False))
@config_option
@click.option("--remote", metavar="ENDPOINT", help="Ask the daemon at ipc:///PATH or tcp://HOST:PORT.")
@keys_option
@click.option("--json", "as_json", is_flag=True, help="Print JSON instead of a table.")
@click.option(
    "--annotate",
    type=click.Path(path_type=Path, file_okay=False),
    help="Write annotated images to this folder.",
)
def command(
    paths: tuple[str, ...],
    config_source: ConfigSource,
    remote: str | None,
    keys: Path | None,
    as_json: bool,
    annotate: Path | None,
) -> None:
    """Run the command."""
    if keys is not None and remote is None:
        raise click.UsageError("--keys needs --remote, because only a daemon asks for keys.")
    if remote is not None:
        refuse_keys(remote, keys)
    found = _list_pictures(paths)
    pictures = found.pictures
    if annotate is not None:
        with report_write_errors(annotate, "it must be a writable folder"):
            make_folder(annotate)
    # Only JSON shows head poses, which take some milliseconds a face.
    options = {"headPose": True} if as_json else None
    with _recognizer(config_source, remote, keys, options) as (ask, trained), Interruption() as interruption:
        shown = track(
            interruption.until(iter(pictures)),
            "recognizing",
            total=len(pictures),
            console=Console(stderr=True),
            transient=True,
            disable=len(pictures) == 1 or not sys.stderr.isatty(),
        )
        answers = [_answer_for(path, ask, annotate, f"{index:03d}-") for index, path in enumerate(shown)]
    looked_at = len(answers)
    answers += found.refused
    _report_passed_over(found)
    if as_json:
        passed_over = [{"image": str(path), "faces": [], "skipped": "not a picture"} for path in found.others]
        click.echo(json.dumps(answers + passed_over, indent=2))
    else:
        terminal.make_console().print(_build_table(answers))
    if annotate is not None:
        _report_annotated(annotate, answers)
    if interruption.asked:
        click.echo(f"face-det: interrupted after {looked_at} of {len(pictures)} images", err=True)
        raise click.exceptions.Exit(130)
    _raise_what_failed(answers, trained)


@contextlib.contextmanager
def _recognizer(
    config_source: ConfigSource, remote: str | None, keys: Path | None, options: Answer | None
) -> Iterator[tuple[Callable[[bytes], list[Answer]], bool]]:
    """Yield the function that recognises one image, and whether there is a model."""
    if remote is not None:
        from face_det.rpc import Client

        with Client(remote, keys=keys) as client:
            yield partial(client.recognize, options=options), client.status()["model"] is not None
        return
    # The networks take a second to load, so load them only where they are used.
    from face_det.service import build_service

    service = build_service(config_source.load())
    yield partial(service.recognize, options=options), service.trained


@dataclass(slots=True)
class _Found:
    """What the given paths stand for: pictures to recognise, and why the rest is passed over."""

    pictures: list[Path] = field(default_factory=list)
    others: list[Path] = field(default_factory=list)
    troubles: list[str] = field(default_factory=list)
    refused: list[Answer] = field(default_factory=list)


def _list_pictures(paths: tuple[str, ...]) -> _Found:
    found = _Found()
    for given in paths:
        if "://" in given:  # as a path it would lose a slash
            try:
                resolve_image_path(given)
            except BadImage as error:
                found.refused.append({"image": given, "faces": [], "error": str(error)})
                continue
        path = Path(given)
        if path.is_dir():
            content = find_pictures(path)
            found.pictures += content.pictures
            found.others += content.others
            found.troubles += [f"{place}: cannot be read: {why}" for place, why in content.unreadable]
            if not content.pictures:
                found.troubles.append(f"{path}: must hold images, got none")
        elif len(paths) > 1 and path.is_file() and not is_picture_file(path):
            found.others.append(path)  # as a shell's * gives it
        else:
            found.pictures.append(path)
    if not found.pictures and not found.refused:
        raise DataError(next(iter(found.troubles[-1:]), "no path is a picture"))
    return found


def _report_passed_over(found: _Found) -> None:
    for trouble in found.troubles:
        click.echo(f"face-det: {terminal.make_printable(trouble)}", err=True)
    if found.others:
        click.echo(terminal.summarize_others(found.others), err=True)


def _report_annotated(folder: Path, answers: list[Answer]) -> None:
    click.echo(f"annotated images are in {folder}", err=True)
    undrawn = explain_missing_fonts(label_answer(face) for answer in answers for face in answer["faces"])
    if undrawn is not None:
        click.echo(f"face-det: {undrawn}", err=True)


def _raise_what_failed(answers: list[Answer], trained: bool) -> None:
    """Say all that is wrong: without a model nobody is named, whether or not every image can be read."""
    failed = sum("error" in answer for answer in answers)
    untrained = "no model is trained yet, so nobody can be named; run face-det encode and face-det train"
    if failed:
        if not trained:
            click.echo(f"face-det: {untrained}", err=True)
        raise DataError(f"{failed} of {len(answers)} images could not be read; the table says why")
    if not trained:
        raise ModelMissing(untrained)


def _answer_for(
    path: Path, ask: Callable[[bytes], list[Answer]], annotate: Path | None, prefix: str
) -> Answer:
    try:
        data = read_image_bytes(path)
        faces = ask(data)
        if annotate is not None:
            _annotate(data, faces, annotate / f"{prefix}{path.stem}.jpg")
    except BadImage as error:
        # We sent the bytes, but the reader knows the image by its path.
        why = re.sub("^bytes:", lambda _: f"{path}:", str(error))
        return {"image": str(path), "faces": [], "error": why}
    return {"image": str(path), "faces": faces}


def _annotate(data: bytes, faces: list[Answer], target: Path) -> None:
    save_image(annotate_answer(data, faces), target)


def _build_table(answers: list[Answer]) -> Table:
    table = Table()
    for head in ("image", "face", "probability", "reason", "box (left, top, right, bottom)"):
        # Truncated, two images could look the same.
        table.add_column(head, overflow="fold")
    for answer in answers:
        for face in answer["faces"]:
            box = face["faceBox"]
            cells = (
                answer["image"],
                face["face"] or "-",
                f"{face['faceProba']:.2f}" if "faceProba" in face else "-",
                describe_reason(face),
                ", ".join(f"{box[edge]:.0f}" for edge in ("xmin", "ymin", "xmax", "ymax")),
            )
            table.add_row(*map(terminal.make_cell, cells))
        if not answer["faces"]:
            cells = (answer["image"], "-", "-", answer.get("error", "no_face"), "")
            table.add_row(*map(terminal.make_cell, cells))
    return table
