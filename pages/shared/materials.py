"""What the scores of a model read beside its bounds, as far as it is at hand."""

from __future__ import annotations

from collections.abc import Mapping

from hvae_core.evaluation.evaluation import Evaluation
from hvae_core.scores import Material, Score, all_scores, richest
from hvae_core.scores.assemble import AtHand, Beside, assemble
from pages.shared.state import Context
from pages.shared.store import Handle

IMAGE = "image"
"""The name under which one image stands beside the set that it is held against."""
Materials = Mapping[str, tuple[Material, ...]]
"""By the name of the set: of all its images, and of its first ones with costly measures."""


def scores_of(handle: Handle) -> tuple[Score, ...]:
    """Every score of a model, whether it can be had or not."""
    return all_scores(handle.n_levels, handle.names)


def materials(ctx: Context, handle: Handle, evaluations: Mapping[str, Evaluation]) -> Materials:
    """All that is at hand for the evaluated sets of a model; nothing is computed here."""
    source, beside = AtHand(handle, ctx.sets), beside_of(ctx, handle)
    return assemble(source, list(evaluations.values()), scores_of(handle), beside=beside).materials


def with_scores(
    ctx: Context, handle: Handle, evaluations: Mapping[str, Evaluation]
) -> tuple[Materials, tuple[Score, ...]]:
    """All that is at hand, and the scores that every set has material for."""
    read = materials(ctx, handle, evaluations)
    return read, available(handle, read)


def beside_of(ctx: Context, handle: Handle) -> Beside[Handle]:
    """The other chosen models, and the world's background model."""
    others = tuple(other for other in ctx.models if other.digest != handle.digest)
    return Beside(others, ctx.background)


def available(handle: Handle, by_set: Materials) -> tuple[Score, ...]:
    """The scores that every one of the sets has material for, those of the bounds first."""
    return tuple(
        score
        for score in scores_of(handle)
        if not any(score.missing(richest(score, of_set)) for of_set in by_set.values())
    )
