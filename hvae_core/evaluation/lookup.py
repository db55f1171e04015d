"""Evaluations by name: those stored with the project, else from the cache, else computed now.

``assets/results/<checkpoint>/<set>.npz`` holds one evaluation under the default settings. It is
taken only for the checkpoint with the same digest and, where the images are at hand, only for
the same pixels; a figure never comes from weights or images other than those it names.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from hvae_core.checkpoint import (
    Checkpoint,
    CheckpointInfo,
    own_checkpoints,
    shipped_checkpoints,
)
from hvae_core.common.cache import write_npz
from hvae_core.common.errors import CheckpointError, MissingImages
from hvae_core.common.progress import Progress, silent
from hvae_core.data import ASSETS, ImageSet, World
from hvae_core.detection.report import SHIPPED_LIMIT
from hvae_core.evaluation.bounds import COLUMNS, ERRORS
from hvae_core.evaluation.byte_planes import to_planes
from hvae_core.evaluation.compute import evaluate
from hvae_core.evaluation.evaluation import EvalSettings, Evaluation, pack, shipped_evaluation

RESULTS = ASSETS / "results"
STEPS = dict.fromkeys(COLUMNS, 2.0**-12) | dict.fromkeys(ERRORS, 2.0**-10) | {"kl": 2.0**-18}
"""To what stored results are rounded, in nats: bounds as exactly as they are computed, the KL of a
layer finer, as that of a collapsed one is small."""


def checkpoint_path(name: str) -> Path:
    """The file of a checkpoint: a path as it is, else by the name of a shipped or dropped one."""
    path = Path(name).expanduser()
    if path.is_file() or path.suffix == ".safetensors":
        return path  # what is wrong with it, the gate says
    known = {**own_checkpoints(), **shipped_checkpoints()}
    if name in known:
        return known[name]
    names = f"the names here are {', '.join(known)}" if known else "none is shipped with this copy"
    raise CheckpointError(
        f"There is no checkpoint {name}; give the path of a .safetensors file or a name ({names})."
    )


def chosen_images(
    checkpoint: CheckpointInfo,
    world: World,
    set_name: str,
    *,
    limit: int | None = SHIPPED_LIMIT,
    data_root: str | Path | None = None,
    progress: Progress = silent,
) -> ImageSet:
    """The images of a set that stand for it, at the model's shape; None for ``limit`` takes all."""
    chosen = world.choose(set_name, data_root, limit=limit, progress=progress)
    return chosen.fit(checkpoint.config.image_shape)


def stored_result(
    checkpoint: CheckpointInfo, set_name: str, settings: EvalSettings, limit: int | None
) -> Evaluation | None:
    """The evaluation that ships for this checkpoint, set, settings and limit, or None."""
    if limit != SHIPPED_LIMIT:
        return None
    # A name is text from outside: only its last part may become a folder.
    folder = RESULTS / Path(checkpoint.name).name
    found = shipped_evaluation(folder, checkpoint.digest, Path(set_name).name)
    return found if found is not None and found.settings == settings else None


@dataclass(frozen=True, eq=False)
class Gathered:
    """An evaluation, and what a reader must know of its images ("resized from ...")."""

    evaluation: Evaluation
    notes: tuple[str, ...]


def gather(
    checkpoint: Checkpoint,
    world: World,
    set_name: str,
    settings: EvalSettings | None = None,
    *,
    limit: int | None = SHIPPED_LIMIT,
    data_root: str | Path | None = None,
    progress: Progress = silent,
    choose: Callable[..., ImageSet] = chosen_images,
) -> Gathered:
    """The evaluation (HVK Eq. 5, 9) of a world's set: stored, cached or computed, in this order.

    ``choose`` reads the images; one that remembers them spares work over many checkpoints. Raises
    ``MissingImages`` where the images are absent and nothing is stored for them.
    """
    settings = settings or EvalSettings()
    stored = stored_result(checkpoint, set_name, settings, limit)
    try:
        images = choose(
            checkpoint, world, set_name, limit=limit, data_root=data_root, progress=progress
        )
    except MissingImages:
        if stored is None:
            raise
        return Gathered(stored, ("images not on this machine, the stored result is shown",))
    if stored is not None and stored.set_digest == images.digest:
        return Gathered(stored, images.notes)
    computed = evaluate(checkpoint.model, checkpoint.digest, images, settings, progress=progress)
    return Gathered(computed, images.notes)


def store_result(
    checkpoint: Checkpoint,
    world: World,
    set_name: str,
    *,
    data_root: str | Path | None = None,
    progress: Progress = silent,
) -> Path:
    """Evaluate a set under the default settings and write it to the project's stored results.

    The latents of control sets, which few look at, are left out: an encoding brings them back.
    """
    images = chosen_images(checkpoint, world, set_name, data_root=data_root, progress=progress)
    found = evaluate(checkpoint.model, checkpoint.digest, images, EvalSettings(), progress=progress)
    if world.spec(set_name).role == "control":
        found = replace(found, latents=tuple(z[:, :0] for z in found.latents))
    path = RESULTS / checkpoint.name / f"{set_name}.npz"
    write_npz(path, to_planes(pack(found), STEPS), compressed=True)
    return path
