"""What rates and attacks leave of a picture: quality against bits, likeness by attacked levels."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import cycle

import numpy as np
import plotly.graph_objects as go
from numpy.typing import ArrayLike

from hvae_core.common.words import LETTERS
from hvae_core.figures.layers import log_axis, vector
from hvae_core.figures.theme import Palette, base_layout, labelled, layer_label

_DASHES = ("solid", "dot", "dash", "dashdot")


def rate_distortion(
    models: Sequence[tuple[str, ArrayLike, ArrayLike, Sequence[str]]],
    jpegs: Sequence[tuple[str, ArrayLike, ArrayLike, Sequence[int]]],
    colors: Palette,
    *,
    measure: str = "PSNR",
    unit: str = "dB",
    letters: str = LETTERS,
) -> go.Figure:
    """Quality against bits a pixel; higher and further left is better.

    Models are (name, bits a pixel (K,), quality (K,), names of the levels), one point for each k in
    the colour of the lowest level used, A solid and B dashed; JPEG is (name, bits, quality,
    qualities asked for). ``letters`` say which of A to D the models are, over again where there are
    more.
    """
    fig = go.Figure()
    for index, (name, bpp, values, asked) in enumerate(jpegs):
        fig.add_trace(
            go.Scatter(
                x=vector(bpp).astype(np.float32),
                y=_finite(values),
                mode="lines+markers",
                name=name,
                line={"color": colors.muted, "width": 2, "dash": _DASHES[index % len(_DASHES)]},
                marker={"symbol": "square", "size": 6},
                customdata=np.asarray(asked, dtype=np.int32),
                hovertemplate="%{x:.3r} bits a pixel<br>%{y:.3r} "
                f"{unit}<br>quality %{{customdata}}<extra>{name}</extra>",
            )
        )
    for letter, (name, bpp, values, levels) in zip(cycle(letters), models, strict=False):
        ink = {"color": colors.text, "width": 2, "dash": colors.model_dash(letter)}
        starts = [layer_label(level) for level in levels]
        fig.add_trace(
            go.Scatter(
                x=_above_zero(bpp),
                y=_finite(values),
                mode="lines+markers",
                name=name,
                line=ink,
                marker={"color": colors.layers(len(levels)), "size": 11,
                        "line": {"color": colors.text, "width": 1}},
                customdata=starts,
                hovertemplate="from %{customdata} up<br>%{x:.3r} bits a pixel<br>%{y:.3r} "
                f"{unit}<extra>{name}</extra>",
            )
        )  # fmt: skip
        if len(levels) <= 6:
            points = zip(_above_zero(bpp), _finite(values), starts, strict=True)
            _name_points(fig, points, colors)
    base_layout(fig, colors, x_title="bits a pixel", y_title=labelled(measure, unit), height=380)
    fig.update_xaxes(**log_axis([trace.x for trace in fig.data]))
    return fig


def attack_curve(
    models: Sequence[tuple[str, ArrayLike, ArrayLike, ArrayLike, Sequence[str]]],
    colors: Palette,
    *,
    letters: str = LETTERS,
) -> go.Figure:
    """MS-SSIM after an attack and after a random change, by the number of attacked levels.

    Models are (name, attack (K,), chance (K,), half intervals (2, K), names of the levels) with k
    running from 0, A solid and B dashed; k of them are left alone, so K - k are attacked.
    ``letters`` say which of A to D the models are.
    """
    fig = go.Figure()
    kinds = (("attack", colors.text, "circle"), ("random change", colors.muted, "square"))
    most = 1
    for letter, (name, *both, half, levels) in zip(cycle(letters), models, strict=False):
        attacked = np.arange(len(levels), 0, -1, dtype=np.int32)
        most = max(most, len(levels))
        for (kind, color, symbol), values, spread in zip(
            kinds, both, np.asarray(half, dtype=np.float32), strict=True
        ):
            fig.add_trace(
                go.Scatter(
                    x=attacked,
                    y=vector(values).astype(np.float32),
                    mode="lines+markers",
                    name=f"{kind}, {name}" if len(models) > 1 else kind,
                    line={"color": color, "width": 2, "dash": colors.model_dash(letter)},
                    marker={"symbol": symbol, "size": 8},
                    error_y={"type": "data", "array": spread, "thickness": 1, "width": 4},
                    customdata=[layer_label(level) for level in levels],
                    hovertemplate="from %{customdata} up<br>MS-SSIM %{y:.3r}"
                    f"<extra>{kind}, {name}</extra>",
                )
            )
    base_layout(
        fig, colors, x_title="levels under attack, from the top", y_title="MS-SSIM", height=380
    )
    fig.update_xaxes(dtick=1 if most <= 15 else 5, range=[0.7, most + 0.3])
    fig.update_yaxes(range=[0, 1.03])
    return fig


def _name_points(
    fig: go.Figure, points: Iterable[tuple[float, float, str]], colors: Palette
) -> None:
    """Where each point's picture starts, below the point."""
    font = {"size": 13, "color": colors.text}
    for across, up, label in points:
        fig.add_annotation(
            x=float(np.log10(across)), y=float(up), text=label, showarrow=False,
            yshift=-15, font=font,
        )  # fmt: skip


def _finite(values: ArrayLike) -> np.ndarray:
    """A perfect copy has no PSNR: it leaves a gap."""
    quality = vector(values).astype(np.float32)
    return np.where(np.isfinite(quality), quality, np.float32(np.nan))


def _above_zero(values: ArrayLike) -> np.ndarray:
    """Bits on a log axis: what a collapsed model does not spend stands at its foot."""
    return np.maximum(vector(values), 1e-4).astype(np.float32)
