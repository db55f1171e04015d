"""What the page of two models reads of their layers: the likeness, its jobs and its words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
import streamlit as st

from hvae_core.common import fingerprint
from hvae_core.common.errors import MissingImages
from hvae_core.common.words import listed
from hvae_core.data.image_set import ImageSet
from hvae_core.figures import SetLine, fmt
from hvae_core.figures.theme import DRAWN
from hvae_core.probes.layer_likeness import (
    MIN_IMAGES,
    Likeness,
    layer_pairs,
    likeness_key,
    likeness_of_sets,
    stored_likeness,
)
from pages.collapse.layers import short_titles
from pages.shared import jobs, ui
from pages.shared.state import Context

JOB = "likeness"
SEED = 0
"""Of the draws and of the shuffle that gives the level of chance."""
MEASURES = {"matched units": "correlation", "CKA": "cka"}
BEFORE = (
    "Compare their layers on the same images once, and this title says where they agree. Until "
    "then you see one score of every image under both models, and bits per dimension by k. {drawn}"
)
LOOK_FOR = (
    "{drawn} At 1 two layers hold the same about each image. The dotted line is chance: the same "
    "measure with the images in another order."
)
ALIKE, UNLIKE = 0.7, 0.3
"""Parts of the way from chance to 1, above and below which a claim says "alike" or "hardly"."""


def sets_of(ctx: Context) -> list[str]:
    """The in-distribution set, then those held against it."""
    return list(dict.fromkeys([ctx.in_name, *ctx.out_names]))


def drawn(ctx: Context) -> str:
    """How the lines of both models are told apart."""
    first, second = (letter for letter, _ in ctx.lettered)
    a, b = named(ctx)
    return f"{first}, {a}, is drawn {DRAWN[first]}; {second}, {b}, {DRAWN[second]}."


def named(ctx: Context) -> tuple[str, str]:
    """Both models in a sentence."""
    a, b = short_titles(ctx.models, ctx.world.title)
    return ui.plain(a), ui.plain(b)


def likenesses(ctx: Context, names: Sequence[str]) -> dict[str, Likeness]:
    """Finished comparisons by set; the others are offered with one button.

    Before the first one, the offer stands in a frame that says what will be there.
    """
    done: dict[str, Likeness] = {}
    every: list[ImageSet] = []
    waiting: list[ImageSet] = []
    missing: list[str] = []
    a, b = ctx.models
    for name in names:
        try:
            images, of_a, of_b = (ctx.images(name, handle) for handle in (None, a, b))
        except MissingImages:
            known = _without_images(ctx, name)
            if known is None:
                missing.append(ctx.title(name))
            else:
                done[name] = known
            continue
        pixels = of_a.digest, of_b.digest
        likeness = stored_likeness(likeness_key((a.digest, b.digest), pixels, SEED))
        every.append(images)
        if likeness is not None:
            done[name] = likeness
        elif len(images) >= MIN_IMAGES:
            waiting.append(images)
    if waiting:
        _offer(ctx, every, waiting=waiting, first=not done)
    if missing:
        ui.missing_images(
            "Layers are compared on the images themselves, and these are not on this machine: "
            f"{ui.plain(', '.join(missing))}."
        )
    return done


def _without_images(ctx: Context, name: str) -> Likeness | None:
    """The comparison that ships for the pixels on which both models' stored results rest."""
    a, b = ctx.models
    of_a, of_b = (ctx.evaluation(handle, name) for handle in (a, b))
    if of_a is None or of_b is None:
        return None
    pixels = of_a.set_digest, of_b.set_digest
    return stored_likeness(likeness_key((a.digest, b.digest), pixels, SEED))


def _offer(
    ctx: Context, every: Sequence[ImageSet], waiting: list[ImageSet], *, first: bool
) -> None:
    (of_a, a), (of_b, b) = ctx.lettered
    # By all sets, not by those that wait: these become fewer while the job runs.
    name = jobs.name_of(JOB, a.digest, b.digest, [images.digest for images in every], SEED)
    titles = ui.plain(listed(images.title for images in waiting))
    words = f"Compare layers on {len(waiting)} set{'s' * (len(waiting) > 1)}"
    if first:
        with st.container(border=True):
            st.markdown(
                "**Not compared yet.** This chart will show, layer by layer, how much of what "
                f"{of_a} holds about an image {of_b} holds too, on {titles}. Each image passes "
                "through both models once; the result is kept."
            )
            pressed = jobs.asked(name, "Comparing layers", words)
    else:
        note = f"{titles}: the layers of these two models are not yet compared."
        pressed = jobs.asked(name, "Comparing layers", words, note=note)
    if pressed:
        key = fingerprint.digest(
            JOB, a.digest, b.digest, [images.digest for images in waiting], SEED
        )
        jobs.submit(name, key, likeness_of_sets, a.path, b.path, waiting, SEED)
        st.rerun()


