"""An option that does nothing beside the others is refused, before anything is read or written."""

from __future__ import annotations

import json
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


@pytest.mark.parametrize(
    "command",
    [
        ("add", "Anna", "photo.jpg"),
        ("backup",),
        ("clear",),
        ("sightings", "confirm", "1", "Anna"),
        ("enrol", "Anna", "--yes"),
        ("export", "Anna"),
        ("forget", "Anna", "--yes"),
        ("import", "--from", "frigate", "in"),
        ("people",),
        ("recognize", "photo.jpg", "--remote", "ipc:///x"),
        ("reload",),
        ("restore", "file"),
        ("sightings",),
        ("status", "--remote", "ipc:///x"),
        ("tune", "--report", "--sightings"),
        ("unknowns",),
    ],
    ids=" ".join,
)
def test_keys_are_for_tcp(tmp_path: Path, command: tuple[str, ...]) -> None:
    """Whoever gives keys expects them to be asked for; at an ipc endpoint nobody asks."""
    pipe = f"ipc://{tmp_path}/rpc"
    (tmp_path / "config.json").write_text(json.dumps({"faceDetServer": {"zerorpcPipe": pipe}}))
    done = run_here(*command, "--keys", "key", cwd=tmp_path)
    assert done.returncode == 2, done.stderr
    asked = "ipc:///x" if "--remote" in command else pipe
    said = done.stderr.splitlines()[-1]
    assert said == f"Error: --keys does nothing with {asked}, because only tcp has keys; leave it out."
    assert [path.name for path in tmp_path.iterdir()] == ["config.json"]
