"""The part of a network that depends on the image alone, run once for all samples and all k."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import Any

import torch
from torch import Tensor, nn

from hvae_core.common.errors import ModelError
from hvae_core.models.adapted.laws import Lead


class Shared:
    """Stands in for modules or methods of a network, by their names such as ``encoder``.

    What it gives is what the network's own part gives, row for row: where the rows of an image are
    equal the part runs on one of them, and where it was asked the same before, not at all. Where
    they are not, it runs as it stands.
    """

    def __init__(self, names: Sequence[str]) -> None:
        self.names = tuple(names)
        self._known: dict[tuple[str, int], tuple[list[Tensor], Any]] = {}
        self._calls: dict[str, int] = {}
        self._unfit: set[tuple[str, int]] = set()

    @property
    def idle(self) -> list[str]:
        """The parts that never ran for several rows at once, after a run of several."""
        return [name for name in self.names if not any(name == known for known, _ in self._known)]

    @contextmanager
    def on(self, module: nn.Module, lead: Lead) -> Iterator[None]:
        """Stand in for the parts while the network runs N = R B rows."""
        self._calls = {}
        with ExitStack() as stack:
            for name in self.names:
                owner, attribute = part_of(module, name)
                plain = getattr(owner, attribute)
                stack.enter_context(_replaced(owner, attribute, self._stand_in(name, plain, lead)))
            yield

    def _stand_in(self, name: str, plain: Callable[..., Any], lead: Lead) -> Callable[..., Any]:
        def run(*args: Any, **kwargs: Any) -> Any:
            call = self._calls[name] = self._calls.get(name, 0) + 1
            given = [*args, *kwargs.values()]
            first = None if (name, call) in self._unfit else _first_rows(given, lead)
            if first is None:
                return plain(*args, **kwargs)
            before, out = self._known.get((name, call), (None, None))
            if before is None or not _equal(before, first):
                # One image goes in twice: else nobody could tell which axes of length 1 are it.
                least = 1 + (lead[1] == 1)
                few = iter(_repeated(first, least))
                some = [next(few) if isinstance(a, Tensor) else a for a in args]
                named = {k: next(few) if isinstance(a, Tensor) else a for k, a in kwargs.items()}
                out = plain(*some, **named)
                if not _of_tensors(out, least * lead[1]):
                    self._unfit.add((name, call))
                    return plain(*args, **kwargs)
                out = _cut(out, lead[1])
                self._known[name, call] = (first, out)
            return _repeated(out, lead[0])

        return run


def part_of(module: nn.Module, name: str) -> tuple[Any, str]:
    """Who holds a part of a network, and under which name it is called.

    Raises ``ModelError`` where there is none.
    """
    owner: Any = module
    *path, last = name.split(".")
    try:
        for step in path:
            owner = getattr(owner, step)
        part = getattr(owner, last)
    except AttributeError as error:
        raise ModelError(
            f"encode= names {name}, which {type(module).__name__} does not have; give the name of "
            'a part that reads the image alone, such as "encoder".'
        ) from error
    return (part, "forward") if isinstance(part, nn.Module) else (owner, last)


@contextmanager
def _replaced(owner: Any, name: str, value: Any) -> Iterator[None]:
    """An attribute of an object while the block runs."""
    had = name in vars(owner)
    before = vars(owner).get(name)
    vars(owner)[name] = value
    try:
        yield
    finally:
        if had:
            vars(owner)[name] = before
        else:
            del vars(owner)[name]


def _first_rows(given: Sequence[Any], lead: Lead) -> list[Tensor] | None:
    """The first row of each image of every tensor, None where rows of one image differ."""
    repeats, images = lead
    first = []
    for value in given:
        if not isinstance(value, Tensor):
            continue
        if not value.dim() or value.shape[0] != repeats * images:
            return None
        rows = value.unflatten(0, lead)
        if repeats > 1 and not _equal([rows[:1].expand_as(rows)], [rows]):
            return None
        first.append(rows[0])
    return first or None


def _equal(some: Sequence[Tensor], others: Sequence[Tensor]) -> bool:
    """Whether tensors are equal; False where nobody can say, as inside ``torch.func.vmap``."""
    try:
        return all(
            a.shape == b.shape and torch.equal(a, b) for a, b in zip(some, others, strict=True)
        )
    except RuntimeError:
        return False


def _of_tensors(out: Any, images: int) -> bool:
    """Whether all that came out is tensors of so many rows."""
    if isinstance(out, Tensor):
        return bool(out.dim()) and out.shape[0] == images
    if type(out) in (list, tuple):
        return all(_of_tensors(each, images) for each in out)
    return type(out) is dict and all(_of_tensors(each, images) for each in out.values())


def _cut(out: Any, images: int) -> Any:
    """The first rows of every tensor."""
    if isinstance(out, Tensor):
        return out[:images]
    if isinstance(out, dict):
        return {key: _cut(each, images) for key, each in out.items()}
    return type(out)(_cut(each, images) for each in out)


def _repeated(out: Any, repeats: int) -> Any:
    """Every tensor's rows so many times over."""
    if isinstance(out, Tensor):
        return out.repeat(repeats, *[1] * (out.dim() - 1))
    if isinstance(out, dict):
        return {key: _repeated(each, repeats) for key, each in out.items()}
    return type(out)(_repeated(each, repeats) for each in out)
