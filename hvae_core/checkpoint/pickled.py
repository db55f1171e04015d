"""Pickles read as data: what stands in them, with every class a name, and nothing run.

``pickle`` itself builds the lists, tables, numbers and texts. Whatever a pickle names (a class, a
function) becomes a ``Named``, and whatever it would call a ``Call`` with the arguments: neither is
looked up, imported or run. Instructions that are not needed for this are refused before.

Errors are predicates ("holds ..."), as everywhere in this room.
"""

from __future__ import annotations

import io
import pickle
import pickletools
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, NoReturn, final

from hvae_core.common.errors import CheckpointError

MAX_PICKLE = 16 * 1024**2
MAX_STEPS = 2_000_000
_PLAIN = frozenset(
    {"PROTO", "FRAME", "STOP", "MARK", "POP", "POP_MARK", "EMPTY_DICT", "EMPTY_LIST", "EMPTY_TUPLE",
     "DICT", "LIST", "TUPLE", "TUPLE1", "TUPLE2", "TUPLE3", "APPEND", "APPENDS", "SETITEM",
     "SETITEMS", "EMPTY_SET", "ADDITEMS", "FROZENSET", "NONE", "NEWTRUE", "NEWFALSE", "BININT",
     "BININT1", "BININT2", "INT", "LONG", "LONG1", "LONG4", "FLOAT", "BINFLOAT", "UNICODE",
     "BINUNICODE", "SHORT_BINUNICODE", "BINUNICODE8", "STRING", "BINSTRING", "SHORT_BINSTRING",
     "BINBYTES", "SHORT_BINBYTES", "BINPUT", "LONG_BINPUT", "PUT", "MEMOIZE", "BINGET",
     "LONG_BINGET", "GET", "GLOBAL", "STACK_GLOBAL", "REDUCE", "BUILD", "BINPERSID"}
)  # fmt: skip
_MEMO = frozenset({"BINPUT", "LONG_BINPUT", "PUT"})
BROKEN = "the file is damaged, get it again from its source"


@final
@dataclass(frozen=True)
class Named:
    """A class or a function that a pickle names, as "package.module.name": the name alone."""

    name: str

    def __call__(self, *args: Any) -> Call:
        """What the pickle would have had run, as data."""
        return Call(self.name, args)


@final
@dataclass
class Call:
    """A call that a pickle asks for, not done: the name, the arguments, and what followed it."""

    name: str
    args: tuple[Any, ...]
    state: Any = None
    items: dict[Any, Any] = field(default_factory=dict)
    """What was set by key, where the call would have made a table."""
    members: list[Any] = field(default_factory=list)
    """What was appended, where the call would have made a list."""

    def __call__(self, *args: Any) -> Call:
        """A call of what this one would have given."""
        return Call(f"{self.name}()", (self, *args))

    def __setstate__(self, state: Any) -> None:
        self.state = state

    def __setitem__(self, key: Any, value: Any) -> None:
        self.items[key] = value

    def append(self, value: Any) -> None:
        """Take one more member."""
        self.members.append(value)

    def extend(self, values: list[Any]) -> None:
        """Take several members."""
        self.members.extend(values)


def read_pickle(data: bytes, persistent: Callable[[Any], Any] | None = None) -> Any:
    """The contents of one pickle as plain data with ``Named`` and ``Call`` in them.

    ``persistent`` says what a reference to something outside of the pickle becomes; without it such
    a reference is refused. Raises ``CheckpointError`` for all else that is wrong.
    """
    return read_pickles(data, 1, persistent)[0][0]


def read_pickles(
    data: bytes, count: int, persistent: Callable[[Any], Any] | None = None
) -> tuple[list[Any], int]:
    """As ``read_pickle`` of ``count`` pickles end to end, and where the last of them ends."""
    stream, found = io.BytesIO(data), []
    try:
        for _ in range(count):
            begin = stream.tell()
            _check_steps(stream)
            end = stream.tell()
            found.append(_Reader(data[begin:end], persistent).load())
            stream.seek(end)
    except CheckpointError:
        raise
    except Exception as exc:  # whatever a damaged pickle makes of the library
        raise CheckpointError(f"holds a pickle that cannot be read; {BROKEN}") from exc
    return found, stream.tell()


def _check_steps(stream: io.BytesIO) -> None:
    """Only instructions that build plain data, and no more than a file of weights needs."""
    begin = stream.tell()
    for step, (code, value, _) in enumerate(pickletools.genops(stream)):
        if code.name not in _PLAIN:
            raise CheckpointError(
                f"holds a pickle with the instruction {code.name}, which no file of weights needs; "
                "a pickle can run code, so it is not opened"
            )
        # The library's memo is an array as long as its largest index.
        if code.name in _MEMO and int(str(value)) > MAX_STEPS:
            raise CheckpointError(f"holds a pickle with an impossible memo; {BROKEN}")
        if step > MAX_STEPS or stream.tell() - begin > MAX_PICKLE:
            raise CheckpointError(f"holds a pickle larger than any file of weights needs; {BROKEN}")


class _Reader(pickle.Unpickler):
    """The library's reader, to which every name is only a name."""

    def __init__(self, data: bytes, persistent: Callable[[Any], Any] | None) -> None:
        super().__init__(io.BytesIO(data), encoding="utf-8")
        self.persistent = persistent

    def find_class(self, module_name: str, global_name: str) -> Any:
        """The name: nothing is looked up."""
        return Named(f"{module_name}.{global_name}")

    def persistent_load(self, pid: Any) -> Any:
        """What the caller makes of a reference."""
        return self.persistent(pid) if self.persistent else _refused()


def _refused() -> NoReturn:
    raise CheckpointError(
        "holds a pickle that refers to something outside of it; give the file of weights whole"
    )
