"""NAME-small for every recipe of a paper: the same model made narrow, and a short run.

One rule makes them all. What a paper compares stays: world, family, objective, likelihood, priors,
number of layers, skips, aggregation, optimiser, clipping. Networks have half the width or less and,
but for the way down of the deep ones, one residual block where there were several; 2 x 2 squares of
pixels are folded into channels.
A run is that of the other small recipes. On two processor cores none takes an hour:
``python -m tests.benchmarks.twins`` measures a step of each and estimates its run.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from hvae_core.config import TrainConfig, schedules_over
from hvae_core.config.presets.preset import Preset

_RUN_OF = {1: "fashion-hvae3-elbo", 3: "cifar-hvae3-elbo"}
"""The small recipe whose run a twin takes, by the number of colours."""


def twin(paper: Preset, presets: Mapping[str, Preset]) -> Preset:
    """The small twin of a paper's recipe, among the recipes that stand in files."""
    model = paper.model.narrowed()
    same = model.latent_shapes == paper.model.latent_shapes
    return Preset(
        name=f"{paper.name}-small",
        title=f"small twin: {paper.title.partition(': ')[2]}",
        world=paper.world,
        model=model,
        train=_shortened(paper.train, presets[_RUN_OF[model.image_shape[0]]].train),
        source=f"{paper.source}; small{'' if same else ', latents of half the side'}",
        twin_of=paper.name,
    )


def _shortened(train: TrainConfig, run: TrainConfig) -> TrainConfig:
    """The paper's objective and optimiser for a short run; schedules keep their share of it.

    The rate is the paper's where that is above what so short a run needs.
    """
    return replace(
        train,
        epochs=run.epochs,
        epoch_images=run.epoch_images,
        batch_size=run.batch_size,
        learning_rate=max(train.learning_rate, run.learning_rate),
        final_learning_rate=run.final_learning_rate,
        ema=run.ema,
        **schedules_over(train, run.epochs),
    )
