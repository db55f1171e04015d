"""What visitors leave behind: their sessions are ended in time, and their memory is given back.

Streamlit keeps the session of a closed tab for two minutes, in case the tab comes back, and drops
it when the next one comes or goes: on a quiet server, never. And each thread that draws a page
would get a heap of its own, in which what is freed is of no use to another.

While Python looks for unused cycles nothing else can run. With torch, pandas and plotly loaded that
takes a tenth of a second. Streamlit would have it done after every redraw, before the last answers
are sent (``postScriptGC``, which is off). What has lived through one look is set aside from the
next ones, and all of it is looked through now and then.
"""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import gc
import itertools
import logging
import sys
import time
from collections.abc import AsyncIterator, Mapping
from typing import Any

from streamlit import runtime
from streamlit.runtime import media_file_manager

_ARENA_MAX = -8  # M_ARENA_MAX of malloc.h
_HEAPS = 2
_SECONDS = 15.0
_THOROUGH = 4
"""Rounds of so many seconds between two looks at everything."""
_LONG = 0.004
"""Seconds of a look after which what it has left is set aside."""
_FETCHED = 30.0
"""Seconds in which a browser has fetched the file that its click made."""
_log = logging.getLogger(__name__)


class Waiting(media_file_manager.MediaFileMetadata):
    """What Streamlit knows of a file: one that a click made waits until its browser has fetched it.

    Streamlit would drop it after two more redraws of anybody's pages, as those of a job's progress.
    """

    def __init__(self, *kind: Any, **more: Any) -> None:
        super().__init__(*kind, **more)
        self._made = time.monotonic()

    def mark_for_delete(self) -> None:
        """Let it be dropped the next time, once it has waited."""
        if time.monotonic() - self._made > _FETCHED:
            super().mark_for_delete()


def keep_made_files() -> None:
    """Let files that a click made wait for their browsers."""
    media_file_manager.MediaFileMetadata = Waiting  # type: ignore[misc]


@contextlib.asynccontextmanager
async def tidied(app: object) -> AsyncIterator[dict[str, Any]]:
    """While the server runs, look every few seconds for what can be freed."""
    tidying = asyncio.create_task(_tidy())
    aside = SetAside()
    gc.callbacks.append(aside)
    try:
        yield {}
    finally:
        tidying.cancel()
        gc.callbacks.remove(aside)
        gc.unfreeze()


async def _tidy() -> None:
    for rounds in itertools.count(1):
        await asyncio.sleep(_SECONDS)
        try:
            if end_left_sessions() or rounds % _THOROUGH == 0:
                await asyncio.to_thread(look_through)  # a session's parts refer to each other
            await asyncio.to_thread(give_back)
        except Exception:
            _log.exception("what visitors left behind could not be freed")


class SetAside:
    """Called before and after every look for unused cycles: sets aside what a long one has left."""

    def __init__(self, longest: float = _LONG) -> None:
        self._longest, self._began = longest, 0.0

    def __call__(self, phase: str, about: Mapping[str, int]) -> None:
        """Take the time of a look at everything that is not set aside."""
        if about["generation"] < 2:
            return
        if phase == "start":
            self._began = time.thread_time()
        elif time.thread_time() - self._began > self._longest:
            gc.freeze()


def look_through() -> None:
    """Free unused cycles, also among what was set aside."""
    gc.unfreeze()
    gc.collect()


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
