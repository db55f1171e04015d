"""What moves in the Lab: the browser fetches it by address, as ten frames a second are no scripts.

The page says which runs are watched and gets an address that cannot be guessed. A small script
(moving.js) asks there for the next frame, and says where a finger holds the dot of light. It is
answered when there is a new frame: were it told to ask again later, it would miss some.
"""

from __future__ import annotations

import asyncio
import contextlib
import re
import secrets
import threading
import time
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

if TYPE_CHECKING:
    from hvae_core.figures.theme import Palette
    from pages.lab.runs import Run

PATIENCE = 1.0
"""Seconds that a browser waits for a new frame before it is told that there is none."""
_GLANCE = 0.015
"""Seconds between two looks for a new frame, which cost less than a tenth of a millisecond."""
_KEPT = 64
"""Visitors whose runs are watched at once."""
_PLACE = re.compile(r"\d(\.\d{1,2})?,\d(\.\d{1,2})?")


@dataclass(frozen=True, eq=False)
class _Watched:
    """What a visitor watches: runs by their slots and folders, in the colours of the page."""

    token: str
    places: tuple[tuple[str, Path], ...]
    palette: Palette


class _Visitors:
    """What the latest visitors watch."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._by_name: OrderedDict[str, _Watched] = OrderedDict()

    def note(self, name: str, places: tuple[tuple[str, Path], ...], palette: Palette) -> str:
        with self._lock:
            before = self._by_name.pop(name, None)
            token = before.token if before is not None else secrets.token_urlsafe(24)
            self._by_name[name] = _Watched(token, places, palette)
            while len(self._by_name) > _KEPT:
                self._by_name.popitem(last=False)
            return token

    def find(self, token: str) -> _Watched | None:
        with self._lock:
            watched = [*self._by_name.values()]
        return next((one for one in watched if secrets.compare_digest(one.token, token)), None)


_visitors = _Visitors()


def address(found: Sequence[Run], palette: Palette, *, owner: str) -> str:
    """Where the browser of a visitor finds the next frame of these runs, relative to the page."""
    places = tuple((run.slot, run.folder) for run in found)
    return f"_strata/lab/{_visitors.note(f'{owner}:{palette.theme}', places, palette)}"


async def answer(request: Request) -> Response:
    """The frame that follows frame ``?seen=``, as named pieces of a page, as soon as it is there.

    204 where none came within ``PATIENCE``. ``?dot=row,column`` moves the dot of light, ``?width=``
    is the room there is.
    """
    token = request.path_params["token"].encode("ascii", "replace").decode()
    watched, asked = _visitors.find(token), request.query_params
    width, dot = asked.get("width", "720"), asked.get("dot", "")
    bad = not re.fullmatch(r"\d{1,5}", width) or (dot and not _PLACE.fullmatch(dot))
    if watched is None or bad:
        return Response("Not found.", 404)
    if dot:
        row, column = (min(7.0, float(part)) for part in dot.split(","))
        await run_in_threadpool(_move_dot, watched, (row, column))
    ends = time.monotonic() + PATIENCE
    # In a thread, as what a run is may have to be loaded, and nobody is answered meanwhile.
    await run_in_threadpool(_mark, watched, width)
    while (seen := _mark(watched, width)) == asked.get("seen"):
        if time.monotonic() > ends:
            return Response(status_code=204)
        await asyncio.sleep(_GLANCE)
        watched = _visitors.find(token) or watched  # the page may have begun other runs
    return await run_in_threadpool(_frame, watched, seen, max(280, min(int(width), 1200)))


def _mark(watched: _Watched, width: str) -> str:
    """What changes with every new frame."""
    # Not above: the server loads this module before it listens, and what a run is later.
    from hvae_core.training.lab.frame import CONTROL, FRAME

    times = []
    for _, folder in watched.places:
        for name in (FRAME, CONTROL):
            with contextlib.suppress(OSError):
                times.append(str((folder / name).stat().st_mtime_ns))
    return f"{'-'.join(times)} {width} {watched.palette.theme}"


def _move_dot(watched: _Watched, at: tuple[float, float]) -> None:
    from pages.lab import runs

    for slot, folder in watched.places:
        runs.move_dot(slot, folder, at)


def _frame(watched: _Watched, seen: str, room: int) -> Response:
    from pages.lab import runs, view  # with them comes plotly

    found = [run for run in (runs.read(*place) for place in watched.places) if run is not None]
    parts = view.parts(found, watched.palette, room=room)
    return JSONResponse({"seen": seen, "parts": parts, "dot": view.dot_of(found)})


ROUTES = [Route("/_strata/lab/{token}", answer)]
"""What the server answers beside Streamlit."""
