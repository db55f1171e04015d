"""NAME-small for every recipe of a paper: the same model made narrow, and a short run.

One rule makes them all. What a paper compares stays: world, family, objective, likelihood, priors,
number of layers, skips, aggregation, optimiser, clipping. Networks have half the width or less and,
but for the way down of the deep ones, one residual block where there were several; 2 x 2 squares of
pixels are folded into channels.
A run is that of the other small recipes. On two processor cores none takes an hour:
``python -m tests.benchmarks.twins`` measures a step of each and estimates its run.
"""

from __future__ import annotations

from dataclasses import replace

from hvae_core.config import TrainConfig, schedules_over
from hvae_core.config.presets.preset import SHORT, Preset

_COLOUR_EPOCHS = 8


def twin(paper: Preset) -> Preset:
    """The small twin of a paper's recipe."""
    model = paper.model.narrowed()
    halved = (
        "" if model.latent_shapes == paper.model.latent_shapes else ", latents of half the side"
    )
    return Preset(
        name=f"{paper.name}-small",
        title=f"small twin: {paper.title.partition(': ')[2]}",
        world=paper.world,
        model=model,
        train=_shortened(paper.train, colours=model.image_shape[0]),
        source=f"{paper.source}; small{halved}",
        twin_of=paper.name,
    )


def _shortened(train: TrainConfig, colours: int) -> TrainConfig:
    """The paper's objective and optimiser for a short run; schedules keep their share of it.

    The rate is the paper's where that is above what so short a run needs.
    """
    epochs = SHORT.epochs if colours == 1 else _COLOUR_EPOCHS
    return replace(
        train,
        epochs=epochs,
        epoch_images=SHORT.epoch_images,
        batch_size=SHORT.batch_size,
        learning_rate=max(train.learning_rate, SHORT.learning_rate),
        final_learning_rate=SHORT.final_learning_rate,
        ema=SHORT.ema,
        **schedules_over(train, epochs),
    )
