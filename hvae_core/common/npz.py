"""Reads ``.npz`` files, also while other threads do."""

from __future__ import annotations

from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

TRIES = 5
"""How often a file is read at most."""


def read_npz(source: Path | BinaryIO) -> dict[str, NDArray[Any]]:
    """All arrays of an ``.npz`` by name; one that would have to be unpickled is refused.

    numpy reads the head of each as Python's own syntax. There CPython 3.11 now and then raises
    ``SystemError`` in a program of several threads ("AST constructor recursion depth mismatch", its
    issue 106905), though the file is sound: so it is read again.

    Raises what numpy and zipfile raise for damaged files.
    """
    for tries_left in reversed(range(TRIES)):
        try:
            with np.load(source, allow_pickle=False) as file:
                return {name: file[name] for name in file.files}
        except SystemError:
            if not tries_left:
                raise
            if not isinstance(source, Path):
                source.seek(0)
    raise AssertionError  # the last try returns or raises
