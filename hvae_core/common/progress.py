"""One progress protocol for everything that takes longer than a moment.

A long function takes ``progress: Progress`` and calls ``progress(fraction, message)`` now and then.
The receiver (a ``rich`` bar, a job's queue, a test) stops the work by raising ``Cancelled`` from
inside the call, so no long function needs a second channel for cancelling.
"""

from __future__ import annotations

from collections.abc import Callable

Progress = Callable[[float, str], None]
Say = Callable[[str], None]
"""Receives a line that stays, above a bar or in a log."""


class Cancelled(Exception):
    """Raised from inside a progress call by a receiver that wants the work to stop."""


def part(progress: Progress, done: int, of: int, where: str = "") -> Progress:
    """The progress of one of several equal parts of a whole, ``done`` of them before it.

    ``where`` stands behind every message.
    """

    def step(fraction: float, message: str) -> None:
        progress((done + min(fraction, 1.0)) / of, f"{message} ({where})" if where else message)

    return step


def silent(fraction: float, message: str) -> None:
    """Receive progress and show nothing."""


def unsaid(text: str) -> None:
    """Receive a line and show nothing."""
