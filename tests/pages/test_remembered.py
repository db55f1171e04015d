"""A figure that was drawn before is shown again, and one of other arguments is not."""

from __future__ import annotations

from typing import Any

import numpy as np

from pages.shared import remembered as module
from pages.shared.remembered import remembered

made: list[tuple[Any, ...]] = []


def draw(values: np.ndarray, name: str, *, height: int = 1) -> list[object]:
    made.append((values.sum(), name, height))
    return [*made[-1]]


def other(values: np.ndarray, name: str, *, height: int = 1) -> list[object]:
    return ["other", *draw(values, name, height=height)]


def test_the_same_arguments_give_the_same_figure() -> None:
    made.clear()
    first = remembered(draw, np.ones(3), "a", height=2)
    assert remembered(draw, np.ones(3), "a", height=2) is first
    assert len(made) == 1
    for values, name, height in ((np.zeros(3), "a", 2), (np.ones(3), "b", 2), (np.ones(3), "a", 3)):
        assert remembered(draw, values, name, height=height) == [values.sum(), name, height]
    assert remembered(other, np.ones(3), "a", height=2)[0] == "other"


def test_what_is_large_or_of_long_ago_is_not_held() -> None:
    made.clear()
    large = np.ones(module._MOST // 8 + 1)
    assert remembered(draw, large, "large") == remembered(draw, large, "large")
    assert len(made) == 2
    for number in range(module._KEPT + 1):
        remembered(draw, np.ones(1), str(number))
    before = len(made)
    remembered(draw, np.ones(1), "0")
    assert len(made) == before + 1
