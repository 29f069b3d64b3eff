"""Loads pickles that may hold nothing but data: arrays, and estimators from an allow-list.

A pickle is a program: it may name any function of any module and call it. Here it may not:
- A name in the file becomes a `GlobalName`, a pair of strings. The file cannot cause an import.
- Only `allow_list` turns a GlobalName into a value, with our own functions that check their arguments.
  It knows about forty names. Any other name is refused, and so are the opcodes that could do more
  (persistent ids, the extension registry, instances made by a constructor, out-of-band buffers).
- State is only ever set on instances of allowed classes, never on a class or a function.
- Keys of dictionaries and sets are plain values, so that hashing them takes bounded time.
The loader is pure Python (`pickle._Unpickler`, which joblib builds on too), so every step can be checked.
What a class does with state that is well-formed but wrong is not checked here. `sklearn_compat` and
`xgboost_compat` check the models that native code would trust blindly.
"""

from __future__ import annotations

import io
import pickle
import struct
from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path
from typing import Any, ClassVar

from face_det.errors import UnsafePickle
from face_det.storage import transaction
from face_det.storage.pickles import allow_list
from face_det.storage.pickles.labels import PlainLabelEncoder
from face_det.storage.pickles.values import GlobalName, hashable_key

MAX_PICKLE_BYTES = 512 * 2**20
"""Room for about 450,000 encodings."""
MAX_PICKLE_STEPS = 20_000_000
"""A file of encodings needs about fifteen steps for each encoding."""

_REFUSED_OPCODES = {
    pickle.PERSID: "a persistent id",
    pickle.BINPERSID: "a persistent id",
    pickle.EXT1: "the extension registry",
    pickle.EXT2: "the extension registry",
    pickle.EXT4: "the extension registry",
    pickle.INST: "an instance made by its constructor",
    pickle.OBJ: "an instance made by its constructor",
    pickle.NEWOBJ_EX: "an instance made with named arguments",
    pickle.NEXT_BUFFER: "a buffer outside the file",
    pickle.READONLY_BUFFER: "a buffer outside the file",
}

_DAMAGE_ERRORS = (
    ArithmeticError,
    AssertionError,
    AttributeError,
    EOFError,
    ImportError,
    LookupError,
    MemoryError,
    pickle.UnpicklingError,
    RecursionError,
    TypeError,
    ValueError,
    struct.error,
)
"""What reading a damaged pickle may raise; xgboost's own error is a ValueError."""


def parse_pickle(data: bytes, place: str, *, plain_labels: bool = False) -> object:
    """Load an object from the bytes of a pickle; `place` names it in messages.

    With `plain_labels`, a LabelEncoder becomes a PlainLabelEncoder, for which scikit-learn is not imported.

    Raises UnsafePickle, before anything is run, if the pickle names something that is not on the
    allow-list, and if the bytes are not a whole pickle.

    >>> import pickle
    >>> parse_pickle(pickle.dumps({"names": ["bob"]}), "labels.pickle")
    {'names': ['bob']}
    >>> parse_pickle(pickle.dumps(print), "labels.pickle")
    Traceback (most recent call last):
    ...
    face_det.errors.UnsafePickle: labels.pickle: names builtins.print, which is not on the list of allowed classes; none of it was run
    """  # noqa: E501
    if not data:
        raise UnsafePickle(f"{place}: must be a pickle, got an empty file; restore it or make it again")
    if len(data) > MAX_PICKLE_BYTES:
        raise UnsafePickle(f"{place}: must not be larger than {MAX_PICKLE_BYTES} bytes, got {len(data)}")
    try:
        value = _SafeUnpickler(data, place, plain_labels=plain_labels).load()
    except _DAMAGE_ERRORS as error:
        what = " ".join(f"{type(error).__name__}: {error}".split())[:200]
        raise UnsafePickle(
            f"{place}: must be a whole pickle, got a damaged one or something else ({what}); "
            "restore it or make it again"
        ) from error
    if isinstance(value, GlobalName):
        raise UnsafePickle(f"{place}: must hold an object, got the name {value}")
    return value


def load_pickle(path: Path) -> object:
    """Load an object from a file, after recovering its folder.

    Raises what `parse_pickle` raises, DataError for a file that cannot be read, and FileNotFoundError.
    """
    data = transaction.read_files([path], max_bytes=MAX_PICKLE_BYTES)[path]
    if data is None:
        raise FileNotFoundError(path)
    return parse_pickle(data, str(path))


def dump_pickle(value: object, *, check: bool = True) -> bytes:
    """Pickle a value. Raises UnsafePickle if `parse_pickle` would not load it back.

    `check=False` saves reading it back, for bytes that no file will hold. A PlainLabelEncoder is written as
    the LabelEncoder that it stands for.

    >>> parse_pickle(dump_pickle([1, 2]), "numbers.pickle")
    [1, 2]
    """
    plain_labels = isinstance(value, PlainLabelEncoder)
    data = value.dumps() if isinstance(value, PlainLabelEncoder) else pickle.dumps(value, protocol=4)
    if check:
        parse_pickle(data, f"pickle of {type(value).__name__}", plain_labels=plain_labels)
    return data


