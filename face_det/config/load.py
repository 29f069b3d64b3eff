"""Reads config.json and the environment into a frozen Config, or reports every fault at once.

The file holds one object, `faceDetServer`. Each key can also be set in the environment as FACE_DET_
plus the key in capitals (minProba: FACE_DET_MINPROBA); the environment overrides the file.
"""

from __future__ import annotations

import difflib
import json
import os
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from face_det.config.keys import CONFIG_KEYS, SECTION_KEYS, describe_expected_value
from face_det.config.overrides import read_settings, settings_path
from face_det.config.places import PRIVATE, default_place
from face_det.config.settings import Config
from face_det.errors import ConfigError
from face_det.storage import abbreviate_json, format_json_key, read_json, repeated_keys

SECTION = "faceDetServer"
_ADDRESSES = ("cameras", "webhook")
"""The keys whose values hold addresses, which may be secret."""
IGNORED_KEYS = ("comment", "objDetServer")
"""Keys that may stand beside the section: some installations share the file with an object detector."""
PREFIX = "FACE_DET_"
FILE_VARIABLE = "FACE_DET_CONFIG"


def environment_variable(key: str) -> str:
    """Return the name of a key's environment variable.

    >>> environment_variable("minProba")
    'FACE_DET_MINPROBA'
    """
    return PREFIX + key.upper()


def locate_config(given: Path | None, environ: Mapping[str, str]) -> Path | None:
    """Return the file to read: the one given, else FACE_DET_CONFIG's, else ./config.json if it exists.

    >>> locate_config(None, {"FACE_DET_CONFIG": "/etc/face-detect/config.json"})
    PosixPath('/etc/face-detect/config.json')
    """
    if given is not None:
        return given
    if environ.get(FILE_VARIABLE):
        return Path(environ[FILE_VARIABLE])
    return Path("config.json") if Path("config.json").is_file() else None


def load_config(path: Path | None, environ: Mapping[str, str]) -> Config:
    """Read the settings from a file (None: defaults only) and from the environment, which wins.

    What callers changed while the daemon ran, in statePath, stands between the two.

    Relative paths start from the file's folder or, without a file, from the current one. Raises
    ConfigError with one line in `faults` for each thing that is wrong in either.

    >>> load_config(None, {"FACE_DET_MINPROBA": "0.8"}).min_proba
    0.8
    """
    base = Path.cwd() if path is None else Path(path).absolute().parent
    in_file, faults = ({}, []) if path is None else _read_file(Path(path), base)
    in_environment, more = _read_environment(environ, base)
    private = partial(_fill_in_places, base=base, environ=environ)
    state = private({**in_file, **in_environment})["statePath"]
    changed, worse = (
        _read_changed(settings_path(Path(base, state)), base) if isinstance(state, str) else ({}, [])
    )
    if faults or more or worse:
        raise ConfigError([*faults, *more, *worse])
    try:
        values = private({**in_file, **changed, **in_environment})
        found = Config.model_validate(values, context={"base": base})
        return found.with_sources(in_file, changed, in_environment)
    except ValidationError as error:
        # Each value is valid on its own, so two of them must conflict.
        where = path if path is not None else "environment"
        raise ConfigError(f"{where}: {fault['ctx']['error']}" for fault in error.errors()) from error


def _fill_in_places(values: Mapping[str, Any], base: Path, environ: Mapping[str, str]) -> dict[str, Any]:
    """Return the values with the places of private files, where they name none."""
    filled = dict(values)
    for key, name in PRIVATE.items():
        *section, member = key.split(".")
        group = filled
        for outer in section:
            inside = filled.get(outer, {})
            group = filled[outer] = dict(inside) if isinstance(inside, dict) else {}
        group.setdefault(member, str(default_place(base, name, environ)))
    return filled


def _read_file(path: Path, base: Path) -> tuple[dict[str, Any], list[str]]:
    try:
        content = read_json(path)
    except ValueError as error:
        return {}, [f"{path}: {error}"]
    if not isinstance(content, dict):
        return {}, [f'{path}: must be {{"{SECTION}": {{...}}}}, got {abbreviate_json(content)}']
    faults = [f"{place}: appears twice; keep one" for place in repeated_keys(content)]
    for key in content:
        if key in CONFIG_KEYS and key not in IGNORED_KEYS:
            faults.append(f"{format_json_key(key)}: must be inside {SECTION}")
        elif key not in (SECTION, *IGNORED_KEYS):
            faults.append(f"{format_json_key(key)}: unknown key{_did_you_mean(key, [SECTION])}")
    section = content.get(SECTION, {})
    if SECTION not in content:
        faults.append(f"{SECTION}: missing; put the settings in it")
    elif not isinstance(section, dict):
        faults.append(f"{SECTION}: must be an object, got {abbreviate_json(section)}")
        section = {}
    faults += _find_faults(section, section, base, lambda key: f"{SECTION}.{format_json_key(key)}")
    return section, [f"{path}: {fault}" for fault in faults]


