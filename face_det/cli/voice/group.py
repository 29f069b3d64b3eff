"""The command `face-det voice`: enrols voices, and says who is speaking in recordings."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from rich.table import Table

from face_det.classifiers import usual_kinds
from face_det.cli import progress, terminal
from face_det.cli.shared_options import ConfigSource, config_option
from face_det.cli.voice import acoustic, evaluate, listen
from face_det.cli.voice.networks import make_listener, make_recognizer
from face_det.errors import BadEncodings, DataError, SoundError
from face_det.rpc import command_caller
from face_det.service import open_audit_log
from face_det.types import UNKNOWN

if TYPE_CHECKING:
    from face_det.voices import VoiceReport, VoiceSegment

TEMPLATE = "template"


@click.group(
    help="Say who is speaking in recordings and videos. Needs the extra 'voice' and the weights of its "
    "networks; see docs/how-to/voices.md."
)
def command() -> None:
    """Group the commands for voices."""


command.add_command(listen.command)
command.add_command(acoustic.command)
command.add_command(evaluate.command)


@command.command("encode", help="Encode the recordings in dataset/NAME/, beside the photos.")
@click.argument("dataset", required=False, type=click.Path(path_type=Path))
@config_option
@click.option("--json", "as_json", is_flag=True, help="Print JSON instead of a table.")
@click.pass_context
def encode_command(
    context: click.Context, dataset: Path | None, config_source: ConfigSource, as_json: bool
) -> None:
    """Run `face-det voice encode`."""
    from face_det.enrolment import VoicePaths
    from face_det.voices import encode_recordings

    config = config_source.load()
    dataset = (dataset or config.dataset_path).absolute()
    target = VoicePaths.beside(config.encodings_path.absolute()).encodings
    listener = make_listener(config)
    audit_log = open_audit_log(config.audit_path, config.encodings_path.absolute())
    try:
        with audit_log.recorded(command_caller(), "voice encode") as counts, progress.show_progress() as show:
            report = encode_recordings(
                dataset,
                target,
                listener,
                lambda done, total: show("encoding", done, total),
                lock=config.encodings_path,
            )
            counts |= {"encoded": report.encoded, "reused": report.reused}
    except KeyboardInterrupt:
        click.echo(f"face-det: interrupted; {target} is as before, or complete", err=True)
        context.exit(130)
    if report.lost:
        names = ", ".join(report.lost)
        click.echo(f"no longer in {target}, because they have no recording in {dataset}: {names}", err=True)
    click.echo(json.dumps(_report_as_json(report, target), indent=2) if as_json else _format(report, target))


@command.command("train", help="Train the classifier of voices on what `face-det voice encode` encoded.")
@config_option
@click.option("-c", "--classifier", type=click.Choice(usual_kinds()), default=TEMPLATE, show_default=True)
@click.option("--quick", is_flag=True, help="Search only a few candidates.")
@click.option("-j", "--jobs", type=click.IntRange(min=1), help="Threads; default: one per core.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def train_command(
    config_source: ConfigSource, classifier: str, quick: bool, jobs: int | None, as_json: bool
) -> None:
    """Run `face-det voice train`."""
    from face_det.enrolment import VoicePaths
    from face_det.voices import RUN_VOICE_ENCODE, read_voices, save_voice_model, train_voices

    config = config_source.load()
    paths = VoicePaths.beside(config.encodings_path)
    gallery = read_voices(paths.encodings)
    if gallery is None:
        raise BadEncodings(f"{paths.encodings}: must hold voices, file not found; {RUN_VOICE_ENCODE}")
    with progress.show_progress() as show:
        result = train_voices(
            gallery,
            [classifier],
            false_accept_rate=config.false_accept_rate,
            jobs=jobs or len(os.sched_getaffinity(0)),
            thorough=not quick,
            on_progress=show,
        )
    with open_audit_log(config.audit_path, config.encodings_path).recorded(command_caller(), "voice train"):
        save_voice_model(result.models[0], paths, gallery, config.encodings_path)
    verifier = result.models[0].verifier
    people = {name: count for name, count in result.photos.items() if name != UNKNOWN}
    summary = {
        "model": str(paths.model),
        "classifier": classifier,
        "people": people,
        "strangers": result.photos.get(UNKNOWN, 0),
        "falseAcceptRate": config.false_accept_rate,
        "impostors": None if verifier is None else verifier.impostors,
        "shownByCounting": verifier is not None and verifier.claimed,
    }
    click.echo(json.dumps(summary, indent=2) if as_json else _format_training(summary))


@command.command("recognize", help="Say who speaks when in recordings and videos.")
@click.argument("files", nargs=-1, required=True, type=click.Path(path_type=Path))
@config_option
@click.option("--json", "as_json", is_flag=True, help="Print JSON instead of a table.")
def recognize_command(files: tuple[Path, ...], config_source: ConfigSource, as_json: bool) -> None:
    """Run `face-det voice recognize`."""
    recognizer = make_recognizer(config_source.load())
    answers = []
    for path in files:
        segments: list[VoiceSegment] = []
        failed = None
        try:
            segments.extend(recognizer.recognize(path))
        except SoundError as error:
            failed = str(error)
        answers.append(_answer(path, segments, failed))
    if as_json:
        click.echo(json.dumps(answers, indent=2))
    else:
        terminal.make_console().print(_build_table(answers))
    failures = [answer["error"] for answer in answers if "error" in answer]
    if failures:
        rest = f" (and {len(failures) - 1} more)" if len(failures) > 1 else ""
        raise DataError(f"{failures[0]}{rest}")


def _answer(path: Path, segments: list[VoiceSegment], failed: str | None) -> dict[str, Any]:
    answer: dict[str, Any] = {"recording": str(path), "segments": [one.as_json() for one in segments]}
    if failed is not None:
        answer["error"] = failed
    elif not segments:
        answer["reason"] = "no_speech"
    return answer


def _build_table(answers: list[dict[str, Any]]) -> Table:
    table = Table("recording")
    table.add_column("from", justify="right")
    table.add_column("to", justify="right")
    for title in ("voice", "probability", "why not"):
        table.add_column(title)
    for answer in answers:
        name = terminal.make_cell(answer["recording"])
        if not answer["segments"]:
            table.add_row(name, "", "", "", "", terminal.make_cell(answer.get("error", "no_speech")))
        for one in answer["segments"]:
            proba = one["voiceProba"]
            maybe = ", ".join(f"{each['name']} {each['proba']:.2f}" for each in one["candidates"])
            table.add_row(
                name,
                f"{one['begin']:.1f}",
                f"{one['end']:.1f}",
                terminal.make_cell(one["voice"] or one["outcome"] or "-"),
                "" if proba is None else f"{proba:.2f}",
                terminal.make_cell(" ".join(filter(None, [one["voiceReason"], maybe and f"({maybe}?)"]))),
            )
    return table


def _report_as_json(report: VoiceReport, target: Path) -> dict[str, Any]:
    return {
        "encodings": str(target),
        "encoded": report.encoded,
        "reused": report.reused,
        "people": [
            {"name": name, "recordings": count, "speech": round(seconds, 1)}
            for name, count, seconds in _tally(report)
        ],
        "leftOut": [
            {"path": str(item.path), "name": item.name, "reason": item.reason, "text": item.text}
            for item in report.left_out
        ],
    }


def _tally(report: VoiceReport) -> list[tuple[str, int, float]]:
    """Return each person's name, number of recordings and seconds of speech."""
    found = []
    for name in report.gallery.people:
        mine = [row.speech_s for row in report.gallery.rows if row.name == name]
        found.append((name, len(mine), sum(mine)))
    return found


