"""`face-det train`: encodings.pickle -> classifiers, their labels, and how good they are."""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import click

from face_det import config as configuration
from face_det import registry
from face_det.classifiers.search import Recipe
from face_det.doors import masks, progress
from face_det.doors.caller import open_audit
from face_det.errors import BadEncodings, Busy, CannotWrite, FaceDetError
from face_det.faces import UNKNOWN
from face_det.identity import atomic, audit, model, storage, training, training_report
from face_det.identity.decision import Rule
from face_det.identity.engines import AUTO
from face_det.identity.fingerprints import asked_for, embedder_of
from face_det.identity.forgetting import LABELS
from face_det.identity.gallery import Gallery
from face_det.identity.learning import FIRST_KIND
from face_det.identity.model import Model
from face_det.registry import CLASSIFIERS
from face_det.settings import MENUS, Config

ALL = "all"


@click.command(help="Train classifiers on encodings.pickle; all of them, unless told otherwise.")
@click.option("--config", "config_path", type=click.Path(path_type=Path), help="config.json to use.")
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
    type=click.Choice([*MENUS["embedder"]]),
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
    config_path: Path | None,
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
    config = configuration.load(configuration.locate(config_path, os.environ), os.environ)
    source = encodings or config.encodings_path
    kinds = [kind for kind in CLASSIFIERS if not asked or ALL in asked or kind in asked]
    gallery = Gallery.load(source)
    if not gallery.names:
        raise BadEncodings(f"{source}: must hold encodings, is not there or empty; run 'face-det encode'")
    targets, labels = _targets(config, output, bool(asked))
    jobs = jobs or len(os.sched_getaffinity(0))
    try:
        with progress.shown() as on_progress:
            taught = masks.with_masks(gallery, config, source, jobs, on_progress) if masked else gallery
            result = training.train(
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
    with open_audit(config, source).recorded(audit.command(), "train"), _locked(source):
        changed = _changed(gallery, source)
        in_use = None if output or asked else config.model_path
        stand_in = _stand_in(result, gallery, targets, in_use, config.false_accept_rate)
        written = _write(result, targets, labels, stand_in)
    remarks = list(_remarks(result, targets, labels, stand_in, None if output else config.model_path))
    made = asked_for(embedder_of(result.models[0].card.fingerprint))
    if output is None and config.embedder not in (AUTO, made):
        remarks.append(f"trained on encodings of {made}: set embedder to {made} or {AUTO} in config.json")
    remarks += masks.remarks(taught, gallery, source, made)
    if changed:
        remarks.append(f"{source} was changed while this ran; run face-det train again to learn what is new")
    rule = Rule(config.min_proba, config.decision)
    _tell(result, rule, made, [str(path) for path in written], remarks, as_json)


@contextlib.contextmanager
def _locked(source: Path) -> Iterator[None]:
    """The encodings' lock; where they may only be read, without it: no change of ours is made there."""
    with contextlib.ExitStack() as stack:
        with contextlib.suppress(CannotWrite):
            stack.enter_context(storage.locked(source))
        yield


def _changed(learnt: Gallery, source: Path) -> bool:
    """Whether somebody was enrolled while this ran: then what is written is whole, but not new.

    Busy if somebody was forgotten: the models would name them again.
    """
    now = Gallery.load(source)
    gone = sorted({*learnt.people} - {*now.people})
    if gone:
        raise Busy(f"{source}: lost {', '.join(gone)} while this ran; nothing was written, run it again")
    return now.dumps() != learnt.dumps()


def _tell(
    result: training.TrainingResult,
    rule: Rule,
    embedder: str,
    files: Sequence[str],
    remarks: Sequence[str],
    as_json: bool,
) -> None:
    """The report, on stdout."""
    if as_json:
        report = training_report.values(result, rule)
        more = {"embedder": embedder, "files": [*files], "remarks": [*remarks]}
        click.echo(json.dumps({**report, **more}, indent=2))
    else:
        lines = [f"learnt by the encodings of {embedder}", *(f"written: {path}" for path in files), *remarks]
        click.echo("\n".join([training_report.text(result, rule), *lines]))


def _targets(config: Config, output: Path | None, asked: bool) -> tuple[dict[str, Path], Path]:
    """Where each kind of classifier goes, and where the labels go.

    modelPath is for the kind that the daemon trains, unless its name is another's that was asked for.
    A kind whose file that is has no place then.
    """
    folder = output or config.model_path.parent
    targets = {kind: folder / f"{kind}_face_recognizer.pickle" for kind in CLASSIFIERS}
    if output is None and not (asked and config.model_path in targets.values()):
        targets = {kind: path for kind, path in targets.items() if path != config.model_path}
        targets[_kind_there(config)] = config.model_path
    labels = config.label_path if output is None else output / LABELS
    for parent in {folder, labels.parent}:
        with atomic.reporting(parent, "it must be a folder to write to"):
            atomic.make_folder(parent)
    return targets, labels


def _kind_there(config: Config) -> str:
    if config.classifier in CLASSIFIERS:
        return config.classifier
    try:
        return model.load(config.model_path, config.label_path).recipe
    except FaceDetError:
        return FIRST_KIND


def _stand_in(
    result: training.TrainingResult,
    gallery: Gallery,
    targets: Mapping[str, Path],
    in_use: Path | None,
    false_accept_rate: float,
) -> tuple[Path, Model] | None:
    """`nearest` for modelPath, while the kind that belongs there has too few photos of somebody.

    So the first photos of a family are recognised; `in_use` is None where something else was asked for.
    """
    kind = next((kind for kind, path in targets.items() if path == in_use), None)
    if in_use is None or kind is None or kind == training.NEAREST:
        return None
    few = any(n < _enough(kind) for name, n in result.photos.items() if name != UNKNOWN)
    if not few and kind not in {skip.kind for skip in result.skipped}:
        return None
    made = embedder_of(result.models[0].card.fingerprint)
    fitted = training.refit(None, gallery, kind=kind, embedder=made, false_accept_rate=false_accept_rate)
    return None if fitted is None else (in_use, fitted)


def _enough(kind: str) -> int:
    """Photos that each person must have for a classifier of that kind to be better than `nearest`."""
    recipe: Recipe = registry.create(CLASSIFIERS, kind)
    return min(recipe.photos_each, training.HELD_OUT_FROM)


def _write(
    result: training.TrainingResult,
    targets: Mapping[str, Path],
    labels: Path,
    stand_in: tuple[Path, Model] | None,
) -> list[Path]:
    """All files or none; the picture of a classifier that was not judged goes, it would be an old one."""
    files: dict[Path, bytes | None] = {}
    for trained in (one for one in result.trained if one.kind in targets):
        target = targets[trained.kind]
        files[target], files[labels] = model.dumps(trained.model)
        picture = target.with_name(f"{trained.kind}-cm.png")
        held = trained.held_out
        files[picture] = None if held is None else training_report.confusion_picture(held, trained.kind)
    if stand_in is not None:
        files[stand_in[0]], files[labels] = model.dumps(stand_in[1])
    storage.replace_all(files)
    return [path for path, content in files.items() if content is not None]


def _remarks(
    result: training.TrainingResult,
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
            f"{path}: holds {training.NEAREST} for now, which is sure of somebody from the first photo on; "
            f"{fitted.recipe} takes its place once everybody has {_enough(fitted.recipe)} photos, "
            f"or with --classifier {fitted.recipe}"
        )
    for path in (path for kind, path in targets.items() if kind not in trained and path.exists()):
        try:
            model.load(path, labels)
        except FaceDetError as error:
            yield f"stale: {error}, or delete it"
        else:
            yield f"left as it was: {path}"
    if in_use is not None and in_use not in trained.values():
        others = " or ".join(str(path) for path in trained.values())
        yield f"modelPath, {in_use}, was not trained: to use what was, set it to {others} in config.json"
