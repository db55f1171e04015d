"""Room around a chart for its labels and its legend, so that Plotly draws it once.

Plotly draws a chart, finds that the labels of an axis or the legend need wider margins, and draws
all of it again: more than half of a chart's time in the browser. So the margins are sent as wide as
the labels of most charts need. Where some need more, Plotly makes room as before.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from math import ceil
from typing import Any

HALF = 426
"""Pixels of a chart beside another of its width, in a window of 1280."""
_TYPE = 14
"""Pixels of the type for which the rest is meant."""
_LEFT, _BELOW = (34, 34, 60), (30, 34, 58)
"""Pixels that the numbers of an axis take, that its title takes, and both."""
_RIGHT, _SCALE = 26, 108
"""Pixels that half of the last number of an axis takes, and a scale of colours."""
_SCALE_BELOW, _LINE = 56, 18
"""Pixels of a scale of colours below the plot, and of each line of its title."""
_LEGEND, _ROW, _SPACE = 12, 20, 5
"""Pixels of a legend below the plot, of each of its rows, and between entries."""
_SAMPLE, _SIGN, _TYPED = 30, 7, 6
"""Pixels of an entry's line, of a sign beside an axis, and of a sign in a legend, about."""
_MARK = 34
"""Pixels between a written label and the plot, and before it."""


def with_room(
    layout: Mapping[str, Any], traces: Sequence[Mapping[str, Any]], *, width: int = HALF
) -> dict[str, Any]:
    """The layout of a chart of one pair of axes, with margins that its labels fit in.

    ``layout`` is whole: without a template. What has wider margins of its own keeps them. ``width``
    is the chart's in pixels, about: how many rows a legend takes depends on that. An axis at which
    nothing is written asks for no room.
    """
    margin, size = layout.get("margin"), layout.get("font", {}).get("size", _TYPE)
    several = any(re.fullmatch(r"[xy]axis\d+|polar\d*|scene\d*|geo\d*", name) for name in layout)
    if margin is None or several or not {"xaxis", "yaxis"} <= layout.keys():
        return dict(layout)
    x, y = layout["xaxis"], layout["yaxis"]
    below = _taken(x, _BELOW, "bottom")
    sides = {
        "l": 0 if _named(traces, "y") else _taken(y, _LEFT, "left"),
        "r": (_SCALE if any(map(_upright, traces)) else _RIGHT) if below else 0,
    }
    inner = width - sum(max(margin.get(side, 0), px) for side, px in sides.items())
    lying = max(map(_lying, traces), default=0)
    wanted = {**sides, "b": below + lying + (_legend(layout, traces, inner) if below else 0)}
    room = {side: max(margin.get(side, 0), round(px * size / _TYPE)) for side, px in wanted.items()}
    bare = {name: {**axis, "automargin": False}
            for name, axis in (("xaxis", x), ("yaxis", y)) if _is_bare(axis)}  # fmt: skip
    return {**layout, **bare, "margin": {**margin, **room}}


def _is_bare(axis: Mapping[str, Any]) -> bool:
    """Whether nothing is written at an axis, for which Plotly leaves room all the same."""
    return not (axis.get("showticklabels", True) or axis.get("title", {}).get("text"))


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
    lists = [trace.get(along, ()) for trace in traces]
    return any(not isinstance(one, dict) and isinstance(next(iter(one), 0), str) for one in lists)


def _upright(trace: Mapping[str, Any]) -> bool:
    """Whether a scale of colours stands beside the plot."""
    upright = trace.get("colorbar", {}).get("orientation", "v") == "v"
    return "colorbar" in trace and trace.get("showscale", True) and upright


def _lying(trace: Mapping[str, Any]) -> int:
    """Pixels of a scale of colours below the plot; none where there is none."""
    if "colorbar" not in trace or not trace.get("showscale", True) or _upright(trace):
        return 0
    title = trace["colorbar"].get("title", {}).get("text") or ""
    return _SCALE_BELOW + _LINE * (title.count("<br>") + bool(title))


def _signs(words: str | None) -> int:
    """Signs of a label without what marks it up."""
    return len(re.sub(r"<[^>]*>", "", words or ""))


def _legend(layout: Mapping[str, Any], traces: Sequence[Mapping[str, Any]], inner: int) -> int:
    """Pixels of a legend below a plot of so many pixels; none where there is none, or elsewhere.

    As Plotly has it: groups stand one after another, each as wide as it is; entries without groups
    in one row, or all as wide as the widest.
    """
    place = layout.get("legend", {})
    shown = [one for one in traces if one.get("showlegend", True) and one.get("visible", True)]
    grouped = any(one.get("legendgroup") for one in shown)
    entries: dict[str, int] = {}
    for one in shown:
        name = one.get("name", "")
        key = (one.get("legendgroup") or "") if grouped else f"{len(entries)}"
        wide = _TYPED * _signs(name) + place.get("itemwidth", _SAMPLE) + 2 * _SPACE
        entries[key] = max(wide, entries.get(key, 0))
    there = layout.get("showlegend", len(traces) > 1) and entries
    if not there or place.get("yref") != "container" or place.get("y") != 0:
        return 0
    if place.get("orientation") == "v":
        return _LEGEND + _ROW * len(entries)
    if not grouped:
        in_one_row = sum(entries.values()) + _SPACE * (len(entries) - 1) < inner
        fit = max((inner + _SPACE) // (max(entries.values()) + _SPACE), 1)
        return _LEGEND + _ROW * (1 if in_one_row else ceil(len(entries) / fit))
    rows, taken = 1, 0
    for wide in entries.values():
        if taken and taken + wide + _SPACE > inner:
            rows, taken = rows + 1, 0
        taken += wide + _SPACE
    return _LEGEND + _ROW * rows
