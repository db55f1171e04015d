"""One score of every image under both models: where they agree, and the images they do not."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import streamlit as st

from hvae_core.common.errors import MissingImages, ScoreError
from hvae_core.figures import fmt
from hvae_core.probes.layer_likeness import agreement, most_different
from hvae_core.scores import Material, Score, score_list
from pages.shared import store, ui
from pages.shared.state import Context
from pages.two.layers import place

if TYPE_CHECKING:
    from hvae_core.evaluation.evaluation import Evaluation

PICTURES = 7
"""Images of either side that the models differ on most."""


@dataclass(frozen=True, eq=False)
class Scored:
    """One score of a set's images under both models; ``place`` is None for the set inside."""

    name: str
    title: str
    a: np.ndarray
    b: np.ndarray
    place: int | None


def scores(ctx: Context) -> dict[str, Score]:
    """Scores that both models have, by key."""
    least = min(handle.n_levels for handle in ctx.models)
    return {score.key: score for score in score_list(least)}


def scored(
    ctx: Context, score: Score, both: Sequence[Mapping[str, Evaluation]], names: Sequence[str]
) -> list[Scored]:
    """The score of every image under both models, for the sets evaluated under both."""
    made = []
    for name in names:
        if not all(name in one for one in both):
            continue
        try:
            a, b = (score(Material.of(one[name])) for one in both)
        except ScoreError as error:
            st.caption(f"{ui.plain(ctx.title(name))}: {ui.plain(str(error))}")
            continue
        if len(a) == len(b):
            made.append(Scored(name, ctx.title(name), a, b, place(ctx, name)))
    return made


def agreement_in_words(one: Scored, unit: str) -> str:
    """The mean difference with its 95 % interval, and the correlation."""
    found = agreement(one.a, one.b)
    return (
        f"{ui.plain(one.title)}: A − B is {fmt(found.mean)} ± {fmt(1.96 * found.error, unit)} on "
        f"average, r = {fmt(found.correlation)}"
    )


def strangest(
    ctx: Context, every: Sequence[Scored]
) -> list[tuple[str, list[tuple[Scored, np.ndarray]]]]:
    """For either model the images that it finds stranger than the other one does, by set.

    The difference of the median image inside is what is usual between the two.
    """
    inside = next((one for one in every if one.place is None), None)
    if inside is None:
        return []
    usual = float(np.median(inside.a - inside.b))
    sides = [[(one, most_different(one.a, one.b, usual, PICTURES)[side]) for one in every]
             for side in (0, 1)]  # fmt: skip
    return list(zip("AB", sides, strict=True))


def pictures(ctx: Context, one: Scored, picks: np.ndarray, evaluation: Any) -> np.ndarray | None:
    """The images at hand, where they are those that were evaluated."""
    try:
        images = store.images(ctx.world, one.name, ctx.data_root, ctx.a)
    except MissingImages:
        return None
    if images.digest != evaluation.set_digest or not len(picks):
        return None
    return images.images[picks]


def score_table(score: Score, every: Sequence[Scored]) -> pd.DataFrame:
    """The score under both models and its difference, one row an image."""
    frames = [
        pd.DataFrame(
            {
                "set": one.name,
                "image": np.arange(len(one.a)),
                f"{score.key}_a": one.a,
                f"{score.key}_b": one.b,
                "a_minus_b": one.a - one.b,
            }
        )
        for one in every
    ]
    return pd.concat(frames, ignore_index=True)
