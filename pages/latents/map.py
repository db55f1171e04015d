"""The map itself: its method with parameters chosen first, its colours, its lasso."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape
from operator import attrgetter
from typing import Literal

import numpy as np
import pandas as pd
import plotly.graph_objects as go
import streamlit as st

from hvae_core.common import fingerprint
from hvae_core.evaluation.evaluation import Evaluation
from hvae_core.figures import MapData, fmt, latent_map, percent, symbol_html
from hvae_core.figures.theme import Theme, palette
from hvae_core.probes import embedding
from hvae_core.probes.embedding import Params, TSNEParams, UMAPParams
from hvae_core.probes.pca import pca
from hvae_core.scores import Material, Score
from pages.latents import lasso
from pages.latents.points import Points
from pages.shared import jobs
from pages.shared.kept import by_content
from pages.shared.state import Context, colors

ColourBy = Literal["set", "class", "score"]
METHODS = ("PCA", "t-SNE", "UMAP")
COLOURS: tuple[ColourBy, ...] = ("set", "class", "score")
JOB = "latent-map"


@dataclass(frozen=True, eq=False)
class PlacedPoints:
    """Points in the plane and how they came there; ``digest`` names the coordinates."""

    coords: np.ndarray
    axes: tuple[str, str]
    digest: str


@dataclass(frozen=True)
class Colouring:
    """What the colours mean: a set, the classes of one set, or a score with its values."""

    by: ColourBy
    of: str = ""
    name: str = ""
    values: np.ndarray | None = None


def place(points: Points, method: str, seed: int) -> PlacedPoints:
    """Coordinates by the chosen method; PCA stands in until a slower map is ready."""
    flat = _pca(points)
    if method == "PCA":
        return flat
    params, sent = _tsne_form(seed) if method == "t-SNE" else _umap_form(seed)
    key = embedding.embedding_digest(points.latents, params)
    coords = embedding.stored_map(points.latents, params)
    job = jobs.current(JOB)
    ours = job if job is not None and job.digest == key else None
    if coords is None and ours is not None and ours.status == "done":
        coords = ours.result()  # the cache folder took nothing
    if coords is not None:
        return PlacedPoints(coords, (f"{method} 1", f"{method} 2"), key)
    if sent:
        run = embedding.tsne if isinstance(params, TSNEParams) else embedding.umap
        jobs.submit(JOB, key, run, points.latents, params)
        st.rerun()
    if ours is not None and jobs.going_on(JOB, "Map"):
        st.caption(f"PCA is shown until {method} is ready.")
    else:
        st.caption(f"PCA is shown: {method} has not been computed with these parameters yet.")
    return flat


@by_content(16, {Points: attrgetter("digest")})
def _pca(points: Points) -> PlacedPoints:
    flat = pca(points.latents)
    first, second = (percent(float(share)) for share in flat.explained)
    axes = (f"component 1 ({first} of variance)", f"component 2 ({second})")
    return PlacedPoints(flat.coords, axes, fingerprint.digest(points.digest, "pca"))


def _tsne_form(seed: int) -> tuple[Params, bool]:
    with st.form("l_tsne", border=False):
        row = st.container(horizontal=True, vertical_alignment="bottom")
        perplexity = row.number_input(
            "Perplexity", 2, 200, 30, key="l_perplexity", bind="query-params", width=150,
            help="About how many neighbours each point keeps near; 5 to 50 is usual.",
        )  # fmt: skip
        iterations = row.number_input(
            "Iterations", 250, 5000, 1000, 250, key="l_iterations", bind="query-params", width=150
        )
        sent = row.form_submit_button("Compute t-SNE")
    return TSNEParams(float(perplexity), iterations, seed), sent


def _umap_form(seed: int) -> tuple[Params, bool]:
    with st.form("l_umap", border=False):
        row = st.container(horizontal=True, vertical_alignment="bottom")
        neighbours = row.number_input(
            "Neighbours", 2, 200, 15, key="l_neighbours", bind="query-params", width=150,
            help="Few keep small groups apart, many keep the large picture.",
        )  # fmt: skip
        distance = row.number_input(
            "Least gap", 0.0, 0.99, 0.1, 0.05, key="l_distance", bind="query-params", width=150
        )
        metric = row.selectbox(
            "Distance", list(embedding.METRICS), key="l_metric", bind="query-params", width=150
        )
        sent = row.form_submit_button("Compute UMAP")
    return UMAPParams(neighbours, distance, metric, seed=seed), sent


def figure(ctx: Context, points: Points, placed: PlacedPoints, colouring: Colouring) -> go.Figure:
    """The figure, one and the same object for the same map: a changed one loses its selection."""
    titles = tuple(ctx.title(name) for name in points.set_names)
    return _figure(colors().theme, titles, points, placed=placed, colouring=colouring)


def map_key(placed: PlacedPoints, colouring: Colouring) -> str:
    """A short name of one map in one colouring."""
    values = np.zeros(0) if colouring.values is None else colouring.values
    return fingerprint.digest(placed.digest, colouring.by, colouring.of, values)[:16]


@by_content(12, {Points: attrgetter("digest"), PlacedPoints: attrgetter("digest")})
def _figure(
    theme: Theme,
    titles: tuple[str, ...],
    points: Points,
    placed: PlacedPoints,
    colouring: Colouring,
) -> go.Figure:
    values, names = _values(points, colouring)
    data = MapData(
        placed.coords,
        ids=np.arange(len(points)),
        sets=points.sets,
        set_names=[escape(title) for title in titles],
        hover=_hover(points, titles, colouring),
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
    )
    fig.update_traces(hovertemplate="%{text}<extra></extra>", selector={"showlegend": False})
    fig.update_traces(marker_opacity=0.35, selector={"name": "no class", "showlegend": False})
    fig.update_traces(name="others", selector={"name": "no class"})
    return fig


def _values(points: Points, colouring: Colouring) -> tuple[np.ndarray | None, list[str]]:
    if colouring.by != "class":
        return colouring.values, []
    code = points.set_names.index(colouring.of)
    mine = [
        name if of == code else "" for name, of in zip(points.classes, points.sets, strict=True)
    ]
    names = sorted(set(mine) - {""})
    return np.array([names.index(name) if name else -1 for name in mine]), names


def _hover(points: Points, titles: tuple[str, ...], colouring: Colouring) -> list[str]:
    lines = []
    for row, (code, index, label, file) in enumerate(
        zip(points.sets, points.indices, points.classes, points.files, strict=True)
    ):
        line = f"{escape(titles[code])} {index}"
        line += f"<br>class {escape(label)}" if label else ""
        line += f"<br>{escape(file)}" if file else ""
        if colouring.values is not None:
            line += f"<br>{colouring.name} {fmt(float(colouring.values[row]), 'nats')}"
        lines.append(line)
    return lines


def lassoed(key: str, points: Points) -> None:
    """Keep what the lasso took; a double click on the map clears it."""
    taken = st.session_state[key]["selection"]["points"]
    lasso.keep(points, [int(np.ravel(point["customdata"])[0]) for point in taken])


def score_values(score: Score, points: Points, evaluations: Mapping[str, Evaluation]) -> Colouring:
    """The colouring by the score of every point, in nats."""
    values = np.concatenate(
        [
            score(Material.of(evaluations[name]))[points.indices[points.sets == code]]
            for code, name in enumerate(points.set_names)
        ]
    )
    name = symbol_html(score.symbol)
    return Colouring("score", score.key, name, values=values.astype(np.float32))


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
