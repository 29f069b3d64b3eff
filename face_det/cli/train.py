"""`face-det train`: encodings.pickle -> classifiers, their labels, and how good they are."""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

import click

from face_det.classifiers import CLASSIFIERS
from face_det.cli import progress
from face_det.cli.connect import ConfigSource, config_option
from face_det.config import Config, list_choices
from face_det.embedders import DLIB_AND_SFACE, DLIB_RESNET, configurable_embedder, embedder_from_fingerprint
from face_det.engine import build_engine
from face_det.enrolment import DEFAULT_LABELS_NAME, FIRST_CLASSIFIER, fit_stand_in, photos_needed
from face_det.errors import BadEncodings, Busy, CannotWrite, FaceDetError
from face_det.evaluation import draw_held_out_confusion, training_as_json, training_as_text
from face_det.gallery import EncodingCache, Gallery, encoding_cache_path
from face_det.recognition import AUTO_EMBEDDER, DecisionRule, Model, dump_model, load_model
from face_det.rpc import command_caller
from face_det.service import build_enrolment_options, open_audit_log
from face_det.storage import lock_for_update, make_folder, replace_files, report_write_errors
from face_det.training import NEAREST_RECIPE, TrainingResult, add_masked_copies, train_classifiers

ALL = "all"


@click.command(help="Train classifiers on encodings.pickle; all of them, unless told otherwise.")
@config_option
@click.option("-e", "--encodings", type=click.Path(path_type=Path), help="Encodings; default: encodingsPath.")
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path, file_okay=False),
    help="Folder for what is written; default: where modelPath and labelPath point.",
)
@click.option(
    "-c",
    "--classifier",
    "asked",
    multiple=True,
    type=click.Choice([*CLASSIFIERS, ALL]),
    help="May be repeated; default: all.",
)
@click.option(
    "--embedder",
    type=click.Choice(list_choices("embedder")),
    help="Whose encodings to learn by; auto: those that decide best; default: embedder.",
)
@click.option(
    "--masked",
    is_flag=True,
    help="Learn masked copies of the photos in datasetPath as well; see evaluate --degrade.",
)
@click.option("--quick", is_flag=True, help="Search among a few candidates only.")
@click.option("-j", "--jobs", type=click.IntRange(min=1), help="Threads; default: one a core.")
@click.option("--json", "as_json", is_flag=True, help="Print the report as JSON.")
@click.pass_context
def command(
    context: click.Context,
    config_source: ConfigSource,
    encodings: Path | None,
    output: Path | None,
    asked: tuple[str, ...],
    embedder: str | None,
    masked: bool,
    quick: bool,
    jobs: int | None,
    as_json: bool,
) -> None:
    """Entry point of the command."""
    config = config_source.load()
    source = encodings or config.encodings_path
    kinds = [kind for kind in CLASSIFIERS if not asked or ALL in asked or kind in asked]
    gallery = Gallery.load(source)
    if not gallery.names:
        raise BadEncodings(f"{source}: must hold encodings, is not there or empty; run 'face-det encode'")
    targets, labels = _model_files(config, output, bool(asked))
    jobs = jobs or len(os.sched_getaffinity(0))
    try:
        with progress.show_progress() as on_progress:
            taught = gallery_with_masks(gallery, config, source, jobs, on_progress) if masked else gallery
            result = train_classifiers(
                taught,
                kinds,
                embedder=embedder or config.embedder,
                false_accept_rate=config.false_accept_rate,
                jobs=jobs,
                thorough=not quick,
                on_progress=on_progress,
            )
    except KeyboardInterrupt:
        click.echo("face-det: interrupted; the classifiers are as they were", err=True)
        context.exit(130)
    with (
        open_audit_log(config.audit_path, source).recorded(command_caller(), "train"),
        _lock_if_writable(source),
    ):
        changed = _has_changed(gallery, source)
        in_use = None if output or asked else config.model_path
        stand_in = fit_stand_in(result, gallery, targets, in_use, config.false_accept_rate)
        written = _write_models(result, targets, labels, stand_in)
    remarks = list(_remarks(result, targets, labels, stand_in, None if output else config.model_path))
    made = configurable_embedder(embedder_from_fingerprint(result.models[0].card.fingerprint))
    if output is None and config.embedder not in (AUTO_EMBEDDER, made):
        remarks.append(
            f"trained on encodings of {made}: set embedder to {made} or {AUTO_EMBEDDER} in config.json"
        )
    remarks += masked_copies_notes(taught, gallery, source, made)
    if changed:
        remarks.append(f"{source} was changed while this ran; run face-det train again to learn what is new")
    rule = DecisionRule(config.min_proba, config.decision)
    _print_report(result, rule, made, [str(path) for path in written], remarks, as_json)


@contextlib.contextmanager
def _lock_if_writable(source: Path) -> Iterator[None]:
    """The encodings' lock; where they may only be read, without it: no change of ours is made there."""
    with contextlib.ExitStack() as stack:
        with contextlib.suppress(CannotWrite):
            stack.enter_context(lock_for_update(source))
        yield


def _has_changed(learnt: Gallery, source: Path) -> bool:
    """Whether somebody was enrolled while this ran: then what is written is whole, but not new.

    Busy if somebody was forgotten: the models would name them again.
    """
    now = Gallery.load(source)
    gone = sorted({*learnt.people} - {*now.people})
    if gone:
        raise Busy(f"{source}: lost {', '.join(gone)} while this ran; nothing was written, run it again")
    return now.dumps() != learnt.dumps()


