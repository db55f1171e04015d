"""What comes next is made while what is there is worked on."""

from __future__ import annotations

from collections.abc import Generator, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

T = TypeVar("T")


def ahead(items: Iterable[T]) -> Generator[T, None, None]:
    """The same items in the same order, each made by a thread while the one before is in use.

    What making an item raises is raised where it would be given. Of items that nobody asks for any
    more at most one is made.
    """
    source = iter(items)
    with ThreadPoolExecutor(1, "ahead") as thread:
        coming = thread.submit(next, source, _END)
        while (item := coming.result()) is not _END:
            coming = thread.submit(next, source, _END)
            yield item  # type: ignore[misc]


def one_later(items: Iterable[T]) -> Iterator[T]:
    """The same items in the same order, each given when the one after it has been made."""
    held: list[T] = []
    for item in items:
        yield from held
        held = [item]
    yield from held


_END = object()
