"""The start page's words: no stronger a paradox than the areas under the curves show.

An area that is None is kept back: a question of the tour is open, which the area would answer.
"""

from __future__ import annotations

from collections.abc import Sequence

from hvae_core.common.words import area

NEARLY = 0.65
"""Up to this AUROC of the likelihood a set is called nearly as likely as the model's own data."""
STORY_ALT = "Two images and their reconstructions from each level up"
PARADOX_ALT = "Densities of the negative bound, in and out of distribution"
ONE_LEVEL = (
    "This model has one level, so no likelihood ratio can be formed: there is no level above to "
    "ask. Choose a model of several levels in the sidebar to see the explanation and the remedy."
)


def claim(title: str, likelihood: float) -> str:
    """The title, given the set with the smallest AUROC of the likelihood."""
    if likelihood < 0.5:
        return f"{title} look more likely to this model than its own data"
    if likelihood < NEARLY:
        return f"{title} look nearly as likely to this model as its own data"
    return f"Of the sets chosen {title} come closest to this model's own data"


def look_for(model: str, own: str, title: str, likelihood: float | None) -> str:
    """What to see in the first chart; without the area only whose images are there."""
    start = f"{model}, trained on {own}. Blue: images of that kind. The other curve: {title}."
    if likelihood is None:
        return start
    if likelihood < 0.5:
        return (
            f"{start} In part 1 that curve lies left of blue: the model finds {title} more likely "
            "than its own images."
        )
    return (
        f"{start} No chosen set looks more likely than the model's own data; {title} come "
        "closest. Where the two curves overlap, the likelihood cannot tell the two apart."
    )


def heads(likelihood: float | None, remedied: float) -> tuple[str, str, str]:
    """The headings of the three parts: a paradox and a remedy only where the numbers show them."""
    return (
        "1 The paradox" if likelihood is not None and likelihood < 0.5 else "1 The likelihood",
        "2 The explanation",
        "3 The remedy" if likelihood is not None and remedied > likelihood else "3 The ratio",
    )


def cost(likelihood: float | None) -> str:
    """The sentence over the first chart, in Markdown."""
    text = "−L, larger for less likely images"
    return f"{text}." if likelihood is None else f"{text}: AUROC **{area(likelihood)}**."


def ratio(symbol: str, likelihood: float | None, remedied: float) -> str:
    """The sentence over the second chart, in Markdown."""
    text = f"${symbol}$ compares all layers with the upper ones alone"
    if likelihood is None:
        return f"{text}."
    text += f": AUROC **{area(remedied)}**"
    return (
        f"{text}."
        if remedied > likelihood
        else f"{text}, no better than the likelihood on this set."
    )


def uncaught(sets: Sequence[tuple[str, float, float]]) -> str:
    """What fools the likelihood and every ratio: titles with the AUROC of -L and the best ratio."""
    named = "; ".join(
        f"{title} (AUROC of the likelihood {area(likelihood)}, of the best ratio {area(ratio)})"
        for title, likelihood, ratio in sets
    )
    return f"More likely to this model than its own data, and not caught by any ratio: {named}."
