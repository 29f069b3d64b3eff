"""`face-det train`: trains classifiers on encodings.pickle and reports how good they are."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Sequence
from pathlib import Path

import click

from face_det.classifiers import CLASSIFIERS
from face_det.cli import progress
from face_det.cli.shared_options import ConfigSource, config_option
from face_det.config import Config, list_choices
from face_det.embedders import DLIB_AND_SFACE, configurable_embedder, embedder_from_fingerprint
from face_det.engine import build_engine
from face_det.enrolment import (
    ModelFiles,
    choose_model_files,
    describe_model_files,
    fit_stand_in,
    has_gallery_changed,
    lock_if_writable,
    write_models,
)
from face_det.errors import BadEncodings
from face_det.evaluation import draw_held_out_confusion, training_as_json, training_as_text
from face_det.gallery import EncodingCache, Gallery, encoding_cache_path
from face_det.recognition import AUTO_EMBEDDER, DecisionRule
from face_det.rpc import command_caller
from face_det.service import build_enrolment_options, open_audit_log
from face_det.training import TrainingResult, add_masked_copies, describe_masked_copies, train_classifiers

ALL = "all"


@click.command(help="Train classifiers on encodings.pickle; every kind by default.")
@config_option
@click.option("-e", "--encodings", type=click.Path(path_type=Path), help="Encodings; default: encodingsPath.")
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path, file_okay=False),
    help="Folder to write to; default: where modelPath and labelPath point.",
)
@click.option(
    "-c",
    "--classifier",
    "chosen",
    multiple=True,
    type=click.Choice([*CLASSIFIERS, ALL]),
    help="May be repeated; default: all.",
)
@click.option(
    "--embedder",
    type=click.Choice(list_choices("embedder")),
    help="Train on this embedder's encodings; auto picks the best; default: embedder.",
)
@click.option(
    "--masked",
    is_flag=True,
    help="Also train on masked copies of the photos in datasetPath; see evaluate --degrade.",
)
@click.option("--quick", is_flag=True, help="Search only a few candidates.")
@click.option("-j", "--jobs", type=click.IntRange(min=1), help="Threads; default: one per core.")
@click.option("--json", "as_json", is_flag=True, help="Print the report as JSON.")
@click.pass_context
def command(
    context: click.Context,
    config_source: ConfigSource,
    encodings: Path | None,
    output: Path | None,
    chosen: tuple[str, ...],
    embedder: str | None,
    masked: bool,
    quick: bool,
    jobs: int | None,
    as_json: bool,
) -> None:
    """Run `face-det train`."""
    config = config_source.load()
    source = encodings or config.encodings_path
    kinds = [kind for kind in CLASSIFIERS if not chosen or ALL in chosen or kind in chosen]
    gallery = _load_gallery(source)
    files = choose_model_files(
        config.model_path, config.label_path, output, config.classifier, some_kinds=bool(chosen)
    )
    jobs = jobs or len(os.sched_getaffinity(0))
    try:
        with progress.show_progress() as on_progress:
            trained_on = _add_masked_copies(gallery, config, source, jobs, on_progress) if masked else gallery
            result = train_classifiers(
                trained_on,
                kinds,
                embedder=embedder or config.embedder,
                false_accept_rate=config.false_accept_rate,
                jobs=jobs,
                thorough=not quick,
                on_progress=on_progress,
            )
    except KeyboardInterrupt:
        click.echo("face-det: interrupted; the classifiers are unchanged", err=True)
        context.exit(130)
    audit_log = open_audit_log(config.audit_path, source)
    with audit_log.recorded(command_caller(), "train"), lock_if_writable(source):
        changed = has_gallery_changed(gallery, source)
        in_use = None if output or chosen else config.model_path
        stand_in = fit_stand_in(result, gallery, files.classifiers, in_use, config.false_accept_rate)
        written = write_models(result, files, stand_in, _draw_confusions(result, files))
    remarks = list(describe_model_files(result, files, stand_in, None if output else config.model_path))
    used = configurable_embedder(embedder_from_fingerprint(result.models[0].card.fingerprint))
    remarks += _remark_on_embedder(used, config.embedder) if output is None else []
    if masked:
        remarks += describe_masked_copies(len(trained_on.names) - len(gallery.names), source, used)
    if changed:
        remarks.append(f"{source} was changed while this ran; run face-det train again to include that")
    _print_report(result, DecisionRule(config.min_proba, config.decision), used, written, remarks, as_json)


def _load_gallery(source: Path) -> Gallery:
    gallery = Gallery.load(source)
    if not gallery.names:
        raise BadEncodings(f"{source}: must hold encodings, file not found or empty; run 'face-det encode'")
    return gallery


def _remark_on_embedder(used: str, configured: str) -> list[str]:
    if configured in (AUTO_EMBEDDER, used):
        return []
    return [f"trained on encodings of {used}: set embedder to {used} or {AUTO_EMBEDDER} in config.json"]


def _add_masked_copies(
    gallery: Gallery, config: Config, source: Path, jobs: int, on_progress: Callable[[str, int, int], None]
) -> Gallery:
    """Add masked copies of the photos in the dataset; known encodings come from the cache beside `source`."""
    engine = build_engine(build_enrolment_options(config, DLIB_AND_SFACE, gallery.embedders))
    with EncodingCache(encoding_cache_path(source.absolute())) as cache:
        return add_masked_copies(
            gallery,
            config.dataset_path,
            engine,
            cache,
            jobs=jobs,
            on_progress=lambda done, total: on_progress("masks", done, total),
        )


def _draw_confusions(result: TrainingResult, files: ModelFiles) -> dict[str, bytes]:
    """Draw the confusion matrix of each kind that is written and was judged."""
    return {
        one.kind: draw_held_out_confusion(one.held_out, one.kind)
        for one in result.trained
        if one.held_out is not None and one.kind in files.classifiers
    }


def _print_report(
    result: TrainingResult,
    rule: DecisionRule,
    embedder: str,
    files: Sequence[Path],
    remarks: Sequence[str],
    as_json: bool,
) -> None:
    if as_json:
        report = training_as_json(result, rule)
        more = {"embedder": embedder, "files": [str(path) for path in files], "remarks": [*remarks]}
        click.echo(json.dumps({**report, **more}, indent=2))
    else:
        lines = [f"trained on encodings of {embedder}", *(f"written: {path}" for path in files), *remarks]
        click.echo("\n".join([training_as_text(result, rule), *lines]))
