"""Numbers in few bytes, for the results that ship: fixed point, and bytes of one rank together.

Deflate finds nothing in the bytes of floating-point numbers as they stand. Rounded to a step that
is far below what is shown of them, and with all first bytes before all second ones, they take a
third less.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

_MARK = "@"
_LARGEST = 2.0**30 - 1  # so that sums and differences of two have room
_LARGEST_SHORT = 2.0**15 - 2
_SMALLEST = 2.0**-24
"""Of a half; the step of a unit that never moves."""
_NEAR = {"iw": ("bound", 1), "nll": ("bound", -1)}
"""Columns that are near another, or near its negative: their difference takes fewer digits."""
_UNITS, _STEPS = "units", "steps"


def to_planes(
    arrays: Mapping[str, np.ndarray], steps: Mapping[str, float], *, by_unit: float = 0
) -> dict[str, np.ndarray]:
    """Arrays for an ``.npz`` file: those with a step rounded to multiples of it, all in planes.

    With ``by_unit``, halves (images, units) are rounded to that share of each unit's standard
    deviation. Names tell ``from_planes`` what stands for what. A column that is not finite, or too
    large for 30 bits of its step, stays exact; so do all others.
    """
    packed: dict[str, np.ndarray] = {}
    for name, values in arrays.items():
        step = steps.get(name)
        if step is not None and _fits(values, step):
            other, sign = _NEAR.get(name, ("", 0))
            whole, near = _whole(values, step), arrays.get(other)
            same = near is not None and steps.get(other) == step and near.shape == values.shape
            if same and near is not None and _fits(near, step):
                key = f"{name}{_MARK}{step!r}{_MARK}{other}"
                packed[key] = _split(whole - sign * _whole(near, step))
            else:
                packed[f"{name}{_MARK}{step!r}"] = _split(whole)
        elif values.dtype != np.float16:
            packed[name] = values
        elif by_unit and values.ndim == 2 and values.size and np.isfinite(values).all():
            unit = _unit_steps(values, by_unit)
            packed[f"{name}{_MARK}{_UNITS}"] = _split(np.rint(values / unit).astype("<i2"))
            packed[f"{name}{_MARK}{_STEPS}"] = unit
        else:
            packed[f"{name}{_MARK}half"] = _split(values.astype("<f2"))
    return packed


def from_planes(packed: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Read back what ``to_planes`` made, and plain arrays as they are."""
    arrays: dict[str, np.ndarray] = {}
    whole: dict[str, np.ndarray] = {}
    for key in sorted(packed, key=lambda key: key.count(_MARK)):  # differences last
        values = packed[key]
        name, mark, how = key.partition(_MARK)
        if not mark:
            arrays[name] = values
        elif how == _UNITS:
            unit = packed[f"{name}{_MARK}{_STEPS}"].astype(np.float64)
            arrays[name] = (_join(values, "<i2") * unit).astype(np.float16)
        elif how == _STEPS:
            continue
        elif how == "half":
            arrays[name] = _join(values, "<f2").astype(np.float16)
        else:
            step, _, other = how.partition(_MARK)
            whole[name] = _join(values, "<i4")
            if other:
                whole[name] = whole[name] + _NEAR[name][1] * whole[other]
            arrays[name] = (whole[name] * float(step)).astype(np.float32)
    return arrays


def _whole(values: np.ndarray, step: float) -> np.ndarray:
    return np.rint(values.astype(np.float64) / step).astype("<i4")


def _unit_steps(values: np.ndarray, share: float) -> np.ndarray:
    """The step of each unit (units,), but no finer than 16 bits of its largest number."""
    wide = values.astype(np.float64)
    least = np.maximum(np.abs(wide).max(axis=0) / _LARGEST_SHORT, _SMALLEST)
    return np.maximum(share * wide.std(axis=0), least).astype("<f4")


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
