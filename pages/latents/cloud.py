"""The map of many points: one WebGL canvas (cloud.js), which gets its arrays as bytes.

A block of bytes is the length of a JSON head (uint32), the head, and arrays at multiples of eight;
the head says where. The library that draws goes to the browser once, as a component of its own.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import streamlit as st
from streamlit.components.v2 import component

from hvae_core.data.image_set import ImageSet
from hvae_core.figures import fmt
from hvae_core.figures.theme import Palette, Theme, palette
from pages.latents.points import Points
from pages.shared import album

ABOVE = 3000
"""Points from which a map is drawn here; fewer are a chart like the others."""
HEIGHT = 560
KEY = "l-cloud"
"""Of the map on the page; one at a time is there."""
_CLEARED = f"{KEY}-cleared"
MISSING = "webgl_missing"
"""In the session's state where this browser has said that it cannot."""
_FILES = 20_000  # points up to which the names of files travel too
_RAMP = 64  # colours of a scale
_HERE = Path(__file__).parent
_KINDS = {"f4": np.float32, "u2": np.uint16, "u4": np.uint32}
_library = component(
    "strata_scatterplot",
    js=(_HERE.parent / "shared" / "vendor" / "scatterplot.js").read_text("utf-8"),
)
_mount = component(
    "strata_cloud",
    js=(_HERE / "cloud.js").read_text("utf-8"),
    css=(_HERE / "cloud.css").read_text("utf-8"),
)


@dataclass(frozen=True, eq=False)
class Shown:
    """What the points' colours and places are: everything but the points themselves.

    ``coords`` (N, 2), under the digest ``placed``; either ``groups`` (N,) are codes into ``names``
    with a colour each, or ``values`` (N,) are numbers on the sequential scale, called ``title``.
    """

    coords: np.ndarray
    placed: str
    axes: tuple[str, str]
    titles: tuple[str, ...]
    kind: str
    alt: str
    groups: np.ndarray | None = None
    names: Sequence[str] = ()
    colors: Sequence[str] = ()
    values: np.ndarray | None = None
    title: str = ""


def wanted(points: Points) -> bool:
    """Whether so many points are drawn here, in a browser that can."""
    return len(points) > ABOVE and not st.session_state.get(MISSING)


def draw(
    points: Points,
    shown: Shown,
    pictures: Mapping[str, ImageSet],
    *,
    theme: Theme,
    on_pick: Callable[[list[int]], None],
    on_look: Callable[[int], None],
    current: int | None = None,
) -> list[int] | None:
    """Draw the map; the rows that it outlines, None where this browser cannot draw it.

    A ring marks the row ``current``. ``on_pick`` gets the rows that the lasso takes, ``on_look``
    one that is clicked. View and outline stay while places and colours of the same points change.
    """
    if (st.session_state.get(KEY) or {}).get("missing"):
        st.session_state[MISSING] = True
        return None

    def looked() -> None:
        for row in rows_of(st.session_state[KEY], points, "looked"):
            on_look(row)

    look = palette(theme)
    cleared = int(st.session_state.get(_CLEARED, 0))
    _library(key=f"{KEY}-library", height=1)
    found = _mount(
        key=KEY,
        data=packed(
            points, shown, look, address=_album(points, pictures), cleared=cleared, current=current
        ),
        on_picked_change=lambda: on_pick(rows_of(st.session_state[KEY], points)),
        on_looked_change=looked,
        on_missing_change=lambda: None,
    )
    return rows_of(found, points)


def rows_of(state: Any, points: Points, event: str = "picked") -> list[int]:
    """The rows that the browser says its lasso took, as far as they are of these points.

    With the event "looked", the row of the point that was clicked.
    """
    told = (state or {}).get(event)
    if not isinstance(told, Mapping) or told.get("points") != points.digest:
        return []
    rows = told.get("rows")
    found = rows if isinstance(rows, list) else []
    return sorted({row for row in found if type(row) is int and 0 <= row < len(points)})


def clear() -> None:
    """Make the map forget what its lasso took."""
    st.session_state[_CLEARED] = st.session_state.get(_CLEARED, 0) + 1


