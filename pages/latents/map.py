"""The map itself: its method with parameters chosen first, its colours, its lasso."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from html import escape
from operator import attrgetter
from typing import Literal

import numpy as np
import pandas as pd
import plotly.graph_objects as go
import streamlit as st

from hvae_core.common import fingerprint
from hvae_core.common.progress import Progress
from hvae_core.evaluation.evaluation import Evaluation
from hvae_core.figures import MapData, fmt, latent_map, percent, symbol_html, symbol_text
from hvae_core.figures.theme import Theme, mixed, palette
from hvae_core.probes import embedding
from hvae_core.probes.embedding import Params, TSNEParams, UMAPParams
from hvae_core.probes.pca import pca
from hvae_core.scores import Material, Score
from pages.latents import cloud, lasso
from pages.latents.points import Points
from pages.shared import jobs, ui
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
    running: str = ""
    """The digest of the map to which a job is moving them."""


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


def place(ctx: Context, points: Points, method: str) -> PlacedPoints:
    """Coordinates by the chosen method; PCA stands in until a slower map is ready.

    A map of fewer sets that is finished takes the further ones in without moving.
    """
    flat = _pca(points)
    if method == "PCA":
        return flat
    params, sent = _tsne_form(ctx.seed) if method == "t-SNE" else _umap_form(ctx.seed)
    key = embedding.embedding_digest(points.latents, params)
    coords = embedding.stored_map(points.latents, params)
    if coords is None:
        coords = _result(key)  # the cache folder took nothing
    axes = (f"{method} 1", f"{method} 2")
    if coords is not None:
        _finished()[_within(points, params)] = points.set_names
        return PlacedPoints(coords, axes, key)
    if sent:
        run = embedding.tsne if isinstance(params, TSNEParams) else embedding.umap
        jobs.submit(JOB, key, run, points.latents, params)
        st.rerun()
    if _running(key) and jobs.going_on(JOB, "Map"):
        st.caption(f"The points move from PCA to their places while {method} runs.")
        return replace(flat, running=key)
    taken_in = _taken_in(ctx, points, params)
    if taken_in is not None:
        return PlacedPoints(taken_in[0], axes, taken_in[1])
    st.caption(f"PCA is shown: {method} has not been computed with these parameters yet.")
    return flat


def latest(placed: PlacedPoints) -> PlacedPoints:
    """The points as they lie by now, where a job is still moving them."""
    coords = embedding.live_map(placed.running) if placed.running else None
    if coords is None or coords.shape != placed.coords.shape:
        return placed
    axes = ("", "")
    return replace(placed, coords=coords, axes=axes, digest=fingerprint.digest(coords))


def _running(key: str) -> bool:
    job = jobs.current(JOB)
    return job is not None and job.digest == key


def _result(key: str) -> np.ndarray | None:
    job = jobs.current(JOB)
    done = job is not None and job.digest == key and job.status == "done"
    return job.result() if job is not None and done else None


def _finished() -> dict[str, tuple[str, ...]]:
    """The sets of the finished maps that this session has seen, by what they were made within."""
    found: dict[str, tuple[str, ...]] = st.session_state.setdefault("latent_maps", {})
    return found


def _within(points: Points, params: Params) -> str:
    return fingerprint.digest(points.of(points.set_names[0]), repr(params))


def _taken_in(ctx: Context, points: Points, params: Params) -> tuple[np.ndarray, str] | None:
    """Coordinates with further sets placed into a finished map, and their digest; or the offer."""
    names = _finished().get(_within(points, params), ())
    codes = [code for code, name in enumerate(points.set_names) if name in names]
    rows = np.isin(points.sets, codes)
    if not names or len(codes) < len(names) or rows.all():
        return None
    known, new = points.latents[rows], points.latents[~rows]
    base = embedding.stored_map(known, params)
    if base is None:
        return None
    key = embedding.placed_digest(new, known, base, params=params)
    found = embedding.stored_placed(key)
    if found is None:
        found = _result(key)
    further = ", ".join(ctx.title(name) for name in points.set_names if name not in names)
    if found is not None:
        coords = np.empty((len(points), 2), np.float32)
        coords[rows], coords[~rows] = base, found
        st.caption(f"Placed into the finished map, which did not move: {ui.plain(further)}.")
        return coords, key
    if _running(key) and jobs.going_on(JOB, "Placing"):
        return None
    words = "Place into the finished map"
    if st.button(words, help=f"The points of the finished {params.title} stay where they are."):
        jobs.submit(JOB, key, _place_into, new, known, base, params)
        st.rerun()
    st.caption(f"Not in the finished map yet: {ui.plain(further)}.")
    return None


def _place_into(
    new: np.ndarray, known: np.ndarray, base: np.ndarray, params: Params, *, progress: Progress
) -> np.ndarray:
    return embedding.placed(new, known, base, params=params, progress=progress)


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
            "Iterations", 250, 5000, 500, 250, key="l_iterations", bind="query-params", width=150
        )
        sent = row.form_submit_button("Compute t-SNE")
    return TSNEParams(float(perplexity), iterations, seed), sent


def _umap_form(seed: int) -> tuple[Params, bool]:
    with st.form("l_umap", border=False):
        row = st.container(horizontal=True, vertical_alignment="bottom")
        neighbours = row.number_input(
            "Neighbours", 2, 200, 15, key="l_neighbours", bind="query-params", width=150,
            help="Few neighbours show small groups, many show the whole.",
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
    webgl = not st.session_state.get(cloud.MISSING)
    return _figure(colors().theme, titles, points, placed=placed, colouring=colouring, webgl=webgl)


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
    webgl: bool,
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
        marks = [look.in_color, *look.out_shades(len(titles) - 1)]
        return replace(whole, groups=points.sets, names=titles, colors=marks)
    faint = mixed(look.collapsed, look.background, 0.5)
    marks = [*(look.category(code) for code in range(len(names))), faint]
    return replace(
        whole, groups=np.where(codes < 0, len(names), codes), names=[*names, "others"], colors=marks
    )


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
