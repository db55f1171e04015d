"""Calls that a test gives to the workers of a cluster, which find them by name."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

from hvae_core.common.errors import DataError


def killed_once(mark: str, number: int) -> int:
    """Number squared; the first worker that is asked for number 2 is killed under it."""
    if number == 2 and not Path(mark).exists():
        Path(mark).write_text("killed")
        os.kill(os.getpid(), signal.SIGKILL)
    return number**2


def slow_once(mark: str) -> str:
    """Slow the first time that it is called, quick after that."""
    if not Path(mark).exists():
        Path(mark).write_text("began")
        time.sleep(30)
        return "slow"
    return "quick"


def refused() -> None:
    """Raises what a part may raise."""
    raise DataError("The part is not there.")


def broken() -> None:
    """Raises what no part should raise."""
    raise ZeroDivisionError("of a bug")
