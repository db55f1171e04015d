"""Where layers stand on an axis and which of them are named there, for 3 layers and for 45."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hvae_core.figures.theme import layer_label

GROUP_WIDTH = 0.78
NAMED = 15
"""Layers that an axis names; where there are more, some of them."""


def names_or_numbers(names: Sequence[Sequence[str]] | None, counts: Sequence[int]) -> Names:
    """The names of each model's layers, z1 .. zL where none are given."""
    if names is None:
        return tuple(tuple(f"z{i + 1}" for i in range(count)) for count in counts)
    return tuple(tuple(own) for own in names)


Names = tuple[tuple[str, ...], ...]
"""The names of each model's layers, z_1 first."""


def thinned_layers(count: int, most: int = NAMED) -> list[int]:
    """At most about ``most`` of the layers 0 .. count - 1, evenly, the first and the last kept."""
    step = max(1, -(-count // most))
    picks = list(range(0, count, step))
    if picks and picks[-1] != count - 1:
        # The last one takes the place of a neighbour that it would run into.
        picks = [i for i in picks if count - 1 - i > step / 2 or not i] + [count - 1]
    return picks


@dataclass(frozen=True)
class Seats:
    """Places of the layers of one or several models on an axis.

    Layers of equal names stand together in groups, also where one model has a few more of them;
    models whose layers are called otherwise, or many times as many, stand one after the other.
    """

    names: Names

    @property
    def shared(self) -> bool:
        """Whether every model's layers are the first of the longest's, at least half of them."""
        longest = max(self.names, key=len, default=())
        return all(
            own == longest[: len(own)] and 2 * len(own) >= len(longest) for own in self.names
        )

    @property
    def starts(self) -> list[int]:
        """The place of each model's first layer."""
        if self.shared:
            return [1] * len(self.names)
        sizes = [len(own) + 1 for own in self.names]
        return [1 + sum(sizes[:i]) for i in range(len(sizes))]

    @property
    def width(self) -> float:
        """What one bar may take."""
        return GROUP_WIDTH / max(len(self.names), 1) if self.shared else GROUP_WIDTH

    def middles(self, index: int) -> NDArray[np.float64]:
        """Middles of one model's bars."""
        aside = (index - (len(self.names) - 1) / 2) * self.width if self.shared else 0.0
        return np.arange(len(self.names[index]), dtype=np.float64) + (self.starts[index] + aside)

    @property
    def axis(self) -> dict[str, Any]:
        """Plotly's x axis: ticks with names, thinned where there are many."""
        if self.shared:
            parts = [(1, max(self.names, key=len, default=()))]
        else:
            parts = list(zip(self.starts, self.names, strict=True))
        total = sum(len(own) for _, own in parts)
        ticks, texts = [], []
        for start, own in parts:
            for i in thinned_layers(len(own), max(2, NAMED * len(own) // max(total, 1))):
                ticks.append(start + i)
                texts.append(layer_label(own[i]))
        end = max((start + len(own) for start, own in parts), default=1)
        return {"tickvals": ticks, "ticktext": texts, "range": [0.45, end - 0.45], "ticks": ""}
