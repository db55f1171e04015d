"""What the page of two models reads: likeness by layer, bits, and one score under both."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import streamlit as st

from hvae_core import cache
from hvae_core.data.image_set import ImageSet
from hvae_core.errors import MissingImages, ScoreError
from hvae_core.figures import SetLine, fmt
from hvae_core.representation import (
    MIN_IMAGES,
    Likeness,
    agreement,
    layer_pairs,
    likeness_key,
    most_different,
    stored_likeness,
)
from hvae_core.scores import Score, score_list
from pages.lib import collapse, store, ui, work
from pages.lib.state import Context
from pages.lib.store import Handle

if TYPE_CHECKING:
    from hvae_core.evaluated import Evaluation

JOB = "likeness"
SEED = 0
"""Of the draws and of the shuffle that gives the level of chance."""
MEASURES = {"matched units": "correlation", "CKA": "cka"}
PICTURES = 7
"""Images of either side that the models differ on most."""
ALIKE, UNLIKE = 0.7, 0.3
"""Parts of the way from chance to 1, above and below which a claim says "alike" or "hardly"."""


@dataclass(frozen=True, eq=False)
class Scored:
    """One score of a set's images under both models; ``place`` is None for the set inside."""

    name: str
    title: str
    a: np.ndarray
    b: np.ndarray
    place: int | None


def sets_of(ctx: Context) -> list[str]:
    """The in-distribution set, then those held against it."""
    return list(dict.fromkeys([ctx.in_name, *ctx.out_names]))


def place(ctx: Context, name: str) -> int | None:
    """A set's place among the OOD sets, None for the one inside."""
    return None if name == ctx.in_name else ctx.out_names.index(name)


def letters(ctx: Context) -> tuple[str, str]:
    """Both models in a sentence."""
    a, b = collapse.short_titles(ctx.models, ctx.world.title)
    return ui.plain(a), ui.plain(b)


def likenesses(ctx: Context, names: Sequence[str]) -> dict[str, Likeness]:
    """Finished comparisons by set; the others are offered with one button."""
    done: dict[str, Likeness] = {}
    waiting: list[ImageSet] = []
    missing: list[str] = []
    a, b = ctx.models
    for name in names:
        try:
            images = store.images(ctx.world, name, ctx.data_root)
        except MissingImages:
            missing.append(ctx.title(name))
            continue
        fitted = (images.fit(a.image_shape), images.fit(b.image_shape))
        key = likeness_key((a.digest, b.digest), fitted, SEED)
        found = _stored(key, cache.entry_path(JOB, key).exists())
        if found is not None:
            done[name] = found
        elif len(images) >= MIN_IMAGES:
            waiting.append(images)
    if waiting:
        _offer(a, b, waiting)
    if missing:
        st.caption(
            ":material/image_not_supported: Layers are compared on the images themselves, and "
            f"these are not on this machine: {ui.plain(', '.join(missing))}. Under *Images* in the "
            "sidebar you can download them or choose a folder."
        )
    return done


@st.cache_resource(max_entries=64, show_spinner=False)
def _stored(key: str, exists: bool) -> Likeness | None:
    return stored_likeness(key) if exists else None


def _offer(a: Handle, b: Handle, waiting: Sequence[ImageSet]) -> None:
    job = work.current(JOB)
    if job is not None and job.active:
        work.show(JOB, "Comparing layers")
        return
    error = work.failed(JOB)
    if error:
        st.error(error)
    titles = ", ".join(images.title for images in waiting)
    st.info(
        f"{ui.plain(titles)}: the layers of these two models are not yet compared.",
        icon=":material/hourglass_empty:",
    )
    if st.button(f"Compare layers on {len(waiting)} set{'s' * (len(waiting) > 1)}"):
        from hvae_core.tasks import likeness_of_sets

        key = cache.digest(JOB, a.digest, b.digest, [images.digest for images in waiting], SEED)
        work.submit(JOB, key, likeness_of_sets, a.path, b.path, list(waiting), SEED)
        st.rerun()


