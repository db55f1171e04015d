"""Deep top-down VAEs: the hosts of DCT-VAE and DVP-VAE in the papers' sizes, and small ones.

The grey hosts train on FashionMNIST, which is 28 x 28 as MNIST and OMNIGLOT are. Latents of the
colour hosts are narrower than the papers', for the bound on a configuration's latent units.
"""

from __future__ import annotations

from dataclasses import replace

from hvae_core.config import DeepConfig, ScaleConfig, TrainConfig
from hvae_core.presets.base import GREY, SHORT, Preset

_COLOUR = (3, 32, 32)

# DCT Table 6, columns VAE: "4 x 14^2, 4 x 7^2" are numbers of layers and sizes.
_DCT_GREY = Preset(
    "vdvae-dct-grey8",
    "paper size: VDVAE, 8 layers, host of DCT-VAE",
    "fashion",
    DeepConfig(GREY, (ScaleConfig(4, 1, stride=2), ScaleConfig(4, 1)), channels=32, hidden=40),
    TrainConfig(
        data="fashion",
        epochs=600,
        batch_size=128,
        learning_rate=1e-3,
        final_learning_rate=1e-5,
        optimizer="adamw",
        weight_decay=1e-2,
        skip_norm=100.0,
        clip_norm=1.0,
        ema=0.0,
    ),
    "DCT Table 6, MNIST and OMNIGLOT",
)
_DCT_COLOUR = Preset(
    "vdvae-dct-cifar29",
    "paper size but for latents and weight norm: VDVAE, 29 layers, host of DCT-VAE",
    "cifar",
    DeepConfig(
        _COLOUR,
        (
            # Width 4 where the paper has 8, which would be 105,352 latent units.
            ScaleConfig(10, 4, stride=1),
            ScaleConfig(10, 4),
            ScaleConfig(5, 4),
            ScaleConfig(3, 4),
            ScaleConfig(1, 4, stride=4),
        ),
        channels=384,
        hidden=96,
        likelihood="mixture_logistic",
    ),
    TrainConfig(
        data="cifar",
        epochs=8000,
        batch_size=384,
        learning_rate=4e-4,
        final_learning_rate=5e-5,
        optimizer="adamw",
        weight_decay=1e-2,
        skip_norm=100.0,
        clip_norm=0.2,
        ema=0.0,
    ),
    "DCT Table 6, CIFAR10; latent width 4, not 8",
)

# DVP 4: sums, three residual blocks, aggregation. Its Table 7 of widths is missing from our copy.
# With 32 channels throughout (Table 6), eight layers have the 0.6M weights that Table 5 gives for
# MNIST without pseudoinputs, and sixteen the 1.1M for OMNIGLOT.
_DVP_HOST = DeepConfig(
    GREY,
    (ScaleConfig(4, 1, stride=2), ScaleConfig(4, 1)),
    channels=32,
    hidden=32,
    blocks=3,
    combine="sum",
    aggregation=True,
)
_DVP_GREY = Preset(
    "vdvae-dvp-grey8",
    "paper size: top-down VAE with aggregation, 8 layers, host of DVP-VAE",
    "fashion",
    _DVP_HOST,
    replace(_DCT_GREY.train, optimizer="adamax", weight_decay=0.0, skip_norm=0.0),
    "DVP 4, Tables 5, 6 (MNIST); schedule of DCT Table 6",
)
_DVP_GREY_DEEP = replace(
    _DVP_GREY,
    name="vdvae-dvp-grey16",
    title="paper size: top-down VAE with aggregation, 16 layers, host of DVP-VAE",
    model=replace(_DVP_HOST, scales=(ScaleConfig(8, 1, stride=2), ScaleConfig(8, 1))),
    source="DVP 4, Table 5 (OMNIGLOT); schedule of DCT Table 6",
)
_DVP_COLOUR = Preset(
    "vdvae-dvp-cifar45",
    "paper size but for latents: top-down VAE with aggregation, 45 layers, host of DVP-VAE",
    "cifar",
    DeepConfig(
        _COLOUR,
        (
            # Five scales as in Child 2021, most layers at the finest; width 2 where that has 16.
            ScaleConfig(23, 2, stride=1),
            ScaleConfig(11, 2),
            ScaleConfig(6, 2),
            ScaleConfig(4, 2),
            ScaleConfig(1, 2, stride=4),
        ),
        channels=384,
        hidden=96,
        blocks=3,
        combine="sum",
        aggregation=True,
        likelihood="mixture_logistic",
    ),
    TrainConfig(
        data="cifar",
        epochs=256,  # 0.4M steps
        batch_size=32,
        learning_rate=1e-3,
        final_learning_rate=1e-3,
        optimizer="adamax",
        clip_norm=200.0,
        ema=0.9998,
    ),
    "DVP Table 3, 6.3, CIFAR10 (38M weights in the paper); latent width 2",
)

_SMALL = DeepConfig(
    GREY,
    (ScaleConfig(3, 2, stride=1), ScaleConfig(3, 2), ScaleConfig(2, 2)),
    channels=32,
    hidden=24,
    encoder_blocks=1,
    stem=2,
)
_SOURCE = "Child 2021 as in DCT App. E, made small"
_GLYPHS = Preset(
    "glyphs-vdvae-small",
    "VDVAE, plain ELBO, 8 layers on 3 scales",
    "glyphs",
    _SMALL,
    replace(SHORT, data="glyphs", epochs=12),
    _SOURCE,
)
_FASHION = replace(
    _GLYPHS,
    name="fashion-vdvae-small",
    world="fashion",
    train=replace(SHORT, epochs=12),
)

PRESETS = (
    _GLYPHS,
    _FASHION,
    _DCT_GREY,
    _DCT_COLOUR,
    _DVP_GREY,
    _DVP_GREY_DEEP,
    _DVP_COLOUR,
)
