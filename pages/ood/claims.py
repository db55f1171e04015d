"""The title of the page OOD detection: what the chosen score makes of the sets that are drawn."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from hvae_core.common.words import area, symbol_text
from hvae_core.detection.story import CAUGHT
from hvae_core.scores import Score
from pages.ood.chosen import ScoredModel
from pages.ood.models import ModelDetection
from pages.shared import ui
from pages.shared.state import Context


def headline(
    ctx: Context,
    detected: Sequence[ModelDetection],
    every: Sequence[ScoredModel],
    drawn: Sequence[str],
) -> tuple[str, str, str]:
    """What the chosen score makes of the drawn sets, what to look for, and that of further models.

    The title is of the first model that has the score; of several each finding bears its letter.
    """
    if not detected:
        return (
            "No score has been computed yet",
            f"Evaluate {ui.plain(ctx.title(ctx.in_name))} and the other sets once, and their "
            "densities appear here.",
            "",
        )
    if not ctx.out_names:
        return (
            "Choose a set to tell from the model's own kind of image",
            "Choose out-of-distribution sets in the sidebar; each is compared with the blue curve.",
            "",
        )
    if not any(model.outs for model in detected):
        return (
            "No out-of-distribution set is evaluated yet",
            "Evaluate the chosen sets once, and their densities appear here.",
            "",
        )
    titles = {name: ctx.title(name) for name in drawn}
    some = len(drawn) < len({name for model in detected for name in model.outs})
    found = [
        (each.model.letter, ui.plain(told))
        for each in every
        if (told := claim(each.model, each.score, titles, some=some))
    ]
    (letter, first), *others = found or [("", "Choose a set to draw")]
    one = len(detected) == 1
    who = f"**{detected[0].letter}** " if detected[0].letter else ""
    trained = f"{who}{ui.plain(detected[0].handle.title)}: blue" if one else "Blue"
    it = "it was" if one else "the models were"
    return (
        f"{letter}: {first}" if letter else first,
        f"{trained} is the kind of image that {it} trained on, shades of orange and brown "
        "are other kinds (out of distribution, OOD). Where they lie left of blue, the score finds "
        f"other images more familiar than {'the model' if one else 'a model'}'s own. Images to the "
        "right of the threshold are flagged.",
        "  \n".join(f"**{other}:** {told}" for other, told in others),
    )


def beyond(scored: ScoredModel, drawn: Mapping[str, str]) -> str:
    """How many images of the drawn sets, by name and title, score beyond the axis; "" for none."""
    low, high = scored.span_of(drawn)
    parts = []
    for name, title in drawn.items():
        values = scored.sets.get(name, np.zeros(0))
        count = int(((values < low) | (values > high)).sum())
        if count:
            parts.append(f"{title} {count:,} of {len(values):,}")
    if not parts:
        return ""
    return f"Beyond the axis, but counted in all figures: {'; '.join(parts)}."


def claim(
    model: ModelDetection, score: Score, titles: Mapping[str, str], *, some: bool = False
) -> str:
    """The title: what a score makes of the drawn set that fools the likelihood most, and its worst.

    ``titles`` are those of the drawn sets by name, ``some`` of those there are. "" where the score
    is known of none.
    """
    known = {name: m for name in titles if score.key in (m := model.metrics(name))}
    if not known:
        return ""
    of = {name: metrics[score.key] for name, metrics in known.items()}
    plain = {name: m["elbo"].auroc for name, m in known.items() if "elbo" in m}
    worst = min(of, key=lambda name: of[name].auroc)
    name = min(plain, key=plain.__getitem__) if plain else worst
    found = of[name]
    if found.high < 0.5:
        finding = f"ranks {titles[name]} below chance"
    elif found.low <= 0.5:
        finding = f"does no better than chance on {titles[name]}"
    elif found.auroc < CAUGHT:
        finding = f"does little better than chance on {titles[name]}"
    else:
        finding = f"tells {titles[name]} apart"
    if score.key == "elbo":
        return f"The likelihood {finding} (AUROC {area(found.auroc)})"
    beside = f"; the likelihood: {area(plain[name])}" if plain else ""
    text = f"{symbol_text(score.symbol)} {finding} (AUROC {area(found.auroc)}{beside})"
    if worst != name:
        where = " of those drawn" if some else ""
        text += f", and does worst{where} on {titles[worst]} ({area(of[worst].auroc)})"
    return text
