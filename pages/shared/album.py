"""Pictures of a map's points by address, a few at a time: a hundred thousand do not travel at once.

A page that shows points registers where their pictures are, and gets an address that cannot be
guessed. The browser asks there for the rows that it shows, and gets them tiled in one PNG.
"""

from __future__ import annotations

import re
import secrets
import threading
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

COLUMNS = 16
"""Pictures in a row of the PNG."""
MOST = 512
"""Pictures of one answer."""
_KEPT = 8
_ROWS = re.compile(r"\d{1,7}(,\d{1,7})*")
Pick = Callable[[np.ndarray], np.ndarray]
"""Pixels (n, C, H, W) uint8 of n rows."""


@dataclass(frozen=True, eq=False)
class _Album:
    token: str
    count: int
    pick: Pick


class _Albums:
    """The latest albums of all visitors; the oldest goes when there are too many."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._by_name: OrderedDict[str, _Album] = OrderedDict()

    def note(self, name: str, count: int, pick: Pick) -> str:
        with self._lock:
            found = self._by_name.pop(name, None) or _Album(secrets.token_urlsafe(24), count, pick)
            self._by_name[name] = found
            while len(self._by_name) > _KEPT:
                self._by_name.popitem(last=False)
            return found.token

    def find(self, token: str) -> _Album | None:
        with self._lock:
            albums = [*self._by_name.values()]
        return next((one for one in albums if secrets.compare_digest(one.token, token)), None)


_albums = _Albums()


def address(name: str, count: int, pick: Pick) -> str:
    """Where the browser finds pictures of ``count`` rows, named by a digest of what they show.

    It is relative to the page, as the app may stand behind a path of a larger server.
    """
    return f"_strata/pictures/{_albums.note(name, count, pick)}"


def answer(request: Request) -> Response:
    """The pictures of ``?rows=4,8,15`` as one PNG; not found where nobody may see them."""
    album = _albums.find(request.path_params["token"].encode("ascii", "replace").decode())
    asked = request.query_params.get("rows", "")
    if album is None or len(asked) > 8 * MOST or not _ROWS.fullmatch(asked):
        return Response("Not found.", 404)
    rows = np.array(asked.split(","), dtype=np.int64)
    if len(rows) > MOST or rows.max() >= album.count:
        return Response("Not found.", 404)
    from hvae_core.figures import LIGHT, png_bytes, tile  # with it comes plotly

    sheet = tile(album.pick(rows), columns=COLUMNS, scale=1, gap=0, colors=LIGHT)
    kept = {"cache-control": "private, max-age=3600"}
    return Response(png_bytes(sheet), media_type="image/png", headers=kept)


ROUTES = [Route("/_strata/pictures/{token}", answer)]
"""What the server answers beside Streamlit."""
