"""The house's measures: small modules, names that say something, tidy text."""

from __future__ import annotations

import ast
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parents[2]
LONGEST_MODULE = 400
"""Where to ask whether a module holds two ideas. Ideas are what to split by, not lines."""
LONGEST_FUNCTION = 50
PICTURES = re.compile(r"docs/pictures/annotated\.jpg|docs/pictures/page-[a-z]+\.png")
"""The files that are not text: photos that the README shows, and pictures of the page."""
BEGINNINGS = {".jpg": b"\xff\xd8\xff", ".png": b"\x89PNG"}
LARGEST_PICTURE = 150_000


def python_files(*folders: str) -> Iterator[Path]:
    for folder in folders:
        yield from sorted((REPOSITORY / folder).rglob("*.py"))


def kept_files() -> list[Path]:
    """What belongs to the project: what git keeps, or would keep."""
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    done = subprocess.run(command, cwd=REPOSITORY, capture_output=True, check=False)
    if done.returncode != 0:
        pytest.skip("this is no git checkout")
    paths = [REPOSITORY / name for name in done.stdout.decode().split("\0") if name]
    return [path for path in paths if path.is_file()]


def test_modules_fit_in_the_head() -> None:
    """Past 400 lines a module probably holds two ideas."""
    lengths = {
        path: len(path.read_text("utf-8").splitlines()) for path in python_files("face_det", "scripts")
    }
    assert not {path: length for path, length in lengths.items() if length > LONGEST_MODULE}


def test_functions_fit_on_a_screen() -> None:
    """A function is about 40 lines beside its docstring; 50 is too many."""
    long = [
        f"{path.relative_to(REPOSITORY)}:{node.lineno} {node.name}"
        for path in python_files("face_det", "scripts")
        for node in ast.walk(ast.parse(path.read_text("utf-8")))
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef))
        and lines_of_code(node) >= LONGEST_FUNCTION
    ]
    assert not long, long


def lines_of_code(function: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    """The length of a function without its docstring, in which examples may stand."""
    first = function.body[0]
    docstring = (first.end_lineno or 0) - first.lineno + 1 if ast.get_docstring(function) else 0
    return (function.end_lineno or 0) - function.lineno - docstring


def test_names_say_something() -> None:
    """No drawer for everything, and no class named for being a class."""
    files = [path.name for path in python_files("face_det", "scripts", "tests")]
    assert not {"utils.py", "util.py", "common.py", "helpers.py", "helper.py", "misc.py"} & set(files)
    classes = [
        node.name
        for path in python_files("face_det", "scripts")
        for node in ast.walk(ast.parse(path.read_text("utf-8")))
        if isinstance(node, ast.ClassDef)
    ]
    assert not [name for name in classes if re.search(r"Manager$|Helper$|Base$|^Base[A-Z]|Util", name)]


def test_every_test_says_what_it_holds() -> None:
    """One line of docstring on each test."""
    silent = [
        f"{path.relative_to(REPOSITORY)}:{node.lineno} {node.name}"
        for path in python_files("tests")
        for node in ast.walk(ast.parse(path.read_text("utf-8")))
        if isinstance(node, ast.FunctionDef) and node.name.startswith("test_") and not ast.get_docstring(node)
    ]
    assert not silent, silent


def test_text_is_tidy() -> None:
    """UTF-8, Unix line ends, no blanks at a line's end, one newline at a file's, no leftovers."""
    wrong = []
    leftovers = re.compile(r"\b(TO" + r"DO|FIX" + r"ME|X" + r"XX)\b|^(<<<<<<<|>>>>>>>) ", re.M)
    for path in kept_files():
        name = path.relative_to(REPOSITORY)
        if PICTURES.fullmatch(name.as_posix()):
            data = path.read_bytes()
            if not data.startswith(BEGINNINGS[name.suffix]) or len(data) > LARGEST_PICTURE:
                wrong.append(f"{name}: must be a JPEG or PNG of at most {LARGEST_PICTURE} bytes")
            continue
        try:
            text = path.read_bytes().decode("utf-8")
        except UnicodeDecodeError:
            wrong.append(f"{name}: not text; the project keeps no binary files")
            continue
        if "\r" in text:
            wrong.append(f"{name}: carriage returns")
        if re.search(r"[ \t]+$", text, re.M):
            wrong.append(f"{name}: blanks at the end of a line")
        if text and not re.search(r"[^\n]\n\Z", text):
            wrong.append(f"{name}: must end with one newline")
        if leftovers.search(text):
            wrong.append(f"{name}: leftovers")
    assert not wrong, "\n".join(wrong)
