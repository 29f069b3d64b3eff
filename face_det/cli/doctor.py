"""The command `face-det doctor`: what works on this machine, and what to do about the rest."""

from __future__ import annotations

import dataclasses
import json
import os
import time
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import click

from face_det import __version__
from face_det.cli.shared_options import ConfigSource, config_option, make_client
from face_det.config import Config
from face_det.doctor import (
    CheckResult,
    CheckState,
    check_actions,
    check_bridge,
    check_cpu,
    check_folders,
    check_frigate,
    check_kernels,
    check_known_answers,
    check_model_files,
    check_pace,
    check_packages,
    check_permissions,
    check_places,
    check_weights,
    check_zoneminder,
)
from face_det.errors import ConfigError, FaceDetError, Unhealthy, Unreachable
from face_det.nets import DEFAULT_COMPUTE

TIMEOUT_S = 10.0
COLOURS = {CheckState.OK: "green", CheckState.WARNING: "yellow", CheckState.NOT_OK: "red"}

Check = Callable[[], Iterator[CheckResult]]


@click.command(
    help="Check this machine, the packages, the weights, the configuration, the model and the daemon."
)
@config_option
@click.option("--require-daemon", is_flag=True, help="Treat it as a fault if the daemon is not running.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON instead of lines.")
def command(config_source: ConfigSource, require_daemon: bool, as_json: bool) -> None:
    """Run the command; raise Unhealthy (exit 69) if anything is broken."""
    results: list[CheckResult] = []
    for result in _examine(config_source, require_daemon):
        results.append(result)
        if not as_json:
            _print_result(result)
    if as_json:
        click.echo(json.dumps([dataclasses.asdict(result) for result in results], indent=2))
    broken = sum(result.state is CheckState.NOT_OK for result in results)
    if broken:
        raise Unhealthy(f"{broken} of {len(results)} checks are not ok; each one says what to do")


def _examine(config_source: ConfigSource, require_daemon: bool) -> Iterator[CheckResult]:
    yield from check_cpu()
    yield from _guarded("packages", check_packages)
    yield from _guarded("weights", check_weights)
    try:
        config = config_source.load()
        yield CheckResult("config", CheckState.OK, _describe_source(config_source))
    except ConfigError as error:
        for fault in error.faults:
            yield CheckResult(
                "config", CheckState.NOT_OK, fault, "correct it; docs/reference/config.md explains each key"
            )
        config = None
    compute = config.compute if config is not None else DEFAULT_COMPUTE
    yield from _guarded("kernels", partial(check_kernels, compute))
    yield from _guarded("known answer", partial(check_known_answers, compute))
    if config is None:
        return
    yield from _guarded("pace", partial(check_pace, config))
    yield from _guarded("folders", partial(check_folders, config))
    yield from _guarded("permissions", partial(check_permissions, config))
    yield from _guarded("places", partial(check_places, config, os.environ))
    yield from _guarded("model", partial(_check_files, config))
    yield from _guarded("daemon", partial(_check_daemon, config, require_daemon))
    status = _ask_status(config)
    yield from _guarded("mqtt", partial(check_bridge, config, status))
    yield from _guarded("actions", partial(check_actions, config, status))
    yield from _guarded("frigate", partial(check_frigate, config, status))
    yield from _guarded("zoneminder", partial(check_zoneminder, config))


def _guarded(name: str, check: Check) -> Iterator[CheckResult]:
    """Yield the results of a check; an error in the check itself becomes a result too."""
    try:
        yield from check()
    except FaceDetError as error:
        yield CheckResult(name, CheckState.NOT_OK, str(error), "see the message")
    except Exception as error:  # noqa: BLE001 - whatever is broken, the other checks must still run
        text = f"the check itself failed: {type(error).__name__}: {error}"
        yield CheckResult(
            name, CheckState.NOT_OK, text.splitlines()[0], "reinstall the packages: make clean setup"
        )


def _describe_source(source: ConfigSource) -> str:
    if source.path is None:
        return "no config.json here, using the defaults"
    return f"{source.path.absolute()} is valid"


def _check_files(config: Config) -> Iterator[CheckResult]:
    from face_det.engine import build_engine
    from face_det.service import build_recognition_options

    try:
        options = build_recognition_options(config)
    except FaceDetError:
        # check_model_files reports that the model cannot be read.
        yield from check_model_files(config, None)
    else:
        yield from check_model_files(config, build_engine(options).fingerprint)


def _check_daemon(config: Config, required: bool) -> Iterator[CheckResult]:
    """Make one call.

    A daemon that is not running is not a fault; one that holds its lock but does not answer is.
    """
    from face_det.rpc import is_endpoint_held, parse_endpoint

    place = config.zerorpc_pipe
    start = time.perf_counter()
    try:
        with make_client(config, TIMEOUT_S) as client:
            status = client.status()
    except ConfigError as error:
        yield CheckResult(
            "daemon", CheckState.NOT_OK, str(error), "correct keysPath, or run this as the daemon's user"
        )
        return
    except Unreachable as error:
        if is_endpoint_held(parse_endpoint(place)):
            advice = "it holds its lock but does not answer: check its log, then restart it"
            yield CheckResult("daemon", CheckState.NOT_OK, str(error), advice)
        else:
            advice = "start it: face-det serve, or systemctl start face-detect"
            yield CheckResult(
                "daemon",
                CheckState.NOT_OK if required else CheckState.WARNING,
                f"not running at {place}",
                advice,
            )
        return
    took = (time.perf_counter() - start) * 1000
    model = status["model"]
    what = f"{model['classifier']} of {len(model['classes'])} classes" if model else "no model"
    text = f"{place} answers in {took:.0f} ms: version {status['version']}, {what}"
    if status["version"] != __version__:
        yield CheckResult(
            "daemon", CheckState.WARNING, text, f"this is {__version__}: restart the daemon to use it"
        )
    elif model is None:
        yield CheckResult(
            "daemon", CheckState.WARNING, text, "train one, then: systemctl reload face-detect (SIGHUP)"
        )
    else:
        yield CheckResult("daemon", CheckState.OK, text)


def _ask_status(config: Config) -> dict[str, Any] | None:
    """Return what the daemon says of those who read its events; whether it runs is another check."""
    if not (config.mqtt or config.frigate or config.on_recognition):
        return None
    try:
        with make_client(config, TIMEOUT_S) as client:
            return client.status()
    except (FaceDetError, OSError):
        return None


def _print_result(result: CheckResult) -> None:
    state = click.style(f"{result.state.value:8}", fg=COLOURS[result.state])
    click.echo(f"{state}{result.check}: {result.text}")
    if result.advice:
        click.echo(f"{'':8}-> {result.advice}")
