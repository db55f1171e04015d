"""The programs behind the panels of the page of two models."""

from __future__ import annotations

from collections.abc import Sequence

from hvae_core.figures import symbol_html
from hvae_core.scores import Score
from pages.shared import program
from pages.shared.program import Code, text
from pages.shared.state import Context
from pages.two.layers import SEED
from pages.two.scores import ScoredPair

_USES = [
    "from hvae_core.evaluation.latents import encoded",
    "from hvae_core.probes.layer_likeness import likeness",
]


def by_layer(
    ctx: Context, names: Sequence[str], pairs: Sequence[tuple[int, int]], *, measure: str, axis: str
) -> Code:
    """How alike the layers are, a line a set."""
    cka = measure == "cka"
    a, b = (handle.names for handle in ctx.models)
    sets = [
        f"    ({text(ctx.title(name))}, {program.images(ctx, name)}, {ctx.place(name)}),"
        for name in names
    ]
    return program.code(
        ctx,
        f"How alike the layers of {ctx.models[0].title} and {ctx.models[1].title} are",
        *_models(ctx),
        "sets = [",
        *sets,
        "]  # title, images, place in the legend",
        f"pairs = {[tuple(map(int, pair)) for pair in pairs]}  # layers of either model, from 0",
        "where = tuple(np.transpose(pairs))",
        "lines = []",
        "for title, images, place in sets:",
        *_found(ctx),
        f"    values, chance = found.{measure}[where], found.chance[where]",
        *(["    chance = np.zeros_like(chance)"] if cka else []),
        "    lines.append(hv.figures.SetLine(title, values, chance, place=place))",
        "figure = hv.figures.likeness_by_layer(",
        "    lines,",
        f"    {[(a[i], b[j]) for i, j in pairs]},",
        f"    {program.theme()},",
        f"    title={text(axis)},",
        ")",
        uses=["import numpy as np", *_USES],
        command=_correlate(ctx, names),
    )


def matrix(ctx: Context, name: str, *, measure: str, axis: str) -> Code:
    """Every layer of one model against every layer of the other on one set."""
    first, second = (letter for letter, _ in ctx.lettered)
    a, b = (program.listing(handle.names, 4) for handle in ctx.models)
    return program.code(
        ctx,
        f"Every layer of {first} against every layer of {second} on {ctx.title(name)}",
        *_models(ctx),
        f"images = {program.images(ctx, name)}",
        *(line.removeprefix("    ") for line in _found(ctx)),
        "figure = hv.figures.layer_matrix(",
        f"    found.{measure},",
        f"    {a},",
        f"    {b},",
        f"    colors={program.theme()},",
        f"    title={text(axis)},",
        *program.letters(ctx, ctx.models),
        ")",
        uses=_USES,
        command=_correlate(ctx, [name]),
    )


def scores(ctx: Context, pairs: Sequence[ScoredPair], score: Score) -> Code:
    """One score of every image under both models."""
    key, (first, second) = text(score.key), (letter for letter, _ in ctx.lettered)
    return program.code(
        ctx,
        f"{score.name} of every image under {first} and under {second}",
        *_models(ctx),
        "sets = [",
        *(
            f"    ({text(pair.title)}, {program.images(ctx, pair.name)}, {pair.place}),"
            for pair in pairs
        ),
        "]  # title, images, place in the legend",
        "pairs = [",
        "    (",
        "        title,",
        f"        hv.score_images({first.lower()}, images, {key})[{key}],",
        f"        hv.score_images({second.lower()}, images, {key})[{key}],",
        "        place,",
        "    )",
        "    for title, images, place in sets",
        "]",
        "figure = hv.figures.score_pairs(",
        "    pairs,",
        f"    {program.theme()},",
        f"    symbol={text(symbol_html(score.symbol))},",
        f"    unit={text(score.unit)},",
        *program.letters(ctx, ctx.models),
        ")",
    )


def bits(ctx: Context, name: str, *, height: int) -> Code:
    """Bits per dimension by k of both models on one set."""
    return program.code(
        ctx,
        f"Bits per dimension by k on {ctx.title(name)}",
        *program.bits(ctx, ctx.models, name, height=height),
    )


def _models(ctx: Context) -> list[str]:
    return [f"{letter.lower()} = {program.load(handle)}" for letter, handle in ctx.lettered]


def _found(ctx: Context) -> list[str]:
    """Lines of a loop that make ``found``, the likeness of the layers on ``images``."""
    both = ", ".join(letter.lower() for letter, _ in ctx.lettered)
    return [
        "    means = [",
        f"        encoded(model, images.fit(model.image_shape), {SEED}) for model in ({both})",
        "    ]  # posterior means of every layer",
        f"    found = likeness(*means, {SEED})",
    ]


def _correlate(ctx: Context, names: Sequence[str]) -> str:
    first, second = map(program.name_of, ctx.models)
    return program.command(
        "correlate", first, second, *(w for name in names for w in ("--sets", name))
    )
