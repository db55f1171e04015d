"""Checkpoints for assets/: half the size, and the bounds that they had."""

from __future__ import annotations

from pathlib import Path

from hvae_core.checkpoint import Checkpoint, load_checkpoint, save_checkpoint
from hvae_core.common.errors import CheckpointError
from hvae_core.data import ImageSet
from hvae_core.evaluation.compute import evaluate
from hvae_core.evaluation.evaluation import EvalSettings

IMAGES = 200
"""Validation images that the bounds are compared on."""
TOLERANCE = 1e-3
"""Share of a bound by which rounding the weights may change it, on the mean over the images."""
_SETTINGS = EvalSettings(samples=5, partial_samples=5)


def ship(checkpoint: Checkpoint, images: ImageSet, path: Path) -> float:
    """Write a checkpoint in 16 bits and return the largest mean change of a bound, as a share.

    Raises ``CheckpointError``, with nothing written, where it exceeds ``TOLERANCE``.
    """
    draft = path.with_suffix(".draft.safetensors")
    try:
        save_checkpoint(
            draft,
            checkpoint.model,
            card=checkpoint.card,
            history=checkpoint.history,
            train=checkpoint.train,
            half=True,
        )
        change = largest_change(checkpoint, load_checkpoint(draft), images)
        if change > TOLERANCE:
            raise CheckpointError(
                f"In 16 bits the bounds of {checkpoint.name} change by {change:.2%}, more than "
                f"{TOLERANCE:.1%}; ship it in 32 bits, as the run wrote it."
            )
        draft.replace(path)
    finally:
        draft.unlink(missing_ok=True)
    return change


def largest_change(before: Checkpoint, after: Checkpoint, images: ImageSet) -> float:
    """max over k of mean |L_>k(before) - L_>k(after)| / mean |L_>k(before)| over the images."""
    old, new = (
        evaluate(c.model, c.digest, images, settings=_SETTINGS).table.bound for c in (before, after)
    )
    return float((abs(old - new).mean(0) / abs(old).mean(0)).max())
