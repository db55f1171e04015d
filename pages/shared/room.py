"""Room around a chart for its labels and its legend, so that Plotly draws it once.

Plotly draws a chart, finds that the labels of an axis or the legend need wider margins, and draws
all of it again: more than half of a chart's time in the browser. So the margins are sent as wide as
the labels of most charts need. Where some need more, Plotly makes room as before.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

_TYPE = 14
"""Pixels of the type for which the rest is meant."""
_LEFT, _BELOW = (34, 34, 56), (30, 34, 58)
"""Pixels that the numbers of an axis take, that its title takes, and both."""
_RIGHT, _SCALE = 24, 108
"""Pixels that half of the last number of an axis takes, and a scale of colours."""
_LEGEND, _ROW = 12, 19
"""Pixels of a legend below the plot, and of each of its rows."""
_ENTRY, _SIGN = 46, 7
"""Pixels of a legend's entry without its name, and of a sign of that name, about."""
_MARK = 34
"""Pixels between a written label and the plot, and before it."""
_TWO_ROWS = range(620, 1000)
"""Pixels of all entries in a row that take two rows beside a page's other column."""


def with_room(layout: Mapping[str, Any], traces: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """The layout of a chart of one pair of axes, with margins that its labels fit in.

    ``layout`` is whole: without a template. What has wider margins of its own keeps them.
    """
    margin, size = layout.get("margin"), layout.get("font", {}).get("size", _TYPE)
    several = any(re.fullmatch(r"[xy]axis\d+|polar\d*|scene\d*|geo\d*", name) for name in layout)
    if margin is None or several or not {"xaxis", "yaxis"} <= layout.keys():
        return dict(layout)
    x, y = layout["xaxis"], layout["yaxis"]
    below = _taken(x, _BELOW, "bottom")
    wanted = {
        "l": 0 if _named(traces, "y") else _taken(y, _LEFT, "left"),
        "b": below + (_legend(layout, traces) if below else 0),
        "r": (_SCALE if any(map(_scaled, traces)) else _RIGHT) if below else 0,
    }
    room = {side: max(margin.get(side, 0), round(px * size / _TYPE)) for side, px in wanted.items()}
    return {**layout, "margin": {**margin, **room}}


def _taken(axis: Mapping[str, Any], pixels: tuple[int, int, int], side: str) -> int:
    """Pixels that an axis takes on its usual side; none where it is not drawn there."""
    if not axis.get("visible", True) or axis.get("side", side) != side:
        return 0
    numbers, title, both = pixels
    numbered = axis.get("showticklabels", True)
    if axis.get("title", {}).get("text"):
        return both if numbered else title
    if side == "left" and (written := axis.get("ticktext")) is not None:
        return _MARK + _SIGN * max(map(_signs, written), default=0)
    return numbers if numbered else 0


def _named(traces: Sequence[Mapping[str, Any]], along: str) -> bool:
    """Whether names stand along an axis, whose lengths are their own."""
    return any(isinstance(one, str) for trace in traces for one in list(trace.get(along, ()))[:1])


def _scaled(trace: Mapping[str, Any]) -> bool:
    """Whether a scale of colours stands beside the plot."""
    upright = trace.get("colorbar", {}).get("orientation", "v") == "v"
    return "colorbar" in trace and trace.get("showscale", True) and upright


def _signs(words: str | None) -> int:
    """Signs of a label without what marks it up."""
    return len(re.sub(r"<[^>]*>", "", words or ""))


def _legend(layout: Mapping[str, Any], traces: Sequence[Mapping[str, Any]]) -> int:
    """Pixels of a legend below the plot; none where there is none, or it stands elsewhere."""
    place = layout.get("legend", {})
    names = {
        trace.get("legendgroup") or trace.get("name"): trace.get("name", "")
        for trace in traces
        if trace.get("showlegend", True) and trace.get("visible", True)
    }
    shown = layout.get("showlegend", len(traces) > 1) and names
    if not shown or place.get("yref") != "container" or place.get("y") != 0:
        return 0
    wide = sum(_ENTRY + _SIGN * _signs(name) for name in names.values())
    rows = 2 if wide in _TWO_ROWS else 1
    return _LEGEND + _ROW * rows
