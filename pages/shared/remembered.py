"""Figures that were drawn before: what the same function made of the same arguments is shown again.

Plotly checks every property of a figure, which takes a fiftieth of a second a chart: of a page that
is opened again, most of the time.
"""

from __future__ import annotations

import hashlib
import pickle
import threading
from collections import OrderedDict
from collections.abc import Callable
from typing import Any, ParamSpec, TypeVar

P = ParamSpec("P")
R = TypeVar("R")
F = TypeVar("F")
_KEPT = 160
"""Figures of all visitors."""
_MOST = 2**20
"""Bytes of arguments whose figure is kept: a larger one is large itself."""
_figures: OrderedDict[bytes, Any] = OrderedDict()
_made: dict[int, Any] = {}
"""What was made of each of them, by its place in memory: no other is there while it is kept."""
_lock = threading.Lock()


def remembered(make: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
    """The figure that ``make`` draws; it is shared, and must not be changed."""
    said = pickle.dumps((make.__module__, make.__qualname__, args, kwargs), protocol=5)
    if len(said) > _MOST:
        return make(*args, **kwargs)
    key = hashlib.sha256(said).digest()
    with _lock:
        if key in _figures:
            _figures.move_to_end(key)
            known: R = _figures[key]
            return known
    figure = make(*args, **kwargs)
    with _lock:
        _forget(_figures.pop(key, None))  # another visitor may have been quicker
        _figures[key] = figure
        _made[id(figure)] = None
        while len(_figures) > _KEPT:
            _forget(_figures.popitem(last=False)[1])
    return figure


def of(figure: F, make: Callable[[F], R]) -> R:
    """What ``make`` makes of a figure: of one that is remembered it is made once, and shared.

    It is always the same function.
    """
    with _lock:
        known: R | None = _made.get(id(figure))
    if known is not None:
        return known
    made = make(figure)
    with _lock:
        if id(figure) in _made:
            _made[id(figure)] = made
    return made


def _forget(figure: Any) -> None:
    _made.pop(id(figure), None)