def packed(
    points: Points,
    shown: Shown,
    colors: Palette,
    *,
    address: Mapping[str, Any] | None,
    cleared: int = 0,
    current: int | None = None,
) -> bytes:
    """The block of bytes that cloud.js draws."""
    classes = sorted(set(points.classes) | {""})
    arrays: dict[str, tuple[str, np.ndarray]] = {
        "xy": ("f4", shown.coords.ravel()),
        "codes": ("u2", points.sets),
        "indices": ("u4", points.indices),
        "labels": ("u2", np.searchsorted(classes, points.classes)),
    }
    head: dict[str, Any] = {
        "points": points.digest,
        "placed": shown.placed,
        "kind": shown.kind,
        "alt": shown.alt,
        "axes": shown.axes,
        "sets": shown.titles,
        "classes": classes,
        "height": HEIGHT,
        "cleared": cleared,
        "current": current,
        "album": address,
        "colors": {"background": colors.background, "text": colors.text},
    }
    if len(points) <= _FILES and any(points.files):
        head["files"] = points.files
    if shown.values is None:
        groups = np.zeros(len(points)) if shown.groups is None else shown.groups
        arrays["groups"] = ("u2", groups)
        head |= {"names": list(shown.names), "palette": list(shown.colors)}
    else:
        share, low, high = _shares(shown.values)
        arrays |= {"values": ("f4", share), "raw": ("f4", shown.values)}
        arrays["groups"] = ("u2", np.zeros(len(points)))
        head["scale"] = {"title": shown.title, "low": fmt(low), "high": fmt(high), "unit": "nats"}
        head["palette"] = _ramp(colors)
    return _block(head, arrays)


def _block(head: dict[str, Any], arrays: Mapping[str, tuple[str, np.ndarray]]) -> bytes:
    """Head and arrays in one; the places in the head have a fixed width, as they move it."""
    parts = {
        name: np.ascontiguousarray(values, dtype=_KINDS[kind]).tobytes()
        for name, (kind, values) in arrays.items()
    }

    def with_places(start: int) -> tuple[bytes, list[int]]:
        table, places = [], []
        for name, (kind, values) in arrays.items():
            places.append(start)
            table.append([name, kind, start, len(values)])
            start += -(-len(parts[name]) // 8) * 8
        return json.dumps(head | {"arrays": table}).encode(), places

    room = -(-(4 + len(with_places(2**31)[0])) // 8) * 8
    text, places = with_places(room)
    size = places[-1] + len([*parts.values()][-1])
    block = bytearray(size)
    block[:4] = len(text).to_bytes(4, "little")
    block[4 : 4 + len(text)] = text
    for place, part in zip(places, parts.values(), strict=True):
        block[place : place + len(part)] = part
    return bytes(block)


def _shares(values: np.ndarray) -> tuple[np.ndarray, float, float]:
    """Places on the scale from 0 to 1, which ends at the 1st and 99th percentile, and its ends."""
    finite = values[np.isfinite(values)]
    low, high = np.percentile(finite, [1, 99]) if finite.size else (0.0, 1.0)
    known = np.nan_to_num(values, nan=low, posinf=high, neginf=low)
    return np.clip((known - low) / max(high - low, 1e-30), 0, 1), float(low), float(high)


def _ramp(colors: Palette) -> list[str]:
    from plotly.colors import sample_colorscale

    from hvae_core.figures.inks import hex_color

    places = np.linspace(0, 1, _RAMP)
    return [hex_color(one) for one in sample_colorscale(colors.scale("sequential"), places)]


def _album(points: Points, pictures: Mapping[str, ImageSet]) -> dict[str, Any] | None:
    """Where the browser finds the points' pictures, and their size."""
    if not pictures:
        return None
    shape = next(iter(pictures.values())).image_shape

    def pick(rows: np.ndarray) -> np.ndarray:
        pixels = np.zeros((len(rows), *shape), np.uint8)
        for i, row in enumerate(rows):
            name = points.set_names[points.sets[row]]
            if name in pictures:
                pixels[i] = pictures[name].images[points.indices[row]]
        return pixels

    name = f"{points.digest}/{'/'.join(sorted(pictures))}"
    return {
        "address": album.address(name, len(points), pick),
        "columns": album.COLUMNS,
        "height": shape[1],
        "width": shape[2],
    }
