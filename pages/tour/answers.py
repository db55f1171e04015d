"""What the questions of the tour have for an answer, from the figures of what the page shows now.

Each function gets the choices of the sidebar and the step, and returns the place of the choice that
holds with a sentence of numbers; or raises ``HVAEError`` where the figures are not there yet.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
import streamlit as st

from hvae_core.common.errors import HVAEError
from hvae_core.common.thresholds import ACTIVE_THRESHOLD, COLLAPSE_THRESHOLD
from hvae_core.common.words import area, fmt, listed, numbers, symbol_text
from hvae_core.detection.metrics import auroc
from hvae_core.detection.story import CAUGHT, story
from hvae_core.detection.verdict import Judgement
from hvae_core.evaluation.evaluation import Evaluation
from hvae_core.probes.picture_quality import group_losses
from hvae_core.scores import Score, get_score, score_list
from pages.collapse import layers
from pages.collapse.layers import CollapseSettings
from pages.generate import views
from pages.image.subject import JUDGEMENT
from pages.ood.models import label
from pages.shared import image_names, pictures
from pages.shared.controls import SEED_STEP
from pages.shared.state import Context
from pages.shared.store import Handle
from pages.tour.steps import Step

EVEN = 0.05
"""So far from one half an AUROC is called neither side's."""


class Answer(NamedTuple):
    """Which choice holds, and why; ``too`` are others that hold as well."""

    right: int
    because: str
    too: tuple[int, ...] = ()


def answer(step: Step, ctx: Context) -> Answer:
    """The answer to a step's question, for what is chosen now."""
    return ANSWERS[step.answer](step, ctx)


def cheaper(step: Step, ctx: Context) -> Answer:
    """Which side has the smaller -L: by the AUROC of the set that the page shows."""
    inside, outside = _evaluations(ctx)
    told = story(inside, outside)
    likelihood, name = told.likelihood, ctx.title(told.name)
    right = 2 if abs(likelihood - 0.5) < EVEN else 1 if likelihood < 0.5 else 0
    return Answer(
        right,
        f"In {_percent(1 - likelihood)} of all pairs, {name} cost less than "
        f"{ctx.title(ctx.in_name)} (AUROC of −L: {area(likelihood)}; chance is 0.5, "
        "and a good score comes near 1).",
    )


def kept(step: Step, ctx: Context) -> Answer:
    """Which row of redrawn pictures varies least."""
    name = st.session_state.get("g_a_set") or ctx.in_name
    number = int(st.session_state.get("g_a_number") or 0)
    images = _images(ctx, [image_names.name_of(str(name), number)]).images
    seed = ctx.seed + SEED_STEP * int(st.session_state.get("g_draw") or 0)
    warm = float(st.session_state.get("g_warm", 1.0))
    shares = views.kept_share(views.redrawn(ctx.a, images, seed, temperature=warm))
    if not shares:
        raise HVAEError(
            "This model has one level, so there are no rows to compare: choose one of several "
            "levels in the sidebar."
        )
    lowest, top = ctx.a.level_names[1], ctx.a.level_names[-1]
    right = int(np.argmax([shares[0], shares[-1] if len(shares) > 1 else -np.inf, 0.0]))
    upper = f"; {top} alone removes {_percent(shares[-1])}" if len(shares) > 1 else ""
    return Answer(
        right,
        f"Kept from {lowest} up, the layers remove {_percent(shares[0])} of the differences "
        f"between samples{upper}; keeping nothing removes none.",
    )


def loses(step: Step, ctx: Context) -> Answer:
    """Whether images of the model's kind or outsiders lose more nats at the step's own k."""
    state = st.session_state
    names = state.get(f"r_rows_{ctx.world.key}") or image_names.first(ctx)
    named = _images(ctx, names)
    rebuilt = pictures.of_images(
        ctx.a,
        named.images,
        skipped=state.get("r_skipped") or "mean",
        up=state.get("r_up") or "mean",
        temperature=float(state.get("r_temp", 1.0)),
        seed=ctx.seed + SEED_STEP * int(state.get("r_draw") or 0),
    )
    k = min(int(str(step.controls["r_k"])), ctx.a.n_levels - 1)
    groups = group_losses(rebuilt.nll, named.titles, named.outs, k=k)
    sides = [[group for group in groups if group.out is out] for out in (False, True)]
    if not all(sides):
        raise HVAEError("Choose rows of both sides: images of the model's own kind and outsiders.")
    own, other = (max(side, key=lambda group: group.lost) for side in sides)
    right = 2 if abs(own.lost - other.lost) < 1 else int(other.lost > own.lost)
    return Answer(
        right,
        f"At k = {k}, {own.name} lose {fmt(own.lost, 'nats')} and {other.name} "
        f"{fmt(other.lost, 'nats')}, a mean over the rows shown.",
    )