def pairs_of(ctx: Context, by_set: Mapping[str, Likeness]) -> list[tuple[int, int]]:
    """Which layer of A stands beside which of B: one pairing, that of the first set, for all."""
    a, b = ctx.models
    return layer_pairs(by_set[_leading(ctx, by_set)], a.names, b.names)


def _leading(ctx: Context, by_set: Mapping[str, Likeness]) -> str:
    """The set that is spoken of: the one inside, or the first that is compared."""
    return ctx.in_name if ctx.in_name in by_set else next(iter(by_set))


def lines(
    ctx: Context, by_set: Mapping[str, Likeness], pairs: Sequence[tuple[int, int]], measure: str
) -> list[SetLine]:
    """What the chart by layer draws: a line a set."""
    where = tuple(np.transpose(pairs))
    lines = []
    for name, likeness in by_set.items():
        values, chance = getattr(likeness, measure)[where], likeness.chance[where]
        if measure == "cka":
            chance = np.zeros_like(chance)  # what the debiased estimator gives on average
        lines.append(SetLine(ctx.title(name), values, chance, place=ctx.place(name)))
    return lines


def headline(ctx: Context, by_set: Mapping[str, Likeness]) -> tuple[str, str]:
    """The claim about what the layers share, and what to look for."""
    if not by_set:
        a, b = named(ctx)
        return f"What do {a} and {b} have in common?", BEFORE.format(drawn=drawn(ctx))
    return claim(ctx, by_set), LOOK_FOR.format(drawn=drawn(ctx))


def claim(ctx: Context, by_set: Mapping[str, Likeness]) -> str:
    """Where the models agree on the leading set, by the way from chance to 1 in each pair."""
    (a, b), name, pairs = named(ctx), _leading(ctx, by_set), pairs_of(ctx, by_set)
    where = tuple(np.transpose(pairs))
    correlation, chance = by_set[name].correlation[where], by_set[name].chance[where]
    above = np.zeros(len(pairs))
    np.divide(correlation - chance, 1 - chance, out=above, where=chance < 1)
    own = ui.plain(ctx.title(name))
    low, high = int(np.argmin(above)), int(np.argmax(above))
    if above[low] >= ALIKE:
        return f"{a} and {b} represent {own} alike in every layer"
    if above[high] < UNLIKE:
        return f"{a} and {b} share hardly a unit on {own}"
    if len(pairs) == 1:
        return f"{a} and {b} share a part of what they see in {own}"
    most, least = (_pair_name(ctx, pairs[k]) for k in (high, low))
    return f"On {own}, {a} and {b} agree most in {most} and least in {least}"


def _pair_name(ctx: Context, pair: tuple[int, int]) -> str:
    a, b = ctx.models[0].names[pair[0]], ctx.models[1].names[pair[1]]
    return a if a == b else f"{a} with {b}"


def shift_in_words(
    ctx: Context, by_set: Mapping[str, Likeness], pairs: Sequence[tuple[int, int]]
) -> str:
    """How the likeness changes outside, by layer on average."""
    if ctx.in_name not in by_set or len(by_set) < 2:
        return ""
    where = tuple(np.transpose(pairs))
    own, *others = (
        f"{ui.plain(ctx.title(name))} {fmt(float(by_set[name].correlation[where].mean()))}"
        for name in (ctx.in_name, *(name for name in by_set if name != ctx.in_name))
    )
    return f"Mean over the layers: {own}; {', '.join(others)}."


def likeness_table(ctx: Context, by_set: Mapping[str, Likeness]) -> pd.DataFrame:
    """Every layer of one model against every one of the other, one row a set and pair."""
    (of_a, a), (of_b, b) = ctx.lettered
    return pd.DataFrame(
        {
            "set": name,
            f"layer_{of_a.lower()}": a.names[i],
            f"layer_{of_b.lower()}": b.names[j],
            "matched_correlation": likeness.correlation[i, j],
            "chance": likeness.chance[i, j],
            "cka": likeness.cka[i, j],
        }
        for name, likeness in by_set.items()
        for i in range(a.n_layers)
        for j in range(b.n_layers)
    )
