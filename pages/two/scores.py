"""One score of every image under both models: where they agree, and the images they do not."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
import streamlit as st

from hvae_core.common.errors import MissingImages, ScoreError
from hvae_core.evaluation.evaluation import Evaluation
from hvae_core.figures import fmt
from hvae_core.probes.layer_likeness import agreement, most_different
from hvae_core.scores import Material, Score, score_list
from pages.shared import ui
from pages.shared.state import Context

PICTURES = 7
"""Images of either side that the models differ on most."""


@dataclass(frozen=True, eq=False)
class ScoredPair:
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
) -> list[ScoredPair]:
    """The score of every image under both models, for the sets evaluated under both."""
    pairs = []
    for name in names:
        if not all(name in evaluations for evaluations in both):
            continue
        try:
            a, b = (score(Material.of(evaluations[name])) for evaluations in both)
        except ScoreError as error:
            st.caption(f"{ui.plain(ctx.title(name))}: {ui.plain(str(error))}")
            continue
        if len(a) == len(b):
            pairs.append(ScoredPair(name, ctx.title(name), a=a, b=b, place=ctx.place(name)))
    return pairs


def agreement_in_words(pair: ScoredPair, unit: str, letters: str) -> str:
    """The mean difference with its 95 % interval, and the correlation."""
    less = f"{letters[0]} − {letters[1]}"
    found = agreement(pair.a, pair.b)
    return (
        f"{ui.plain(pair.title)}: {less} is {fmt(found.mean)} ± {fmt(1.96 * found.error, unit)} "
        f"on average, r = {fmt(found.correlation)}"
    )


def strangest(
    pairs: Sequence[ScoredPair], letters: str
) -> list[tuple[str, list[tuple[ScoredPair, np.ndarray]]]]:
    """For either model the images that it finds stranger than the other one does, by set.

    The difference of the median image inside is what is usual between the two.
    """
    inside = next((pair for pair in pairs if pair.place is None), None)
    if inside is None:
        return []
    usual = float(np.median(inside.a - inside.b))
    both = [(pair, most_different(pair.a, pair.b, usual, count=PICTURES)) for pair in pairs]
    return [
        (letter, [(pair, sides[i]) for pair, sides in both]) for i, letter in enumerate(letters)
    ]


def pictures(
    ctx: Context, name: str, picks: np.ndarray, evaluation: Evaluation
) -> np.ndarray | None:
    """The images at hand, where they are those that were evaluated."""
    try:
        images = ctx.images(name, ctx.a)
    except MissingImages:
        return None
    if images.digest != evaluation.set_digest or not len(picks):
        return None
    return images.images[picks]


def score_table(
    score: Score, pairs: Sequence[ScoredPair], files: Mapping[str, Sequence[str]], letters: str
) -> pd.DataFrame:
    """The score under both models and its difference, one row an image with its file."""
    a, b = letters[0].lower(), letters[1].lower()
    frames = []
    for pair in pairs:
        known = files.get(pair.name) or [""] * len(pair.a)
        columns = {"set": pair.name, "image": np.arange(len(pair.a)), "file": known}
        values = {f"{score.key}_{a}": pair.a, f"{score.key}_{b}": pair.b}
        values[f"{a}_minus_{b}"] = pair.a - pair.b
        frames.append(pd.DataFrame({**columns, **values}))
    return pd.concat(frames, ignore_index=True)
