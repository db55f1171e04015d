"""The text of a network of the user's own: what its numbers depend on beside its weights."""

from __future__ import annotations

import inspect
import sys
import sysconfig
from collections.abc import Iterable, Iterator
from pathlib import Path
from types import CodeType, FunctionType, ModuleType
from typing import Any

from torch import nn

from hvae_core.common.fingerprint import digest

_LIBRARIES = tuple(
    str(Path(place).resolve())
    for place in {*sysconfig.get_paths().values(), sys.base_prefix + "/lib"}
    if "python" in place or "packages" in place
)
_HERE = str(Path(__file__).resolve().parents[2])
_PLAIN = (int, float, str, bool, type(None), bytes)


def source_of(module: nn.Module, *functions: Any) -> str:
    """The files of all classes of a network, of these functions, and of what those files import.

    Where there is no file, as in a console, the code of the classes' methods. Plain settings that
    the parts of the network carry stand at the end.
    """
    classes = {type(part) for part in module.modules()}
    texts: dict[str, str] = {}
    for owner in (*classes, *(function for function in functions if function is not None)):
        _add(owner, texts)
    settings = [
        (name, key, _told(value))
        for name, part in module.named_modules()
        for key, value in sorted(vars(part).items())
        if not key.startswith("_") and key != "training" and _is_told(value)
    ]
    return digest(sorted(texts.items()), repr(settings))


def _add(owner: Any, texts: dict[str, str]) -> None:
    """The text behind a class, a function or a callable object."""
    home = sys.modules.get(getattr(owner, "__module__", None) or "")
    path = _path(owner)
    if path is not None and _is_library(path):
        return
    if path is None or home is None or not path.is_file():
        texts[f"code {getattr(owner, '__qualname__', type(owner).__qualname__)}"] = repr(
            sorted(_codes(owner))
        )
        return
    _add_file(path, home, texts)


def _add_file(path: Path, home: ModuleType, texts: dict[str, str]) -> None:
    """A file, and the files of the user's own that it imports from."""
    if str(path) in texts:
        return
    texts[str(path)] = path.read_text("utf-8", errors="replace")
    for value in list(vars(home).values()):
        other = value if isinstance(value, ModuleType) else sys.modules.get(
            getattr(value, "__module__", None) or ""
        )  # fmt: skip
        if other is None or not isinstance(value, ModuleType | type | FunctionType):
            continue
        file = getattr(other, "__file__", None)
        if file and not _is_library(Path(file).resolve()):
            _add_file(Path(file).resolve(), other, texts)


def _path(owner: Any) -> Path | None:
    try:
        found = inspect.getsourcefile(owner)
    except TypeError:
        return _path(type(owner)) if not isinstance(owner, type) else None
    return Path(found).resolve() if found else None


def _is_library(path: Path) -> bool:
    text = str(path)
    return text.startswith((*_LIBRARIES, _HERE)) or "site-packages" in path.parts


def _codes(owner: Any) -> Iterator[str]:
    """The code of a function, or of all functions of a class and its bases."""
    if isinstance(owner, type):
        for base in owner.__mro__:
            if base.__module__ == owner.__module__:
                for value in vars(base).values():
                    yield from _codes(value)
    code = getattr(getattr(owner, "__func__", owner), "__code__", None)
    if code is not None:
        yield repr(list(_flat(code)))


def _flat(code: CodeType) -> Iterable[Any]:
    """What a piece of code does: its steps, constants and names, those of inner functions too."""
    yield (code.co_name, code.co_code.hex(), code.co_names)
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from _flat(constant)
        else:
            yield repr(constant)


def _is_told(value: Any) -> bool:
    if isinstance(value, tuple | list):
        return all(_is_told(each) for each in value)
    return isinstance(value, _PLAIN)


def _told(value: Any) -> Any:
    return [_told(each) for each in value] if isinstance(value, tuple | list) else value
