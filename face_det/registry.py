"""Menus of components: what a name in the configuration stands for.

A new detector, embedder, jitter or classifier is one file and one spec in a menu. A component is
imported only when it is created, so a command loads only what it uses.
"""

from __future__ import annotations

import difflib
import importlib
from dataclasses import dataclass
from typing import Any, TypeVar

from face_det.errors import ConfigError


@dataclass(frozen=True, slots=True)
class Spec:
    """An entry of a menu: its name, and its class as "module:Class"."""

    name: str
    target: str


AnySpec = TypeVar("AnySpec", bound=Spec)


class Menu(dict[str, AnySpec]):
    """Specs by name, in the order in which they are offered.

    >>> menu = Menu(Spec("fraction", "fractions:Fraction"), Spec("decimal", "decimal:Decimal"))
    >>> menu.create("fraction", numerator=1, denominator=2)
    Fraction(1, 2)
    >>> menu.create("fractoin")
    Traceback (most recent call last):
        ...
    face_det.errors.ConfigError: must be one of decimal, fraction, got 'fractoin'; did you mean 'fraction'?
    """

    def __init__(self, *specs: AnySpec) -> None:
        super().__init__()
        for spec in specs:
            self.register(spec)

    def register(self, spec: AnySpec) -> None:
        """Add an entry at the end; ValueError if its name is taken. `del menu[name]` removes it again."""
        if spec.name in self:
            raise ValueError(f"name must be new to the menu, got {spec.name!r}")
        self[spec.name] = spec

    def create(self, name: str, **options: Any) -> Any:
        """Import the class of entry `name` and call it with `options`.

        Raises ConfigError, which lists the menu, for an unknown name, and whatever the class raises.
        """
        if name not in self:
            near = difflib.get_close_matches(name, self, n=1)
            hint = f"; did you mean {near[0]!r}?" if near else ""
            raise ConfigError([f"must be one of {', '.join(sorted(self))}, got {name!r}{hint}"])
        module, _, attribute = self[name].target.partition(":")
        return getattr(importlib.import_module(module), attribute)(**options)
