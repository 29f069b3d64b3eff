"""The command `face-det voice listen`: says who is speaking into a microphone or a pipe, as it happens."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from face_det.cli.interruption import Interruption
from face_det.cli.shared_options import ConfigSource, config_option
from face_det.cli.terminal import make_printable
from face_det.cli.voice.networks import make_recognizer
from face_det.errors import SoundError

if TYPE_CHECKING:
    from face_det.nets import Float32Array
    from face_det.voices import VoiceSegment

Command = TypeVar("Command", bound=Callable[..., Any])

STDIN = Path("-")


def sound_options(command: Command) -> Command:
    """Add the options that choose where sound comes from."""
    for option in (
        click.option("--channels", type=click.IntRange(1, 64), help="Channels of bare samples; default: 1."),
        click.option(
            "--rate", type=click.IntRange(4000, 400_000), help="Hertz of bare samples; default: 16000."
        ),
        click.option(
            "--file",
            type=click.Path(path_type=Path),
            help="A recording, or - for a pipe: WAV, or bare little-endian samples of 16 bits.",
        ),
        click.option("--device", help="Number of a microphone, or a part of its name; default: the usual."),
    ):
        command = option(command)
    return command


def open_sound(
    device: str | None, file: Path | None, rate: int | None, channels: int | None, *, target: int
) -> Iterator[Float32Array]:
    """Return the sound that the options choose, blocks of shape (n,) of `target` hertz, as it comes."""
    from face_det.voices import SampleFormat, read_microphone, read_pipe, read_sound

    bare = SampleFormat(rate or SampleFormat().rate, channels or 1)
    if file is not None and device is not None:
        raise click.UsageError("--device and --file: give one of them")
    if file == STDIN:
        return read_pipe(sys.stdin.buffer, "standard input", bare, target)
    if file is not None and file.is_fifo():
        return _read_fifo(file, bare, target)
    if rate is not None or channels is not None:
        raise click.UsageError("--rate and --channels describe bare samples in a pipe; add --file -")
    if file is not None:
        return read_sound(file, target)
    chosen = int(device) if device is not None and device.isdecimal() else device
    return read_microphone(chosen, target)


def _read_fifo(path: Path, bare: Any, target: int) -> Iterator[Float32Array]:
    from face_det.voices import read_pipe

    try:
        pipe = path.open("rb")
    except OSError as error:
        raise SoundError(f"{path}: must be a pipe, got {error.strerror}") from error
    with pipe:
        yield from read_pipe(pipe, str(path), bare, target)


@click.command(
    "listen",
    help="Say who is speaking into a microphone or a pipe, when each sentence has ended. A line that starts "
    "when the line before does replaces it, because more was heard of that speaker. Ctrl-C ends it.",
)
@sound_options
@config_option
@click.option("--json", "as_json", is_flag=True, help="Print a line of JSON for each answer.")
def command(
    device: str | None,
    file: Path | None,
    rate: int | None,
    channels: int | None,
    config_source: ConfigSource,
    as_json: bool,
) -> None:
    """Run `face-det voice listen`."""
    from face_det.voices import SAMPLE_RATE

    recognizer = make_recognizer(config_source.load())
    blocks = open_sound(device, file, rate, channels, target=SAMPLE_RATE)
    heard = False
    with Interruption() as interruption:
        click.echo("listening", err=True)
        for segment in interruption.until(recognizer.name_turns(recognizer.listener.follow(blocks))):
            heard = True
            click.echo(json.dumps(segment.as_json()) if as_json else make_printable(_describe(segment)))
    if not heard:
        click.echo("face-det: nobody spoke (no_speech)", err=True)


def _describe(segment: VoiceSegment) -> str:
    one = segment.as_json()
    who = one["voice"] or one["outcome"] or "-"
    proba = "" if one["voiceProba"] is None else f" {one['voiceProba']:.2f}"
    maybe = ", ".join(f"{each['name']} {each['proba']:.2f}" for each in one["candidates"])
    why = " ".join(filter(None, [one["voiceReason"], maybe and f"({maybe}?)"]))
    return f"{one['begin']:8.1f} .. {one['end']:.1f} s  {who}{proba}{why and f'  {why}'}"