def _refuse_opcode(what: str) -> Callable[[_SafeUnpickler], None]:
    def step(self: _SafeUnpickler) -> None:
        raise UnsafePickle(
            f"{self.place}: uses {what}, which arrays and estimators do not need; none of it was run"
        )

    return step


class _OpcodeTable(dict[int, Callable[["_SafeUnpickler"], None]]):
    """The opcodes of one load. It counts the steps, because a short file can be a long program."""

    def __init__(self) -> None:
        super().__init__(_SafeUnpickler.dispatch)
        self._left = MAX_PICKLE_STEPS

    def __getitem__(self, key: int) -> Callable[[_SafeUnpickler], None]:
        self._left -= 1
        if self._left < 0:
            raise pickle.UnpicklingError(f"more than {MAX_PICKLE_STEPS} steps")
        return super().__getitem__(key)

    def __missing__(self, key: int) -> Callable[[_SafeUnpickler], None]:
        raise pickle.UnpicklingError(f"{bytes([key])!r} is not a pickle opcode")


class _SafeUnpickler(pickle._Unpickler):
    """Reads one pickle. Each method handles one opcode, as in the class that it extends."""

    stack: list[Any]
    pop_mark: Callable[[], list[Any]]
    read: Callable[[int], bytes]
    dispatch: ClassVar[dict[int, Callable[[Any], None]]] = dict(pickle._Unpickler.dispatch)

    def __init__(self, data: bytes, place: str, *, plain_labels: bool = False) -> None:
        # Python 2 wrote arrays as text; latin-1 restores their bytes.
        super().__init__(io.BytesIO(data), encoding="latin1")
        self._size = len(data)
        self.place = place
        self._plain_labels = plain_labels
        vars(self)["dispatch"] = _OpcodeTable()

    def find_class(self, module: str, name: str) -> Any:
        """Return the name itself if it is on the allow-list; raise UnsafePickle otherwise."""
        named = GlobalName(module, name)
        if not allow_list.is_allowed(named):
            shown = str(named) if str(named).isprintable() else ascii(str(named))
            raise UnsafePickle(
                f"{self.place}: names {shown[:200]}, which is not on the list of allowed classes; "
                "none of it was run"
            )
        if self._plain_labels and str(named) in allow_list.LABEL_ENCODERS:
            return allow_list.PLAIN_LABEL_ENCODER
        return named

    def load_reduce(self) -> None:
        arguments = self.stack.pop()
        self.stack[-1] = allow_list.call_function(self._named(self.stack[-1]), arguments)

    dispatch[pickle.REDUCE[0]] = load_reduce

    def load_newobj(self) -> None:
        arguments = self.stack.pop()
        self.stack[-1] = allow_list.new_instance(self._named(self.stack[-1]), arguments)

    dispatch[pickle.NEWOBJ[0]] = load_newobj

    def load_build(self) -> None:
        state = self.stack.pop()
        allow_list.restore_state(self.stack[-1], state)

    dispatch[pickle.BUILD[0]] = load_build

    def load_append(self) -> None:
        value = self.stack.pop()
        self._top(list).append(value)

    dispatch[pickle.APPEND[0]] = load_append

    def load_appends(self) -> None:
        items = self.pop_mark()
        self._top(list).extend(items)

    dispatch[pickle.APPENDS[0]] = load_appends

    def load_setitem(self) -> None:
        value = self.stack.pop()
        key = self.stack.pop()
        self._top(dict, OrderedDict)[hashable_key(key)] = value

    dispatch[pickle.SETITEM[0]] = load_setitem

    def load_setitems(self) -> None:
        items = self.pop_mark()
        target = self._top(dict, OrderedDict)
        for key, value in zip(items[::2], items[1::2], strict=True):
            target[hashable_key(key)] = value

    dispatch[pickle.SETITEMS[0]] = load_setitems

    def load_dict(self) -> None:
        items = self.pop_mark()
        pairs = zip(items[::2], items[1::2], strict=True)
        self.stack.append({hashable_key(key): value for key, value in pairs})

    dispatch[pickle.DICT[0]] = load_dict

    def load_additems(self) -> None:
        items = self.pop_mark()
        self._top(set).update(hashable_key(item) for item in items)

    dispatch[pickle.ADDITEMS[0]] = load_additems

    def load_frozenset(self) -> None:
        items = self.pop_mark()
        self.stack.append(frozenset(hashable_key(item) for item in items))

    dispatch[pickle.FROZENSET[0]] = load_frozenset

    def load_bytearray8(self) -> None:
        size = int.from_bytes(self.read(8), "little")
        if size > self._size:
            raise pickle.UnpicklingError(f"an array of {size} bytes in a file of {self._size}")
        self.stack.append(bytearray(self.read(size)))

    dispatch[pickle.BYTEARRAY8[0]] = load_bytearray8

    for _opcode, _what in _REFUSED_OPCODES.items():
        dispatch[_opcode[0]] = _refuse_opcode(_what)

    def _named(self, value: object) -> GlobalName:
        if not isinstance(value, GlobalName):
            raise pickle.UnpicklingError(f"a call of {type(value).__name__}, which is data")
        return value

    def _top(self, *kinds: type) -> Any:
        value = self.stack[-1]
        if type(value) not in kinds:
            raise pickle.UnpicklingError(f"items for {type(value).__name__}, which takes none")
        return value
