"""The ring round the current image's point of a chart, where that is among the points shown."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from streamlit.components.v2 import component

from pages.shared.anew import anew
from pages.shared.state import colors

LABEL = "The current image"
_TEXT = Path(__file__).with_suffix(".js").read_text("utf-8")
_mount = component("strata_ring", js=anew(_TEXT))


def draw(plot_key: str, at: Sequence[float] | np.ndarray | None) -> None:
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
