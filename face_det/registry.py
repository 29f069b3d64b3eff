"""Menus of components: what a name in the configuration stands for.

A new detector, embedder, jitter or classifier is one file and one spec in a menu. A component is
imported only when it is created, so a command loads only what it uses.
"""

from __future__ import annotations

import difflib
import hashlib
import importlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from face_det.errors import ConfigError, ModelMissing

FILE_PREFIX = "onnx:"
"""What the path of a user's own ONNX file follows where a menu takes one."""


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

    def __init__(self, *specs: AnySpec, files: str | None = None) -> None:
        """`files` is the class, as "module:Class", that onnx:PATH stands for; it also gets `path`."""
        super().__init__()
        self.files = files
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
        path = self.path_in(name)
        if path is not None:
            assert self.files is not None
            return _import_target(self.files)(path=path, **options)
        if name not in self:
            near = difflib.get_close_matches(name, self, n=1)
            hint = f"; did you mean {near[0]!r}?" if near else ""
            own = f" or {FILE_PREFIX}PATH" if self.files else ""
            raise ConfigError([f"must be one of {', '.join(sorted(self))}{own}, got {name!r}{hint}"])
        return _import_target(self[name].target)(**options)

    def path_in(self, name: str) -> Path | None:
        """Return PATH of onnx:PATH; None for other names, or if the menu takes no files.

        >>> Menu(files="fractions:Fraction").path_in("onnx:/models/face.onnx")
        PosixPath('/models/face.onnx')
        """
        path = name.removeprefix(FILE_PREFIX)
        return Path(path) if self.files and path not in ("", name) else None

    def identify(self, name: str) -> str:
        """Return the name or, for a file, the name with a hash of what the file and its description hold.

        For keys of caches. Raises ModelMissing if the file cannot be read.
        """
        path = self.path_in(name)
        if path is None:
            return name
        digest = hashlib.sha256()
        for file in (path, description_path(path)):
            try:
                digest.update(hashlib.sha256(file.read_bytes()).digest())
            except OSError as error:
                raise ModelMissing(f"{file}: must be readable, got {error.strerror}; put it back") from error
        return f"{name}#{digest.hexdigest()[:16]}"


def description_path(path: Path) -> Path:
    """Return where the description of an ONNX file is: beside it, ending in .json.

    >>> description_path(Path("/models/face.onnx"))
    PosixPath('/models/face.json')
    """
    return path.with_suffix(".json")


def _import_target(target: str) -> Any:
    module, _, attribute = target.partition(":")
    return getattr(importlib.import_module(module), attribute)
