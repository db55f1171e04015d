"""Libraries that take seconds to load are loaded by one thread, before anyone needs them.

Twenty visitors of a fresh server run twenty scripts at once. Were each to import what it needs, one
would meet a library that another has half imported. So the server's own thread imports them, one
after another, from the moment it starts. The first visitor waits for what every page needs; while
the rest is loaded, the others wait.
"""

from __future__ import annotations

import importlib
import logging
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

FIRST = ("plotly.graph_objects", "pandas", "pages.shared.sidebar")
"""What every page needs, and pandas, which plotly looks for without waiting for it."""
LATER = ("hvae_core.probes.reconstruct", "scipy.sparse.linalg", "scipy.optimize", "scipy.stats",
         "sklearn.datasets")  # fmt: skip
"""What some pages need."""
_PATIENCE = 30.0
"""Seconds that the first page may take before the rest is loaded beside it."""
_log = logging.getLogger(__name__)


class Warming:
    """One loading of libraries, begun once; where it has not begun, nobody waits."""

    def __init__(self, first: Sequence[str] = FIRST, later: Sequence[str] = LATER) -> None:
        self._names = first, later
        self._first, self._later, self._drawn = (threading.Event() for _ in range(3))
        self._lock = threading.Lock()
        self._begun = self._taken = False

    def begin(self, afterwards: Callable[[], None] = lambda: None) -> None:
        """Start to load, in a thread of its own, which then does what is to come afterwards."""
        self._begun = True
        threading.Thread(
            target=self._load, args=(afterwards,), daemon=True, name="strata-warm"
        ).start()

    @contextmanager
    def turn(self) -> Iterator[None]:
        """Draw a page inside: the first one as soon as it can be, the others when all is loaded."""
        if self._begun:
            self._first.wait()
            if not self._is_first():
                self._later.wait()
        try:
            yield
        finally:
            self._drawn.set()

    def _is_first(self) -> bool:
        with self._lock:
            first, self._taken = not self._taken, True
        return first

    def _load(self, afterwards: Callable[[], None]) -> None:
        first, later = self._names
        _import(first)
        self._first.set()
        # Beside the first page it would only keep that one waiting.
        self._drawn.wait(_PATIENCE)
        _import(later)
        self._later.set()
        try:
            afterwards()
        except Exception:
            _log.exception("what follows on the libraries could not be done")


def _import(names: Sequence[str]) -> None:
    for name in names:
        try:
            importlib.import_module(name)
        except Exception:
            _log.exception("%s could not be loaded in advance", name)


warming = Warming()
"""That of this process."""
