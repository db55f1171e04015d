"""The one answer to: what are the bounds of this set under this checkpoint?

First the result that ships with the project for this checkpoint and these settings, then what the
cache has, then, where that is asked for, what is computed now. Commands, pages and studies all ask
here, so they show the same figures.

``assets/results/<checkpoint>/<set>.npz`` holds one evaluation under the default settings. It stands
for a set only where the pixels at hand are the same; where the images are not on this machine it is
given, and a note says so. No torch is imported unless something is computed.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

from hvae_core.common import cache
from hvae_core.common.errors import CheckpointError, MissingImages
from hvae_core.common.files import named_path
from hvae_core.common.npz import read_npz
from hvae_core.common.own_models import is_named
from hvae_core.common.places import ASSETS
from hvae_core.common.plain import plain
from hvae_core.common.progress import Progress, silent
from hvae_core.data.image_set import ImageSet
from hvae_core.evaluation import SHIPPED_LIMIT
from hvae_core.evaluation.byte_planes import from_planes
from hvae_core.evaluation.evaluation import (
    EvalSettings,
    Evaluation,
    as_of,
    evaluation_key,
    unpack,
)
from hvae_core.evaluation.sets import Described, Sets

if TYPE_CHECKING:
    from hvae_core.checkpoint import Checkpoint

RESULTS = ASSETS / "results"
STATE = "state.safetensors"
"""In the folder of a run: the run itself, which may go on, and no checkpoint."""
NOT_HERE = "images not on this machine, the stored result is shown"


@dataclass(frozen=True, eq=False)
class Answer:
    """What is known of one set under one checkpoint.

    ``evaluation`` is None where it is yet to be computed, and where images and results are both
    absent: then ``missing`` says what to do. ``notes`` say what was done to the images, ``pixels``
    is their digest where they are on this machine.
    """

    evaluation: Evaluation | None
    notes: tuple[str, ...] = ()
    missing: str = ""
    pixels: str = ""


@dataclass(frozen=True, eq=False)
class Evaluated(Answer):
    """An answer that has an evaluation."""

    evaluation: Evaluation


def lookup(
    checkpoint: Described,
    sets: Sets,
    set_name: str,
    settings: EvalSettings | None = None,
    progress: Progress = silent,
) -> Answer:
    """The evaluation (HVK Eq. 5, 9) of a set, shipped or cached: computes nothing."""
    settings = settings or EvalSettings()
    shipped = shipped_result(checkpoint, set_name, settings, limit=sets.limit)
    try:
        pixels = sets.identity(checkpoint, set_name, progress)
        if shipped is not None and shipped.set_digest == pixels.digest:
            return Answer(replace(shipped, set_name=set_name), pixels.notes)
        evaluation = cache.peek(
            "evaluations", evaluation_key(checkpoint.digest, pixels.digest, settings), unpack
        )
        if evaluation is not None:
            evaluation = as_of(evaluation, sets.images(checkpoint, set_name, progress))
        return Answer(evaluation, pixels.notes, pixels=pixels.digest)
    except MissingImages as error:
        # Nothing contradicts the stored result, and whoever reads it is told what it rests on.
        return Answer(shipped, (NOT_HERE,) if shipped is not None else (), str(error))


def evaluated(
    checkpoint: Checkpoint,
    sets: Sets,
    set_name: str,
    settings: EvalSettings | None = None,
    progress: Progress = silent,
) -> Evaluated:
    """As ``lookup``, but computed now where it is not at hand.

    Raises ``MissingImages`` where the images are absent and nothing ships for them.
    """
    sets.fetch(set_name, progress)
    answer = lookup(checkpoint, sets, set_name, settings=settings, progress=progress)
    if answer.evaluation is not None:
        return Evaluated(answer.evaluation, answer.notes, answer.missing)
    if answer.missing:
        raise MissingImages(answer.missing)
    images = sets.images(checkpoint, set_name, progress)
    return Evaluated(
        evaluated_images(checkpoint, images, settings, progress=progress), images.notes
    )


def evaluated_images(
    checkpoint: Checkpoint,
    images: ImageSet,
    settings: EvalSettings | None = None,
    *,
    progress: Progress = silent,
) -> Evaluation:
    """The evaluation of images, brought to the model's shape: shipped, cached or computed now.

    What ships is looked for under the name of the set, and taken for the same pixels alone.
    """
    from hvae_core.evaluation.compute import evaluate

    settings, images = settings or EvalSettings(), images.fit(checkpoint.image_shape)
    shipped = shipped_result(checkpoint, images.name, settings, limit=SHIPPED_LIMIT)
    if shipped is not None and shipped.set_digest == images.digest:
        # Its table stays as ``lookup`` gives it, which may have no images to take digests of.
        return replace(as_of(shipped, images), table=shipped.table)
    model, digest = checkpoint.model, checkpoint.digest
    return evaluate(model, digest, images, settings=settings, progress=progress)


def shipped_result(
    checkpoint: Described, set_name: str, settings: EvalSettings, *, limit: int | None
) -> Evaluation | None:
    """The evaluation that ships for this checkpoint, set, settings and limit, or None."""
    if limit != SHIPPED_LIMIT:
        return None
    # Names are text from outside: only their last part may become a folder or a file.
    path = RESULTS / Path(checkpoint.name).name / f"{Path(set_name).name}.npz"
    if not path.is_file():
        return None
    evaluation = _shipped(path, path.stat().st_mtime_ns)
    same = (evaluation.checkpoint, evaluation.settings) == (checkpoint.digest, settings)
    return evaluation if same else None


def checkpoint_path(name: str) -> Path:
    """The file of a checkpoint: a path as it is, else by the name of a shipped or dropped one.

    The folder of a run stands for the checkpoint in it. A folder may also be a checkpoint of
    another project, which is converted where it is loaded.
    """
    from hvae_core.checkpoint.library import own_checkpoints, shipped_checkpoints

    if is_named(name):
        return Path(name)  # whether it may be run, the loading says
    path = named_path(name, CheckpointError)
    if path.is_file() or path.suffix == ".safetensors":
        return path  # what is wrong with it, the gate says
    paths = {**own_checkpoints(), **shipped_checkpoints()}
    if name in paths:
        return paths[name]
    if path.is_dir():
        made = [one for one in path.glob("*.safetensors") if one.name != STATE]
        return made[0] if len(made) == 1 else path
    names = f"the names here are {', '.join(paths)}" if paths else "none is shipped with this copy"
    raise CheckpointError(
        f"There is no checkpoint {plain(name)}; give the path of a .safetensors file or a name "
        f"({names})."
    )


@lru_cache(maxsize=256)
def _shipped(path: Path, modified: int) -> Evaluation:
    return unpack(from_planes(read_npz(path)))
