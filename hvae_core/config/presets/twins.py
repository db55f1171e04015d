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

from hvae_core.config import (
    DeepConfig,
    DenoiserConfig,
    HVAEConfig,
    ModelConfig,
    TrainConfig,
    schedules_over,
)
from hvae_core.config.presets.preset import SHORT, Preset

_CHANNELS, _HIDDEN, _DENOISER = 32, 16, 16
"""Widths at most: of features, inside a block of a deep network, of a denoiser."""
_COLOUR_EPOCHS = 8


def twin(paper: Preset) -> Preset:
    """The small twin of a paper's recipe."""
    model = narrowed(paper.model)
    halved = (
        "" if model.latent_shapes == paper.model.latent_shapes else ", latents of half the side"
    )
    return Preset(
        f"{paper.name}-small",
        f"small twin: {paper.title.partition(': ')[2]}",
        paper.world,
        model,
        _shortened(paper.train, colours=model.image_shape[0]),
        f"{paper.source}; small{halved}",
        paper.name,
    )


def narrowed(model: ModelConfig) -> ModelConfig:
    """The same layers in a narrow network on folded pixels.

    A first stride of 2 falls to the folding, so every latent keeps its shape. Without one, in the
    deep networks of colour, every size halves: at the paper's sizes, 45 layers would see 30,000
    images in an hour of one core.
    """
    return _layered(model) if isinstance(model, HVAEConfig) else _deep(model)


def _layered(model: HVAEConfig) -> HVAEConfig:
    """One residual block a stage; a kernel of 3 sees as much of folded pixels as one of 5 did."""
    first, *others = model.latents
    return replace(
        model,
        latents=(replace(first, stride=1, kernel=3), *others),
        channels=_narrow(model.channels, _CHANNELS),
        blocks=1,
        stem=2,
    )


def _deep(model: DeepConfig) -> DeepConfig:
    """One residual block a scale on the way up; the blocks of the way down keep their plan."""
    first, *others = model.scales
    context, pseudo = model.context, model.pseudo
    return replace(
        model,
        scales=(replace(first, stride=1), *others),
        channels=_narrow(model.channels, _CHANNELS),
        hidden=_narrow(model.hidden, _HIDDEN),
        encoder_blocks=1,
        stem=2,
        context=context and replace(context, denoiser=_denoiser(context.denoiser)),
        pseudo=pseudo and replace(pseudo, denoiser=_denoiser(pseudo.denoiser)),
    )


def _denoiser(net: DenoiserConfig) -> DenoiserConfig:
    return replace(net, channels=_narrow(net.channels, _DENOISER), blocks=1)


def _narrow(width: int, most: int) -> int:
    return min(width // 2, most)


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
