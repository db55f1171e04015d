"""Recorded training recipes: ``python -m hvae_core train --preset NAME`` makes one again.

The shipped ones are sized for two processor cores: the stem folds 2x2 pixel squares into channels,
stages have two residual blocks, and epochs are counted in images. ``hvk-fashionmnist-hvae3`` is the
network and schedule of the paper, for a machine with a GPU.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from hvae_core.config import HVAEConfig, LatentConfig, ModelConfig, TrainConfig
from hvae_core.errors import ConfigError


@dataclass(frozen=True)
class Preset:
    """One recipe: the world it is trained on, network, schedule, and where it comes from."""

    name: str
    title: str
    world: str
    model: ModelConfig
    train: TrainConfig
    source: str


_GREY = (1, 28, 28)
_THREE = (
    LatentConfig(8, "conv", stride=1),
    LatentConfig(16, "dense", stride=2),
    LatentConfig(8, "dense", stride=2),
)
_FIVE = (
    LatentConfig(8, "conv", stride=1),
    LatentConfig(8, "conv", stride=2),
    LatentConfig(32, "dense", stride=1),
    LatentConfig(16, "dense", stride=2),
    LatentConfig(8, "dense", stride=1),
)


def _trio(prefix: str, world: str, model: HVAEConfig, base: TrainConfig) -> list[Preset]:
    """The three objectives on one architecture: plain, free bits with warm-up, informative."""
    layers = len(model.latents)
    named = "" if model.family == "hvae" else f"{model.family.upper()}, "
    free = replace(
        base,
        warmup_epochs=0.2 * base.epochs,
        free_bits=2.0,
        free_bits_constant=0.4 * base.epochs,
        free_bits_annealed=0.4 * base.epochs,
    )
    kinds = {
        "elbo": (f"{named}plain ELBO, {layers} layers", base, "HVK Eq. 1"),
        "freebits": (
            f"{named}free bits and warm-up, {layers} layers",
            free,
            "HVK Table 4, schedule scaled to the run",
        ),
        "informative": (
            f"{named}informative, {layers} layers",
            replace(base, objective="informative"),
            "INF Eq. 10",
        ),
    }
    return [
        Preset(f"{prefix}-{model.family}{layers}-{kind}", title, world, model, train, source)
        for kind, (title, train, source) in kinds.items()
    ]


_fashion = HVAEConfig(_GREY, _THREE, channels=32, blocks=2, stem=2)
_glyphs3 = HVAEConfig(_GREY, _THREE, channels=24, blocks=2, stem=2)
_glyphs5 = HVAEConfig(_GREY, _FIVE, channels=16, blocks=2, stem=2)
_short = TrainConfig(
    data="fashion",
    epochs=14,
    epoch_images=10_000,
    batch_size=64,
    learning_rate=1e-3,
    final_learning_rate=5e-5,
    ema=0.998,
)
_paper = Preset(
    "hvk-fashionmnist-hvae3",
    "paper size: free bits and warm-up, 3 layers",
    "fashion",
    HVAEConfig(
        _GREY,
        (
            LatentConfig(8, "conv", stride=2, kernel=5),
            LatentConfig(16, "dense", stride=2),
            LatentConfig(8, "dense", stride=1),
        ),
        channels=64,
        blocks=3,
    ),
    TrainConfig(
        data="fashion",
        epochs=2000,
        warmup_epochs=200,
        free_bits=2.0,
        free_bits_constant=200,
        free_bits_annealed=200,
    ),
    "HVK App. B.1, Table 4",
)

_glyph_run = replace(_short, data="glyphs", epochs=12)
_bare = Preset(
    "glyphs-hvae5-noskip-elbo",
    "plain ELBO, 5 layers, no skips",
    "glyphs",
    replace(_glyphs5, skip=False),
    _glyph_run,
    "HVK Eq. 2: without the skip connections that are there against collapse",
)

PRESETS: dict[str, Preset] = {
    preset.name: preset
    for preset in [
        *_trio("glyphs", "glyphs", _glyphs3, _glyph_run),
        *_trio("glyphs", "glyphs", _glyphs5, _glyph_run),
        *_trio("glyphs", "glyphs", replace(_glyphs5, family="lvae"), _glyph_run),
        _bare,
        *_trio("fashion", "fashion", _fashion, _short),
        *_trio("fashion", "fashion", replace(_fashion, family="lvae"), _short),
        _paper,
    ]
}


def get_preset(name: str) -> Preset:
    """The recipe of that name. Raises ``ConfigError`` with the names there are."""
    try:
        return PRESETS[name]
    except KeyError:
        raise ConfigError(
            f"There is no preset {name!r}; the presets are {', '.join(PRESETS)}."
        ) from None
