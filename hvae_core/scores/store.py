"""What ships beside a checkpoint: its evaluations, and what scores read of training images."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from hvae_core.common.errors import MissingImages
from hvae_core.common.progress import Progress, silent
from hvae_core.evaluation.sets import Sets
from hvae_core.scores.reference import store_reference

if TYPE_CHECKING:
    from hvae_core.checkpoint import Checkpoint


def stored_results(
    checkpoint: Checkpoint, sets: Sets, progress: Progress = silent
) -> Iterator[Path | MissingImages]:
    """Write assets/results/<checkpoint>/: a file for every set but the training set, one of that.

    Each path as it is written, or why a set's images are not here: its file is left as it is.
    """
    from hvae_core.evaluation.store import store_result

    stores: list[Callable[[], Path]] = [
        partial(store_result, checkpoint, sets, spec.name, progress)
        for spec in sets.world.with_role("validation", "in", "out", "control")
    ]
    if sets.world.with_role("train"):
        stores.append(partial(store_reference, checkpoint, sets, progress))
    for store in stores:
        try:
            yield store()
        except MissingImages as error:
            yield error
