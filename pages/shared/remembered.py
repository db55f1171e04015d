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
_KEPT = 160
"""Figures of all visitors."""
_MOST = 2**20
"""Bytes of arguments whose figure is kept: a larger one is large itself."""
_figures: OrderedDict[bytes, Any] = OrderedDict()
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
        _figures[key] = figure
        while len(_figures) > _KEPT:
            _figures.popitem(last=False)
    return figure
