"""Pictures of the page as they will be with another draw, or one step of temperature further."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import streamlit as st

from hvae_core.figures import Palette, png_bytes, strip, tile
from pages.generate import views
from pages.shared import ready
from pages.shared.controls import NEXT, next_seed, warmer
from pages.shared.ready import Neighbour
from pages.shared.state import Context, colors

if TYPE_CHECKING:
    import numpy as np
    from PIL.Image import Image

    from hvae_core.data.image_set import ImageSet
    from pages.shared.store import Handle


def tiled(samples: np.ndarray, palette: Palette) -> Image:
    """Samples in a square."""
    return tile(samples, columns=round(len(samples) ** 0.5), scale=3, colors=palette)


def of_prior(
    ctx: Context, name: str, handle: Handle, n: int, *, seed: int, heat: tuple[float, ...]
) -> None:
    """Keep the samples of the prior ready; where each level has a control, for the draw alone."""
    palette = colors()
    one = not st.session_state.get("g_each")

    def draw(seed: int, warm: float) -> Image:
        by_level = (warm,) * len(heat) if one else heat
        return tiled(views.prior(handle, n, seed, by_level), palette)

    _follow(ctx, name, draw, seed=seed, key="g_temp" if one else "", heat=heat[0])


def of_redrawn(
    ctx: Context, name: str, handle: Handle, images: ImageSet, *, seed: int, heat: float
) -> None:
    """Keep the strip of redrawn levels ready."""
    palette = colors()

    def draw(seed: int, warm: float) -> Image:
        by_k = views.redrawn(handle, images, seed, temperature=warm)
        return strip(*views.redrawn_rows(handle, images, by_k), scale=2, colors=palette)

    _follow(ctx, name, draw, seed=seed, key="g_warm", heat=heat)


def _follow(
    ctx: Context,
    name: str,
    draw: Callable[[int, float], Image],
    *,
    seed: int,
    key: str,
    heat: float,
) -> None:
    """Keep what ``draw`` makes of a seed and a temperature; ``key`` is of the latter's control."""

    def neighbour(control: str, value: float | None, seed: int, *, heat: float) -> Neighbour:
        return Neighbour(control, value, lambda: png_bytes(draw(seed, heat)))

    near = [neighbour(f"g_draw{NEXT}", None, next_seed(ctx, "g_draw"), heat=heat)]
    near += [neighbour(key, other, seed, heat=other) for other in warmer(heat) if key]
    ready.follow(f"scroll_{name}", {key: heat} if key else {}, near)
