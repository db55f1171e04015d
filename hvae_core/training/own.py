"""Training on a person's own pictures with nothing to choose: network, length, held-out images.

The recipe was chosen by trial on small sets of three kinds (docs/own-images.md).
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from hvae_core.checkpoint import load_checkpoint
from hvae_core.checkpoint.library import add_checkpoint
from hvae_core.common.cache import cache_dir
from hvae_core.common.progress import Progress, Say, silent, unsaid
from hvae_core.config import LatentConfig, TrainConfig
from hvae_core.config.families.lvae import LVAEConfig
from hvae_core.config.presets import Preset
from hvae_core.data.held_out import SUFFIX, held_out_words, keep_held_out, path_of
from hvae_core.data.image_set import ImageSet
from hvae_core.data.own_images import OwnImages, own_images
from hvae_core.data.training_sets import TrainingSets
from hvae_core.evaluation.collapse_words import collapse_in_words
from hvae_core.evaluation.compute import evaluate
from hvae_core.evaluation.evaluation import EvalSettings
from hvae_core.training.recipe import adjusted, run_of

if TYPE_CHECKING:
    from lightning_fabric import Fabric

    from hvae_core.training.processes import Precision

PASSES = {False: 24_000, True: 12_000}
"""Images that go through the network in all, of drawings and of photographs."""
EPOCHS = (8, 100)
EPOCH_IMAGES = 5_000
_TRAINING_SHARE = 0.9
"""Of the time that all takes; the rest evaluates the held-out images."""


@dataclass(frozen=True)
class OwnRun:
    """A finished training: the checkpoint, its digest, and the collapse check in sentences."""

    path: Path
    digest: str
    held_out: int
    """How many images were held out."""
    collapse: tuple[str, ...]


def own_recipe(images: OwnImages, seed: int = 0) -> Preset:
    """A ladder VAE of three narrow layers, each held at four nats by free bits, for few pictures.

    Every layer of a ladder VAE is inferred from the image itself (Sonderby et al. 2016). Free bits
    (Kingma et al. 2016; HVK Table 4) stay to the end: on small sets an upper layer that is let go
    is lost again.
    """
    per_epoch = min(len(images.training), EPOCH_IMAGES)
    epochs = min(max(PASSES[images.photographs] // per_epoch, EPOCHS[0]), EPOCHS[1])
    model = LVAEConfig(
        image_shape=images.image_shape,
        latents=(
            LatentConfig(4, "conv", stride=2),
            LatentConfig(16, "dense", stride=2),
            LatentConfig(8, "dense", stride=1),
        ),
        channels=16,
        blocks=1,
        stem=2,
        likelihood="mixture_logistic" if images.photographs else "bernoulli",
    )
    train = TrainConfig(
        data=f"own: {images.title[:60]} ({images.digest[:12]})",
        epochs=epochs,
        epoch_images=per_epoch if per_epoch < len(images.training) else 0,
        batch_size=32,
        learning_rate=1e-3,
        final_learning_rate=5e-5,
        free_bits=4.0,
        free_bits_constant=float(epochs),
        ema=0.995,
        seed=seed,
    )
    return Preset(
        name=slug_of(images.title),
        title="LVAE, free bits, 3 layers",
        world="",
        model=model,
        train=train,
        source="the recipe for own images; free bits of HVK Table 4, to the end",
    )


def train_own(
    images: OwnImages,
    folder: Path,
    *,
    epochs: int | None = None,
    seed: int = 0,
    fabric: Fabric | None = None,
    precision: Precision = "32-true",
    progress: Progress = silent,
    say: Say = unsaid,
) -> OwnRun | None:
    """Train on own images into a folder, or continue there; then check what collapsed.

    The folder keeps the run, its checkpoint and the held-out images, by which a detector is
    calibrated; these are kept on this machine by the checkpoint's digest too. ``seed`` is that of
    the held-out images too. None in every process but the first. Raises ``ConfigError``.
    """
    preset = own_recipe(images, seed)
    config = adjusted(preset.train, epochs, seed, data=preset.train.data)
    words = "; ".join((images.title, *images.notes))
    apart = held_out_words(images.held_out, seed)
    path = run_of(
        preset, config, TrainingSets(images.training, images.held_out, config.data, words=words),
        folder=folder, fabric=fabric, precision=precision, extend=True, note=apart,
        progress=lambda fraction, message: progress(_TRAINING_SHARE * fraction, message), say=say,
    )  # fmt: skip
    return None if path is None else _finished(path, images, progress)


def _finished(path: Path, images: OwnImages, progress: Progress) -> OwnRun:
    """Keep the held-out images of a trained checkpoint, evaluate them, and say what collapsed."""
    checkpoint = load_checkpoint(path)
    for place in (path.with_name(path.stem + SUFFIX), path_of(checkpoint.digest)):
        keep_held_out(place, checkpoint.digest, images.held_out, images.training)

    def later(fraction: float, message: str) -> None:
        progress(_TRAINING_SHARE + (1 - _TRAINING_SHARE) * fraction, f"held-out images, {message}")

    evaluation = evaluate(
        checkpoint.model, checkpoint.digest, images.held_out, settings=EvalSettings(),
        progress=later,
    )  # fmt: skip
    return OwnRun(
        path, checkpoint.digest, len(images.held_out),
        collapse=collapse_in_words(evaluation, checkpoint.config.exact_kl),
    )  # fmt: skip


def train_own_job(
    source: str | ImageSet, side: int, *, progress: Progress = silent
) -> tuple[str, tuple[str, ...]]:
    """A job: ``train_own`` in the cache folder, where the same pictures go on if it was stopped.

    The checkpoint is added to those of this machine; its digest, and what to tell of it.
    """
    progress(0.0, "reading the pictures")
    images = own_images(source, side=side)
    run = train_own(images, own_folder(images), progress=progress)
    assert run is not None  # this is the only process
    add_checkpoint(run.path.read_bytes(), run.path.name)
    return run.digest, (*images.notes, *run.collapse)


def own_folder(images: OwnImages) -> Path:
    """Where the app keeps the run of these images."""
    return cache_dir() / "runs" / images.digest[:32]


def slug_of(title: str) -> str:
    """A title as the name of a file on any system."""
    plain = unicodedata.normalize("NFKD", title).encode("ascii", "ignore").decode()
    name = re.sub(r"[^A-Za-z0-9_-]+", "-", plain).strip("-")[:60] or "own-images"
    return "own-state" if name == "state" else name  # the run itself is state.safetensors
