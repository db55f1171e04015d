"""What the numbers of a set mean as grey levels: said by their type and their range."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hvae_core.common.errors import DataError
from hvae_core.data.image_set import Pixels

FULL = 255
DARK = 64
"""A set whose brightest pixel is below this level gets a note."""
ONES = "whole numbers 0 and 1, read as black and white"
_ROUNDING = 1e-3


@dataclass(frozen=True)
class Scale:
    """A grey level is (value - ``black``) times ``factor``, rounded, from 0 to 255."""

    factor: float = 1.0
    black: float = 0.0
    note: str = ""

    def apply(self, values: NDArray[np.generic]) -> Pixels:
        """Return values as grey levels."""
        if values.dtype == np.uint8 and (self.factor, self.black) == (1.0, 0.0):
            return np.ascontiguousarray(values, dtype=np.uint8)
        levels = (values.astype(np.float64) - self.black) * self.factor
        return np.clip(np.round(levels), 0, FULL).astype(np.uint8)


def scale_of(
    dtype: np.dtype[np.generic], low: float, high: float, *, what: str, whole: bool, stretch: bool
) -> Scale:
    """Return what values of a type between ``low`` and ``high`` mean.

    ``whole`` says whether all are whole numbers; ``stretch`` spreads them over the full range.
    Raises ``DataError`` where two meanings are possible.
    """
    # NaN fails every comparison, as it should.
    if not (np.isfinite(low) and np.isfinite(high)):
        raise DataError(
            f"{what} has values from {low:g} to {high:g}; images need finite numbers. "
            "Leave out or replace the others."
        )
    kind = dtype.kind
    if stretch and high > low:
        note = f"contrast stretched: {low:g} is black, {high:g} white"
        return Scale(FULL / (high - low), low, note)
    if kind == "b":
        return Scale(FULL)
    if kind in "iu" and low >= 0:
        if high == 1:
            return Scale(FULL, note=ONES)
        if high <= FULL:
            return Scale()
        if dtype.itemsize == 2:
            return Scale(1 / 257, note=f"16 bits, read with 65,535 as white (up to {high:,.0f})")
    if kind == "f" and low >= -_ROUNDING:
        if high <= 1 + _ROUNDING:
            return Scale(float(FULL))
        if high <= FULL + 0.5 and (whole or high > 16):
            return Scale(note="numbers with a point, read as grey levels from 0 to 255")
    raise DataError(
        f"{what} has values from {low:g} to {high:g}; "
        f"store whole numbers from 0 to 255, or fractions from 0 to 1{_remedy(low, high)}."
    )


def dark_note(brightest: int) -> tuple[str, ...]:
    """A note on images whose brightest level is far below white."""
    if not 0 < brightest < DARK:
        return ()
    return (f"dark: the brightest pixel is {brightest} of 255; `stretch` spreads the contrast",)


def _remedy(low: float, high: float) -> str:
    if -1 - _ROUNDING <= low < -0.5 and high <= 1 + _ROUNDING:
        return ": (x + 1) / 2 if these go from -1 to 1"
    if low == -128 and high <= 127:
        return ": x + 128 if these are grey levels less 128"
    return ""
