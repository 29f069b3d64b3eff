"""The command `face-det voice acoustic`: the former way of naming speakers, to compare with."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path

import click

from face_det.cli import progress
from face_det.cli.interruption import Interruption
from face_det.cli.terminal import count_of, make_printable
from face_det.cli.voice.listen import open_sound, sound_options


@click.command(
    "acoustic",
    help="Name speakers by acoustic features and a small network, every seven seconds: with --train from "
    "AUDIOS/train and AUDIOS/validation, whose files are called after people, with one more character each. "
    "It names strangers, music and silence as well; face-det voice listen does not.",
)
@click.option("--train", is_flag=True, help="Train the network and save it; without it, load it and listen.")
@click.option(
    "--audios",
    type=click.Path(path_type=Path, file_okay=False),
    default=Path("Audios"),
    show_default=True,
    help="Folder of recordings.",
)
@click.option(
    "--models",
    type=click.Path(path_type=Path, file_okay=False),
    default=Path("Models/Audios"),
    show_default=True,
    help="Folder of the network.",
)
@sound_options
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def command(
    train: bool,
    audios: Path,
    models: Path,
    device: str | None,
    file: Path | None,
    rate: int | None,
    channels: int | None,
    as_json: bool,
) -> None:
    """Run `face-det voice acoustic`."""
    from face_det.voices import ACOUSTIC_RATE, load_acoustic_speakers, name_acoustically

    if train:
        _train(audios, models, as_json)
        return
    network = load_acoustic_speakers(models)
    blocks = open_sound(device, file, rate, channels, target=ACOUSTIC_RATE)
    with Interruption() as interruption:
        click.echo("listening", err=True)
        for one in interruption.until(name_acoustically(network, blocks)):
            line = (
                f"{one.begin_s:8.1f} .. {one.end_s:.1f} s  {make_printable(one.name)} {one.probability:.2f}"
            )
            click.echo(json.dumps(asdict(one)) if as_json else line)


def _train(audios: Path, models: Path, as_json: bool) -> None:
    from face_det.voices import require_sound_library, train_acoustic_speakers

    require_sound_library()
    with progress.show_progress() as show:
        found = train_acoustic_speakers(audios, models, lambda done, total: show("listening", done, total))
    for _, reason in found.left_out:
        click.echo(f"face-det: left out: {make_printable(reason)}", err=True)
    if as_json:
        summary = {"models": str(models), "samples": found.samples, "right": found.right}
        click.echo(json.dumps({**summary, "validated": found.validated}, indent=2))
        return
    for name, count in found.samples.items():
        click.echo(f"{make_printable(name)}: {count_of(count, 'sample')}")
    click.echo(f"validation: {found.right} of {count_of(found.validated, 'sample')} named rightly")
    click.echo(f"written: {models}")
