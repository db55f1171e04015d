"""A function of tensors that a graphics card records once and replays: one launch for thousands.

Networks of this size wait for the calls of their kernels, not for the kernels. What a recording
needs is that nothing in the function asks the device for an answer, and that shapes stay.
"""

from __future__ import annotations

from collections.abc import Callable
from contextvars import ContextVar
from typing import Any, Literal, final

import torch
from torch import Tensor

Compile = Literal["auto", "off"]
"""Whether what a graphics card does again and again is recorded and replayed as a graph."""
Scoring = Literal["auto", "off", "full"]
"""As ``Compile``; ``full`` also makes one kernel of sums and activations, which takes seconds."""

Body = Callable[..., Tensor]
Recorder = Callable[[Callable[[], Tensor]], tuple[Tensor, Callable[[], object]]]
"""Records a body that reads what it is given from where it lies, and runs it once.

Returns what came out and a function that makes it anew in the same place.
"""

WARM = 3
"""Calls before the recording: libraries set themselves up in them."""

_SCORING: ContextVar[Scoring] = ContextVar("scoring", default="auto")


def compile_scoring(compiling: Scoring) -> None:
    """Say whether scoring records and replays from now on; figures change by rounding alone."""
    _SCORING.set(compiling)


def scoring_replays(device: torch.device) -> bool:
    """Whether scoring on this device records and replays."""
    return _SCORING.get() != "off" and device.type == "cuda"


def scoring_fuses() -> bool:
    """Whether scoring makes one kernel of sums and activations."""
    return _SCORING.get() == "full"


@final
class CudaGraphs:
    """A ``Recorder`` whose recordings share their memory, so never run two of them at once.

    Raises ``RuntimeError`` where the body asks the device for an answer.
    """

    def __init__(self) -> None:
        self._memory: Any = None

    def __call__(self, body: Callable[[], Tensor]) -> tuple[Tensor, Callable[[], object]]:
        """Record a call, and make it."""
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph, pool=self._memory):
            out = body()
        self._memory = graph.pool()
        graph.replay()  # while it is recorded nothing is computed
        return out, graph.replay


@final
class Replay:
    """``body`` as one that is recorded once and replayed; tensors of other shapes go plainly.

    What comes out lies in the same place every time: take it away before the next call.
    """

    def __init__(
        self, body: Body, *, on: bool = True, warm: int = WARM, record: Recorder | None = None
    ) -> None:
        self.body, self.on, self.warm = body, on, warm
        self.record = record or CudaGraphs()
        self._inputs: tuple[Tensor, ...] | None = None
        self._out: Tensor | None = None
        self._again: Callable[[], object] | None = None
        self._taken = 0

    def __call__(self, *given: Tensor) -> Tensor:
        """What the body makes of the tensors."""
        if not self.on:
            return self.body(*given)
        if self._inputs is None:
            self._inputs = tuple(torch.empty_like(one) for one in given)
        if any(mine.shape != one.shape for mine, one in zip(self._inputs, given, strict=True)):
            # Tensors of another shape, as those of the last batch, are not worth a recording.
            return self.body(*given)
        for mine, one in zip(self._inputs, given, strict=True):
            mine.copy_(one, non_blocking=True)
        if self._again is not None and self._out is not None:
            self._again()
            return self._out
        if self._taken < self.warm:
            self._taken += 1
            return self._aside(self._inputs)
        return self._recorded(self._inputs)

    def _aside(self, inputs: tuple[Tensor, ...]) -> Tensor:
        """A plain call, on a stream of its own as the recording will be."""
        if not torch.cuda.is_available():
            return self.body(*inputs)
        side = torch.cuda.Stream()
        side.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(side):
            out = self.body(*inputs)
        torch.cuda.current_stream().wait_stream(side)
        return out

    def _recorded(self, inputs: tuple[Tensor, ...]) -> Tensor:
        """Record a call and make it; a body that asks the device for an answer goes on plainly."""
        try:
            self._out, self._again = self.record(lambda: self.body(*inputs))
        except RuntimeError:
            self.on = False
            return self.body(*inputs)
        return self._out
