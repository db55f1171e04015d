"""A score of the user's own: a function in a Python file, named on the command line.

Only the command line runs it, on the word of whoever typed its name; the app never does.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from hvae_core.common.errors import ScoreError
from hvae_core.common.python_file import from_file, what_went_wrong
from hvae_core.scores import Material, Score


def own_score(text: str) -> Score:
    """The score FILE.py:FUNCTION; the function's docstring is its name. ScoreError if it fails."""
    function, path = from_file(text, ScoreError, what="score", example="mine.py:top_kl")
    name = text.rpartition(":")[2]
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
            what = what_went_wrong(error, path)
            raise ScoreError(f"{path.name}:{name} failed: {what}.") from error
        if values.shape != (len(material),):
            raise ScoreError(
                f"{path.name}:{name} gave an array of shape {values.shape} for {len(material)} "
                f"images; it must give one number an image, of shape ({len(material)},)."
            )
        return values

    return run