def pairs_of(ctx: Context, found: Mapping[str, Likeness]) -> list[tuple[int, int]]:
    """Which layer of A stands beside which of B: one pairing, that of the first set, for all."""
    a, b = ctx.models
    first = found.get(ctx.in_name) or next(iter(found.values()))
    return layer_pairs(first, a.names, b.names)


def lines(
    ctx: Context, found: Mapping[str, Likeness], pairs: Sequence[tuple[int, int]], measure: str
) -> list[SetLine]:
    """What the chart by layer draws: a line a set."""
    rows, columns = zip(*pairs, strict=True)
    made = []
    for name, one in found.items():
        values = getattr(one, measure)[list(rows), list(columns)]
        chance = one.chance[list(rows), list(columns)]
        if measure == "cka":
            chance = np.zeros_like(chance)  # what the debiased estimator gives on average
        made.append(SetLine(ctx.title(name), values, chance, place(ctx, name)))
    return made


def headline(ctx: Context, found: Mapping[str, Likeness]) -> tuple[str, str]:
    """The claim about what the layers share, and what to look for."""
    a, b = letters(ctx)
    look = (
        "A is drawn solid and B dashed. The nearer a value to 1, the more one layer's units can be "
        "told from the other's; the dotted line is what images in another order give."
    )
    inside = found.get(ctx.in_name)
    if inside is None:
        return f"{a} beside {b}", look
    pairs = pairs_of(ctx, found)
    above = [
        (inside.correlation[i, j] - inside.chance[i, j]) / (1 - inside.chance[i, j])
        if inside.chance[i, j] < 1
        else 0.0
        for i, j in pairs
    ]
    own = ui.plain(ctx.title(ctx.in_name))
    low, high = int(np.argmin(above)), int(np.argmax(above))
    if above[low] >= ALIKE:
        return f"{a} and {b} represent {own} alike in every layer", look
    if above[high] < UNLIKE:
        return f"{a} and {b} share hardly a unit on {own}", look
    if len(pairs) == 1:
        return f"{a} and {b} share a part of what they see in {own}", look
    most, least = (_pair_name(ctx, pairs[k]) for k in (high, low))
    return f"On {own}, {a} and {b} agree most in {most} and least in {least}", look


def _pair_name(ctx: Context, pair: tuple[int, int]) -> str:
    a, b = ctx.models[0].names[pair[0]], ctx.models[1].names[pair[1]]
    return a if a == b else f"{a} with {b}"


def shift_in_words(
    ctx: Context, found: Mapping[str, Likeness], pairs: Sequence[tuple[int, int]]
) -> str:
    """How the likeness changes outside, by layer on average."""
    inside = found.get(ctx.in_name)
    if inside is None or len(found) < 2:
        return ""
    rows, columns = (list(side) for side in zip(*pairs, strict=True))
    means = {n: float(one.correlation[rows, columns].mean()) for n, one in found.items()}
    own = means.pop(ctx.in_name)
    told = ", ".join(f"{ui.plain(ctx.title(name))} {fmt(mean)}" for name, mean in means.items())
    return f"Mean over the layers: {ui.plain(ctx.title(ctx.in_name))} {fmt(own)}; {told}."


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
            a, b = (score(one[name].material) for one in both)
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


def likeness_table(ctx: Context, found: Mapping[str, Likeness]) -> pd.DataFrame:
    """Every layer of A against every one of B, one row a set and pair."""
    a, b = ctx.models
    return pd.DataFrame(
        {
            "set": name,
            "layer_a": a.names[i],
            "layer_b": b.names[j],
            "matched_correlation": one.correlation[i, j],
            "chance": one.chance[i, j],
            "cka": one.cka[i, j],
        }
        for name, one in found.items()
        for i in range(a.n_layers)
        for j in range(b.n_layers)
    )


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
