"""Which scores can be had under a checkpoint, without loading it: what is at hand, and why not."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path

from hvae_core.data.worlds import World
from hvae_core.scores import Score


def background_path(world: World) -> Path | None:
    """The shipped checkpoint of a world that was trained on mutated pixels, or None."""
    from hvae_core.checkpoint.library import shipped_checkpoints  # it loads torch

    names = (name for name in world.checkpoints if name.endswith("-background"))
    return shipped_checkpoints().get(next(names, ""))


def why_not(
    score: Score,
    world: World,
    *,
    kept: Collection[str],
    reference: bool,
    ensemble: bool,
    background: bool,
    classifiers: bool,
) -> str:
    """Why a score cannot be had, in a sentence; "" where it can.

    ``kept`` names the layers whose posterior means are kept image by image; the rest says what is
    at hand.
    """
    if "latents" in score.needs and score.layer not in kept:
        return f"The posterior means of {score.layer} are too many to be kept image by image."
    if "reference" in score.needs and not reference:
        return (
            f"The training images of {world.title}, with which it compares, are not on this "
            "machine, and no statistics of them are stored for this checkpoint."
        )
    if "ensemble" in score.needs and not ensemble:
        return "It needs a second checkpoint trained on the same images."
    if "background" in score.needs and not background:
        return (
            f"No background checkpoint of {world.title} is here; train one by a preset whose name "
            "ends in -background."
        )
    if "labels" in score.needs and not classifiers:
        return f"No classifier of the classes of {world.title} is here."
    return ""
