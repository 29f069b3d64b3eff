"""The command `face-det s3-extract`: the people in a bucket's alarm frames, as pictures to train on."""

from __future__ import annotations

import json
from contextlib import closing
from pathlib import Path
from typing import Any

import click
from rich.table import Table

from face_det.cli import terminal
from face_det.cli.interruption import Interruption
from face_det.cli.progress import show_count
from face_det.cli.times import convert_time
from face_det.errors import BucketRefused
from face_det.extraction import (
    LEFT_OUT,
    SKIPPED,
    Bucket,
    FrameTotals,
    open_output,
    save_alarm_frames,
)

BUCKET = "smart-zoneminder"
OUTPUT = Path("s3-dataset")
WORKERS = 16


@click.command(
    help="Save the people whom smart-zoneminder recognised, out of the alarm frames that its uploader stored "
    "in an S3 bucket: each person's region as OUTPUT/NAME/FILE.jpg. Run it again to fetch what is new, or "
    "after an interruption; frames that are finished are not read again. Credentials come from where the AWS "
    "tools have them: AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or ~/.aws."
)
@click.option("--bucket", default=BUCKET, help=f"Name of the bucket; default: {BUCKET}.")
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path, file_okay=False),
    default=OUTPUT,
    help=f"Folder to write to; default: {OUTPUT}. No file in it is ever overwritten.",
)
@click.option("--prefix", default="", help="Only objects whose keys start like this, such as upload/Porch/.")
@click.option(
    "--since",
    callback=convert_time,
    help="Only objects stored since then: a date, a date and time, or an age such as 7d.",
)
@click.option(
    "--endpoint-url", metavar="URL", help="Address of an S3 server that is not Amazon's: http://HOST:PORT."
)
@click.option(
    "--workers",
    type=click.IntRange(1, 256),
    default=WORKERS,
    help=f"How many objects to read at a time; default: {WORKERS}.",
)
@click.option("--json", "as_json", is_flag=True, help="Print the summary as JSON.")
def command(
    bucket: str,
    output: Path,
    prefix: str,
    since: float | None,
    endpoint_url: str | None,
    workers: int,
    as_json: bool,
) -> None:
    """Run the command."""
    totals = FrameTotals()
    with (
        closing(Bucket(bucket, endpoint_url=endpoint_url, connections=workers)) as source,
        open_output(output) as place,
        show_count("objects") as progress,
        Interruption() as interruption,
        closing(
            save_alarm_frames(
                source, place, prefix=prefix, since_s=since, workers=workers, until=interruption.until
            )
        ) as frames,
    ):
        for frame in frames:
            totals.add(frame)
            progress.advance()
            for line in frame.remarks:
                progress.say(f"face-det: skipped: {line}")
    summary = _summarize(totals, bucket, output, interrupted=interruption.asked)
    click.echo(json.dumps(summary, indent=2)) if as_json else _print(summary)
    if interruption.asked:
        click.echo("face-det: interrupted; run the command again to go on", err=True)
        raise click.exceptions.Exit(130)
    if refused := totals.counts["refused"]:
        raise BucketRefused(
            [f"s3://{bucket}: {terminal.count_of(refused, 'object')} may not be read; allow s3:GetObject"]
        )


def _summarize(totals: FrameTotals, bucket: str, output: Path, *, interrupted: bool) -> dict[str, Any]:
    return {
        "bucket": bucket,
        "output": str(output),
        "objects": totals.objects,
        "earlier": totals.earlier,
        "pictures": totals.counts["pictures"],
        "people": totals.people,
        "unnamed": totals.counts["unnamed"],
        "skipped": totals.select(SKIPPED),
        "left_out": totals.select(LEFT_OUT),
        "interrupted": interrupted,
    }


def _print(summary: dict[str, Any]) -> None:
    if summary["people"]:
        table = Table("person")
        table.add_column("pictures", justify="right")
        for name, count in summary["people"].items():
            table.add_row(terminal.make_cell(name), str(count))
        terminal.make_console().print(table)
    earlier = f", {summary['earlier']} of them in earlier runs" if summary["earlier"] else ""
    click.echo(
        f"{summary['output']}: {terminal.count_of(summary['pictures'], 'picture')} of "
        f"{terminal.count_of(len(summary['people']), 'person')} from "
        f"{terminal.count_of(summary['objects'], 'object')}{earlier}"
    )
    for kind, words in (("skipped", SKIPPED), ("left_out", LEFT_OUT)):
        for reason, count in summary[kind].items():
            if count:
                click.echo(f"{kind.replace('_', ' ')}, {words[reason]}: {count}")
    if summary["unnamed"]:
        click.echo(f"left out, people without a name: {summary['unnamed']}")
