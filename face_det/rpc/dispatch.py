"""Maps the name and arguments of a call to a method, and answers zerorpc's questions about them."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from typing import Any

from face_det.errors import BadRequest


class Dispatcher:
    """Calls the method that a verb names.

    Nothing else can be reached: names are looked up in `methods`, never as attributes. zerorpc's own
    command line calls `_zerorpc_inspect` first.

    >>> Dispatcher("echo", {"echo": lambda text: text})("echo", ("hello",))
    'hello'
    """

    def __init__(self, server: str, methods: Mapping[str, Callable[..., Any]]) -> None:
        self._server = server
        self._methods = dict(methods)
        self._questions: dict[str, Callable[..., Any]] = {
            "_zerorpc_list": lambda: list(self._methods),
            "_zerorpc_name": lambda: self._server,
            "_zerorpc_ping": lambda: ["pong", self._server],
            "_zerorpc_help": lambda verb: inspect.getdoc(self._method(verb)),
            "_zerorpc_args": self._argspec,
            "_zerorpc_inspect": self._inspect,
        }

    def __call__(self, name: str, args: tuple[Any, ...]) -> Any:
        """Call a verb; raise BadRequest if it is unknown or the number of arguments is wrong."""
        method = self._questions.get(name) or self._method(name)
        parameters = inspect.signature(method).parameters.values()
        required = sum(1 for parameter in parameters if parameter.default is parameter.empty)
        if not required <= len(args) <= len(parameters):
            raise BadRequest(f"{name} takes {_wording(parameters)}, got {_count(len(args))}")
        return method(*args)

    def _method(self, name: object) -> Callable[..., Any]:
        method = self._methods.get(name) if isinstance(name, str) else None
        if method is None:
            verbs = ", ".join(self._methods)
            raise BadRequest(f"verb: must be one of {verbs}, got {str(name)[:80]!r}")
        return method

    def _argspec(self, verb: object) -> list[Any]:
        parameters = inspect.signature(self._method(verb)).parameters.values()
        defaults = [parameter.default for parameter in parameters if parameter.default is not parameter.empty]
        return [[parameter.name for parameter in parameters], None, None, defaults or None]

    def _inspect(self) -> dict[str, Any]:
        methods = {}
        for verb, method in self._methods.items():
            args = []
            for parameter in inspect.signature(method).parameters.values():
                default = {} if parameter.default is parameter.empty else {"default": parameter.default}
                args.append({"name": parameter.name, **default})
            methods[verb] = {"args": args, "doc": inspect.getdoc(method)}
        return {"name": self._server, "methods": methods}


def _wording(parameters: Any) -> str:
    names = [p.name if p.default is p.empty else f"{p.name} (optional)" for p in parameters]
    return ", ".join(names) or "no arguments"


def _count(arguments: int) -> str:
    return f"{arguments} argument{'' if arguments == 1 else 's'}"