def _print_report(
    result: TrainingResult,
    rule: DecisionRule,
    embedder: str,
    files: Sequence[str],
    remarks: Sequence[str],
    as_json: bool,
) -> None:
    """The report, on stdout."""
    if as_json:
        report = training_as_json(result, rule)
        more = {"embedder": embedder, "files": [*files], "remarks": [*remarks]}
        click.echo(json.dumps({**report, **more}, indent=2))
    else:
        lines = [f"learnt by the encodings of {embedder}", *(f"written: {path}" for path in files), *remarks]
        click.echo("\n".join([training_as_text(result, rule), *lines]))


def _model_files(config: Config, output: Path | None, asked: bool) -> tuple[dict[str, Path], Path]:
    """Where each kind of classifier goes, and where the labels go.

    modelPath is for the kind that the daemon trains, unless its name is another's that was asked for.
    A kind whose file that is has no place then.
    """
    folder = output or config.model_path.parent
    targets = {kind: folder / f"{kind}_face_recognizer.pickle" for kind in CLASSIFIERS}
    if output is None and not (asked and config.model_path in targets.values()):
        targets = {kind: path for kind, path in targets.items() if path != config.model_path}
        targets[_kind_there(config)] = config.model_path
    labels = config.label_path if output is None else output / DEFAULT_LABELS_NAME
    for parent in {folder, labels.parent}:
        with report_write_errors(parent, "it must be a folder to write to"):
            make_folder(parent)
    return targets, labels


def _kind_there(config: Config) -> str:
    if config.classifier in CLASSIFIERS:
        return config.classifier
    try:
        return load_model(config.model_path, config.label_path).recipe
    except FaceDetError:
        return FIRST_CLASSIFIER


def _write_models(
    result: TrainingResult,
    targets: Mapping[str, Path],
    labels: Path,
    stand_in: tuple[Path, Model] | None,
) -> list[Path]:
    """All files or none; the picture of a classifier that was not judged goes, it would be an old one."""
    files: dict[Path, bytes | None] = {}
    for trained in (one for one in result.trained if one.kind in targets):
        target = targets[trained.kind]
        files[target], files[labels] = dump_model(trained.model)
        picture = target.with_name(f"{trained.kind}-cm.png")
        held = trained.held_out
        files[picture] = None if held is None else draw_held_out_confusion(held, trained.kind)
    if stand_in is not None:
        files[stand_in[0]], files[labels] = dump_model(stand_in[1])
    replace_files(files)
    return [path for path, content in files.items() if content is not None]


def _remarks(
    result: TrainingResult,
    targets: Mapping[str, Path],
    labels: Path,
    stand_in: tuple[Path, Model] | None,
    in_use: Path | None,
) -> Iterator[str]:
    """What lies there and was not written, and whether the daemon's file is among it."""
    trained = {one.kind: targets[one.kind] for one in result.trained if one.kind in targets}
    for kind in (one.kind for one in result.trained if one.kind not in targets):
        yield f"{kind}: not written, since its file is modelPath; to have it there: face-det train -c {kind}"
    if stand_in is not None:
        path, fitted = stand_in
        trained[fitted.recipe] = path
        yield (
            f"{path}: holds {NEAREST_RECIPE} for now, which is sure of somebody from the first photo on; "
            f"{fitted.recipe} takes its place once everybody has {photos_needed(fitted.recipe)} photos, "
            f"or with --classifier {fitted.recipe}"
        )
    for path in (path for kind, path in targets.items() if kind not in trained and path.exists()):
        try:
            load_model(path, labels)
        except FaceDetError as error:
            yield f"stale: {error}, or delete it"
        else:
            yield f"left as it was: {path}"
    if in_use is not None and in_use not in trained.values():
        others = " or ".join(str(path) for path in trained.values())
        yield f"modelPath, {in_use}, was not trained: to use what was, set it to {others} in config.json"


def gallery_with_masks(
    gallery: Gallery, config: Config, source: Path, jobs: int, on_progress: Callable[[str, int, int], None]
) -> Gallery:
    """The gallery with masked copies of the photos; those encoded once are in the cache beside `source`."""
    built = build_engine(build_enrolment_options(config, DLIB_AND_SFACE, gallery.embedders))
    with EncodingCache(encoding_cache_path(source.absolute())) as cache:
        return add_masked_copies(
            gallery,
            config.dataset_path,
            built,
            cache,
            jobs=jobs,
            on_progress=lambda done, total: on_progress("masks", done, total),
        )


def masked_copies_notes(taught: Gallery, gallery: Gallery, source: Path, embedder: str) -> list[str]:
    """What the trainer should know of copies, learnt by that embedder; nothing if there are none."""
    if taught is gallery:
        return []
    copies = len(taught.names) - len(gallery.names)
    found = [
        f"{copies} masked copies were learnt as well; {source} is without them, and what the daemon learns "
        "next will be"
    ]
    if embedder == DLIB_RESNET:
        found.append(
            "by dlib's encodings faces in masks are much alike: many more faces without one will stay "
            "unnamed (of LFW's, every other); with sface hardly any will"
        )
    return found
