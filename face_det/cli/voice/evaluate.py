"""The command `face-det voice evaluate`: how well voices are recognised, by length and with noise."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from rich.table import Table

from face_det.classifiers import usual_kinds
from face_det.cli import progress, terminal
from face_det.cli.shared_options import ConfigSource, config_option
from face_det.cli.voice.networks import make_listener
from face_det.errors import DataError
from face_det.recognition import DecisionRule
from face_det.storage import write_atomically

if TYPE_CHECKING:
    from face_det.evaluation import OpenSetCounts, ReportChart
    from face_det.voices import ConditionResult, VoiceEvaluation

SHARES = ("known, named rightly", "known, named wrongly", "strangers, named")


@click.command(
    "evaluate",
    help="Measure recognition on recordings that were not enrolled. FOLDER has known/NAME/* and strangers/*, "
    "or NAME/* and Unknown/*; default: datasetPath.",
)
@click.argument("folder", required=False, type=click.Path(path_type=Path))
@config_option
@click.option("-c", "--classifier", type=click.Choice(usual_kinds()), default="template", show_default=True)
@click.option(
    "--enrol", type=click.IntRange(min=1), default=5, show_default=True, help="Recordings enrolled each."
)
@click.option(
    "--compare", is_flag=True, help="Also measure `face-det voice acoustic`, trained on the same recordings."
)
@click.option(
    "--html",
    "page",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Write a report with error trade-off and calibration to this HTML file.",
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON instead of a table.")
def command(
    folder: Path | None,
    config_source: ConfigSource,
    classifier: str,
    enrol: int,
    compare: bool,
    page: Path | None,
    as_json: bool,
) -> None:
    """Run `face-det voice evaluate`."""
    from face_det.voices import evaluate_voices, split_recordings

    if page is not None and not page.absolute().parent.is_dir():
        raise DataError(f"{page}: must be in an existing folder, {page.parent} does not exist")
    config = config_source.load()
    folder = folder or config.dataset_path
    split = split_recordings(folder, enrol)
    listener = make_listener(config)
    with progress.show_progress() as show:
        found = evaluate_voices(
            split,
            listener,
            rule=DecisionRule(config.min_proba, config.decision),
            false_accept_rate=config.false_accept_rate,
            kind=classifier,
            compare=compare,
            on_progress=lambda done, total: show("listening", done, total),
        )
    rows = [_as_json(result) for result in found.results]
    # Print first: an hour of work must not be lost to a full disk.
    if as_json:
        more = {"enrolled": len(split.enrolled), "tested": len(split.tested)}
        unreadable = [str(path) for path in found.unreadable]
        click.echo(json.dumps({**more, "unreadable": unreadable, "conditions": rows}, indent=2))
    else:
        console = terminal.make_console()
        console.print(_build_table("speech", rows, "shares"))
        if compare:
            console.print(_build_table("speech, acoustic features", rows, "acoustic"))
        for path in found.unreadable:
            click.echo(f"face-det: {terminal.make_printable(str(path))}: cannot be read, left out", err=True)
    if page is not None:
        text = _render_page(found, rows, str(folder), compare).encode("utf-8", "backslashreplace")
        write_atomically(page.absolute(), text)
        click.echo(f"written: {page}", err=True)


def _as_json(result: ConditionResult) -> dict[str, Any]:
    """Return what was counted under a condition; each share with its 95 % interval."""
    bins = result.calibration
    return {
        "condition": result.condition.name,
        "equalErrorRate": result.equal_error_rate,
        "pairs": {"same": result.pairs[0], "different": result.pairs[1]},
        "shorter": result.shorter,
        "notEncoded": {"known": result.counts.known_no_face, "strangers": result.counts.strangers_no_face},
        "shares": _shares(result.counts),
        "det": [
            {"strangersNamed": round(named, 4), "knownNotNamedRightly": round(missed, 4)}
            for named, missed in _trade_off(result)
        ],
        "calibration": {
            "ece": round(bins.ece, 4),
            "bins": [
                {"claimed": round(float(claimed), 4), "right": round(float(right), 4), "count": int(count)}
                for claimed, right, count in zip(bins.claimed, bins.actual, bins.counts, strict=True)
            ],
        },
        "acoustic": None if result.acoustic is None else _shares(result.acoustic),
    }


def _trade_off(result: ConditionResult) -> Iterator[tuple[float, float]]:
    """Yield the shares of strangers named and of known people not named rightly, as the threshold falls."""
    from face_det.evaluation import count_by_threshold

    _, counts = count_by_threshold(result.truth, result.predictions)
    before = None
    for right, _, named in counts:
        place = (
            named / max(result.counts.strangers, 1),
            1 - right / max(result.counts.known, 1),
        )
        if place != before:
            yield place
        before = place


def _shares(counts: OpenSetCounts) -> dict[str, Any]:
    return {
        label: {"count": one.count, "of": one.total, "interval": [round(end, 4) for end in one.interval]}
        for label, one in counts.proportions()
        if "no face" not in label
    }


def _list_rows(rows: list[dict[str, Any]], key: str) -> Iterator[list[str]]:
    """Yield a row for each condition: shares with their intervals, and the equal error rate if known."""
    nothing: dict[str, Any] = {"count": 0, "of": 0, "interval": (0, 1)}
    for row in rows:
        cells = []
        for title in SHARES:
            share = nothing if row[key] is None else row[key][title]
            low, high = (100 * end for end in share["interval"])
            part = 100 * share["count"] / max(share["of"], 1)
            cells.append(f"{part:.1f} % of {share['of']} ({low:.1f}..{high:.1f})")
        rate = row["equalErrorRate"] if key == "shares" else None
        yield [row["condition"], *cells, "" if rate is None else f"{100 * rate:.2f} %"]


def _build_table(first: str, rows: list[dict[str, Any]], key: str) -> Table:
    table = Table(first)
    for title in (*SHARES, "equal error rate"):
        table.add_column(title, justify="right")
    for cells in _list_rows(rows, key):
        table.add_row(*cells)
    return table


def _render_page(found: VoiceEvaluation, rows: list[dict[str, Any]], place: str, compare: bool) -> str:
    from face_det.evaluation import ReportTable, render_charts

    head = ("speech", *SHARES, "equal error rate")
    note = "In brackets: the 95 % interval."
    tables = [ReportTable("Voices", head, tuple(map(tuple, _list_rows(rows, "shares"))), note)]
    if compare:
        note = "They name everybody; trained on the same recordings, the last of each person's to validate."
        rated = tuple(map(tuple, _list_rows(rows, "acoustic")))
        tables.append(ReportTable("Acoustic features and their network", head, rated, note))
    charts = [chart for result in found.results for chart in _draw(result)]
    return render_charts("face-det voice evaluate", place, tables, charts)


def _draw(result: ConditionResult) -> Iterator[ReportChart]:
    from face_det.evaluation import ReportChart, draw_det_curve, draw_reliability_diagram

    name = result.condition.name
    if result.counts.known and result.counts.strangers and len(result.truth):
        others = {} if result.acoustic is None else {"acoustic features": result.acoustic}
        yield ReportChart(
            f"Error trade-off: {name}",
            draw_det_curve(result.truth, result.predictions, result.counts, others),
            "Lower and further left is better. Rates beyond 60 % are drawn at the edge.",
        )
    if len(result.truth):
        yield ReportChart(
            f"Does voiceProba mean what it says? {name}",
            draw_reliability_diagram(result.calibration, "voiceProba"),
            "The share of answers that are right, by their probability; the numbers count recordings.",
        )
