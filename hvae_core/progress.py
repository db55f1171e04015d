"""One progress protocol for everything that takes longer than a moment.

A long function takes ``progress: Progress`` and calls ``progress(fraction, message)`` now and then.
The receiver (a ``rich`` bar, a job's queue, a test) stops the work by raising ``Cancelled`` from
inside the call, so no long function needs a second channel for cancelling.
"""

from __future__ import annotations

from collections.abc import Callable

Progress = Callable[[float, str], None]


class Cancelled(Exception):
    """Raised from inside a progress call by a receiver that wants the work to stop."""


def silent(fraction: float, message: str) -> None:
    """Receive progress and show nothing."""
