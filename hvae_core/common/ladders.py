"""By which degrees images are changed where a shift is looked at: names and numbers alone."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

ChangeName = Literal["rotation", "blur", "noise", "contrast"]


@dataclass(frozen=True)
class Ladder:
    """One kind of change: what its axis says, and its degrees, the first of which changes nothing.

    The field of a ``Perturbation`` of that name is start + scale * degree.
    """

    title: str
    axis: str
    degrees: tuple[float, ...]
    start: float = 0.0
    scale: float = 1.0


LADDERS: dict[ChangeName, Ladder] = {
    "rotation": Ladder("Rotation", "rotation (degrees)", (0, 5, 10, 20, 30, 45, 90)),
    "blur": Ladder("Blur", "blur (pixels)", (0, 0.3, 0.6, 1, 1.5, 2, 3)),
    "noise": Ladder("Noise", "noise (grey levels)", (0, 4, 8, 16, 32, 48, 64)),
    "contrast": Ladder(
        "Contrast", "contrast taken away (%)", (0, 10, 20, 40, 60, 80, 90), start=1, scale=-0.01
    ),
}
