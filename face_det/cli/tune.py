"""The command `face-det tune`: what would other parameters answer about recorded alarm frames?"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from face_det.cli.changes import find_change_place
from face_det.cli.enrolling import Answer, open_adder
from face_det.cli.interruption import Interruption
from face_det.cli.progress import show_frames
from face_det.cli.shared_options import (
    ConfigSource,
    daemon_options,
    make_client,
    refuse_ignored,
    refuse_keys,
    spell_option,
)
from face_det.cli.terminal import count_of, make_printable
from face_det.cli.tune_report import MOST_NAMED, print_report
from face_det.config import Config, environment_variable, list_choices, load_config
from face_det.errors import ConfigError, DatabaseFailed

if TYPE_CHECKING:
    from face_det.service import Service
    from face_det.tuning import (
        FrameFilter,
        MalformedRecord,
        PictureFiles,
        RecordedFrame,
        TunedServices,
        TuningParameters,
    )
    from face_det.types import Box

PAGE_FRAMES = 4000
"""How many frames the page steps through unless told, as in the original."""
TIMEOUT_S = 60.0
DATABASE = ("mongo_url", "database", "collection")
"""The options that say where MongoDB's records are."""
ALONE = {"isolation": "none", "sightings": "null", "workers": "1"}


@dataclass(frozen=True, slots=True)
class _Source:
    """Where frames come from, and how their pictures are read."""

    read: Callable[[], Iterator[RecordedFrame | MalformedRecord]]
    files: PictureFiles
    place: str


@dataclass(frozen=True, slots=True)
class _Daemon:
    """The daemon that remembers sightings and learns faces, if one runs."""

    config: Config
    remote: str | None
    keys: Path | None

    def sightings(self, query: dict[str, Any]) -> dict[str, Any]:
        """Ask for a page of sightings."""
        with make_client(self.config, TIMEOUT_S, endpoint=self.remote, keys=self.keys) as client:
            return client.sightings(query)


def _parameter_options(command: Callable[..., None]) -> Callable[..., None]:
    """Add the options that stand for settings; each is checked as the setting is."""
    for names, kind, text in reversed(
        (
            (("--detector", "detector"), str, "The face detector, as faceDetModel."),
            (("-up", "--upsample", "upsample"), int, "Doublings before detection, as numFaceImgUpsample."),
            (("--min-face", "min_face_px"), float, "The smallest face in pixels, as minFace."),
            (
                ("-fm", "--focus-threshold", "--focus_measure_threshold", "focus_threshold"),
                float,
                "The least sharpness, as focusMeasureThreshold.",
            ),
            (
                ("-sp", "--min-proba", "--min_svm_proba", "min_proba"),
                float,
                "The least probability of a name, as minProba.",
            ),
            (
                ("--false-accept-rate", "false_accept_rate"),
                float,
                "The share of strangers wrongly named, as falseAcceptRate, tried on the model in use.",
            ),
            (
                ("--classifier", "classifier"),
                str,
                "The kind of classifier, fitted quickly on the encodings and not saved.",
            ),
        )
    ):
        command = click.option(*names, type=kind, help=text)(command)
    return command


def _filter_options(command: Callable[..., None]) -> Callable[..., None]:
    """Add the options that choose frames."""
    command = click.option(
        "--limit",
        type=click.IntRange(min=0),
        help=f"Only so many frames, the newest; 0: all. Default: {PAGE_FRAMES}, and all with --report.",
    )(command)
    command = click.option(
        "-io",
        "--newest-first",
        "--image_decending_order",
        "newest_first",
        is_flag=False,
        flag_value=True,
        default=False,
        type=bool,
        metavar="[BOOLEAN]",
        help="Start with the newest frame.",
    )(command)
    command = click.option("-f", "--face", help="Only frames in which this name is stored.")(command)
    return click.option(
        "-n", "--name", default="person", show_default=True, help="Only frames with this object."
    )(command)


def _source_options(command: Callable[..., None]) -> Callable[..., None]:
    """Add the options that say where frames are."""
    command = click.option(
        "--folder",
        type=click.Path(path_type=Path, file_okay=False),
        help="Take the pictures in this folder instead of MongoDB's records.",
    )(command)
    command = click.option(
        "--sightings",
        is_flag=True,
        help="Take the pictures that the daemon remembers, with what it answered.",
    )(command)
    command = click.option("--collection", default="alarms", show_default=True, help="Its collection.")(
        command
    )
    command = click.option("--database", default="zm", show_default=True, help="The database.")(command)
    return click.option(
        "--mongo-url",
        envvar="MONGO_URL",
        default="mongodb://localhost:27017",
        show_default=True,
        help="Where MongoDB is. Give one with a password in MONGO_URL, because others can see options.",
    )(command)


