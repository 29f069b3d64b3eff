"""Writes the pages of docs/reference that are made from the code; `make docs` runs it.

A test compares what is made here with what lies on the disk.
"""

from __future__ import annotations

import json
from pathlib import Path

import click

from face_det.cli import COMMANDS, root_command
from face_det.config import CONFIG_KEYS, describe_expected_value

REFERENCE = Path(__file__).resolve().parent / "reference"

CONFIG = """\
# config.json

<!-- Made by `make docs` from face_det/config/settings.py; change it there. -->

One object, `faceDetServer`; every key has a default, so a small file is enough:

```json
{
    "faceDetServer": {
        "minProba": 0.8,
        "faceDetModel": "hog",
        "imageRoots": ["/var/cache/zoneminder"]
    }
}
```

Commands read the file given with `--config`, else the one that the variable `FACE_DET_CONFIG` names,
else `config.json` in the current folder, else none. Relative paths start from the file's folder.

Each key can also come from the environment, as `FACE_DET_` and the key in capitals: `minProba` is
`FACE_DET_MINPROBA`. The environment wins over the file. A list is written as JSON, or with `:`
between its members, as in `PATH`.

Nothing is guessed: an unknown key, a wrong type or a value out of range stops the start with exit
code 78 and one line for each fault, with its place; a misspelt key comes with the right one.
`comment`, and an `objDetServer` section, may stand beside the object.

| key | default | must be | what it does |
|---|---|---|---|
"""

COMMAND_LINE = """\
# Commands

<!-- Made by `make docs` from face_det/cli; change it there. -->

Results go to stdout, progress and messages to stderr. Exit codes: 0 done; 2 wrong usage; 65 bad
data; 69 a model is missing or does not fit; 75 busy, try again; 78 bad config; 130 interrupted.
The scripts in scripts/ have the names and flags of the original's and call the same commands.
"""


def config_page() -> str:
    """Every key of config.json, from face_det/config/settings.py."""
    rows = []
    for key, field in CONFIG_KEYS.items():
        value = list(field.default) if isinstance(field.default, tuple) else field.default
        rows.append(
            f"| `{key}` | `{json.dumps(value)}` | {describe_expected_value(key)} | {field.description} |\n"
        )
    return CONFIG + "".join(rows)


def commands_page() -> str:
    """Every option of every command. Not what click prints: its layout changes with its version."""
    page = COMMAND_LINE
    with click.Context(root_command, info_name="face-det") as context:
        for name in COMMANDS:
            command = root_command.get_command(context, name)
            assert command is not None
            page += _section(f"## face-det {name}", command)
            # Those of a group, as in `face-det gallery check`.
            for inner, subcommand in sorted(getattr(command, "commands", {}).items()):
                page += _section(f"### face-det {name} {inner}", subcommand)
    return page


def _section(heading: str, command: click.Command) -> str:
    rows = "".join(f"| {_spelling(parameter)} | {_about(parameter)} |\n" for parameter in command.params)
    return f"\n{heading}\n\n{command.help}\n" + (f"\n| option | |\n|---|---|\n{rows}" if rows else "")


def _spelling(parameter: click.Parameter) -> str:
    if isinstance(parameter, click.Argument):
        return (
            f"`{parameter.human_readable_name}...`"
            if parameter.nargs == -1
            else f"`{parameter.human_readable_name}`"
        )
    assert isinstance(parameter, click.Option)
    return ", ".join(f"`{spelt}`" for spelt in parameter.opts)


def _about(parameter: click.Parameter) -> str:
    about = getattr(parameter, "help", None) or ""
    if isinstance(parameter.type, click.Choice):
        about += f" One of {', '.join(map(str, parameter.type.choices))}."
    return about.strip()


PAGES = {"config.md": config_page, "commands.md": commands_page}


def main() -> None:
    """Write every page."""
    for name, page in PAGES.items():
        (REFERENCE / name).write_text(page(), "utf-8")
        print(REFERENCE / name)


if __name__ == "__main__":
    main()
