"""Whatever bytes come, their readers refuse in one line: no other error, no hang, no crash, no hoard."""

from __future__ import annotations

import ast
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import forked
import pytest

RUN = Path(__file__).parents[2] / "fuzz/run.py"
TARGETS = [
    node.name
    for node in ast.parse(RUN.with_name("targets.py").read_text("utf-8")).body
    if isinstance(node, ast.FunctionDef) and not node.name.startswith("_")
]


def fuzz(*arguments: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, RUN, "--engine", "own", *arguments]
    return forked.run(list(map(str, command)))


@pytest.mark.slow
@pytest.mark.parametrize("target", TARGETS)
def test_smoke(target: str, tmp_path: Path) -> None:
    """A few hundred mutants of good files, under the limits of time and memory."""
    done = fuzz(target, "--executions", 300, "--json", tmp_path / "table.json")
    assert done.returncode == 0, done.stdout + done.stderr
    (row,) = json.loads((tmp_path / "table.json").read_text())
    assert row["executions"] == 300
    assert row["found"] == ""


@pytest.mark.slow
@pytest.mark.parametrize(
    ("harm", "found"),
    [
        ("raise KeyError(1)", "KeyError at "),
        ("raise errors.BadImage('two\\nlines')", "AssertionError at "),
        ("bytearray(3 << 30)", "MemoryError at "),
        ("import ctypes; ctypes.string_at(0)", "exit status -11"),
        ("import time; time.sleep(60)", "exit status 1"),
    ],
    ids=["error", "lines", "memory", "crash", "hang"],
)
def test_harm_is_found(harm: str, found: str, tmp_path: Path) -> None:
    """A reader that does each kind of harm to one input in two is caught, and the input is kept."""
    (tmp_path / "fuzz").mkdir()
    for name in ("run.py", "child.py", "limits.py", "mutants.py"):
        (tmp_path / "fuzz" / name).write_text(RUN.with_name(name).read_text("utf-8"))
    (tmp_path / "fuzz/targets.py").write_text(
        RUN.with_name("targets.py").read_text("utf-8")
        + "\n\ndef harmful():\n"
        + "    from face_det import errors\n"
        + "    def read(data):\n"
        + f"        if data != b'good':\n            {harm}\n"
        + "    return Prepared(_refusing(read), [b'good'])\n\n"
        + "TARGETS['harmful'] = harmful\n"
    )
    command = [sys.executable, tmp_path / "fuzz/run.py", "harmful", "--engine", "own", "--executions", "20"]
    done: Any = subprocess.run(list(map(str, command)), capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert found in done.stdout, done.stdout + done.stderr
    assert [path for path in (tmp_path / "fuzz/found/harmful").iterdir() if not path.name.startswith(".")]
