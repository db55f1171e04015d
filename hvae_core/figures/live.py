"""Charts of a run while it trains: KL over steps, posteriors over the prior, units by sigma."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import plotly.graph_objects as go
from numpy.typing import ArrayLike, NDArray
from plotly.subplots import make_subplots

from hvae_core.figures.theme import Palette, base_layout, faded, layer_label

_OUTLINE = np.stack([f(np.linspace(0, 2 * math.pi, 25)) for f in (np.cos, np.sin)], 1)
_ELLIPSES = 48


@dataclass(frozen=True, eq=False)
class Progress:
    """One run: steps (P,), KL (P, L) in nats, names of the layers, and what was turned when."""

    title: str
    steps: ArrayLike
    kl: ArrayLike
    names: Sequence[str]
    marks: Sequence[tuple[int, str]] = ()


def kl_live(
    runs: Sequence[Progress], colors: Palette, *, counted: str = "step", height: int = 300
) -> go.Figure:
    """KL of each layer (nats) over steps: the first run solid, the second dashed.

    A dotted line stands where a knob was turned.
    """
    fig = go.Figure()
    for index, run in enumerate(runs):
        steps, table = np.asarray(run.steps), np.asarray(run.kl)
        for i, color in enumerate(colors.layers(len(run.names))):
            label = layer_label(run.names[i])
            fig.add_trace(
                go.Scatter(
                    x=steps.astype(np.float32),
                    y=table[:, i].astype(np.float32),
                    mode="lines",
                    line={"color": color, "width": 2.25, "dash": colors.model_dash(index)},
                    name=label if len(runs) < 2 else f"{label} {run.title}",
                    hovertemplate=f"{counted} %{{x}}<br>%{{y:.3r}} nats<extra>{label}</extra>",
                )
            )
        for step, words in run.marks:
            fig.add_vline(
                x=step, line={"color": colors.muted, "width": 1, "dash": "dot"},
                annotation={
                    "text": words, "font": {"size": 12, "color": colors.muted},
                    "textangle": -90, "xanchor": "right", "yanchor": "top",
                },
            )  # fmt: skip
    base_layout(fig, colors, x_title=counted, y_title="KL (nats)", height=height)
    fig.update_yaxes(rangemode="tozero")
    return fig


def loss_live(
    runs: Sequence[tuple[str, ArrayLike, ArrayLike]], colors: Palette, *, counted: str = "step"
) -> go.Figure:
    """The loss (nats) over steps of runs (title, steps (P,), loss (P,))."""
    fig = go.Figure()
    for index, (title, steps, loss) in enumerate(runs):
        fig.add_trace(
            go.Scatter(
                x=np.asarray(steps, np.float32),
                y=np.asarray(loss, np.float32),
                mode="lines",
                name=title,
                line={"color": colors.text, "width": 1.75, "dash": colors.model_dash(index)},
                hovertemplate=f"{counted} %{{x}}<br>%{{y:.4r}} nats<extra>{title}</extra>",
            )
        )
    base_layout(
        fig, colors, x_title=counted, y_title="loss (nats)", height=220, legend=len(runs) > 1
    )
    return fig


def posteriors_over_prior(
    means: NDArray[np.float32],
    stds: NDArray[np.float32],
    draws: NDArray[np.float32],
    colors: Palette,
    *,
    names: Sequence[str],
) -> go.Figure:
    """Layers of two units beside each other: q(z | x) as ellipses of one std over draws of p(z).

    ``means`` and ``stds`` are (L, N, 2), ``draws`` (L, M, 2). Where the ellipses lie on one another
    and on the grey dots, the layer says nothing of the image.
    """
    count = len(names)
    titles = [layer_label(name) for name in names]
    fig = make_subplots(1, count, subplot_titles=titles, horizontal_spacing=0.06)
    for i, color in enumerate(colors.layers(count)):
        place = {"row": 1, "col": i + 1}
        dots = {"size": 3, "color": faded(colors.muted, 0.45)}
        fig.add_trace(
            go.Scatter(
                x=draws[i, :, 0], y=draws[i, :, 1], mode="markers", marker=dots, name="p(z)",
                hoverinfo="skip",
            ),
            **place,
        )  # fmt: skip
        # All outlines are one line, which breaks between them.
        rings = means[i, :_ELLIPSES, None] + stds[i, :_ELLIPSES, None] * _OUTLINE
        gap = np.full((len(rings), 1, 2), np.nan)
        line = np.concatenate([rings, gap], 1).reshape(-1, 2).astype(np.float32)
        fig.add_trace(
            go.Scatter(
                x=line[:, 0], y=line[:, 1], mode="lines", name="q(z | x)", hoverinfo="skip",
                line={"color": color, "width": 1},
            ),
            **place,
        )  # fmt: skip
    base_layout(fig, colors, x_title="", y_title="", height=250, legend=False)
    fig.update_xaxes(title_text="", showline=False, ticks="", showgrid=False)
    fig.update_yaxes(title_text="", showgrid=False)
    reach = 1.15 * max(3.0, float(np.abs(draws).max()), float((np.abs(means) + stds).max()))
    fig.update_xaxes(range=[-reach, reach], nticks=4)
    fig.update_yaxes(range=[-reach, reach], nticks=4)
    fig.update_layout(margin_t=28)
    return fig


def units_by_sigma(
    eigenvalues: ArrayLike, unit_kl: ArrayLike, std: float, colors: Palette
) -> go.Figure:
    """What each unit of a linear VAE says at its best, by sigma: 0.5 ln(lambda_i / sigma^2).

    Lines are exact (Lucas et al. 2019) for the largest eigenvalues of the data's covariance, dotted
    where a unit dies; the diamonds are the units (U,) of the run at its own sigma.
    """
    values = np.asarray(eigenvalues, np.float64)
    units = np.sort(np.asarray(unit_kl, np.float64))[::-1]
    fig = go.Figure()
    sigma = np.geomspace(0.05, 1.3 * math.sqrt(values[0]), 200)
    for i, color in enumerate(colors.layers(max(2, len(units)))[: len(units)]):
        exact = np.maximum(0.0, 0.5 * np.log(values[i] / sigma**2))
        fig.add_trace(
            go.Scatter(
                x=sigma.astype(np.float32), y=exact.astype(np.float32), mode="lines",
                line={"color": color, "width": 2}, name=f"unit {i + 1}, exact",
                hovertemplate="sigma %{x:.3r}<br>%{y:.3r} nats<extra></extra>",
            )
        )  # fmt: skip
        fig.add_vline(
            x=math.sqrt(values[i]), line={"color": color, "width": 1, "dash": "dot"},
            annotation={"text": f"√λ<sub>{i + 1}</sub>", "font": {"size": 13, "color": color}},
        )  # fmt: skip
        fig.add_trace(
            go.Scatter(
                x=[std], y=[units[i]], mode="markers", name=f"unit {i + 1}, now",
                marker={"symbol": "diamond", "size": 11, "color": color,
                        "line": {"color": colors.text, "width": 1}},
                hovertemplate="sigma %{x:.3r}<br>%{y:.3r} nats<extra></extra>",
            )
        )  # fmt: skip
    base_layout(fig, colors, x_title="sigma of the pixels", y_title="KL of a unit (nats)",
                height=280)  # fmt: skip
    fig.update_yaxes(rangemode="tozero")
    return fig
