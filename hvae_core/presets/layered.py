"""HVK's hierarchies of single layers, HVAE and ladder VAE, with the objectives of HVK and INF."""

from __future__ import annotations

from dataclasses import replace

from hvae_core.config import HVAEConfig, LatentConfig, TrainConfig
from hvae_core.presets.base import GREY, SHORT, Preset

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


_fashion = HVAEConfig(GREY, _THREE, channels=32, blocks=2, stem=2)
_glyphs3 = HVAEConfig(GREY, _THREE, channels=24, blocks=2, stem=2)
_FIVE_LAYERS = HVAEConfig(GREY, _FIVE, channels=16, blocks=2, stem=2)
_paper = Preset(
    "hvk-fashionmnist-hvae3",
    "paper size: free bits and warm-up, 3 layers",
    "fashion",
    HVAEConfig(
        GREY,
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


def _five(world: str, run: TrainConfig) -> list[Preset]:
    """Five layers bottom-up: the three objectives, and other remedies against collapse."""
    prefix = f"{world}-hvae5"
    warm = replace(
        run,
        objective="informative",
        start=f"{prefix}-freebits",
        learning_rate=5e-4,
        epochs=10,
    )
    return [
        *_trio(world, world, _FIVE_LAYERS, run),
        Preset(
            f"{prefix}-informative-warm",
            "informative after free bits, 5 layers",
            world,
            _FIVE_LAYERS,
            warm,
            "INF Eq. 10; from a fresh start this bottom-up network collapses altogether",
        ),
        Preset(
            f"{prefix}-warmup",
            "warm-up, 5 layers",
            world,
            _FIVE_LAYERS,
            replace(run, warmup_epochs=0.2 * run.epochs),
            "INF App. J, Table 6: a fifth of the epochs",
        ),
        Preset(
            f"{prefix}-oversmooth",
            "OverSmooth, one learned variance, 5 layers",
            world,
            replace(_FIVE_LAYERS, likelihood="oversmooth"),
            run,
            "INF App. J, Table 6",
        ),
    ]


_glyph_run = replace(SHORT, data="glyphs", epochs=12)
_bare = Preset(
    "glyphs-hvae5-noskip-elbo",
    "plain ELBO, 5 layers, no skips",
    "glyphs",
    replace(_FIVE_LAYERS, skip=False),
    _glyph_run,
    "HVK Eq. 2: without the skip connections that are there against collapse",
)


def _background(world: str, model: HVAEConfig, run: TrainConfig) -> Preset:
    """The plain model of three layers on mutated pixels, for the background likelihood ratio."""
    return Preset(
        f"{world}-hvae3-background",
        "background model: plain ELBO on mutated pixels, 3 layers",
        world,
        model,
        replace(run, mutation=0.1),
        "Ren et al. 2019, section 3, at the rate 0.1",
    )


PRESETS = (
    *_trio("glyphs", "glyphs", _glyphs3, _glyph_run),
    *_five("glyphs", _glyph_run),
    *_trio("glyphs", "glyphs", replace(_FIVE_LAYERS, family="lvae"), _glyph_run),
    _bare,
    *_trio("fashion", "fashion", _fashion, SHORT),
    *_five("fashion", replace(SHORT, epochs=12)),
    *_trio("fashion", "fashion", replace(_fashion, family="lvae"), SHORT),
    _background("glyphs", _glyphs3, _glyph_run),
    _background("fashion", _fashion, SHORT),
    _paper,
)
