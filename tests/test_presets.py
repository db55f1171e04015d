"""Recipes of the papers' sizes, number by number, against the tables that print them."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from hvae_core.checkpoint.gate import empty_model
from hvae_core.config import TrainConfig
from hvae_core.presets import PRESETS

PAPERS = ("hvk-", "inf-", "dct-", "dvp-", "vdvae-d")


def model(name: str) -> Any:
    return PRESETS[name].model


def weights(config: Any) -> float:
    """Millions of weights."""
    return sum(p.numel() for p in empty_model(config).parameters()) / 1e6


# --- HVK App. B ----------------------------------------------------------------------------------

# latent sizes (B.1, B.2), then Table 4: kernels, strides
HVK: dict[str, tuple[list[tuple[int, ...]], list[int], list[int]]] = {
    "hvk-fashionmnist-hvae3": ([(8, 14, 14), (16,), (8,)], [5, 3, 3], [2, 2, 1]),
    "hvk-cifar10-hvae3": ([(128, 16, 16), (64, 8, 8), (32,)], [5, 3, 3], [2, 2, 1]),
    "hvk-cifar10-biva10": (
        [(8, 16, 16), (16, 16, 16), (32, 16, 16), *((n,) for n in range(42, 28, -2))],
        [5, *9 * [3]],
        [2, 1, 1, 2, 1, 2, 1, 1, 1, 1],
    ),
}


@pytest.mark.parametrize("name", HVK)
def test_networks_of_hvk(name: str) -> None:
    sizes, kernels, strides = HVK[name]
    config = model(name)
    natural = "cifar" in name
    assert list(config.part_shapes) == sizes
    assert [latent.kernel for latent in config.latents] == kernels
    assert [latent.stride for latent in config.latents] == strides
    assert (config.channels, config.blocks, config.stem) == (256 if natural else 64, 3, 1)
    assert config.likelihood == ("mixture_logistic" if natural else "bernoulli")
    assert config.skip


@pytest.mark.parametrize("name", HVK)
def test_schedule_of_hvk(name: str) -> None:
    """Table 4; the period of the warm-up stands under HVAE alone."""
    expected = TrainConfig(
        data=PRESETS[name].world,
        epochs=2000,
        batch_size=128,
        learning_rate=3e-4,
        final_learning_rate=3e-4,
        warmup_epochs=0 if "biva" in name else 200,
        free_bits=2.0,
        free_bits_constant=200,
        free_bits_annealed=200,
        ema=0.0,
    )
    assert PRESETS[name].train == expected


# --- INF App. F, J -------------------------------------------------------------------------------


@pytest.mark.parametrize("name", [name for name in PRESETS if name.startswith("inf-")])
def test_informative_recipes_take_neither_warm_up_nor_free_bits(name: str) -> None:
    hvk = PRESETS["hvk-fashionmnist-hvae3"].train
    plain = replace(hvk, warmup_epochs=0, free_bits=0, free_bits_constant=0, free_bits_annealed=0)
    train = PRESETS[name].train
    assert train == replace(plain, data=train.data, objective="informative", epochs=1000)
    config = model(name)
    assert len(config.latents) == int(name[-1])
    assert config.likelihood == "mixture_logistic"  # 256 levels: Table 15 prints 2.95 bits/dim
    for kept in ("channels", "blocks", "skip", "stem"):
        paper = "hvk-cifar10-hvae3" if "cifar" in name else "hvk-fashionmnist-hvae3"
        assert getattr(config, kept) == getattr(model(paper), kept)


# --- DCT Table 6 ---------------------------------------------------------------------------------

# layers a size from the finest, latent width, channels, hidden; clipping, epochs, rates, batch
DCT: dict[str, Any] = {
    "vdvae-dct-grey8": ({14: 4, 7: 4}, 1, 32, 40, (1.0, 600, 1e-3, 1e-5, 128)),
    "dct-mnist": ({14: 4, 7: 3}, 1, 32, 40, (1.0, 600, 1e-3, 1e-5, 128)),
    "dct-omniglot": ({14: 4, 7: 3}, 1, 32, 40, (1.0, 600, 1e-3, 1e-5, 128)),
    "vdvae-dct-cifar29": (
        {32: 10, 16: 10, 8: 5, 4: 3, 1: 1}, 8, 384, 96, (0.2, 8000, 4e-4, 5e-5, 4 * 96),
    ),
    "dct-cifar10": (
        {32: 10, 16: 10, 8: 5, 4: 2, 1: 1}, 8, 384, 96, (0.2, 8000, 4e-4, 5e-5, 4 * 96),
    ),
}  # fmt: skip
# context; steps of diffusion, scales, blocks and channels of its network
DCT_PRIORS: dict[str, Any] = {
    "dct-mnist": ((1, 6, 6), 7, 1, 3, 32),
    "dct-omniglot": ((1, 7, 7), 7, 1, 3, 32),
    "dct-cifar10": ((3, 6, 6), 40, 2, 3, 64),
}


@pytest.mark.parametrize("name", DCT)
def test_columns_of_dct_table_6(name: str) -> None:
    layers, width, channels, hidden, (clip, epochs, first, last, batch) = DCT[name]
    config, train = model(name), PRESETS[name].train
    found = {size[0]: scale.layers for size, scale in zip(config.sizes, config.scales, strict=True)}
    assert found == layers
    assert {scale.dim for scale in config.scales} == {width}
    assert (config.channels, config.hidden) == (channels, hidden)
    assert config.likelihood == ("mixture_logistic" if "cifar" in name else "bernoulli")
    assert (train.clip_norm, train.epochs, train.batch_size) == (clip, epochs, batch)
    assert (train.learning_rate, train.final_learning_rate) == (first, last)
    assert (train.optimizer, train.weight_decay) == ("adamw", 1e-2)
    assert (train.skip_norm, train.ema) == (100, 0)


@pytest.mark.parametrize("name", DCT_PRIORS)
def test_priors_of_dct_table_6(name: str) -> None:
    size, steps, scales, blocks, channels = DCT_PRIORS[name]
    config = model(name)
    assert config.latent_shapes[-1] == size
    assert config.context.steps == steps
    net = config.context.denoiser
    assert (net.network, net.scales, net.blocks, net.channels) == ("unet", scales, blocks, channels)


# --- DVP -----------------------------------------------------------------------------------------


def test_training_of_dvp_table_3() -> None:
    """Section 6.3 and Table 3: 45 layers, Adamax, no skipping, 0.4M steps."""
    train = PRESETS["dvp-cifar10"].train
    assert len(model("dvp-cifar10").scale_of) == 45
    assert (train.optimizer, train.learning_rate, train.skip_norm) == ("adamax", 1e-3, 0)
    assert (train.batch_size, train.clip_norm, train.ema) == (32, 200, 0.9998)
    assert train.epochs * 45_000 / 32 == pytest.approx(0.4e6, rel=2e-3)


def test_weights_of_dvp_table_6() -> None:
    """MNIST at 32 and at 64 channels, CIFAR10; the network of the prior over u is smaller here."""
    mnist = model("dvp-mnist")
    assert weights(mnist) == pytest.approx(0.7, abs=0.07)
    assert weights(replace(mnist, channels=64, hidden=64)) == pytest.approx(2.4, abs=0.05)
    assert weights(model("dvp-cifar10-28")) == pytest.approx(19.5, abs=0.1)


@pytest.mark.parametrize("name", [name for name in PRESETS if name.startswith("dvp-")])
def test_what_dvp_says_of_all_its_models(name: str) -> None:
    """Section 4 and 7: sums, three residual blocks, aggregation, DCT, 50 steps, gamma up to 7."""
    config = model(name)
    if config.family == "lvae":  # the VampPrior of Table 6
        assert config.pseudoinputs == 500
        return
    assert (config.combine, config.blocks, config.aggregation) == ("sum", 3, True)
    assert (config.pseudo.transform, config.pseudo.prior) == ("dct", "diffusion")
    assert (config.pseudo.steps, config.pseudo.gamma_max) == (50, 7)
    assert PRESETS[name].train.optimizer == "adamax"
    assert PRESETS[name].train.skip_norm == 0


def test_recipes_of_papers_name_their_source() -> None:
    found = [preset for name, preset in PRESETS.items() if name.startswith(PAPERS)]
    assert len(found) > 15
    for preset in found:
        assert preset.title.startswith("paper size")
        assert preset.source.split()[0] in ("HVK", "INF", "DCT", "DVP")
