"""Something in a Python file that a local user named on the command line, as FILE.py:NAME.

The file is run as it is, on the word of whoever typed its name; nothing else here runs code.
"""

from __future__ import annotations

import hashlib
import importlib.util
import sys
import traceback
from pathlib import Path
from typing import Any

from hvae_core.common.errors import HVAEError
from hvae_core.common.files import named_path
from hvae_core.common.plain import plain


def split_name(text: str) -> tuple[str, str] | None:
    """FILE.py and NAME of what someone wrote; None where it has another form."""
    where, _, name = str(text).rpartition(":")
    return (where, name) if where.endswith(".py") and name.isidentifier() else None


def from_file(text: str, error: type[HVAEError], *, what: str, example: str) -> tuple[Any, Path]:
    """What FILE.py:NAME names, and the file.

    Raises ``error`` where there is no such file or name, or where the file cannot be run; ``what``
    is what it names, as "score", ``example`` how one writes it.
    """
    parts = split_name(text)
    if parts is None:
        raise error(f"{plain(text)} names no {what}; write FILE.py:NAME, such as {example}.")
    path = named_path(parts[0], error)
    if not path.is_file():
        raise error(f"There is no file {plain(path)}; give the path of a Python file.")
    whole = path.resolve()
    # Two files of one name, as two states of a network in two folders, are two modules.
    module_name = f"own_{path.stem}_{hashlib.sha256(str(whole).encode()).hexdigest()[:8]}"
    spec = importlib.util.spec_from_file_location(module_name, path)
    assert spec is not None  # a .py file has a loader
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    _forget_neighbours(str(whole.parent))
    sys.modules[module_name] = module
    before = set(sys.modules)
    try:
        spec.loader.exec_module(module)
    except (Exception, SystemExit) as exc:
        raise error(f"{path} could not be read: {what_went_wrong(exc, path)}.") from exc
    finally:
        _NEIGHBOURS.update(_beside(whole.parent, set(sys.modules) - before))
    if not hasattr(module, parts[1]):
        raise error(f"{path} has no {parts[1]}; check its spelling.")
    return getattr(module, parts[1]), path


_NEIGHBOURS: dict[str, str] = {}
"""Modules that files which were run imported from their own folders: name and folder."""


def _forget_neighbours(folder: str) -> None:
    """Let what lies in a folder be imported, as Python does for a file that it is given.

    Modules of the folders of files that were run before are forgotten, and read anew where they
    are asked for again: two networks may each have a ``layers.py`` beside them.
    """
    for name in _NEIGHBOURS:
        sys.modules.pop(name, None)
    for other in {*_NEIGHBOURS.values(), folder} & set(sys.path):
        sys.path.remove(other)
    _NEIGHBOURS.clear()
    sys.path.append(folder)
    importlib.invalidate_caches()


def _beside(folder: Path, names: set[str]) -> dict[str, str]:
    """Those of some modules that lie in a folder of the user's, with that folder."""
    ours = Path(__file__).resolve().parents[2]
    found = {}
    for name in names:
        file = getattr(sys.modules.get(name), "__file__", None)
        path = Path(file).resolve() if file else None
        if path is None or "site-packages" in path.parts:
            continue
        if path.is_relative_to(folder) and not path.is_relative_to(ours):
            found[name] = str(folder)
    return found


def what_went_wrong(error: BaseException, path: Path) -> str:
    """What went wrong, and in which line of the file."""
    lines = [f.lineno for f in traceback.extract_tb(error.__traceback__) if f.filename == str(path)]
    if isinstance(error, SyntaxError) and error.lineno:
        lines = [error.lineno]
    at = f", line {lines[-1]}" if lines else ""
    message = " ".join(str(error).split()).rstrip(".") or "no message"
    hint = (
        "; a path in the file is looked for where the command runs: write "
        "Path(__file__).with_name(...) for what lies beside it"
        if isinstance(error, FileNotFoundError)
        else ""
    )
    return f"{type(error).__name__} ({message}){at}{hint}"
