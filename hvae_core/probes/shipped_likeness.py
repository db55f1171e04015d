"""Comparisons of layers that ship, so that nobody waits for the plain and the informative model.

One file has those of every world whose images the maintainer had. A comparison is found by the
digests of both checkpoints and of the images, as in the cache.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any

import numpy as np

from hvae_core.common.files import written
from hvae_core.common.places import ASSETS

FILE = ASSETS / "likeness.json"
FIRST, SECOND = "-hvae3-elbo", "-hvae3-informative"
"""How the names of a world's pair end."""


def pairs(names: Sequence[str]) -> list[tuple[str, str]]:
    """Of checkpoints by name those that are compared: plain and informative, in both orders."""
    first = [name for name in names if name.endswith(FIRST)]
    both = [(name, name.removesuffix(FIRST) + SECOND) for name in first]
    found = [pair for pair in both if pair[1] in names]
    return [*found, *((b, a) for a, b in found)]


def shipped_arrays(key: str) -> dict[str, np.ndarray] | None:
    """The arrays of a comparison by its key, NaN where there is no value; None if none ships."""
    found = _every().get(key)
    if found is None:
        return None
    return {name: np.array(rows, np.float64) for name, rows in found["arrays"].items()}


def store(found: Mapping[str, tuple[str, Mapping[str, np.ndarray]]]) -> int:
    """Write the file, by key what is compared, in words, and the arrays; how many it then has.

    What it had stays where it is not compared anew, as sets whose images are not at hand.
    """
    anew = {of for of, _ in found.values()}
    told = {key: one for key, one in _every().items() if one["of"] not in anew}
    told |= {
        key: {"of": of, "arrays": {name: _rows(values) for name, values in arrays.items()}}
        for key, (of, arrays) in found.items()
    }
    lines = ",\n".join(f"{json.dumps(key)}: {json.dumps(one)}" for key, one in told.items())
    with written(FILE) as draft:
        draft.write_text(f"{{\n{lines}\n}}\n", "utf-8")
    _every.cache_clear()
    return len(told)


@cache
def _every() -> dict[str, dict[str, Any]]:
    if not FILE.is_file():
        return {}
    found: dict[str, dict[str, Any]] = json.loads(FILE.read_text("utf-8"))
    return found


def _rows(values: np.ndarray) -> list[list[float | None]]:
    """As JSON has them, to six digits."""
    return [
        [None if value != value else float(f"{value:.6g}") for value in row]
        for row in values.tolist()
    ]
