"""What is asked of a reader: which images of a source, and how they are brought to the model."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from hvae_core.common.arrays import Shape
from hvae_core.common.errors import DataError
from hvae_core.common.progress import Progress, silent
from hvae_core.data.image_set import Rule
from hvae_core.data.prepare import Step


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """Which images of a source, and in what shape.

    ``rows`` = (start, stop) cuts a part out of the split; ``limit`` keeps so many of that part.
    ``split`` is the split asked for, None for the test split as far as there is one;
    ``or_whole`` takes a source without splits for any. ``prepare`` are steps on every picture, in
    their order, before it is brought to its shape. ``streamed`` decides from a sample of the source
    and reads it where it lies: it may not fit in memory.
    """

    name: str
    title: str
    image_shape: Shape | None = None
    limit: int | None = None
    rows: tuple[int, int | None] = (0, None)
    split: str | None = None
    or_whole: bool = False
    rule: Rule = "resize"
    prepare: tuple[Step, ...] = ()
    streamed: bool = False
    progress: Progress = field(default=silent)

    def __post_init__(self) -> None:
        check_limit(self.limit)

    @property
    def stretch(self) -> bool:
        """Whether the set's values are spread over the whole range before they are rounded."""
        return "stretch" in self.prepare

    def choose(self, count: int, *, spread: bool) -> NDArray[np.int64]:
        """Which of ``count`` images: the part asked for, its limit spread or from its start."""
        start, stop = self.rows
        chosen = np.arange(min(start, count), count if stop is None else min(stop, count))
        if self.limit is None or self.limit >= len(chosen):
            return chosen
        if spread:
            return chosen[np.linspace(0, len(chosen), self.limit, endpoint=False, dtype=int)]
        return chosen[: self.limit]


def check_limit(limit: int | None) -> None:
    """Raise DataError for a limit on the number of images that leaves none."""
    if limit is not None and limit < 1:
        raise DataError(f"A limit of {limit} images leaves none; choose 1 or more.")
