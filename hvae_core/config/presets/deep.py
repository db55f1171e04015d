"""Deep top-down VAEs: the hosts of DCT-VAE and DVP-VAE in the papers' sizes, and small ones.

The grey hosts train on FashionMNIST, which is 28 x 28 as MNIST and OMNIGLOT are. DVP's Table 7 of
widths and schedules is missing from our copy: its numbers are those of the authors' public
configuration (github.com/AKuzina/dvp_vae), with which the networks here have the weights that DVP
Tables 5 and 6 print. The first epochs of a rising learning rate and the dropout there have no
counterpart here.
"""

from __future__ import annotations

import math
from dataclasses import replace

from hvae_core.config import ScaleConfig, TrainConfig, VDVAEConfig
from hvae_core.config.presets.preset import GREY, SHORT, Preset

_COLOUR = (3, 32, 32)


def _nats(norm: float, image_shape: tuple[int, int, int]) -> float:
    """A gradient's norm for the loss of here, nats an image, from one for the authors' bits/dim.

    So both of their public programs train (that of DCT divides colour by the dimensions once more,
    and then never clips); at 100 nats an image no step at all would be taken. Weight decay that is
    added to a gradient is in its unit too.
    """
    return norm * math.log(2) * math.prod(image_shape)


# DCT Table 6, columns VAE: "4 x 14^2, 4 x 7^2" are numbers of layers and sizes.
_DCT_GREY = Preset(
    name="vdvae-dct-grey8",
    title="paper size: VDVAE, 8 layers, host of DCT-VAE",
    world="fashion",
    model=VDVAEConfig(
        GREY, (ScaleConfig(4, 1, stride=2), ScaleConfig(4, 1)), channels=32, hidden=40
    ),
    train=TrainConfig(
        data="fashion",
        epochs=600,
        batch_size=128,
        learning_rate=1e-3,
        final_learning_rate=1e-5,
        optimizer="adamw",
        weight_decay=1e-2,
        skip_norm=_nats(100.0, GREY),
        clip_norm=_nats(1.0, GREY),
        ema=0.0,
    ),
    source="DCT Table 6, MNIST and OMNIGLOT",
)
_DCT_COLOUR = Preset(
    name="vdvae-dct-cifar29",
    title="paper size but for weight norm: VDVAE, 29 layers, host of DCT-VAE",
    world="cifar",
    model=VDVAEConfig(
        _COLOUR,
        (
            ScaleConfig(10, 8, stride=1),
            ScaleConfig(10, 8),
            ScaleConfig(5, 8),
            ScaleConfig(3, 8),
            ScaleConfig(1, 8, stride=4),
        ),
        channels=384,
        hidden=96,
        likelihood="mixture_logistic",
    ),
    train=TrainConfig(
        data="cifar",
        epochs=8000,
        batch_size=384,  # 96 on each of four GPUs
        learning_rate=4e-4,
        final_learning_rate=5e-5,
        optimizer="adamw",
        weight_decay=1e-2,
        skip_norm=_nats(100.0, _COLOUR),
        clip_norm=_nats(0.2, _COLOUR),
        ema=0.0,
    ),
    source="DCT Table 6, CIFAR10",
)

