"""The ring round the current image's point of the map, where it is among the points shown."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from streamlit.components.v2 import component

from pages.latents.points import Points
from pages.shared import current
from pages.shared.state import Context, colors

LABEL = "The current image"
_mount = component("strata_ring", js=Path(__file__).with_suffix(".js").read_text("utf-8"))


def row_of(ctx: Context, points: Points) -> int | None:
    """The row of the current image; None where it is none of the points."""
    name, number = current.now(ctx)
    if name not in points.set_names:
        return None
    code = points.set_names.index(name)
    rows = np.flatnonzero((points.sets == code) & (points.indices == number))
    return int(rows[0]) if rows.size else None


def draw(plot_key: str, at: np.ndarray | None) -> None:
    """Draw it over a Plotly chart at a place of its axes, or nothing."""
    if at is not None:
        look = colors()
        data = {
            "plot": plot_key,
            "at": [float(at[0]), float(at[1])],
            "label": LABEL,
            "color": look.text,
            "ground": look.background,
        }
        _mount(key=f"ring-{plot_key}", data=data, height=1)
