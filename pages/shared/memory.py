"""What visitors leave behind: their sessions are ended in time, and their memory is given back.

Streamlit keeps the session of a closed tab for two minutes, in case the tab comes back, and drops
it when the next one comes or goes: on a quiet server, never. And each thread that draws a page
would get a heap of its own, in which what is freed is of no use to another.
"""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import gc
import logging
import sys
from collections.abc import AsyncIterator
from typing import Any

from streamlit import runtime

_ARENA_MAX = -8  # M_ARENA_MAX of malloc.h
_HEAPS = 2
_SECONDS = 15.0
_log = logging.getLogger(__name__)


@contextlib.asynccontextmanager
async def tidied(app: object) -> AsyncIterator[dict[str, Any]]:
    """While the server runs, look every few seconds for what can be freed."""
    tidying = asyncio.create_task(_tidy())
    try:
        yield {}
    finally:
        tidying.cancel()


async def _tidy() -> None:
    while True:
        await asyncio.sleep(_SECONDS)
        try:
            if end_left_sessions():
                await asyncio.to_thread(gc.collect)  # a session's parts refer to each other
            await asyncio.to_thread(give_back)
        except Exception:
            _log.exception("what visitors left behind could not be freed")


def end_left_sessions() -> int:
    """End the sessions whose tabs have been closed for too long; how many there were.

    Only on the thread of the server's loop, to which sessions belong.
    """
    manager = getattr(runtime.get_instance(), "_session_mgr", None)
    kept = getattr(getattr(manager, "_session_storage", None), "_cache", None)
    ended = [] if kept is None else kept.expire()
    for _, info in ended:
        info.session.shutdown()
        # Something of Streamlit's may hold on to the session; what its visitor brought goes now.
        info.session.session_state.clear()
    return len(ended)


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
