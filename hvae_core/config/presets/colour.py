"""Colour images: a plain and an informative hierarchy on CIFAR10, for two processor cores."""

from __future__ import annotations

from dataclasses import replace

from hvae_core.config import HVAEConfig, LatentConfig
from hvae_core.config.presets.preset import SHORT, Preset

_model = HVAEConfig(
    (3, 32, 32),
    (
        LatentConfig(8, "conv", stride=1),
        LatentConfig(8, "conv", stride=2),
        LatentConfig(64, "dense", stride=2),
    ),
    channels=32,
    blocks=2,
    stem=2,
    likelihood="mixture_logistic",
)
_run = replace(SHORT, data="cifar", epochs=8)

PRESETS = (
    Preset(
        name="cifar-hvae3-elbo",
        title="plain ELBO, 3 layers",
        world="cifar",
        model=_model,
        train=_run,
        source="HVK Eq. 1; likelihood of Salimans et al. 2017",
    ),
    Preset(
        name="cifar-hvae3-informative",
        title="informative, 3 layers",
        world="cifar",
        model=_model,
        train=replace(_run, objective="informative"),
        source="INF Eq. 10; likelihood of Salimans et al. 2017",
    ),
)
