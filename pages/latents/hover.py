"""The picture of the point under the cursor, beside it: Plotly's own labels hold text alone.

One sprite sheet goes to the browser; a small script (hover.js) listens to the chart's hover events.
"""

from __future__ import annotations

import base64
import math
from collections.abc import Mapping
from operator import attrgetter
from pathlib import Path
from typing import Any

import numpy as np
from streamlit.components.v2 import component

from hvae_core.data.image_set import ImageSet
from hvae_core.figures import LIGHT, png_bytes, tile
from pages.latents.points import Points
from pages.shared.anew import anew
from pages.shared.kept import by_content

SHOWN_PIXELS = 84
_TEXT = Path(__file__).with_suffix(".js").read_text("utf-8")
_mount = component("strata_hover", js=anew(_TEXT))


def thumbnails(plot_key: str, points: Points, pictures: Mapping[str, ImageSet]) -> None:
    """Show a point's picture while the cursor is on it; ``customdata`` is its row in ``points``."""
    if pictures:
        data = {"plot": plot_key, **_sprite(points, pictures)}
        _mount(key=f"hover-{plot_key}", data=data, height=1)


@by_content(8, {Points: attrgetter("digest")})
def _sprite(points: Points, pictures: Mapping[str, ImageSet]) -> dict[str, Any]:
    """Every point's picture in one PNG, row by row; points without one have an empty cell."""
    shape = next(iter(pictures.values())).image_shape
    pixels = np.zeros((len(points), *shape), np.uint8)
    shown = []
    for code, name in enumerate(points.set_names):
        rows = np.flatnonzero(points.sets == code)
        if name in pictures and len(rows):
            pixels[rows] = pictures[name].images[points.indices[rows]]
            shown.append([int(rows[0]), int(rows[-1]) + 1])
    columns = math.ceil(math.sqrt(len(points)))
    sheet = tile(pixels, columns=columns, scale=1, gap=0, colors=LIGHT)
    if shape[0] == 1:
        sheet = sheet.convert("L")
    return {
        "sprite": "data:image/png;base64," + base64.b64encode(png_bytes(sheet)).decode(),
        "columns": columns,
        "height": shape[1],
        "width": shape[2],
        "scale": max(1, round(SHOWN_PIXELS / shape[1])),
        "shown": shown,
    }
