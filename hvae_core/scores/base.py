"""What a score is: one function from a table of bounds to one number an image, and its papers."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from hvae_core.bounds import BoundTable, Floats

Need = Literal["reference", "ensemble", "labels", "gradient"]


@dataclass(frozen=True)
class Score:
    """One score; higher means more out of distribution.

    ``needs`` names what must be at hand beside the table of bounds, empty for most scores.
    """

    key: str
    name: str
    symbol: str  # LaTeX, without dollar signs
    citation: str
    needs: tuple[Need, ...]
    function: Callable[[BoundTable], Floats]

    def __call__(self, table: BoundTable) -> Floats:
        """Scores of the table's images, (N,) float64; ScoreError where the bounds forbid it."""
        return self.function(table)
