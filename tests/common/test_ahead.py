"""Items are made one ahead, in their order, and no further."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest

from hvae_core.common.ahead import ahead


def test_the_next_item_is_made_while_one_is_in_use() -> None:
    made = [threading.Event() for _ in range(4)]

    def items() -> Iterator[int]:
        for number, event in enumerate(made):
            event.set()
            yield number

    seen = []
    for number in ahead(items()):
        seen.append(number)
        if number < 3:
            assert made[number + 1].wait(20)  # without being asked for
        assert not any(event.is_set() for event in made[number + 2 :])
    assert seen == [0, 1, 2, 3]


def test_what_making_raises_comes_in_its_place() -> None:
    def items() -> Iterator[int]:
        yield 1
        raise OSError("gone")

    got = ahead(items())
    assert next(got) == 1
    with pytest.raises(OSError, match="gone"):
        next(got)


def test_whoever_stops_early_leaves_nothing_running() -> None:
    before = threading.active_count()
    for _ in ahead(iter(range(1000))):
        break
    assert threading.active_count() == before