def _format(report: VoiceReport, target: Path) -> str:
    lines = [
        f"{name}: {terminal.count_of(count, 'recording')}, {seconds:.0f} s of speech"
        for name, count, seconds in _tally(report)
    ]
    lines += [
        f"left out: {terminal.make_printable(item.text or f'{item.path}: {item.reason}')}"
        for item in report.left_out
    ]
    recordings = terminal.count_of(len(report.gallery.rows), "recording")
    people = terminal.count_of(len(report.gallery.people), "person")
    lines.append(f"{target}: {recordings} of {people} ({report.encoded} encoded, {report.reused} reused)")
    return "\n".join(lines)


def _format_training(summary: dict[str, Any]) -> str:
    few = [name for name, count in summary["people"].items() if count < 3]
    lines = [
        f"{summary['classifier']}: {terminal.count_of(len(summary['people']), 'person')}, "
        f"{terminal.count_of(summary['strangers'], 'recording')} of strangers",
        f"written: {summary['model']}",
    ]
    if few:
        lines.append(f"fewer than 3 recordings, so people are less surely recognised: {', '.join(few)}")
    if not summary["shownByCounting"]:
        lines.append(
            f"falseAcceptRate {summary['falseAcceptRate']:g}: an estimate, from {summary['impostors']} "
            f"impostors; recordings of strangers in dataset/{UNKNOWN} make it better"
        )
    return "\n".join(lines)
