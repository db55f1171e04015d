"""The picture of the point under the cursor, beside it: Plotly's own labels hold text alone.

One sprite sheet goes to the browser; a small script listens to the chart's hover events.
"""

from __future__ import annotations

import base64
import math
from collections.abc import Mapping
from operator import attrgetter
from typing import Any

import numpy as np
from streamlit.components.v2 import component

from hvae_core.data.image_set import ImageSet
from hvae_core.figures import LIGHT, png_bytes, tile
from pages.latents.points import Points
from pages.shared.kept import by_content

SHOWN_PIXELS = 84
_SCRIPT = """
export default function ({ data }) {
  const card = document.createElement("div");
  card.className = "strata-hover";
  card.setAttribute("aria-hidden", "true");
  const { columns, width, height, scale, plot, shown, sprite } = data;
  Object.assign(card.style, {
    position: "fixed", display: "none", pointerEvents: "none", zIndex: 1000,
    width: `${width * scale}px`, height: `${height * scale}px`,
    border: "1px solid rgba(128, 128, 128, 0.8)", borderRadius: "3px",
    backgroundImage: `url(${sprite})`, imageRendering: "pixelated",
    backgroundSize: `${columns * width * scale}px auto`,
  });
  document.body.appendChild(card);
  let chart = null;
  const hide = () => { card.style.display = "none"; };
  const show = (event) => {
    const id = [event.points[0].customdata].flat()[0];
    if (!shown.some(([from, to]) => from <= id && id < to)) return hide();
    const x = -(id % columns) * width * scale;
    const y = -Math.floor(id / columns) * height * scale;
    card.style.backgroundPosition = `${x}px ${y}px`;
    const cursor = event.event;
    const left = cursor.clientX + 18 + width * scale < window.innerWidth
      ? cursor.clientX + 18 : cursor.clientX - 18 - width * scale;
    const top = cursor.clientY + 30 + height * scale < window.innerHeight
      ? cursor.clientY + 30 : cursor.clientY - 30 - height * scale;
    card.style.left = `${left}px`;
    card.style.top = `${top}px`;
    card.style.display = "block";
  };
  const release = () => {
    chart?.removeListener?.("plotly_hover", show);
    chart?.removeListener?.("plotly_unhover", hide);
    chart = null;
  };
  // The chart may be drawn later than this script, or anew: look for it when the cursor comes.
  const follow = (event) => {
    const found = event.target.closest?.(`.st-key-${plot}`)?.querySelector(".js-plotly-plot");
    if (!found) return hide();
    if (found === chart || !found.on) return;
    release();
    chart = found;
    chart.on("plotly_hover", show);
    chart.on("plotly_unhover", hide);
  };
  document.addEventListener("pointermove", follow, { passive: true });
  document.addEventListener("pointerdown", hide, { passive: true });
  return () => {
    document.removeEventListener("pointermove", follow);
    document.removeEventListener("pointerdown", hide);
    release();
    card.remove();
  };
}
"""
_mount = component("strata_hover", js=_SCRIPT)


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
