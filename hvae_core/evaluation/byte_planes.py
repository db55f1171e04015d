"""Numbers in few bytes, for the results that ship: fixed point, and bytes of one rank together.

Deflate finds nothing in the bytes of floating-point numbers as they stand. Rounded to a step that
is far below what is shown of them, and with all first bytes before all second ones, they take a
third less.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

_MARK = "@"
_LARGEST = 2.0**31 - 1


def to_planes(
    arrays: Mapping[str, np.ndarray], steps: Mapping[str, float]
) -> dict[str, np.ndarray]:
    """Arrays for an ``.npz`` file: those with a step rounded to multiples of it, all in planes.

    Names tell ``from_planes`` what stands for what. A column that is not finite, or too large for
    31 bits of its step, stays exact; so do all others.
    """
    packed = {}
    for name, values in arrays.items():
        step = steps.get(name)
        if step is not None and _fits(values, step):
            whole = np.rint(values.astype(np.float64) / step).astype("<i4")
            packed[f"{name}{_MARK}{step!r}"] = _split(whole)
        elif values.dtype == np.float16:
            packed[f"{name}{_MARK}half"] = _split(values.astype("<f2"))
        else:
            packed[name] = values
    return packed


def from_planes(packed: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Read back what ``to_planes`` made, and plain arrays as they are."""
    arrays = {}
    for key, values in packed.items():
        name, mark, how = key.partition(_MARK)
        if not mark:
            arrays[name] = values
        elif how == "half":
            arrays[name] = _join(values, "<f2").astype(np.float16)
        else:
            arrays[name] = (_join(values, "<i4") * float(how)).astype(np.float32)
    return arrays


def _fits(values: np.ndarray, step: float) -> bool:
    return bool(np.isfinite(values).all() and np.abs(values).max(initial=0) / step < _LARGEST)


def _split(values: np.ndarray) -> np.ndarray:
    """Bytes (size, *shape) of numbers: one plane of all their first bytes, one of the second..."""
    size = values.dtype.itemsize
    split = np.ascontiguousarray(values).reshape(-1, 1).view(np.uint8).reshape(*values.shape, size)
    return np.ascontiguousarray(np.moveaxis(split, -1, 0))


def _join(planes: np.ndarray, kind: str) -> np.ndarray:
    shape = planes.shape[1:]
    return np.ascontiguousarray(np.moveaxis(planes, 0, -1)).reshape(-1).view(kind).reshape(shape)
