"""A score of the user's own: a function in a Python file, named on the command line.

Only the command line runs it, on the word of whoever typed its name; the app never does.
"""

from __future__ import annotations

import importlib.util
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from hvae_core.common.errors import ScoreError
from hvae_core.common.files import named_path
from hvae_core.scores import Material, Score


def own_score(text: str) -> Score:
    """The score FILE.py:FUNCTION; the function's docstring is its name. ScoreError if it fails."""
    where, _, name = text.rpartition(":")
    path = named_path(where, ScoreError)
    if not where or not name.isidentifier() or path.suffix != ".py":
        raise ScoreError(f"{text} names no score; write FILE.py:FUNCTION, such as mine.py:top_kl.")
    if not path.is_file():
        raise ScoreError(f"There is no file {path}; give the path of a Python file.")
    spec = importlib.util.spec_from_file_location(f"own_score_{path.stem}", path)
    assert spec is not None  # a .py file has a loader
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    try:
        spec.loader.exec_module(module)
    except (Exception, SystemExit) as error:
        raise ScoreError(f"{path} could not be read: {_what_went_wrong(error, path)}.") from error
    function = getattr(module, name, None)
    if not callable(function):
        raise ScoreError(f"{path} has no function {name}; check its spelling.")
    docstring = (function.__doc__ or "").strip().splitlines()
    return Score(
        key=name,
        name=docstring[0].strip().rstrip(".") if docstring else name,
        symbol=rf"\mathrm{{{name.replace('_', ' ')}}}",
        citation=f"{path.name}, own score",
        family="own",
        function=_guarded(function, path, name),
    )


def _guarded(
    function: Callable[[Material], Any], path: Path, name: str
) -> Callable[[Material], Any]:
    """The function with whatever goes wrong in it as one sentence."""

    def run(material: Material) -> Any:
        try:
            values = np.asarray(function(material), dtype=np.float64)
        except (Exception, SystemExit) as error:
            what = _what_went_wrong(error, path)
            raise ScoreError(f"{path.name}:{name} failed: {what}.") from error
        if values.shape != (len(material),):
            raise ScoreError(
                f"{path.name}:{name} gave an array of shape {values.shape} for {len(material)} "
                f"images; it must give one number an image, of shape ({len(material)},)."
            )
        return values

    return run


def _what_went_wrong(error: BaseException, path: Path) -> str:
    """What went wrong, and in which line of the file."""
    lines = [f.lineno for f in traceback.extract_tb(error.__traceback__) if f.filename == str(path)]
    if isinstance(error, SyntaxError) and error.lineno:
        lines = [error.lineno]
    at = f", line {lines[-1]}" if lines else ""
    message = " ".join(str(error).split()).rstrip(".") or "no message"
    return f"{type(error).__name__} ({message}){at}"
