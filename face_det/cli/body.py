"""The command `face-det body`: learn people's bodies and clothes, and say how far they can be relied on."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click

from face_det.bodies import BodyEvaluation, encode_crops, evaluate_bodies, list_crops, save_bodies
from face_det.cli import progress, terminal
from face_det.cli.shared_options import ConfigSource, config_option
from face_det.config import Body
from face_det.evaluation import Proportion
from face_det.service import body_rate, build_body_embedder, data_paths
from face_det.storage import make_folder, report_write_errors


@click.command(
    help="Learn what people look like from behind, and measure it visit by visit. FOLDER holds pictures of "
    "persons as NAME/VISIT/FILE, or as NAME/FILE with the day in the file's name; Unknown/ holds strangers. "
    "The daemon uses it where a face cannot be seen, if config.json has `body`; run face-det reload then."
)
@click.argument("folder", type=click.Path(path_type=Path))
@click.option("-n", "--dry-run", is_flag=True, help="Only measure; save nothing.")
@config_option
@click.option("--json", "as_json", is_flag=True, help="Print the figures as JSON.")
def command(folder: Path, dry_run: bool, config_source: ConfigSource, as_json: bool) -> None:
    """Run the command."""
    config = config_source.load()
    target = data_paths(config).bodies
    assert target is not None
    embedder = build_body_embedder(config.body or Body(), config.compute)
    found = list_crops(folder)
    for name, reason in found.left_out:
        click.echo(f"face-det: left out: {terminal.make_printable(name)}: {reason}", err=True)
    try:
        with progress.show_progress() as on_progress:
            encoded, unreadable = encode_crops(
                found.crops, embedder, progress.progress_for("pictures", on_progress)
            )
    except KeyboardInterrupt:
        click.echo("face-det: interrupted; nothing was learnt", err=True)
        raise click.exceptions.Exit(130) from None
    for path, reason in unreadable:
        click.echo(f"face-det: left out: {terminal.make_printable(str(path))}: {reason}", err=True)
    evaluated = evaluate_bodies(encoded, body_rate(config))
    if not dry_run:
        with report_write_errors(target.parent, "nothing was written"):
            make_folder(target.parent)
        save_bodies(target, encoded)
    if as_json:
        saved = None if dry_run else str(target)
        click.echo(
            json.dumps({**_as_json(evaluated), "pictures": len(encoded.names), "saved": saved}, indent=2)
        )
        return
    for line in _describe(evaluated):
        click.echo(line)
    if not dry_run:
        off = "" if config.body is not None else '; it is not used, because config.json has no "body": {}'
        click.echo(f"written: {target}{off}")


def _describe(found: BodyEvaluation) -> list[str]:
    """Return what was measured, line by line, and whether somebody will be named."""
    rate = found.calibration
    lines = [
        f"{name}: {terminal.count_of(visits, 'visit')}; each left out in turn: {right} right, {wrong} wrong"
        for name, (visits, right, wrong) in found.people.items()
    ]
    lines += [f"{name}: left out, with one visit; two are needed" for name in rate.left_out]
    if found.people:
        lines += [
            f"visits named rightly: {_with_interval(found.right)}",
            f"visits named wrongly: {_with_interval(found.wrong)}",
            f"strangers' visits named: {_with_interval(found.strangers_named)}",
        ]
    if found.names_people:
        lines.append(
            f"People are named: {rate.strangers} strangers show a false accept rate of {rate.rate:g} "
            "at most, visit by visit."
        )
    elif not found.people:
        lines.append("Nobody is named: it takes two visits of somebody to learn from.")
    else:
        lines.append(
            f"Nobody is named: it takes {rate.needed} visits of strangers to show a false accept rate of "
            f"{rate.rate:g}, got {rate.strangers}. Add some to Unknown, or set a higher body.falseAcceptRate."
        )
    lines.append(
        "Clothes decide: whoever wears others than in these visits is not known, and whoever wears the same "
        "may be taken for them."
    )
    return lines


def _with_interval(share: Proportion) -> str:
    low, high = (100 * end for end in share.interval)
    return f"{share.count} of {share.total} (95 % interval: {low:.1f} to {high:.1f} %)"


def _as_json(found: BodyEvaluation) -> dict[str, Any]:
    rate = found.calibration
    return {
        "people": {
            name: {"visits": visits, "right": right, "wrong": wrong}
            for name, (visits, right, wrong) in found.people.items()
        },
        **{
            key: {"count": share.count, "of": share.total, "interval": list(share.interval)}
            for key, share in (
                ("right", found.right),
                ("wrong", found.wrong),
                ("strangersNamed", found.strangers_named),
            )
        },
        "falseAcceptRate": rate.rate,
        "strangers": rate.strangers,
        "strangersNeeded": rate.needed,
        "leftOut": list(rate.left_out),
        "names": found.names_people,
    }
