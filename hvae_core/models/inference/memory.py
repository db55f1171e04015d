"""What a pass remembers of itself: features that several conditional distributions share.

Bottom-up steps ask for each q(z_i | z_<i, x) and p(z_i | z_>i) by itself. Where features run beside
the latents, as in networks with skips, each would begin at the image, or at the top: L^2 / 2 stages
in place of L. While a pass lasts, a family keeps the last features of every stage, with the tensors
that they were made from; nothing outlives the pass, in which no weight changes.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TypeVar

from torch import Tensor

T = TypeVar("T")
_Memory = dict[Hashable, tuple[tuple[Tensor, ...], object]]
_MEMORY: ContextVar[_Memory | None] = ContextVar("memory", default=None)


@contextmanager
def remembering() -> Iterator[None]:
    """Keep what ``remembered`` computes, until the end of the outermost of these."""
    if _MEMORY.get() is not None:
        yield
        return
    token = _MEMORY.set({})
    try:
        yield
    finally:
        _MEMORY.reset(token)


def remembered(slot: Hashable, tensors: Sequence[Tensor], compute: Callable[[], T]) -> T:
    """What ``compute`` makes of these very tensors: kept in the slot until others come."""
    memory = _MEMORY.get()
    if memory is None:
        return compute()
    kept = memory.get(slot)
    if kept is not None and _same(kept[0], tensors):
        value: T = kept[1]  # type: ignore[assignment]
        return value
    found = compute()
    memory[slot] = (tuple(tensors), found)
    return found


def _same(ones: Sequence[Tensor], others: Sequence[Tensor]) -> bool:
    return len(ones) == len(others) and all(a is b for a, b in zip(ones, others, strict=True))
