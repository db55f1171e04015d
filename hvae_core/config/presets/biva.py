"""BIVA: HVK's ten layers for natural images, and small ones for two processor cores."""

from __future__ import annotations

from dataclasses import replace

from hvae_core.config import BIVAConfig, LatentConfig, TrainConfig
from hvae_core.config.presets.preset import GREY, SHORT, Preset

_small = BIVAConfig(
    GREY,
    (
        LatentConfig(4, "conv", stride=1),
        LatentConfig(8, "conv", stride=2),
        LatentConfig(24, "dense", stride=2),
        LatentConfig(12, "dense", stride=1),
    ),
    channels=16,
    blocks=2,
    stem=2,
)

# B.2 gives the spatial layers 8, 16 and 32 channels, Table 4 gives them 10, 8 and 6; the text is
# followed, which has their sizes too. Width and blocks are those of the HVAE for natural images
# (B.1), to which B.2 refers; Table 4 gives a warm-up for the HVAE alone.
_PAPER = Preset(
    name="hvk-cifar10-biva10",
    title="paper size: BIVA, free bits, 10 layers",
    world="cifar",
    model=BIVAConfig(
        (3, 32, 32),
        (
            LatentConfig(8, "conv", stride=2, kernel=5),
            LatentConfig(16, "conv"),
            LatentConfig(32, "conv"),
            LatentConfig(42, "dense", stride=2),
            LatentConfig(40, "dense"),
            LatentConfig(38, "dense", stride=2),
            *(LatentConfig(units, "dense") for units in (36, 34, 32, 30)),
        ),
        channels=256,
        blocks=3,
        likelihood="mixture_logistic",
    ),
    train=TrainConfig(
        data="cifar",
        epochs=2000,
        free_bits=2.0,
        free_bits_constant=200,
        free_bits_annealed=200,
        ema=0.0,
    ),
    source="HVK App. B.2, Table 4",
)

PAPERS = (_PAPER,)
PRESETS = (
    *(
        Preset(
            name=f"{world}-biva-small",
            title="BIVA, plain ELBO, 4 layers, 3 of them pairs",
            world=world,
            model=_small,
            train=replace(SHORT, data=world),
            source="Maaloe et al. 2019; HVK App. B.2",
        )
        for world in ("glyphs", "fashion")
    ),
    *PAPERS,
)
