"""The `face-det` command: its subcommands and exit codes. Each subcommand is a module of this package."""

from __future__ import annotations

import difflib
import errno
import importlib
import os
import re
import sys

import click

from face_det import __version__
from face_det.errors import ConfigError, FaceDetError

COMMANDS: dict[str, tuple[str, str]] = {
    # name: (module of this package, text for --help)
    "encode": ("encode", "Encode photos of people into encodings.pickle."),
    "train": ("train", "Train classifiers and labels on encodings.pickle."),
    "evaluate": ("evaluate", "Measure recognition on photos that were not enrolled."),
    "compare": ("compare", "Compare detectors and recognisers on your own pictures."),
    "fetch-lfw": ("fetch_lfw", "Download strangers' photos for comparison, from LFW."),
    "extract": ("extract", "Cut persons and faces out of pictures, to train on."),
    "s3-extract": ("s3_extract", "Save the people in alarm frames of an S3 bucket, as photos to train on."),
    "renumber": ("renumber", "Number the pictures of a folder: 00000001.jpg, 00000002.jpg, ..."),
    "gallery": ("gallery", "Check the photos of the dataset, quarantine bad ones and restore them."),
    "people": ("people", "List who is enrolled, with their numbers of photos."),
    "add": ("add", "Enrol somebody with one or more photos, at once."),
    "enrol": ("enrol", "Enrol the person in front of a camera."),
    "forget": ("forget", "Remove people: photos, encodings and everything learnt from them."),
    "import": ("import_photos", "Enrol the people whose photos another program keeps."),
    "export": ("export", "Save all that is known about a person, or everybody's photos for another program."),
    "backup": ("backup", "Save everybody, the model and the settings in one file."),
    "restore": ("restore", "Take back what `face-det backup` saved."),
    "clear": ("clear", "Remove everybody; a backup is kept."),
    "serve": ("serve", "Run the daemon, which answers calls over zerorpc."),
    "up": ("up", "Run the daemon, the page and the live cameras together; Ctrl-C stops all."),
    "web": ("web", "Serve the page and the HTTP routes, as a client of the daemon."),
    "watch": ("watch", "Watch the live cameras, as a client of the daemon."),
    "mqtt": ("mqtt", "Bring events to an MQTT broker, for Home Assistant and others."),
    "actions": ("actions", "Run commands, call webhooks and switch pins when somebody is seen."),
    "frigate": ("frigate", "Name the people in Frigate's events."),
    "live": ("live", "Say who is in front of a camera, or in a file, as it changes."),
    "status": ("status", "Show how the daemon is doing."),
    "reload": ("reload", "Make the daemon read its configuration and model again."),
    "keys": ("keys", "Manage the keys for calls over tcp, of the server and its clients."),
    "install-service": ("install_service", "Install the daemon as a systemd service."),
    "recognize": ("recognize", "Name the faces in images."),
    "video": ("video", "Say who is in videos, and when."),
    "voice": (
        "voice.group",
        "Say who is speaking in recordings; enrol voices and measure how well that works.",
    ),
    "zm-event": ("zm_event", "Name the people in an event of ZoneMinder."),
    "sightings": ("sightings", "List who was seen, when and where; confirm or correct a sighting."),
    "unknowns": ("unknowns", "List the unknown people who were seen; name, merge, split or ignore them."),
    "body": ("body", "Learn bodies and clothes, for those whose faces cannot be seen."),
    "tune": ("tune", "See what other parameters would answer about recorded alarm frames."),
    "doctor": ("doctor", "Check this machine, the weights and the daemon."),
}


class LazyGroup(click.Group):
    """Imports a command only when it is run, so that --help is quick and loads no neural network."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the names in the order in which people use them."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import and return a command."""
        if cmd_name not in COMMANDS:
            return None
        try:
            module = importlib.import_module(f"face_det.cli.{COMMANDS[cmd_name][0]}")
        except KeyboardInterrupt:
            click.echo("face-det: interrupted; nothing was done", err=True)
            raise click.exceptions.Exit(130) from None
        command = module.command
        assert isinstance(command, click.Command)
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find the command that is meant; a misspelt one is refused with the nearest names."""
        near = difflib.get_close_matches(args[0], COMMANDS, n=2)
        if args[0] not in COMMANDS and near and not ctx.resilient_parsing:
            ctx.fail(f"No such command {args[0]!r}. Did you mean {' or '.join(map(repr, near))}?")
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """List the commands without importing them."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, text) for name, (_, text) in COMMANDS.items()])


@click.group(
    cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100}
)
@click.version_option(__version__, prog_name="face-det")
def root_command() -> None:
    """Local face recognition: enrol people, train, serve, and ask who is in an image.

    Exit codes: 0 done; 1 declined; 2 wrong usage; 65 bad data; 69 a model is missing or does not fit;
    75 busy, try again; 78 bad config; 130 interrupted.
    """


def print_error(error: FaceDetError) -> None:
    """Print an error to stderr, one line per fault, with the commands that stand for a daemon's methods."""
    lines = error.faults if isinstance(error, ConfigError) else (str(error),)
    for line in lines:
        for method in ("people", "unknowns"):
            line = re.sub(rf"\b{method}\(\)", f"`face-det {method}`", line)
        click.echo(f"face-det: {line}", err=True)


def run_cli(argv: list[str] | None = None) -> None:
    """Run the `face-det` command; always ends in SystemExit."""
    try:
        code = root_command.main(args=argv, prog_name="face-det", standalone_mode=False)
    except click.ClickException as error:
        error.show()
        sys.exit(error.exit_code)
    except (click.Abort, KeyboardInterrupt) as error:
        if isinstance(error.__cause__, EOFError):
            # Click takes every EOFError for Ctrl-D at a question, and there this has no cause.
            raise error.__cause__ from None
        click.echo("face-det: interrupted; finished work is kept", err=True)
        sys.exit(130)
    except FaceDetError as error:
        print_error(error)
        sys.exit(error.exit_code)
    except BrokenPipeError:
        # The reader (such as `head`) has gone away, which is not our error.
        _redirect_stdout()
        sys.exit(141)
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EDQUOT, errno.EIO):
            raise
        # Failing to write a file raises CannotWrite, so this must be stdout on a full disk.
        _redirect_stdout()
        click.echo(
            f"face-det: stdout: cannot be written: {error.strerror}; free some space or redirect it",
            err=True,
        )
        sys.exit(75)
    sys.exit(code if isinstance(code, int) else 0)


def _redirect_stdout() -> None:
    """Point stdout at /dev/null, because Python flushes it at exit and would report the error again."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


if __name__ == "__main__":
    run_cli()