def enough(step: Step, ctx: Context) -> Answer:
    """For how many of the sets the chosen score tells them apart."""
    score = _score(ctx)
    areas = _areas(ctx, score)
    caught = sum(each >= CAUGHT for each in areas.values())
    right = 0 if caught == len(areas) else 1 if caught else 2
    plain = _areas(ctx, score_list(ctx.a.n_levels)[0])
    told = listed(f"{area(each)} on {title}" for title, each in areas.items())
    return Answer(
        right,
        f"AUROC of {symbol_text(score.symbol)}: {told}. The likelihood of all layers has "
        f"{listed(map(area, plain.values()))}.",
    )


def worst(step: Step, ctx: Context) -> Answer:
    """On which set the chosen score has the smallest AUROC."""
    score = _score(ctx)
    areas = {title: area for title, area in _areas(ctx, score).items() if title in step.choices}
    if len(areas) < 2:
        raise HVAEError("Choose at least two of the sets of this question in the sidebar.")
    name = min(areas, key=areas.__getitem__)
    told = listed(f"{title} {area(each)}" for title, each in sorted(areas.items(), key=_second))
    end = " Nothing catches everything: here the ratio is at chance." if areas[name] < 0.55 else ""
    return Answer(step.choices.index(name), f"AUROC of {symbol_text(score.symbol)}: {told}.{end}")


def lower_ratio(step: Step, ctx: Context) -> Answer:
    """Which tells the step's first set apart better: the ratio of the top alone, or one k lower."""
    k = ctx.a.n_levels - 1
    if k < 2:
        raise HVAEError("This question compares two ratios: choose a model of three levels.")
    inside, outside = _evaluations(ctx)
    name = step.sets[0]
    if name not in outside:
        raise HVAEError(f"Choose {ctx.title(name)} among the out-of-distribution sets.")
    other = outside[name]
    ratios = [get_score(f"llr_{each}", ctx.a.n_levels) for each in (k, k - 1)]
    top, below = areas = [_told(ratio, inside, other) for ratio in ratios]
    right = 2 if abs(top - below) < EVEN else int(below > top)
    told = listed(
        f"{area(each)} by {symbol_text(ratio.symbol)}"
        for ratio, each in zip(ratios, areas, strict=True)
    )
    kl = inside.table.kl.mean(0)
    upper = listed(
        f"{name} tells {fmt(float(nats), 'nats')}"
        for name, nats in zip(ctx.a.names[-2:], kl[-2:], strict=True)
    )
    return Answer(right, f"AUROC on {ctx.title(name)}: {told}. Of an image, {upper}.")


def silent(step: Step, ctx: Context) -> Answer:
    """Whether the last chosen model's silent layers lie at the top, below, or nowhere."""
    if len(ctx.models) < len(step.models):
        raise HVAEError("This question compares two models: choose model B in the sidebar.")
    found = [_layers(ctx, handle) for handle in ctx.models[: len(step.models)]]
    last = found[-1]
    quiet, names = last.silent, last.handle.names
    right = 0 if not quiet else 2 if last.handle.n_layers in quiet else 1
    kl = listed(f"{n} {fmt(v)}" for n, v in zip(names, last.result.kl, strict=True))
    idle = f"No active unit in {listed(names[i - 1] for i in quiet)}." if quiet else ""
    text = f"KL in nats: {kl}. {idle or 'Every layer has active units.'}"
    return Answer(right, text + _ratios(ctx))


