"""`face-det train`: trains classifiers on encodings.pickle and reports how good they are."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import click

from face_det.classifiers import CLASSIFIERS, required_embedder
from face_det.cli import progress
from face_det.cli.shared_options import ConfigSource, EmbedderChoice, config_option, make_client
from face_det.config import Config, list_choices
from face_det.embedders import DLIB_AND_SFACE, configurable_embedder, embedder_from_fingerprint
from face_det.engine import build_engine
from face_det.enrolment import (
    ModelFiles,
    WrittenModels,
    choose_kinds,
    choose_model_files,
    describe_model_files,
    explain_recipe,
    fit_stand_in,
    has_gallery_changed,
    lock_if_writable,
    recipe_as_json,
    write_models,
)
from face_det.errors import BadEncodings, FaceDetError, ModelMismatch, Unreachable
from face_det.evaluation import (
    draw_held_out_confusion,
    explain_confusion,
    training_as_json,
    training_as_table,
    training_as_text,
)
from face_det.gallery import EncodingCache, Gallery, encoding_cache_path
from face_det.media import explain_missing_fonts
from face_det.recognition import AUTO_EMBEDDER, MODEL_CHECK_S, DecisionRule
from face_det.rpc import command_caller, is_endpoint_held, parse_endpoint
from face_det.service import build_enrolment_options, open_audit_log
from face_det.training import TrainingResult, add_masked_copies, describe_masked_copies, train_classifiers

ALL = "all"
DAEMON_S = 5.0
"""Seconds for a running daemon to say which model it uses."""


@click.command(help="Train the daemon's classifier on encodings.pickle, or others as well.")
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
    help="May be repeated; default: the kind that the daemon uses.",
)
@click.option(
    "--all",
    "every",
    is_flag=True,
    help="Train every kind that the encodings allow, as scripts/train.py does.",
)
@click.option(
    "--embedder",
    type=EmbedderChoice(list_choices("embedder")),
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
    every: bool,
    embedder: str | None,
    masked: bool,
    quick: bool,
    jobs: int | None,
    as_json: bool,
) -> None:
    """Run `face-det train`."""
    try:
        config = config_source.load()
        source = encodings or config.encodings_path
        gallery = _load_gallery(source)
        possible = [kind for kind in CLASSIFIERS if required_embedder(kind) in (None, *gallery.embedders)]
        asked = [kind for kind in CLASSIFIERS if kind in (possible if every or ALL in chosen else chosen)]
        files = choose_model_files(config.model_path, config.label_path, output, config.classifier, asked)
        kinds = asked or choose_kinds(files, config.classifier)
        jobs = jobs or len(os.sched_getaffinity(0))
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
        pictures = _draw_confusions(result)
    except KeyboardInterrupt:
        click.echo("face-det: interrupted; the classifiers are unchanged", err=True)
        context.exit(130)
    written, remarks = _write(config, source, gallery, result, files, pictures, asked=bool(asked))
    used = configurable_embedder(embedder_from_fingerprint(result.models[0].card.fingerprint))
    unfit = _remark_on_embedder(used, config.embedder) if files.choice is not None else []
    remarks += unfit
    if masked:
        remarks += describe_masked_copies(len(trained_on.names) - len(gallery.names), source, used)
    if files.choice is not None:
        remarks += _remark_on_daemon(config, used)
    rule = DecisionRule(config.min_proba, config.decision)
    remarks += _remark_on_confusion(result, files, rule)
    _print_report(result, rule, used, files, written, remarks, as_json)
    if unfit:
        raise ModelMismatch(f"{files.in_use}: was written, but this configuration cannot use it: {unfit[0]}")


def _remark_on_confusion(result: TrainingResult, files: ModelFiles, rule: DecisionRule) -> list[str]:
    """Say who is confused with each other by the classifier in use or, if none is, by the first one."""
    kind = None if files.choice is None else files.choice.recipe
    judged = next((one for one in result.trained if one.kind == kind), result.trained[0]).held_out
    return [] if judged is None else explain_confusion(judged, rule)


def _remark_on_daemon(config: Config, used: str) -> list[str]:
    """Say what a daemon that has the replaced model in use is going to do; nothing if there is none."""
    endpoint = config.zerorpc_pipe
    if endpoint.startswith("ipc:") and not is_endpoint_held(parse_endpoint(endpoint)):
        return []
    try:
        with make_client(config, DAEMON_S) as client:
            status = client.status()
    except Unreachable:
        return []
    except FaceDetError as error:
        return [f"the daemon on {endpoint} may keep its old model: {error}"]
    if status.get("model_path") != os.path.realpath(config.model_path):
        return []
    if status["model"] is not None and status["embedder"] != used:
        return [
            f"the daemon on {endpoint} keeps its old model, which takes encodings of {status['embedder']}: "
            f"to switch to {used}, run face-det reload"
        ]
    return [f"the daemon on {endpoint} will use it within {MODEL_CHECK_S:g} s"]


def _write(
    config: Config,
    source: Path,
    gallery: Gallery,
    result: TrainingResult,
    files: ModelFiles,
    pictures: Mapping[str, bytes],
    *,
    asked: bool,
) -> tuple[WrittenModels, list[str]]:
    """Write what was trained, with a line in the audit log; return that, and remarks about the files."""
    audit_log = open_audit_log(config.audit_path, source)
    kind = None if files.choice is None else files.choice.recipe
    rate = config.false_accept_rate
    try:
        with audit_log.recorded(command_caller(), "train"), lock_if_writable(source):
            changed = has_gallery_changed(gallery, source)
            stand_in = fit_stand_in(result, gallery, kind, asked=asked, false_accept_rate=rate)
            written = write_models(result, files, stand_in, pictures)
    except KeyboardInterrupt:
        click.echo("face-det: interrupted; the classifiers are all as before or all new", err=True)
        raise click.exceptions.Exit(130) from None
    remarks = list(describe_model_files(result, files, written))
    undrawn = explain_missing_fonts(result.photos) if pictures else None
    if undrawn is not None:
        remarks.append(undrawn)
    if changed:
        remarks.append(f"{source} was changed while this ran; run face-det train again to include that")
    return written, remarks


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


def _draw_confusions(result: TrainingResult) -> dict[str, bytes]:
    """Draw the confusion matrix of each kind that was judged."""
    return {
        one.kind: draw_held_out_confusion(one.held_out, one.kind)
        for one in result.trained
        if one.held_out is not None
    }


def _print_report(
    result: TrainingResult,
    rule: DecisionRule,
    embedder: str,
    files: ModelFiles,
    written: WrittenModels,
    remarks: Sequence[str],
    as_json: bool,
) -> None:
    model = written.in_use
    if as_json:
        in_use = None
        if model is not None:
            in_use = {"file": str(files.in_use), "classifier": model.card.kind, **recipe_as_json(model.card)}
        more = {
            "embedder": embedder,
            "files": [str(path) for path in written.files],
            "kept": [str(path) for path in written.copies],
            "inUse": in_use,
            "remarks": [*remarks],
        }
        click.echo(json.dumps({**training_as_json(result, rule), **more}, indent=2))
        return
    lines = [f"trained on encodings of {embedder}", *(f"written: {path}" for path in written.files)]
    if model is not None:
        lines.append(f"in use: {files.in_use}: {explain_recipe(model.card)}")
    describe = training_as_text if len(result.trained) == 1 else training_as_table
    click.echo("\n".join([describe(result, rule), *lines, *remarks]))
