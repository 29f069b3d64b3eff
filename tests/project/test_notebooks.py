"""The notebooks in docs say what their code answers, with Jupyter and without."""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

NOTEBOOKS = sorted((Path(__file__).parents[2] / "docs/notebooks").glob("*.ipynb"))
HAS_JUPYTER = all(importlib.util.find_spec(name) for name in ("nbclient", "ipykernel"))


def cells(notebook: dict[str, Any]) -> list[tuple[str, str, bool]]:
    """The code, the text on stdout and whether there is a plot, of each cell with code."""
    found = []
    for cell in notebook["cells"]:
        if cell["cell_type"] == "code":
            said = "".join("".join(one["text"]) for one in cell["outputs"] if one.get("name") == "stdout")
            drawn = any("image/png" in one.get("data", {}) for one in cell["outputs"])
            found.append(("".join(cell["source"]), said, drawn))
    return found


@pytest.mark.slow
@pytest.mark.usefixtures("photos")
@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_the_code_says_what_is_written_there(path: Path) -> None:
    """Cell by cell, as a program: the text is what was committed."""
    code = cells(json.loads(path.read_text("utf-8")))
    separator = "\x1e"
    program = f"\nprint({separator!r}, end='')\n".join(source for source, _, _ in code)
    done = subprocess.run(
        [sys.executable, "-c", program],
        cwd=path.parent,
        env={**os.environ, "MPLBACKEND": "agg"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.split(separator) == [said for _, said, _ in code]


@pytest.mark.slow
@pytest.mark.usefixtures("photos")
@pytest.mark.skipif(not HAS_JUPYTER, reason="needs Jupyter: pip install '.[notebook]'")
@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_jupyter_runs_it(path: Path) -> None:
    """In a kernel, as a reader runs it: the same text, and plots where there were some."""
    import nbformat
    from nbclient import NotebookClient

    notebook = nbformat.read(path, as_version=4)
    NotebookClient(notebook, timeout=900, resources={"metadata": {"path": str(path.parent)}}).execute()
    committed = cells(json.loads(path.read_text("utf-8")))
    assert cells(notebook) == committed
    assert any(drawn for _, _, drawn in committed)
