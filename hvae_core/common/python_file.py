"""Something in a Python file that a local user named on the command line, as FILE.py:NAME.

The file is run as it is, on the word of whoever typed its name; nothing else here runs code.
"""

from __future__ import annotations

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
    module_name = f"own_{path.stem}"
    spec = importlib.util.spec_from_file_location(module_name, path)
    assert spec is not None  # a .py file has a loader
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    # As Python itself does for a file that it is given: what lies beside it can be imported.
    folder = str(path.resolve().parent)
    if folder not in sys.path:
        sys.path.append(folder)
    sys.modules[module_name] = module
    try:
        spec.loader.exec_module(module)
    except (Exception, SystemExit) as exc:
        raise error(f"{path} could not be read: {what_went_wrong(exc, path)}.") from exc
    if not hasattr(module, parts[1]):
        raise error(f"{path} has no {parts[1]}; check its spelling.")
    return getattr(module, parts[1]), path


def what_went_wrong(error: BaseException, path: Path) -> str:
    """What went wrong, and in which line of the file."""
    lines = [f.lineno for f in traceback.extract_tb(error.__traceback__) if f.filename == str(path)]
    if isinstance(error, SyntaxError) and error.lineno:
        lines = [error.lineno]
    at = f", line {lines[-1]}" if lines else ""
    message = " ".join(str(error).split()).rstrip(".") or "no message"
    return f"{type(error).__name__} ({message}){at}"
