"""How fast a run of the Lab goes, and what its time goes into."""

from __future__ import annotations

import time
from typing import final

import numpy as np

from hvae_core.common.arrays import Floats

_OLD = 0.7
"""Weight of what was told before: a frame holds a few steps alone."""


@final
class Pace:
    """Steps a second, seconds a step, and the share of time that pictures take; since a rest.

    The first step is not counted: what is made ready for it is no pace.
    """

    def __init__(self) -> None:
        self._since: float | None = None
        self._steps, self._training, self._drawing = 0, 0.0, 0.0
        self._known: Floats | None = None

    def trained(self, seconds: float) -> None:
        """Take note of a step."""
        if self._since is None:
            self._since = time.monotonic()
            return
        self._steps, self._training = self._steps + 1, self._training + seconds

    def drew(self, seconds: float) -> None:
        """Take note of a frame."""
        self._drawing += seconds

    def told(self) -> dict[str, float]:
        """``rate`` (steps a second), ``took`` (seconds a step), ``drawn`` (share); 0 unknown."""
        now = time.monotonic()
        if self._since is not None and self._steps and now > self._since:
            spent = now - self._since
            new = np.array(
                [self._steps / spent, self._training / self._steps, self._drawing / spent]
            )
            self._known = new if self._known is None else _OLD * self._known + (1 - _OLD) * new
            self._since, self._steps, self._training, self._drawing = now, 0, 0.0, 0.0
        rate, took, drawn = (0.0, 0.0, 0.0) if self._known is None else self._known.tolist()
        return {"rate": round(rate, 1), "took": round(took, 5), "drawn": round(drawn, 3)}
