"""Which checkpoints a study needs, which of them are here, and how long the others would take."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from hvae_core.common.plain import plain
from hvae_core.config.describe import duration
from hvae_core.studies.compare import seconds_a_step
from hvae_core.studies.same_images import same_images
from hvae_core.studies.spec import ModelSpec, StudySpec

if TYPE_CHECKING:
    from hvae_core.checkpoint import CheckpointInfo
    from hvae_core.config.presets import Preset

UNTRAINED = "not trained yet"
"""What a table says of a run that is missing."""


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
    left_out: tuple[str, ...] = ()
    """Files at its place that are damaged or of another run, a sentence each."""

    @property
    def absent(self) -> str:
        """Why this checkpoint is not here, in words."""
        begun = f" ({self.done} of {self.epochs} epochs)" if self.done else ""
        return "; ".join([f"seed {self.seed} {UNTRAINED}{begun}", *self.left_out])

    @property
    def what(self) -> str:
        """In words: "glyphs-hvae3-elbo, seed 1"."""
        named = self.model.preset or self.model.checkpoint
        return f"{named}, seed {self.seed}" if self.model.preset else named


def wanted(study: StudySpec, runs: Sequence[Path]) -> tuple[Wanted, ...]:
    """Every checkpoint of a study; the first of ``runs`` is where missing ones are trained.

    A run is DIR/s<seed>/<preset>/<preset>.safetensors; a shipped checkpoint of the same preset,
    seed and epochs stands in for one. A file there that is damaged, or was trained on other images
    than the preset's world or than the seeds before it, is left out. Raises ``CheckpointError`` for
    a checkpoint that is named itself and is not here.
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
    before: list[CheckpointInfo] = []
    for seed in model.seeds:
        found = _of_seed(model, seed, runs, before=before)
        if found.info is not None:
            before.append(found.info)
        yield found


def _of_seed(
    model: ModelSpec, seed: int, runs: Sequence[Path], *, before: Sequence[CheckpointInfo] = ()
) -> Wanted:
    """The checkpoint of one seed; ``before`` are those of the seeds before it."""
    from hvae_core.checkpoint import inspect_checkpoint, shipped_checkpoints
    from hvae_core.common.errors import CheckpointError
    from hvae_core.config.presets import get_preset

    preset = get_preset(model.preset)
    epochs = model.epochs or preset.train.epochs
    begun: tuple[Path, int] | None = None
    others: list[str] = []
    places = [run_folder(base, seed, preset.name) / f"{preset.name}.safetensors" for base in runs]
    for path in [*places, *filter(None, [shipped_checkpoints().get(preset.name)])]:
        if not path.is_file():
            continue
        try:
            info = inspect_checkpoint(path)
        except CheckpointError as error:
            others.append(f"left out: {error}".rstrip("."))
            continue
        if not _is_run(info, preset, seed, epochs=epochs):
            continue
        other = _other_images(info, preset, before)
        if other:
            others.append(f"left out: the run in {'/'.join(path.parts[-3:-1])} {other}")
        elif info.card.epochs == epochs:
            return Wanted(
                model, seed, path, folder=path.parent, info=info, epochs=epochs, done=epochs,
                left_out=tuple(others),
            )  # fmt: skip
        elif path in places:
            begun = begun or (path.parent, info.card.epochs)
    folder, done = begun or (places[0].parent, 0)
    return Wanted(
        model, seed, None, folder=folder, info=None, epochs=epochs, done=done,
        seconds=seconds_of(preset, epochs - done, runs), left_out=tuple(others),
    )  # fmt: skip


def left_out(runs: Iterable[Wanted]) -> list[str]:
    """What was left out on the way to these, each sentence once."""
    return [*dict.fromkeys(sentence for run in runs for sentence in run.left_out)]


def run_folder(base: Path, seed: int, preset: str) -> Path:
    """Where a run of a study is kept."""
    return base / f"s{seed}" / preset


def _is_run(info: CheckpointInfo, preset: Preset, seed: int, *, epochs: int) -> bool:
    """Whether a checkpoint is a run of this preset and seed that has, or aims at, these epochs."""
    planned = info.train.epochs if info.train else info.card.epochs
    return info.card.preset == preset.name and info.card.seed == seed and planned == epochs


def _other_images(info: CheckpointInfo, preset: Preset, before: Sequence[CheckpointInfo]) -> str:
    """Why a run's training images are not those of its study, in words; empty where they are."""
    if info.train is not None and info.train.data != preset.world:
        return f"was trained on {plain(info.train.data)}, not on {preset.world}"
    for other in before:
        if not same_images(info, other):
            return f"was trained on other images than seed {other.card.seed}"
    return ""


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
