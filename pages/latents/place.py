"""Where the points of the map lie: PCA at once, slower methods by a job, with their parameters."""

from __future__ import annotations

from dataclasses import dataclass, replace
from operator import attrgetter

import numpy as np
import streamlit as st

from hvae_core.common import fingerprint
from hvae_core.common.progress import Progress
from hvae_core.figures import percent
from hvae_core.probes import embedding
from hvae_core.probes.embedding import Params, TSNEParams, UMAPParams
from hvae_core.probes.pca import pca
from pages.latents.points import Points
from pages.shared import jobs, ui
from pages.shared.kept import by_content
from pages.shared.state import Context

METHODS = ("PCA", "t-SNE", "UMAP")
JOB = "latent-map"


@dataclass(frozen=True, eq=False)
class PlacedPoints:
    """Points in the plane and how they came there; ``digest`` names the coordinates."""

    coords: np.ndarray
    axes: tuple[str, str]
    digest: str
    running: str = ""
    """The digest of the map to which a job is moving them."""
    params: Params | None = None
    """Of the slow method that placed them; None for PCA."""
    base: tuple[int, ...] = ()
    """The sets of a finished map into which the others were placed; empty where there was none."""


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
        return PlacedPoints(coords, axes, key, params=params)
    if sent:
        run = embedding.tsne if isinstance(params, TSNEParams) else embedding.umap
        jobs.submit(JOB, key, run, points.latents, params)
        st.rerun()
    if _running(key) and jobs.going_on(JOB, "Map"):
        st.caption(f"The points move from PCA to their places while {method} runs.")
        return replace(flat, running=key)
    taken_in = _taken_in(ctx, points, params)
    if taken_in is not None:
        coords, digest, base = taken_in
        return PlacedPoints(coords, axes, digest, params=params, base=base)
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


def _taken_in(
    ctx: Context, points: Points, params: Params
) -> tuple[np.ndarray, str, tuple[int, ...]] | None:
    """Coordinates with further sets placed into a finished map, their digest, its sets; or None.

    Where it can be done and was not, it is offered.
    """
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
        return coords, key, tuple(codes)
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