def judged(step: Step, ctx: Context) -> Answer:
    """The page's verdict on the image that it shows, under model A."""
    judgement: Judgement | None = st.session_state.get(JUDGEMENT)
    if judgement is None:
        raise HVAEError("There is no verdict on the page yet: choose an image there.")
    decided = judgement.verdict
    kinds = (2, *[1] * (len(judgement.keys) - 1 - bool(judgement.path)), 3)
    holding = [kinds[place] for place in judgement.ties] if decided.out else [0]
    ratio = ""
    if judgement.level:
        ratio = f", by the ratio at k = {numbers(judgement.levels)} p = {fmt(judgement.p_level)}"
    path = f", by the path through the levels p = {fmt(judgement.p_path)}" if judgement.path else ""
    return Answer(
        holding[0],
        f"The joined p-value is {fmt(decided.p_value)}, at {_percent(decided.alpha)} false "
        f"alarms. By the likelihood alone p = {fmt(judgement.p_bound)}{ratio}{path}.",
        too=tuple(holding[1:]),
    )


ANSWERS: dict[str, Callable[[Step, Context], Answer]] = {
    function.__name__: function
    for function in (cheaper, kept, loses, enough, worst, lower_ratio, silent, judged)
}


def _evaluations(
    ctx: Context, handle: Handle | None = None
) -> tuple[Evaluation, dict[str, Evaluation]]:
    """The evaluations of the in-distribution set and of the sets held against it."""
    handle = handle or ctx.a
    inside = ctx.evaluation(handle, ctx.in_name)
    outside = {n: e for n in ctx.out_names if (e := ctx.evaluation(handle, n)) is not None}
    if inside is None or not outside:
        raise HVAEError(
            "The answer needs these sets evaluated under this model: press Evaluate on the page, "
            "or go back to the step's own choices."
        )
    return inside, outside


def _images(ctx: Context, names: Sequence[str]) -> image_names.NamedImages:
    named, problems = image_names.load(ctx, ctx.a, names)
    if named is None:
        raise HVAEError(problems[0] if problems else "Choose an image on the page first.")
    return named


def _score(ctx: Context) -> Score:
    """The score that the page OOD detection shows."""
    by_label = {label(score): score for score in score_list(ctx.a.n_levels)}
    chosen = by_label.get(str(st.session_state.get("o_score")))
    if chosen is None:
        raise HVAEError("The answer is known for the scores of the bounds: choose one of these.")
    return chosen


def _areas(ctx: Context, score: Score) -> dict[str, float]:
    inside, outside = _evaluations(ctx)
    return {ctx.title(name): _told(score, inside, each) for name, each in outside.items()}


def _told(score: Score, inside: Evaluation, outside: Evaluation) -> float:
    """AUROC of a score, one set held against the other."""
    return auroc(score(inside.table), score(outside.table))


def _ratios(ctx: Context) -> str:
    """The best ratio of each of two models on the sets held against them, or ""."""
    if len(ctx.models) < 2:
        return ""
    parts = []
    for letter, handle in ctx.lettered:
        inside, outside = _evaluations(ctx, handle)
        name, other = next(iter(outside.items()))
        ratios = [score for score in score_list(handle.n_levels) if score.family == "ratio"]
        best, score = max(((_told(s, inside, other), s) for s in ratios), key=lambda pair: pair[0])
        parts.append(f"{area(best)} under {letter} ({symbol_text(score.symbol)})")
    return f" The best ratio on {ctx.title(name)}: {listed(parts)}."


def _layers(ctx: Context, handle: Handle) -> layers.Layers:
    """The layers as the page Collapse finds them, at its set and thresholds."""
    state = st.session_state
    evaluation = ctx.evaluation(handle, str(state.get("c_set") or ctx.in_name))
    if evaluation is None:
        raise HVAEError(f"{handle.title} is not evaluated on this set yet: press Evaluate.")
    settings = CollapseSettings(
        float(state.get("c_below", COLLAPSE_THRESHOLD)),
        float(state.get("c_active", ACTIVE_THRESHOLD)),
    )
    return layers.layers_of(ctx, handle, evaluation, settings, split=next(iter(layers.SPLITS)))


def _percent(share: float) -> str:
    return f"{100 * share:.0f} %"


def _second(item: tuple[str, float]) -> float:
    return item[1]
