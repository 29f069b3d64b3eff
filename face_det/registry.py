"""The menus: what a name in the configuration stands for.

A new detector, embedder, jitter or classifier is one file and one line here. Nothing is imported until
it is asked for, so that a command loads only what it uses.
"""

from __future__ import annotations

import difflib
import importlib
from typing import Any

from face_det.errors import ConfigError


def create_by_name(menu: dict[str, str], name: str, **options: Any) -> Any:
    """Import and instantiate entry `name` of a menu; ConfigError lists the menu if it has none."""
    target = menu.get(name)
    if target is None:
        near = difflib.get_close_matches(name, menu, n=1)
        hint = f"; did you mean {near[0]!r}?" if near else ""
        raise ConfigError([f"must be one of {', '.join(sorted(menu))}, got {name!r}{hint}"])
    module, _, attribute = target.partition(":")
    return getattr(importlib.import_module(module), attribute)(**options)
