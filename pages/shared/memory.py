"""The server's memory goes back to the system when visitors leave, where the system is Linux.

Each thread that draws a page would get a heap of its own, and what is freed in one is of no use to
another: with twenty visitors that is more than what they look at.
"""

from __future__ import annotations

import ctypes
import sys
from typing import Any

_ARENA_MAX = -8  # M_ARENA_MAX of malloc.h
_HEAPS = 2


def share_heaps() -> None:
    """Let all threads share few heaps; threads that run already keep theirs."""
    if (libc := _libc()) is not None:
        libc.mallopt(_ARENA_MAX, _HEAPS)


def give_back() -> None:
    """Return what is free to the system."""
    if (libc := _libc()) is not None:
        libc.malloc_trim(0)


def _libc() -> Any:
    """The C library, if it is the GNU one."""
    if not sys.platform.startswith("linux"):
        return None
    libc = ctypes.CDLL(None)
    return libc if hasattr(libc, "mallopt") and hasattr(libc, "malloc_trim") else None
