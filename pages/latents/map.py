"""The map itself: how its points are coloured and what is said of them, its lasso."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from html import escape
from operator import attrgetter
from typing import Literal

import numpy as np
import pandas as pd
import plotly.graph_objects as go
import streamlit as st

from hvae_core.common import fingerprint
from hvae_core.evaluation.evaluation import Evaluation
from hvae_core.figures import (
    MapData,
    class_codes,
    image_lines,
    latent_map,
    symbol_html,
    symbol_text,
)
from hvae_core.figures.inks import mixed
from hvae_core.figures.theme import Theme, palette
from hvae_core.scores import Material, Score
from pages.latents import cloud
from pages.latents.place import PlacedPoints
from pages.latents.points import Points
from pages.shared.kept import by_content
from pages.shared.state import Context, colors

ColourBy = Literal["set", "class", "score"]
COLOURS: tuple[ColourBy, ...] = ("set", "class", "score")


@dataclass(frozen=True)
class Colouring:
    """What the colours mean: a set, the classes of one set, or a score with its values.

    A score's ``name`` is for charts, in HTML, its ``title`` for plain text.
    """

    by: ColourBy
    of: str = ""
    name: str = ""
    title: str = ""
    values: np.ndarray | None = None


def figure(
    ctx: Context, points: Points, placed: PlacedPoints, colouring: Colouring
) -> Callable[[], go.Figure]:
    """What makes the figure, wherever it is called; it is one and the same for the same map.

    A changed one would lose its selection.
    """
    return partial(
        _figure,
        colors().theme,
        tuple((ctx.title(name), ctx.place(name)) for name in points.set_names),
        points,
        placed=placed,
        colouring=colouring,
        webgl=not st.session_state.get(cloud.MISSING),
    )


def map_key(placed: PlacedPoints, colouring: Colouring) -> str:
    """A short name of one map in one colouring."""
    values = np.zeros(0) if colouring.values is None else colouring.values
    return fingerprint.digest(placed.digest, colouring.by, colouring.of, values)[:16]


@by_content(12, {Points: attrgetter("digest"), PlacedPoints: attrgetter("digest")})
def _figure(
    theme: Theme,
    sets: tuple[tuple[str, int | None], ...],
    points: Points,
    placed: PlacedPoints,
    colouring: Colouring,
    webgl: bool,
) -> go.Figure:
    values, names = _values(points, colouring)
    titles = [title for title, _ in sets]
    data = MapData(
        placed.coords,
        ids=np.arange(len(points)),
        sets=points.sets,
        set_names=[escape(title) for title in titles],
        hover=image_lines(
            titles,
            points.sets,
            points.indices,
            classes=points.classes,
            files=points.files,
            value_name=colouring.name,
            values=colouring.values,
        ),
        places=[place for _, place in sets],
    )
    fig = latent_map(
        data,
        values,
        palette(theme),
        color_by=colouring.by,
        class_names=[escape(name) for name in names],
        value_name=colouring.name,
        unit="nats",
        axes=placed.axes,
        height=580,
        webgl=webgl,
    )
    fig.update_traces(hovertemplate="%{text}<extra></extra>", selector={"showlegend": False})
    fig.update_traces(marker_opacity=0.35, selector={"name": "no class", "showlegend": False})
    fig.update_traces(name="others", selector={"name": "no class"})
    return fig


def _values(points: Points, colouring: Colouring) -> tuple[np.ndarray | None, list[str]]:
    if colouring.by != "class":
        return colouring.values, []
    code = points.set_names.index(colouring.of)
    return class_codes(points.classes, points.sets == code)


def shown(ctx: Context, points: Points, placed: PlacedPoints, colouring: Colouring) -> cloud.Shown:
    """What the map of many points shows: the places, and a colour a set, a class or a value."""
    look = colors()
    titles = tuple(ctx.title(name) for name in points.set_names)
    alt = f"Map of {len(points):,} images, coloured by {colouring.by}"
    whole = cloud.Shown(
        placed.coords, placed.digest, placed.axes, titles,
        kind=f"{colouring.by} {colouring.of}", alt=alt,
    )  # fmt: skip
    if colouring.values is not None:
        return replace(whole, values=colouring.values, title=colouring.title)
    codes, names = _values(points, colouring)
    if codes is None:
        marks = [look.mark(ctx.place(name)).color for name in points.set_names]
        return replace(whole, groups=points.sets, names=titles, colors=marks)
    faint = mixed(look.collapsed, look.background, 0.5)
    marks = [*(look.category(code) for code in range(len(names))), faint]
    return replace(
        whole, groups=np.where(codes < 0, len(names), codes), names=[*names, "others"], colors=marks
    )


def score_values(score: Score, points: Points, evaluations: Mapping[str, Evaluation]) -> Colouring:
    """The colouring by the score of every point, in nats."""
    values = np.concatenate(
        [
            score(Material.of(evaluations[name]))[points.indices[points.sets == code]]
            for code, name in enumerate(points.set_names)
        ]
    )
    names = {"name": symbol_html(score.symbol), "title": symbol_text(score.symbol)}
    return Colouring("score", score.key, **names, values=values.astype(np.float32))


def table(points: Points, placed: PlacedPoints, colouring: Colouring) -> pd.DataFrame:
    """The map as a table: set, index, class, file, coordinates, and the score where it colours."""
    columns: dict[str, Sequence[object] | np.ndarray] = {
        "set": [points.set_names[code] for code in points.sets],
        "index": points.indices,
        "class": points.classes,
        "file": points.files,
        placed.axes[0].split(" (")[0]: placed.coords[:, 0],
        placed.axes[1].split(" (")[0]: placed.coords[:, 1],
    }
    if colouring.values is not None:
        columns[colouring.of] = colouring.values
    return pd.DataFrame(columns)
