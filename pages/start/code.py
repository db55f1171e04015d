"""The programs behind the panels of the start page."""

from __future__ import annotations

from collections.abc import Sequence

from hvae_core.figures import symbol_html
from hvae_core.scores import Score
from pages.shared import program
from pages.shared.program import Code, text
from pages.shared.state import Context


def density(ctx: Context, score: Score, sets: tuple[str, str], *, height: int) -> Code:
    """A score of the model's own images and of one other set, and their densities."""
    own, other = sets
    return program.code(
        ctx,
        f"Densities of {score.name} on {ctx.title(own)} and {ctx.title(other)}",
        f"model = {program.load(ctx.a)}",
        f"own = hv.score_images(model, {program.images(ctx, own)}, {text(score.key)})",
        f"other = hv.score_images(model, {program.images(ctx, other)}, {text(score.key)})",
        "figure = hv.figures.densities(",
        f"    own[{text(score.key)}],",
        f"    [({text(ctx.title(other))}, other[{text(score.key)}])],",
        f"    {program.theme()},",
        f"    symbol={text(symbol_html(score.symbol))},",
        f"    in_name={text(ctx.title(own))},",
        f"    places=[{ctx.place(other) or 0}],",
        f"    height={height},",
        ")",
        command=program.command(
            "evaluate", program.name_of(ctx.a), "--out", other, "--scores", score.key
        ),
    )


def story(
    ctx: Context, pair: Sequence[tuple[str, int]], heads: Sequence[str], *, scale: int
) -> Code:
    """The image inside and the outsider, rebuilt from every level up."""
    rows = [(label, *spot) for label, spot in zip(("in", "out"), pair, strict=True)]
    return program.code(
        ctx,
        "Two images and their reconstructions from each level up",
        f"model = {program.load(ctx.a)}",
        *program.picked(ctx, rows),
        *(line.format(options=f"seed={ctx.seed}") for line in program.REBUILT),
        f"heads = {program.listing(heads)}",
        "figure = hv.figures.strip(",
        f"    rows, heads, scale={scale}, underlined=False, colors={program.theme()}",
        ")",
    )
