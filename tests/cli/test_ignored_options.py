"""An option that does nothing beside the others is refused, before anything is read or written."""

from __future__ import annotations

from pathlib import Path

import pytest
from running_here import run_here

FOLDER, SIGHTINGS = ("--folder", "pictures"), ("--sightings",)


@pytest.mark.parametrize(
    ("command", "option", "where"),
    [
        *(
            (("extract", "-o", "out", *source), ("--each-frame", "2"), "without --video")
            for source in (("-d", "in"), ("-f", "list"), ("--zoneminder", "1"))
        ),
        *(
            (
                ("extract", "-o", "out", "-d", "in", *finder),
                ("--detector-timeout", "9"),
                "without --detector-",
            )
            for finder in ((), ("--no-objects",), ("--person-model", "x"))
        ),
        (("import", "--from", "frigate", "in"), ("--api-key-file", "key"), "unless SOURCE is an address"),
        (("export", "--to", "frigate", "out"), ("--keys", "key"), "with --to"),
        (("export", "--to", "frigate", "out"), ("--output", "a.zip"), "with --to"),
        (("export", "--to", "frigate", "out"), ("--remote", "ipc:///x"), "with --to"),
        (("export", "Anna"), ("--person", "Anna"), "without --to"),
        (("export", "Anna"), ("--json",), "without --to"),
        (("tune",), ("--json",), "without --report"),
        *(
            (("tune", *source), option, f"with {source[0]}")
            for source in (FOLDER, SIGHTINGS)
            for option in (
                ("--name", "car"),
                ("--mongo-url", "mongodb://x"),
                ("--database", "x"),
                ("--collection", "x"),
            )
        ),
        (("tune", *FOLDER), ("--face", "Anna"), "with --folder"),
        *(
            (("tune", "--report"), option, "with --report")
            for option in (
                ("--output", "x"),
                ("--voc-start", "2"),
                ("--port", "1"),
                ("--keys", "x"),
                ("--remote", "ipc:///x"),
            )
        ),
    ],
    ids=lambda words: " ".join(words) if isinstance(words, tuple) else "",
)
def test_it_is_named(tmp_path: Path, command: tuple[str, ...], option: tuple[str, ...], where: str) -> None:
    """In one line, with the case in which it does nothing; exit code 2."""
    done = run_here(*command, *option, cwd=tmp_path)
    assert done.returncode == 2
    said = done.stderr.splitlines()[-1]
    assert said.startswith(f"Error: {option[0]} does nothing {where}"), said
    assert said.endswith("; leave it out.")
    assert not list(tmp_path.iterdir())