def _read_changed(path: Path, base: Path) -> tuple[dict[str, Any], list[str]]:
    """Read the settings that callers changed."""
    values, faults = read_settings(path)
    faults += [
        f"{fault}; correct or delete it" for fault in _find_faults(values, values, base, format_json_key)
    ]
    return values, [f"{path}: {fault}" for fault in faults]


def _read_environment(environ: Mapping[str, str], base: Path) -> tuple[dict[str, Any], list[str]]:
    names = {environment_variable(key): key for key in CONFIG_KEYS}
    ours = {name: text for name, text in environ.items() if name.startswith(PREFIX) and name != FILE_VARIABLE}
    faults = [
        f"{format_json_key(name)}: unknown key{_did_you_mean(name, [*names, FILE_VARIABLE])}"
        for name in sorted(ours)
        if name not in names
    ]
    written = {names[name]: text for name, text in ours.items() if name in names}
    values = {key: _parse_variable(key, text) for key, text in written.items()}
    faults += _find_faults(values, written, base, environment_variable)
    return values, [f"environment: {fault}" for fault in faults]


def _parse_variable(key: str, text: str) -> Any:
    """Convert text from the environment to the type that the file would hold.

    Text that cannot be converted is returned unchanged.
    """
    if (
        CONFIG_KEYS[key].annotation in (int, float, bool)
        or key in SECTION_KEYS
        or (key == "imageRoots" and text.lstrip().startswith("["))
    ):
        try:
            return json.loads(text)
        except (ValueError, RecursionError):
            return text
    if key == "imageRoots" and text:
        # Empty text is rejected as for any other key; it does not mean "no restriction".
        return [root for root in text.split(os.pathsep) if root]
    return text


def _find_faults(
    values: Mapping[str, Any], written: Mapping[str, Any], base: Path, place: Callable[[str], str]
) -> list[str]:
    """Describe what is wrong with each value on its own.

    `written` has the values as written; place(key) says where.
    """
    faults = [
        f"{place(key)}: unknown key{_did_you_mean(key, CONFIG_KEYS)}"
        for key in values
        if key not in CONFIG_KEYS
    ]
    known = {key: value for key, value in values.items() if key in CONFIG_KEYS}
    try:
        Config.model_validate(known, context={"base": base})
    except ValidationError as error:
        inside = [fault for fault in error.errors() if _is_inside(fault)]
        wrong = {str(fault["loc"][0]) for fault in error.errors() if fault["loc"] and not _is_inside(fault)}
        faults += [
            f"{place(key)}: must be {describe_expected_value(key)}, got {_show(key, written[key])}"
            for key in known
            if key in wrong
        ]
        faults += [_describe_inner_fault(fault, place) for fault in inside]
    return faults


def _is_inside(fault: Mapping[str, Any]) -> bool:
    """Tell whether a fault is about one key of an object of settings, not about the object as a whole."""
    where = fault["loc"]
    if not where:  # a fault of settings that do not go together
        return False
    depth = 2 if where[0] == "cameras" else 1
    return len(where) > depth and where[0] in SECTION_KEYS and where[-1] != "[key]"


def _describe_inner_fault(fault: Mapping[str, Any], place: Callable[[str], str]) -> str:
    """Describe a fault inside an object of settings, such as `sightings` or one of `cameras`."""
    section, *inner = map(str, fault["loc"])
    where = place(section)
    if section == "onRecognition":
        where += f"[{inner.pop(0)}]"
        if not inner:
            why = fault["ctx"]["error"] if fault["type"] == "value_error" else "must be an object"
            return f"{where}: {why}"
    depth = 2 if section == "cameras" else 1
    key = inner[depth - 1]
    where = ".".join((where, *map(format_json_key, inner[:depth])))
    if key not in SECTION_KEYS[section]:
        return f"{where}: unknown key{_did_you_mean(key, SECTION_KEYS[section])}"
    expected = describe_expected_value(f"{section}.{key}")
    if fault["type"] == "missing":
        return f"{where}: missing; must be {expected}"
    return f"{where}: must be {expected}, got {_show(key if key in _ADDRESSES else section, fault['input'])}"


def _show(key: str, value: Any) -> str:
    """Show a value that is wrong; of an address, which may contain a password, only the beginning."""
    if key in _ADDRESSES:
        if isinstance(value, dict | list) or (isinstance(value, str) and value.lstrip()[:1] in ("{", "[")):
            return "something else"
        if isinstance(value, str):
            start, separator, _ = value.partition(":")
            value = f"{start}{separator}..." if separator else "no address"
    return abbreviate_json(value)


def _did_you_mean(name: str, known: Iterable[str]) -> str:
    by_letters = {_letters(right): right for right in known}
    near = difflib.get_close_matches(_letters(name), by_letters, n=1)
    return f"; did you mean {by_letters[near[0]]}?" if near else ""


def _letters(name: str) -> str:
    return name.replace("_", "").replace("-", "").lower()
