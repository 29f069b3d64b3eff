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
from face_det.config import Config
from face_det.errors import BadEncodings, DataError, ModelMissing, SoundError
from face_det.recognition import DecisionRule
from face_det.types import UNKNOWN

if TYPE_CHECKING:
    from face_det.voices import ConditionResult, VoiceListener, VoiceReport, VoiceSegment

TEMPLATE = "template"


@click.group(
    help="Say who is speaking in recordings and videos. Needs the extra 'voice' and the weights of its "
    "networks; see docs/how-to/voices.md."
)
def command() -> None:
    """Group the commands for voices."""


@command.command("encode", help="Encode the recordings in dataset/NAME/, beside the photos.")
@click.argument("dataset", required=False, type=click.Path(path_type=Path))
@config_option
@click.option("--json", "as_json", is_flag=True, help="Print JSON instead of a table.")
def encode_command(dataset: Path | None, config_source: ConfigSource, as_json: bool) -> None:
    """Run `face-det voice encode`."""
    from face_det.enrolment import VoicePaths
    from face_det.voices import encode_recordings

    config = config_source.load()
    dataset = (dataset or config.dataset_path).absolute()
    target = VoicePaths.beside(config.encodings_path.absolute()).encodings
    listener = _make_listener(config)
    with progress.show_progress() as show:
        report = encode_recordings(
            dataset,
            target,
            listener,
            lambda done, total: show("encoding", done, total),
            lock=config.encodings_path,
        )
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
    from face_det.enrolment import VoicePaths
    from face_det.voices import VoiceRecognizer, load_voice_model

    config = config_source.load()
    listener = _make_listener(config)
    paths = VoicePaths.beside(config.encodings_path)
    try:
        model = load_voice_model(paths, listener.encoder.fingerprint)
    except ModelMissing as error:
        raise ModelMissing(
            f"{paths.model}: must be a trained classifier of voices, file not found; "
            "run 'face-det voice encode' and 'face-det voice train'"
        ) from error
    rule = DecisionRule(config.min_proba, config.decision)
    recognizer = VoiceRecognizer(listener, model, rule)
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


@command.command(
    "evaluate",
    help="Measure recognition on recordings that were not enrolled. FOLDER has known/NAME/* and strangers/*, "
    "or NAME/* and Unknown/*; default: datasetPath.",
)
@click.argument("folder", required=False, type=click.Path(path_type=Path))
@config_option
@click.option("-c", "--classifier", type=click.Choice(usual_kinds()), default=TEMPLATE, show_default=True)
@click.option(
    "--enrol", type=click.IntRange(min=1), default=5, show_default=True, help="Recordings enrolled each."
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON instead of a table.")
def evaluate_command(
    folder: Path | None, config_source: ConfigSource, classifier: str, enrol: int, as_json: bool
) -> None:
    """Run `face-det voice evaluate`."""
    from face_det.voices import evaluate_voices, split_recordings

    config = config_source.load()
    split = split_recordings(folder or config.dataset_path, enrol)
    listener = _make_listener(config)
    with progress.show_progress() as show:
        found = evaluate_voices(
            split,
            listener,
            rule=DecisionRule(config.min_proba, config.decision),
            false_accept_rate=config.false_accept_rate,
            kind=classifier,
            on_progress=lambda done, total: show("listening", done, total),
        )
    rows = [_result_as_json(result) for result in found.results]
    if as_json:
        more = {"enrolled": len(split.enrolled), "tested": len(split.tested)}
        unreadable = [str(path) for path in found.unreadable]
        click.echo(json.dumps({**more, "unreadable": unreadable, "conditions": rows}, indent=2))
        return
    terminal.make_console().print(_build_results(rows))
    for path in found.unreadable:
        click.echo(f"face-det: {terminal.make_printable(str(path))}: cannot be read, left out", err=True)


def _result_as_json(result: ConditionResult) -> dict[str, Any]:
    """Return what was counted under a condition; each share with its 95 % interval."""
    shares = {
        label: {"count": one.count, "of": one.total, "interval": [round(end, 4) for end in one.interval]}
        for label, one in result.counts.proportions()
        if "no face" not in label
    }
    return {
        "condition": result.condition.name,
        "equalErrorRate": result.equal_error_rate,
        "pairs": {"same": result.pairs[0], "different": result.pairs[1]},
        "shorter": result.shorter,
        "notEncoded": {"known": result.counts.known_no_face, "strangers": result.counts.strangers_no_face},
        "shares": shares,
    }


def _build_results(rows: list[dict[str, Any]]) -> Table:
    table = Table("speech")
    titles = ["known, named rightly", "known, named wrongly", "strangers, named"]
    for title in (*titles, "equal error rate"):
        table.add_column(title, justify="right")
    for row in rows:
        cells = []
        for title in titles:
            share = row["shares"][title]
            low, high = (100 * end for end in share["interval"])
            part = 100 * share["count"] / max(share["of"], 1)
            cells.append(f"{part:.1f} % of {share['of']} ({low:.1f}..{high:.1f})")
        rate = row["equalErrorRate"]
        table.add_row(row["condition"], *cells, "" if rate is None else f"{100 * rate:.2f} %")
    return table


def _make_listener(config: Config) -> VoiceListener:
    """Load the networks; SoundError or WeightsError says in one line what to install."""
    from face_det.nets import SpeechNetwork
    from face_det.voices import VoiceEncoder, VoiceListener, require_sound_library

    require_sound_library()
    return VoiceListener(SpeechNetwork(config.compute), VoiceEncoder(config.compute))


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