@click.command(
    help="See what other parameters would answer about the alarm frames that the uploader recorded in "
    "MongoDB, frame by frame, on a page that only this machine can open; Ctrl-C ends it. MongoDB is not "
    "changed. Exit code 65 if there are no records, 75 if MongoDB does not answer."
)
@_source_options
@_filter_options
@_parameter_options
@click.option("--report", "as_report", is_flag=True, help="Look at all frames, and print what would change.")
@click.option("--json", "as_json", is_flag=True, help="Print the report as JSON.")
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path, file_okay=False),
    default=Path("saved_images"),
    show_default=True,
    help="Where the page saves pictures.",
)
@click.option(
    "-ps",
    "--voc-start",
    "--pvoc_start",
    "voc_start",
    type=click.IntRange(min=0),
    default=1,
    show_default=True,
    help="The number of the first picture saved with Pascal VOC's XML; numbers in use are left out.",
)
@click.option("--port", type=click.IntRange(0, 65535), default=0, help="The page's port; default: any.")
@daemon_options
def command(
    config_source: ConfigSource,
    remote: str | None,
    keys: Path | None,
    as_report: bool,
    as_json: bool,
    **given: Any,
) -> None:
    """Run the command."""
    # The networks take a second to load, so load them only where they are used.
    from face_det.tuning import CONFIG_KEYS, FrameFilter, TunedServices, TuningParameters

    _check_usage(given, as_report)
    parameters = TuningParameters(**{name: given[name] for name in TuningParameters.__dataclass_fields__})
    limit = given["limit"] if given["limit"] is not None or as_report else PAGE_FRAMES
    wanted = FrameFilter(given["name"], given["face"], given["newest_first"], limit or None)
    own_paths = given["folder"] is not None
    options = {key: spell_option(name) for name, key in CONFIG_KEYS.items()}
    config = _load(config_source, parameters, options, own_paths=own_paths)
    daemon = _Daemon(config_source.load(), remote, keys)
    refuse_keys(remote or daemon.config.zerorpc_pipe, keys)
    source = _source(given, wanted, config, daemon)
    services = TunedServices(
        # On the page, parameters have the names that they have in config.json.
        lambda one: _build(_load(config_source, one, {}, own_paths=own_paths)),
        config.encodings_path,
    )
    if as_report:
        _report(source, services.of(parameters), as_json=as_json)
    else:
        _serve(given, source, services, parameters, daemon)


def _check_usage(given: dict[str, Any], as_report: bool) -> None:
    """Raise UsageError for options that would do nothing beside the others."""
    if given["folder"] is not None and given["sightings"]:
        raise click.UsageError("--folder and --sightings cannot be used together.")
    if given["folder"] is not None:
        refuse_ignored("with --folder, whose pictures have no stored answers", "name", "face")
        refuse_ignored("with --folder", *DATABASE)
    if given["sightings"]:
        refuse_ignored("with --sightings, which are of faces only", "name")
        refuse_ignored("with --sightings", *DATABASE)
    if not as_report:
        refuse_ignored("without --report", "as_json")
        return
    refuse_ignored("with --report, which shows no page", "output", "voc_start", "port")
    if not given["sightings"]:
        refuse_ignored("with --report, except with --sightings", "remote", "keys")


def _load(
    config_source: ConfigSource,
    parameters: TuningParameters,
    options: Mapping[str, str],
    *,
    own_paths: bool,
) -> Config:
    """Read the configuration with the parameters in it, which are checked like any setting.

    A parameter that is refused is called as in `options`, or else as in config.json. With `own_paths`,
    pictures are read where they are, not where a caller of the daemon would name them.
    """
    tried = parameters.as_config()
    settings = {**ALONE, **tried}
    if own_paths:
        settings |= {"mountPoint": "", "imageRoots": "[]"}
    changed = {environment_variable(key): value for key, value in settings.items()}
    config_source.load()  # finishes an interrupted restore
    try:
        return load_config(config_source.path, {**os.environ, **changed})
    except ConfigError as error:
        names = {f"environment: {environment_variable(key)}: ": f"{options.get(key, key)}: " for key in tried}
        raise ConfigError(
            next(
                (f"{new}{fault.removeprefix(old)}" for old, new in names.items() if fault.startswith(old)),
                fault,
            )
            for fault in error.faults
        ) from error


