"""The model under which a detector judges: by name, path, bytes or value, known by a digest."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hvae_core.common.arrays import Shape
from hvae_core.common.errors import CheckpointError, ConfigError, DataError
from hvae_core.common.plain import plain
from hvae_core.common.progress import Progress, silent
from hvae_core.data.held_out import HeldOut, held_out_of
from hvae_core.data.image_set import ImageSet
from hvae_core.evaluation.evaluation import EvalSettings, Evaluation
from hvae_core.evaluation.lookup import checkpoint_path, evaluated_images

if TYPE_CHECKING:
    from hvae_core.checkpoint import Checkpoint
    from hvae_core.models import HierarchicalVAE


@dataclass(frozen=True)
class Weights:
    """What stands for a model where its weights are not: its name and its digest."""

    name: str
    digest: str


@dataclass(frozen=True, eq=False)
class Judging:
    """A model that is ready to judge; ``path`` is that of its file, if it has one.

    ``live`` says that it came as a value, whose weights may change.
    """

    checkpoint: Checkpoint
    path: Path | None = None
    live: bool = False

    @property
    def model(self) -> HierarchicalVAE:
        """The network."""
        return self.checkpoint.model

    @property
    def name(self) -> str:
        """What it is called."""
        return self.checkpoint.name

    @property
    def digest(self) -> str:
        """SHA-256 of its file, or of what its numbers follow from."""
        return self.checkpoint.digest

    @property
    def source(self) -> Any:
        """What gives the same model again: its path, else the checkpoint."""
        return self.path or self.checkpoint

    @property
    def image_shape(self) -> Shape:
        """(C, H, W) of the images that it reads."""
        return self.model.image_shape

    @property
    def units(self) -> tuple[int, ...]:
        """Latent units of each layer, z_1 first."""
        return tuple(spec.units for spec in self.model.latents)

    @property
    def levels(self) -> tuple[str, ...]:
        """The level of each layer."""
        return tuple(spec.group for spec in self.model.latents)

    @property
    def names(self) -> tuple[str, ...]:
        """The names of the layers."""
        return tuple(spec.name for spec in self.model.latents)

    def held_out(self) -> HeldOut | None:
        """The images that training set apart, where this machine has them."""
        return held_out_of(self.digest, self.path)

    def evaluate(
        self, images: ImageSet, settings: EvalSettings, progress: Progress = silent
    ) -> Evaluation:
        """Bounds L_>k (HVK Eq. 5, 9) of images of the model's shape: known, or computed now."""
        return evaluated_images(self.checkpoint, images, settings, progress=progress)


def judging(source: Any) -> Judging:
    """The model that ``source`` is or names: a name, a path, bytes, a checkpoint or a model.

    The folder of a run stands for its checkpoint, FILE.py:NAME for a network of the user's own.
    Raises ``CheckpointError`` or ``ModelError``.
    """
    from hvae_core.checkpoint import checkpoint_of, load_checkpoint

    if isinstance(source, Weights):
        raise CheckpointError(
            f"The weights of {plain(source.name)} (sha256 {source.digest[:16]}) were not stored "
            "with the detector; give the model again with set_params(model=...)."
        )
    if isinstance(source, bytes):
        return Judging(load_checkpoint(source))
    if not isinstance(source, str | Path):
        return Judging(checkpoint_of(source), live=True)
    path = checkpoint_path(str(source))
    checkpoint = _loaded(path, path.stat().st_mtime_ns) if path.is_file() else load_checkpoint(path)
    return Judging(checkpoint, path)


@lru_cache(maxsize=4)
def _loaded(path: Path, modified: int) -> Checkpoint:
    """The checkpoint of a file in one state: folds of a cross-validation share its weights."""
    from hvae_core.checkpoint import load_checkpoint

    return load_checkpoint(path)


def same_weights(known: Judging, name: str, digest: str) -> None:
    """Raise ``ConfigError`` unless a model is the one whose scores the thresholds rest on."""
    if known.digest != digest:
        raise ConfigError(
            f"The thresholds of this detector rest on {plain(name)} (sha256 {digest[:16]}), and "
            f"the model is now {plain(known.name)} (sha256 {known.digest[:16]}); fit it again."
        )


def held_out_images(known: Judging, source: str | None = None) -> ImageSet:
    """The images by which a model is calibrated: those of a source, else its own held-out ones.

    Its own are those that training set apart, else the validation set of its world. Raises
    ``DataError`` where there are none.
    """
    from hvae_core.data.load import load_source
    from hvae_core.evaluation.sets import Sets
    from hvae_core.evaluation.worlds import held_out_name, world_key, world_of

    if source is not None:
        return load_source(source)
    apart = known.held_out()
    if apart is not None:
        return apart.images
    if world_key(known.checkpoint) is None:
        raise DataError(
            f"No held-out images of {known.name} are here; name some with --held-out: images of "
            "the kind that it was trained on, but others."
        )
    world = world_of(known.checkpoint)
    return Sets(world).images(known.checkpoint, held_out_name(world))