# DVP 4: sums, three residual blocks, aggregation.
_DVP_HOST = VDVAEConfig(
    GREY,
    (ScaleConfig(4, 1, stride=2), ScaleConfig(4, 1)),
    channels=32,
    hidden=32,
    blocks=3,
    encoder_blocks=3,
    output_blocks=0,
    combine="sum",
    aggregation=True,
)
_DVP_GREY = Preset(
    name="vdvae-dvp-grey8",
    title="paper size: top-down VAE with aggregation, 8 layers, host of DVP-VAE",
    world="fashion",
    model=_DVP_HOST,
    train=TrainConfig(
        data="fashion",
        epochs=300,
        batch_size=250,
        learning_rate=1e-2,
        final_learning_rate=1e-5,
        optimizer="adamax",
        weight_decay=_nats(1e-6, GREY),
        clip_norm=_nats(5.0, GREY),
        ema=0.999,
    ),
    source="DVP 4, Tables 5, 6 (MNIST); widths and schedule of the authors' configuration",
)
_DVP_GREY_WIDE = Preset(
    name="vdvae-dvp-grey8-wide",
    title="paper size: top-down VAE with aggregation, 8 wide layers, host of DVP-VAE",
    world="fashion",
    model=replace(_DVP_HOST, channels=80, hidden=40),
    train=replace(
        _DVP_GREY.train, epochs=500, clip_norm=_nats(2.0, GREY), final_learning_rate=1e-4
    ),
    source="DVP 4, Table 5 (OMNIGLOT); widths and schedule of the authors' configuration",
)
_DVP_COLOUR_28 = Preset(
    name="vdvae-dvp-cifar28",
    title="paper size: top-down VAE with aggregation, 28 layers, host of DVP-VAE",
    world="cifar",
    model=VDVAEConfig(
        _COLOUR,
        (
            ScaleConfig(10, 3, stride=1),
            ScaleConfig(8, 3),
            ScaleConfig(6, 3),
            ScaleConfig(4, 3),
        ),
        channels=128,
        hidden=96,
        blocks=3,
        encoder_blocks=4,
        output_blocks=0,
        combine="sum",
        aggregation=True,
        likelihood="mixture_logistic",
    ),
    train=TrainConfig(
        data="cifar",
        epochs=3000,
        batch_size=128,
        learning_rate=3e-3,
        final_learning_rate=1e-4,
        optimizer="adamax",
        weight_decay=_nats(1e-6, _COLOUR),
        clip_norm=_nats(150.0, _COLOUR),
        ema=0.999,
    ),
    source="DVP 4, Table 6 (CIFAR10); widths and schedule of the authors' configuration",
)
_DVP_COLOUR = Preset(
    name="vdvae-dvp-cifar45",
    title="paper size: top-down VAE with aggregation, 45 layers, host of DVP-VAE",
    world="cifar",
    model=VDVAEConfig(
        _COLOUR,
        (
            # Five scales as in Child 2021, most layers at the finest; the width is that of the
            # authors' model of 28 layers.
            ScaleConfig(23, 3, stride=1),
            ScaleConfig(11, 3),
            ScaleConfig(6, 3),
            ScaleConfig(4, 3),
            ScaleConfig(1, 3, stride=4),
        ),
        channels=384,
        hidden=96,
        blocks=3,
        combine="sum",
        aggregation=True,
        likelihood="mixture_logistic",
    ),
    train=TrainConfig(
        data="cifar",
        epochs=284,  # 0.4M steps of the 45,000 images that train here
        batch_size=32,
        learning_rate=1e-3,
        final_learning_rate=1e-3,
        optimizer="adamax",
        clip_norm=_nats(200.0, _COLOUR),
        ema=0.9998,
    ),
    source="DVP Table 3, 6.3, CIFAR10 (38M weights in the paper)",
)

_SMALL = VDVAEConfig(
    GREY,
    (ScaleConfig(3, 2, stride=1), ScaleConfig(3, 2), ScaleConfig(2, 2)),
    channels=32,
    hidden=24,
    encoder_blocks=1,
    stem=2,
)
_SOURCE = "Child 2021 as in DCT App. E, made small"
_GLYPHS = Preset(
    name="glyphs-vdvae-small",
    title="VDVAE, plain ELBO, 8 layers on 3 scales",
    world="glyphs",
    model=_SMALL,
    train=replace(SHORT, data="glyphs", epochs=12),
    source=_SOURCE,
)
_FASHION = replace(
    _GLYPHS,
    name="fashion-vdvae-small",
    world="fashion",
    train=replace(SHORT, epochs=12),
)

PAPERS = (
    _DCT_GREY,
    _DCT_COLOUR,
    _DVP_GREY,
    _DVP_GREY_WIDE,
    _DVP_COLOUR_28,
    _DVP_COLOUR,
)
PRESETS = (_GLYPHS, _FASHION, *PAPERS)