def _build(config: Config) -> Service:
    from face_det.service import build_service

    return build_service(config)


def _source(given: dict[str, Any], wanted: FrameFilter, config: Config, daemon: _Daemon) -> _Source:
    from face_det.tuning import AlarmRecords, PictureFiles, folder_frames, sighting_frames

    files = PictureFiles(config.mount_point, config.image_roots, config.max_pixels, config.max_file_bytes)
    if given["folder"] is not None:
        return _Source(lambda: folder_frames(given["folder"], wanted), files, str(given["folder"]))
    if given["sightings"]:
        place = f"sightings of the daemon at {daemon.remote or daemon.config.zerorpc_pipe}"
        return _Source(lambda: sighting_frames(daemon.sightings, wanted), files, place)
    records = AlarmRecords(given["mongo_url"], given["database"], given["collection"])
    return _Source(lambda: records.read(wanted), files, records.place)


def _serve(
    given: dict[str, Any],
    source: _Source,
    services: TunedServices,
    parameters: TuningParameters,
    daemon: _Daemon,
) -> None:
    """Serve the page until Ctrl-C, then say what was saved."""
    from face_det.tuning import CONFIG_KEYS, FrameFolder, FrameStepper, create_page, serve_page

    service = services.of(parameters)
    folder = FrameFolder(given["output"], given["voc_start"])

    def enrol(name: str, picture: bytes, near: Box | None) -> Answer:
        # A daemon may have been started meanwhile.
        place = find_change_place(daemon.config, daemon.remote, daemon.keys)
        with open_adder(place) as add:
            return add(name, picture, near)

    stepper = FrameStepper(source.read(), services, source.files, folder, enrol)
    for one in stepper.malformed[:MOST_NAMED]:
        click.echo(make_printable(f"malformed: {one.id}: {one.why}"), err=True)
    values = daemon.config.model_dump(by_alias=True)
    info = {
        "place": source.place,
        "parameters": parameters.as_config(),
        "choices": {key: _offered(key, parameters.as_config().get(key)) for key in CONFIG_KEYS.values()},
        "configured": {key: _shorten(values[key]) for key in CONFIG_KEYS.values()},
    }
    app = create_page(stepper, lambda: services.of(parameters).people(), info)

    def on_ready(address: str) -> None:
        frames, malformed = len(stepper.frames), len(stepper.malformed)
        told = f"{count_of(frames, 'frame')}, {count_of(malformed, 'malformed record')}"
        click.echo(f"{source.place}: {told}; Ctrl-C ends", err=True)
        _tell_if_untrained(service)
        click.echo(f"the page is at {address}")

    serve_page(app, given["port"], on_ready)
    saved = f"saved {count_of(len(stepper.saved), 'file')} in {folder.folder}"
    click.echo(f"{saved}; enrolled {count_of(stepper.enrolled, 'photo')}", err=True)


def _offered(key: str, asked: str | None) -> list[str]:
    """Return the names to choose from; among them what was asked for, which may be a file of the user's."""
    names = list_choices(key)
    return [*names, asked] if names and asked and asked not in names else names


def _tell_if_untrained(service: Service) -> None:
    """Say why no answer has a name, if that is because there is no model."""
    if not service.trained:
        click.echo("no model is trained yet, so nobody can be named; run face-det train", err=True)


def _shorten(value: object) -> str:
    """Write a setting as somebody would type it: 16.0 as 16."""
    return f"{value:g}" if isinstance(value, float) else str(value)


def _report(source: _Source, service: Service, *, as_json: bool) -> None:
    """Look at every frame; print what is known when MongoDB stops answering or Ctrl-C is pressed."""
    from face_det.tuning import ChangeReport

    _tell_if_untrained(service)
    report, failed = ChangeReport(), None
    with Interruption() as interruption, show_frames() as on_frames:
        try:
            report.run(
                interruption.until(source.read()),
                service,
                source.files,
                lambda done: on_frames("frames", done, None),
            )
        except DatabaseFailed as error:
            failed = error
    if failed is not None and not report.frames:
        raise failed
    report.complete = failed is None and not interruption.asked
    print_report(report, as_json=as_json)
    if failed is not None:
        raise failed
    if interruption.asked:
        click.echo(f"face-det: interrupted after {report.frames} frames", err=True)
        raise click.exceptions.Exit(130)
