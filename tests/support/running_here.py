"""Commands in the tests' own process."""

from __future__ import annotations

import contextlib
import io
import os
import subprocess

import pytest

from face_det.cli.main import run_cli


def run_here(*arguments, cwd, **environ):
    """`face-det` with these arguments in the folder `cwd`, and how it ended. This process has imported
    everything and loads networks once; another would take seconds."""
    out, err = io.StringIO(), io.StringIO()
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(cwd)
        for name in [name for name in os.environ if name.startswith("FACE_DET_")]:
            patch.delenv(name)
        for name, text in environ.items():
            patch.setenv(name, text)
        with (
            contextlib.redirect_stdout(out),
            contextlib.redirect_stderr(err),
            pytest.raises(SystemExit) as end,
        ):
            run_cli(list(map(str, arguments)))
    return subprocess.CompletedProcess(arguments, end.value.code or 0, out.getvalue(), err.getvalue())
