"""Which scores can be had under a checkpoint, without loading it: what is at hand, and why not."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path

from hvae_core.common.progress import silent
from hvae_core.data.worlds import World
from hvae_core.evaluation.evaluation import EvalSettings
from hvae_core.evaluation.sets import Described, Sets
from hvae_core.scores.assemble import AtHand, Beside, validation_set
from hvae_core.scores.classifier.library import world_classifiers
from hvae_core.scores.reference import lookup_reference, training_set
from hvae_core.scores.score import REASONS, Score


def background_path(world: World) -> Path | None:
    """The shipped checkpoint of a world that was trained on mutated pixels, or None."""
    from hvae_core.checkpoint.library import shipped_checkpoints  # it loads torch

    names = (name for name in world.checkpoints if name.endswith("-background"))
    return shipped_checkpoints().get(next(names, ""))


def at_hand(checkpoint: Described, sets: Sets, beside: Beside[Described]) -> set[str]:
    """What scores may need that is here or can be computed here."""
    training, held_out = training_set(sets.world), validation_set(sets.world)
    can = {
        "ensemble": bool(beside.ensemble),
        "background": beside.background is not None,
        "labels": bool(world_classifiers(sets.world.key)),
        "reference": (training is not None and sets.available(training))
        or lookup_reference(checkpoint, sets, EvalSettings()) is not None,
        "held_out": (held_out is not None and sets.available(held_out))
        or AtHand(checkpoint, sets).held_out(EvalSettings(), silent) is not None,
    }
    return {need for need, known in can.items() if known}


def why_not(score: Score, needs: Collection[str], layers: Collection[str]) -> str:
    """Why a score cannot be had, in a sentence; "" where it can.

    ``needs`` is what is ``at_hand``, ``layers`` names those whose posterior means are kept.
    """
    for need in score.needs:
        of_layer = need in ("latents", "narrow")
        kept = score.layer in layers if of_layer else need in needs or need == "white"
        if need in REASONS and not kept:
            return score.reason(need)
    return ""
