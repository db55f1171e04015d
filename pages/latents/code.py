"""The programs behind the panels of the page Latent space."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

import streamlit as st

from pages.latents import cloud
from pages.latents.map import Colouring
from pages.latents.place import PlacedPoints
from pages.latents.points import LATENTS_SEED, Points
from pages.shared import program
from pages.shared.current import Spot
from pages.shared.program import Code, text
from pages.shared.state import Context
from pages.shared.store import Handle


def of_map(
    ctx: Context,
    handle: Handle,
    points: Points,
    placed: PlacedPoints,
    *,
    colouring: Colouring,
    level: int,
    count: int,
) -> Code:
    """The map of one layer, with the method, its parameters and the colours of the view."""
    titles = [ctx.title(name) for name in points.set_names]
    how, uses = _placing(placed)
    values = _values(points, colouring)
    escaped = [escape(title) for title in titles]
    first, second = placed.axes
    return program.code(
        ctx,
        f"Map of {handle.names[level]} by posterior means, {handle.title}",
        f"model = {program.load(handle)}",
        "images = {",
        *(
            f"    {text(title)}: {program.images(ctx, name)}.fit(model.image_shape),"
            for title, name in zip(titles, points.set_names, strict=True)
        ),
        "}",
        "known = {title: hv.evaluate(model, each) for title, each in images.items()}",
        *_means(points, level),
        f"points = layer_points(means, list(known.values()), {count})",
        *how,
        *values,
        "lines = hv.figures.image_lines(",
        "    [*known], points.sets, points.numbers, classes=points.classes, files=points.files,",
        *([] if colouring.values is None else [
            f"    value_name={text(colouring.name)}, values=values,"
        ]),
        ")",
        f"titles = {program.listing(escaped)}",
        "data = hv.figures.MapData(",
        "    coords, np.arange(len(coords)), points.sets, titles, hover=lines,",
        f"    places={[ctx.place(name) for name in points.set_names]},",
        ")",
        "figure = hv.figures.latent_map(",
        "    data,",
        "    values," if values else "    None,",
        f"    {program.theme()},",
        f"    color_by={text(colouring.by)},",
        *(["    class_names=names,"] if colouring.by == "class" else []),
        *([f"    value_name={text(colouring.name)},"] if colouring.values is not None else []),
        '    unit="nats",',
        f"    axes=({text(first)}, {text(second)}),",
        "    height=580,",
        *(["    webgl=False,"] if st.session_state.get(cloud.MISSING) else []),
        ")",
        'points_alone, others = {"showlegend": False}, {"name": "no class"}',
        'figure.update_traces(hovertemplate="%{text}<extra></extra>", selector=points_alone)',
        "figure.update_traces(marker_opacity=0.35, selector=others | points_alone)",
        'figure.update_traces(name="others", selector=others)',
        uses=[
            "import numpy as np",
            *([] if points.stored else ["from hvae_core.evaluation.latents import encoded"]),
            "from hvae_core.evaluation.points import layer_points",
            *uses,
        ],
    )  # fmt: skip


def _means(points: Points, level: int) -> list[str]:
    """A line that makes ``means``: those of the evaluations, or of the encoder where too many."""
    if points.stored:
        return [f"means = [found.latents[{level}] for found in known.values()]"]
    return [
        f"means = [encoded(model, each, {LATENTS_SEED})[{level}] for each in images.values()]",
    ]


def _placing(placed: PlacedPoints) -> tuple[list[str], list[str]]:
    """Lines that make ``coords`` of ``points.latents``, and their imports."""
    if placed.params is None:
        return ["coords = pca(points.latents).coords"], ["from hvae_core.probes.pca import pca"]
    params, kind = placed.params, type(placed.params).__name__
    run = "tsne" if kind == "TSNEParams" else "umap"
    place = "hvae_core.probes.embedding"
    if not placed.base:
        return [f"coords = {run}(points.latents, {params!r})"], [
            program.from_import(place, kind, run)
        ]
    return [
        f"params = {params!r}",
        f"first = np.isin(points.sets, {list(placed.base)})  # the others go into their map",
        "known_ones = points.latents[first]",
        f"base = {run}(known_ones, params)",
        "coords = np.empty((len(first), 2), np.float32)",
        "coords[first] = base",
        "coords[~first] = placed(points.latents[~first], known_ones, base, params=params)",
    ], [program.from_import(place, kind, run, "placed")]


def _values(points: Points, colouring: Colouring) -> list[str]:
    """Lines that make ``values`` where a class or a score colours the points."""
    if colouring.by == "class":
        code = points.set_names.index(colouring.of)
        return [f"values, names = hv.figures.class_codes(points.classes, points.sets == {code})"]
    if colouring.values is None:
        return []
    return [
        "values = np.concatenate([",
        f"    hv.score_images(model, each, {text(colouring.of)})[{text(colouring.of)}][:size]",
        "    for each, size in zip(images.values(), np.bincount(points.sets))",
        "]).astype(np.float32)",
    ]


def pictures(ctx: Context, handle: Handle, spots: Sequence[Spot], **laid: int) -> Code:
    """The pictures of the selected images, as they stand beside the map."""
    names = list(dict.fromkeys(name for name, _ in spots))
    options = ", ".join(f"{name}={value}" for name, value in laid.items())
    return program.code(
        ctx,
        f"{len(spots)} selected images",
        f"model = {program.load(handle)}",
        "sets = {",
        *(
            f"    {text(name)}: {program.images(ctx, name)}.fit(model.image_shape),"
            for name in names
        ),
        "}",
        "picked = [",
        *(f"    ({text(name)}, {number})," for name, number in spots),
        "]",
        "pixels = np.stack([sets[name].images[number] for name, number in picked])",
        f"figure = hv.figures.tile(pixels, {options}, colors={program.theme()})",
        uses=["import numpy as np"],
    )
