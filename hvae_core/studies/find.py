"""Which checkpoints a study needs, which of them are here, and how long the others would take."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from hvae_core.config.describe import duration
from hvae_core.studies.compare import seconds_a_step
from hvae_core.studies.spec import ModelSpec, StudySpec

if TYPE_CHECKING:
    from hvae_core.checkpoint import CheckpointInfo
    from hvae_core.config.presets import Preset


@dataclass(frozen=True)
class Wanted:
    """One checkpoint of a study: ``path`` where it is here and finished, else ``folder`` to train.

    ``info`` is what the file at ``path`` says of itself.

    ``seconds`` estimates the training that is left, NaN where no run has recorded its speed.
    """

    model: ModelSpec
    seed: int
    path: Path | None
    folder: Path
    info: CheckpointInfo | None = None
    epochs: int = 0
    done: int = 0
    seconds: float = 0.0

    @property
    def absent(self) -> str:
        """Why this checkpoint is not here, in words."""
        begun = f" ({self.done} of {self.epochs} epochs)" if self.done else ""
        return f"seed {self.seed} not trained yet{begun}"

    @property
    def what(self) -> str:
        """In words: "glyphs-hvae3-elbo, seed 1"."""
        named = self.model.preset or self.model.checkpoint
        return f"{named}, seed {self.seed}" if self.model.preset else named


def wanted(study: StudySpec, runs: Sequence[Path]) -> tuple[Wanted, ...]:
    """Every checkpoint of a study; the first of ``runs`` is where missing ones are trained.

    A run is DIR/s<seed>/<preset>/<preset>.safetensors; a shipped checkpoint of the same preset,
    seed and epochs stands in for one. Raises ``CheckpointError`` for a checkpoint that is not here,
    ``ConfigError`` for a run of other epochs than the study's.
    """
    return tuple(found for model in study.models for found in _of_model(model, runs))


def to_train(study: StudySpec, runs: Sequence[Path]) -> tuple[Wanted, ...]:
    """What has to be trained, in an order in which every recipe finds the run that it starts from.

    A start that is neither in the same folder nor shipped is trained first, at the same seed.
    """
    from hvae_core.checkpoint import shipped_checkpoints
    from hvae_core.config.presets import get_preset

    runs_by_folder: dict[Path, Wanted] = {}

    def add(run: Wanted) -> None:
        start = get_preset(run.model.preset).train.start
        if start and start not in shipped_checkpoints():
            first = _of_seed(ModelSpec(preset=start, seeds=(run.seed,)), run.seed, runs[:1])
            if first.path is None:
                add(first)
        runs_by_folder.setdefault(run.folder, run)

    for run in wanted(study, runs):
        if run.path is None:
            add(run)
    return tuple(runs_by_folder.values())


def _of_model(model: ModelSpec, runs: Sequence[Path]) -> Iterable[Wanted]:
    from hvae_core.checkpoint import inspect_checkpoint
    from hvae_core.evaluation.lookup import checkpoint_path

    if model.checkpoint:
        path = checkpoint_path(model.checkpoint)
        info = inspect_checkpoint(path)
        yield Wanted(model, info.card.seed, path, folder=path.parent, info=info)
        return
    for seed in model.seeds:
        yield _of_seed(model, seed, runs)


def _of_seed(model: ModelSpec, seed: int, runs: Sequence[Path]) -> Wanted:
    from hvae_core.checkpoint import inspect_checkpoint, shipped_checkpoints
    from hvae_core.config.presets import get_preset

    preset = get_preset(model.preset)
    epochs = model.epochs or preset.train.epochs
    begun: tuple[Path, int] | None = None
    for folder in (run_folder(base, seed, preset.name) for base in runs):
        path = folder / f"{preset.name}.safetensors"
        if not path.is_file():
            continue
        info = inspect_checkpoint(path)
        if _is_run(info, preset, seed, epochs=epochs):
            if info.card.epochs == epochs:
                return Wanted(
                    model, seed, path, folder=folder, info=info, epochs=epochs, done=epochs
                )
            begun = begun or (folder, info.card.epochs)
    shipped = shipped_checkpoints().get(preset.name)
    if shipped is not None:
        info = inspect_checkpoint(shipped)
        if _is_run(info, preset, seed, epochs=epochs) and info.card.epochs == epochs:
            return Wanted(
                model, seed, shipped, folder=shipped.parent, info=info, epochs=epochs, done=epochs
            )
    folder, done = begun or (run_folder(runs[0], seed, preset.name), 0)
    left = seconds_of(preset, epochs - done, runs)
    return Wanted(
        model, seed, None, folder=folder, info=None, epochs=epochs, done=done, seconds=left
    )


def run_folder(base: Path, seed: int, preset: str) -> Path:
    """Where a run of a study is kept."""
    return base / f"s{seed}" / preset


def _is_run(info: CheckpointInfo, preset: Preset, seed: int, *, epochs: int) -> bool:
    """Whether a checkpoint is a run of this preset and seed that has, or aims at, these epochs."""
    planned = info.train.epochs if info.train else info.card.epochs
    return info.card.preset == preset.name and info.card.seed == seed and planned == epochs


def seconds_of(preset: Preset, epochs: int, runs: Sequence[Path]) -> float:
    """Seconds that so many epochs take, by the recorded time of a step; NaN if none is recorded.

    Any run of the preset here tells, whatever its seed and length.
    """
    from hvae_core.checkpoint import inspect_checkpoint, shipped_checkpoints
    from hvae_core.common.errors import CheckpointError

    pattern = f"s*/{preset.name}/{preset.name}.safetensors"
    paths = [path for base in runs for path in sorted(base.glob(pattern))]
    if preset.name in shipped_checkpoints():
        paths.append(shipped_checkpoints()[preset.name])
    for path in paths:
        try:
            info = inspect_checkpoint(path)
        except CheckpointError:
            continue
        step = seconds_a_step(info)
        if not math.isnan(step) and info.train is not None:
            images = min(info.train.epoch_images or math.inf, info.card.train_images)
            return step * math.ceil(images / info.train.batch_size) * epochs
    return math.nan


def in_words(seconds: float) -> str:
    """A span of time: "about 12 min", or that nothing tells."""
    if math.isnan(seconds):
        return "unknown, no run has recorded its speed"
    return f"about {duration(seconds)}"
