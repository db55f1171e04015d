"""HVK's hierarchies of single layers, HVAE and ladder VAE, with the objectives of HVK and INF."""

from __future__ import annotations

from dataclasses import replace

from hvae_core.config import HVAEConfig, LatentConfig, LayeredConfig, LVAEConfig, TrainConfig
from hvae_core.config.presets.preset import GREY, SHORT, Preset

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


def _trio(world: str, model: LayeredConfig, base: TrainConfig, named: str = "") -> list[Preset]:
    """The three objectives on one architecture: plain, free bits with warm-up, informative."""
    layers = len(model.latents)
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
            "HVK Table 4; warm-up over a fifth of the run, free bits over four fifths",
        ),
        "informative": (
            f"{named}informative, {layers} layers",
            replace(base, objective="informative"),
            "INF Eq. 10",
        ),
    }
    return [
        Preset(
            name=f"{world}-{model.family}{layers}-{kind}",
            title=title,
            world=world,
            model=model,
            train=train,
            source=source,
        )
        for kind, (title, train, source) in kinds.items()
    ]


_fashion = HVAEConfig(GREY, _THREE, channels=32, blocks=2, stem=2)
_glyphs3 = HVAEConfig(GREY, _THREE, channels=24, blocks=2, stem=2)
_FIVE_LAYERS = HVAEConfig(GREY, _FIVE, channels=16, blocks=2, stem=2)
_HVK_RUN = TrainConfig(
    data="fashion",
    epochs=2000,
    warmup_epochs=200,
    free_bits=2.0,
    free_bits_constant=200,
    free_bits_annealed=200,
    ema=0.0,
)
_HVK_GREY = HVAEConfig(
    GREY,
    (
        LatentConfig(8, "conv", stride=2, kernel=5),
        LatentConfig(16, "dense", stride=2),
        LatentConfig(8, "dense", stride=1),
    ),
    channels=64,
    blocks=3,
)
# B.1 and Table 4 give natural images three layers; section 5 says four, without their sizes.
_HVK_COLOUR = HVAEConfig(
    (3, 32, 32),
    (
        LatentConfig(128, "conv", stride=2, kernel=5),
        LatentConfig(64, "conv", stride=2),
        LatentConfig(32, "dense", stride=1),
    ),
    channels=256,
    blocks=3,
    likelihood="mixture_logistic",
)
# INF App. F and J: no warm-up, no free bits, 1000 epochs, all else as HVK. Its bits/dim (Tables 4,
# 15) are of 256 grey levels, so the likelihood is HVK's for natural images. The sizes of its five
# layers are in the part of the paper that our copy lacks: HVK's three, with two between them.
_INF_RUN = TrainConfig(data="fashion", objective="informative", epochs=1000, ema=0.0)
_INF_GREY = replace(_HVK_GREY, likelihood="mixture_logistic")
_INF_FIVE = replace(
    _INF_GREY,
    latents=(
        LatentConfig(8, "conv", stride=2, kernel=5),
        LatentConfig(8, "conv", stride=2),
        LatentConfig(32, "dense", stride=1),
        LatentConfig(16, "dense", stride=1),
        LatentConfig(8, "dense", stride=1),
    ),
)
_SIZES = "INF Eq. 10, App. F, J; sizes of HVK App. B.1"
PAPERS = (
    Preset(
        name="hvk-fashionmnist-hvae3",
        title="paper size: free bits and warm-up, 3 layers",
        world="fashion",
        model=_HVK_GREY,
        train=_HVK_RUN,
        source="HVK App. B.1, Table 4",
    ),
    Preset(
        name="hvk-cifar10-hvae3",
        title="paper size: free bits and warm-up, 3 layers",
        world="cifar",
        model=_HVK_COLOUR,
        train=replace(_HVK_RUN, data="cifar"),
        source="HVK App. B.1, Table 4",
    ),
    Preset(
        name="inf-fashionmnist-hvae3",
        title="paper size: informative, 3 layers",
        world="fashion",
        model=_INF_GREY,
        train=_INF_RUN,
        source=_SIZES,
    ),
    Preset(
        name="inf-fashionmnist-hvae5",
        title="paper size: informative, 5 layers",
        world="fashion",
        model=_INF_FIVE,
        train=_INF_RUN,
        source=f"{_SIZES} and two between",
    ),
    Preset(
        name="inf-fashionmnist-lvae5",
        title="paper size: LVAE, informative, 5 layers",
        world="fashion",
        model=LVAEConfig.like(_INF_FIVE),
        train=_INF_RUN,
        source=f"{_SIZES} and two between; top-down as in INF App. A",
    ),
    Preset(
        name="inf-cifar10-hvae3",
        title="paper size: informative, 3 layers",
        world="cifar",
        model=_HVK_COLOUR,
        train=replace(_INF_RUN, data="cifar"),
        source=_SIZES,
    ),
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
        *_trio(world, _FIVE_LAYERS, run),
        Preset(
            name=f"{prefix}-informative-warm",
            title="informative after free bits, 5 layers",
            world=world,
            model=_FIVE_LAYERS,
            train=warm,
            source="INF Eq. 10; from a fresh start this bottom-up network collapses altogether",
        ),
        Preset(
            name=f"{prefix}-warmup",
            title="warm-up, 5 layers",
            world=world,
            model=_FIVE_LAYERS,
            train=replace(run, warmup_epochs=0.2 * run.epochs),
            source="INF App. J, Table 6: a fifth of the epochs",
        ),
        Preset(
            name=f"{prefix}-oversmooth",
            title="OverSmooth, one learned variance, 5 layers",
            world=world,
            model=replace(_FIVE_LAYERS, likelihood="oversmooth"),
            train=run,
            source="INF App. J, Table 6",
        ),
    ]


_glyph_run = replace(SHORT, data="glyphs", epochs=12)
_bare = Preset(
    name="glyphs-hvae5-noskip-elbo",
    title="plain ELBO, 5 layers, no skips",
    world="glyphs",
    model=replace(_FIVE_LAYERS, skip=False),
    train=_glyph_run,
    source="HVK Eq. 2: without the skip connections that are there against collapse",
)


def _background(world: str, model: HVAEConfig, run: TrainConfig) -> Preset:
    """The plain model of three layers on mutated pixels, for the background likelihood ratio."""
    return Preset(
        name=f"{world}-hvae3-background",
        title="background model: plain ELBO on mutated pixels, 3 layers",
        world=world,
        model=model,
        train=replace(run, mutation=0.1),
        source="Ren et al. 2019, section 3, at the rate 0.1",
    )


PRESETS = (
    *_trio("glyphs", _glyphs3, _glyph_run),
    *_five("glyphs", _glyph_run),
    *_trio("glyphs", LVAEConfig.like(_FIVE_LAYERS), _glyph_run, "LVAE, "),
    _bare,
    *_trio("fashion", _fashion, SHORT),
    *_five("fashion", replace(SHORT, epochs=12)),
    *_trio("fashion", LVAEConfig.like(_fashion), SHORT, "LVAE, "),
    _background("glyphs", _glyphs3, _glyph_run),
    _background("fashion", _fashion, SHORT),
    *PAPERS,
)
