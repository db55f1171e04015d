"""Pictures kept ready by address: as they will look once a control says something else.

A redraw goes to the server and back, which takes longer than a hand on a slider waits. So a picture
comes with addresses of its neighbours, one step of a control away. The browser fetches them when
the pointer or the focus is on that control (ahead.js), and shows the picture that fits the moment
the control moves; the redraw then brings the same picture, and the words beside it.
"""

from __future__ import annotations

import secrets
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from weakref import WeakValueDictionary

import streamlit as st
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from streamlit.components.v2 import component

from hvae_core.common.errors import HVAEError
from pages.shared.anew import anew

_HERE = Path(__file__)
SCRIPT = _HERE.with_name("ahead.js").read_text("utf-8")
"""What follows the controls in the browser, for components of pictures."""
_mount = component(
    "strata_ahead", js=anew(SCRIPT + _HERE.with_name("ahead_of.js").read_text("utf-8"))
)
_KEY = "ready"
_DRAWN = 4
"""Redraws of a picture whose neighbours can be fetched: a browser may be a redraw behind."""


@dataclass(frozen=True, eq=False)
class Neighbour:
    """How a picture looks when the control of this key says ``value``, and all else is as it is.

    ``value`` is what a slider's own input has; a button has none, and is pressed.
    """

    control: str
    value: float | None
    draw: Callable[[], bytes]
    """The picture as a PNG file."""


@dataclass(eq=False)
class _Kept:
    """The neighbours of one picture of a session."""

    token: str
    neighbours: Sequence[Neighbour]


# A session holds its own, so that they go when it does.
_by_token: WeakValueDictionary[str, _Kept] = WeakValueDictionary()


def follow(name: str, says: Mapping[str, float], neighbours: Sequence[Neighbour]) -> None:
    """Show neighbours of the picture in the container of this key as soon as a control moves.

    ``says`` is what each control says now, by its key.
    """
    if neighbours:
        _mount(key=f"ahead-{name}", data=addresses(name, says, neighbours), height=1)


def addresses(
    name: str, says: Mapping[str, float], neighbours: Sequence[Neighbour]
) -> dict[str, Any]:
    """What the browser needs to know of the neighbours of the picture of this name, in order."""
    kept = _Kept(secrets.token_urlsafe(24), neighbours)
    if neighbours:
        held: dict[str, deque[_Kept]] = st.session_state.setdefault(_KEY, {})
        held.setdefault(name, deque(maxlen=_DRAWN)).append(kept)
        _by_token[kept.token] = kept
    ways = [
        {"control": one.control, "value": one.value, "src": f"_strata/ready/{kept.token}/{number}"}
        for number, one in enumerate(neighbours)
    ]
    return {"name": name, "says": dict(says), "ready": ways}


def answer(request: Request) -> Response:
    """One of the pictures as PNG; nothing where it is of long ago, or cannot be drawn.

    That is no error: the redraw brings the picture, or says why there is none.
    """
    kept = _by_token.get(request.path_params["token"])
    number = request.path_params["number"]
    if kept is None or number >= len(kept.neighbours):
        return Response(status_code=204)
    try:
        picture = kept.neighbours[number].draw()
    except HVAEError:
        return Response(status_code=204)
    forever = {"cache-control": "private, max-age=3600, immutable"}
    return Response(picture, media_type="image/png", headers=forever)


ROUTES = [Route("/_strata/ready/{token}/{number:int}", answer)]
"""What the server answers beside Streamlit."""
