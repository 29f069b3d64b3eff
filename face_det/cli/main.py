"""The `face-det` command: its menu, its exit codes. Each command is a file in commands/."""

from __future__ import annotations

import errno
import importlib
import os
import sys

import click

from face_det import __version__
from face_det.errors import ConfigError, FaceDetError

COMMANDS: dict[str, tuple[str, str]] = {
    # name: (module in commands/, what --help says)
    "encode": ("encode", "Photos of people -> encodings.pickle."),
    "train": ("train", "encodings.pickle -> classifiers and labels."),
    "evaluate": ("evaluate", "Measure recognition on photos that were not enrolled."),
    "fetch-lfw": ("fetch_lfw", "Strangers for dataset/Unknown, out of LFW."),
    "gallery": ("gallery", "Check the photos of the dataset; put bad ones aside, and back."),
    "forget": ("forget", "Remove people: photos, encodings, and what was learnt of them."),
    "serve": ("serve", "The daemon: answer calls over zerorpc."),
    "keys": ("keys", "Keys for calls over tcp: the server's, and its clients'."),
    "install-service": ("install_service", "The daemon as a service of systemd."),
    "recognize": ("recognize", "Name the faces in pictures."),
    "doctor": ("doctor", "Check this machine, the weights and the daemon."),
}


class LazyGroup(click.Group):
    """Imports a command only when it is run, so that --help is quick and needs no network."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Names in the order of the journey, not of the alphabet."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The command object, imported now."""
        if cmd_name not in COMMANDS:
            return None
        module = importlib.import_module(f"face_det.cli.{COMMANDS[cmd_name][0]}")
        command = module.command
        assert isinstance(command, click.Command)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """The menu, without importing anything."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, text) for name, (_, text) in COMMANDS.items()])


@click.group(
    cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100}
)
@click.version_option(__version__, prog_name="face-det")
def root_command() -> None:
    """Local face recognition: enrol people, train, serve, ask who is in a picture.

    Exit codes: 0 done; 2 wrong usage; 65 bad data; 69 a model is missing or does not fit;
    75 busy, try again; 78 bad config; 130 interrupted.
    """


def print_error(error: FaceDetError) -> None:
    """One line on stderr for each thing wrong."""
    lines = error.faults if isinstance(error, ConfigError) else (str(error),)
    for line in lines:
        click.echo(f"face-det: {line}", err=True)


def run_cli(argv: list[str] | None = None) -> None:
    """Entry point of the `face-det` command; always ends in SystemExit."""
    try:
        code = root_command.main(args=argv, prog_name="face-det", standalone_mode=False)
    except click.ClickException as error:
        error.show()
        sys.exit(error.exit_code)
    except (click.Abort, KeyboardInterrupt):
        click.echo("face-det: interrupted; what was done is kept", err=True)
        sys.exit(130)
    except FaceDetError as error:
        print_error(error)
        sys.exit(error.exit_code)
    except BrokenPipeError:
        # The reader (`| head`) went away: that is no error of ours.
        _redirect_stdout()
        sys.exit(141)
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EDQUOT, errno.EIO):
            raise
        # What we write to files has its own error: this is stdout, on a full disk.
        _redirect_stdout()
        click.echo(
            f"face-det: stdout: cannot be written: {error.strerror}; make room, or choose another", err=True
        )
        sys.exit(75)
    sys.exit(code if isinstance(code, int) else 0)


def _redirect_stdout() -> None:
    """Python flushes it once more at exit, which would complain; give it somewhere to go."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


if __name__ == "__main__":
    run_cli()
