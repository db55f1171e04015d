"""VampPriors over the top layer of a ladder VAE: a small one, and one with the K of DVP Table 6."""

from __future__ import annotations

from dataclasses import replace

from hvae_core.config import LatentConfig, LVAEConfig, TrainConfig
from hvae_core.config.presets.preset import GREY, SHORT, Preset

_small = LVAEConfig(
    GREY,
    (
        LatentConfig(8, "conv", stride=1),
        LatentConfig(8, "conv", stride=2),
        LatentConfig(32, "dense", stride=1),
        LatentConfig(16, "dense", stride=2),
        LatentConfig(8, "dense", stride=1),
    ),
    channels=16,
    blocks=2,
    stem=2,
    pseudoinputs=50,
)

PAPERS = (
    # DVP's own host is as deep as its DVP-VAE; here it is the ladder, the shallow top-down family.
    Preset(
        name="dvp-fashionmnist-vamp500",
        title="paper size: VampPrior of 500 pseudoinputs, LVAE, 3 layers",
        world="fashion",
        model=LVAEConfig(
            GREY,
            (
                LatentConfig(8, "conv", stride=2, kernel=5),
                LatentConfig(16, "dense", stride=2),
                LatentConfig(8, "dense", stride=1),
            ),
            channels=32,
            blocks=3,
            pseudoinputs=500,
        ),
        train=TrainConfig(data="fashion", epochs=2000, warmup_epochs=200, ema=0.0),
        source="DVP Eq. 7, Table 6 (K = 500, 32 channels); layers and schedule of HVK App. B.1, "
        "Table 4",
    ),
)
PRESETS = (
    Preset(
        name="glyphs-vamp-small",
        title="VampPrior of 50 pseudoinputs, LVAE, plain ELBO, 5 layers",
        world="glyphs",
        model=_small,
        train=replace(SHORT, data="glyphs", epochs=12),
        source="DVP Eq. 7; Tomczak and Welling 2018",
    ),
    *PAPERS,
)
