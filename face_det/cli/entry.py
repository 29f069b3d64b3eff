"""Where the `face-det` command begins: Ctrl-C may come before anything of it is imported."""

from __future__ import annotations

import sys


def run() -> None:
    """Run the `face-det` command; always ends in SystemExit."""
    try:
        from face_det.cli.main import run_cli
    except KeyboardInterrupt:
        sys.stderr.write("face-det: interrupted; nothing was done\n")
        sys.exit(130)
    run_cli()
