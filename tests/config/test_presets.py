"""Recipes of the papers' sizes, number by number, against the tables that print them."""

from __future__ import annotations

from dataclasses import asdict, replace
from typing import Any

import numpy as np
import pytest

from hvae_core.checkpoint.gate import empty_model
from hvae_core.common.errors import ConfigError
from hvae_core.config import DeepConfig, TrainConfig
from hvae_core.config.presets import PRESETS, get_preset
from hvae_core.training.loop import train
from tests.small import tiny_set

PREFIXES = ("hvk-", "inf-", "dct-", "dvp-", "vdvae-d")
TWINS = {preset.twin_of: preset for preset in PRESETS.values() if preset.twin_of}
PAPERS = [name for name in PRESETS if name.startswith(PREFIXES) and not PRESETS[name].twin_of]


def bits(norm: float, name: str) -> float:
    """A gradient's norm for a loss in nats an image, as one for the authors' loss in bits/dim."""
    return norm / np.log(2) / np.prod(model(name).image_shape)


def model(name: str) -> Any:
    return PRESETS[name].model


def weights(config: Any) -> float:
    """Millions of weights."""
    return sum(p.numel() for p in empty_model(config).parameters()) / 1e6


# --- HVK App. B ----------------------------------------------------------------------------------

# latent sizes (B.1, B.2), then Table 4: kernels, strides
HVK: dict[str, tuple[list[tuple[int, ...]], list[int], list[int]]] = {
    "hvk-fashionmnist-hvae3": ([(8, 14, 14), (16,), (8,)], [5, 3, 3], [2, 2, 1]),
    "hvk-fashionmnist-hvae3-authors": ([(8, 14, 14), (16,), (8,)], [5, 3, 3], [2, 2, 1]),
    "hvk-mnist-hvae3": ([(8, 14, 14), (16,), (8,)], [5, 3, 3], [2, 2, 1]),
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
        free_bits_scope="element",
        free_bits_constant=200,
        free_bits_annealed=200,
        ema=0.0,
    )
    assert PRESETS[name].train == expected


# --- INF App. F, J -------------------------------------------------------------------------------


@pytest.mark.parametrize("name", [name for name in PAPERS if name.startswith("inf-")])
def test_informative_recipes_take_neither_warm_up_nor_free_bits(name: str) -> None:
    hvk = PRESETS["hvk-fashionmnist-hvae3"].train
    none = {"free_bits": 0, "free_bits_scope": "layer"}
    plain = replace(hvk, warmup_epochs=0, free_bits_constant=0, free_bits_annealed=0, **none)
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
    assert (train.epochs, train.batch_size) == (epochs, batch)
    assert bits(train.clip_norm, name) == pytest.approx(clip)
    assert bits(train.skip_norm, name) == pytest.approx(100)
    assert (train.learning_rate, train.final_learning_rate) == (first, last)
    assert (train.optimizer, train.weight_decay) == ("adamw", 1e-2)
    assert train.ema == 0


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
    assert (train.batch_size, train.ema) == (32, 0.9998)
    assert bits(train.clip_norm, "dvp-cifar10") == pytest.approx(200)
    assert train.epochs * 45_000 / 32 == pytest.approx(0.4e6, rel=2e-3)


# gradient clipping, epochs, first and last rate, batch of the authors' public configurations
DVP = {
    "dvp-mnist": (5.0, 300, 1e-2, 1e-5, 250),
    "dvp-omniglot": (2.0, 500, 1e-2, 1e-4, 250),
    "dvp-cifar10-28": (150.0, 3000, 3e-3, 1e-4, 128),
}


@pytest.mark.parametrize("name", DVP)
def test_schedules_of_the_authors_of_dvp(name: str) -> None:
    """Adamax adds the decay to the gradient: it is in the unit of the loss, as the clipping is."""
    clip, epochs, first, last, batch = DVP[name]
    train = PRESETS[name].train
    assert bits(train.clip_norm, name) == pytest.approx(clip)
    assert bits(train.weight_decay, name) == pytest.approx(1e-6)
    assert (train.epochs, train.batch_size, train.ema) == (epochs, batch, 0.999)
    assert (train.learning_rate, train.final_learning_rate) == (first, last)


def test_weights_of_dvp_table_6() -> None:
    """MNIST at 32 and at 64 channels, CIFAR10; the network of the prior over u is smaller here."""
    mnist = model("dvp-mnist")
    assert weights(mnist) == pytest.approx(0.7, abs=0.07)
    assert weights(replace(mnist, channels=64, hidden=64)) == pytest.approx(2.4, abs=0.05)
    assert weights(model("dvp-cifar10-28")) == pytest.approx(19.5, abs=0.1)


@pytest.mark.parametrize("name", [name for name in PAPERS if name.startswith("dvp-")])
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
    assert len(PAPERS) > 15
    for preset in map(PRESETS.get, PAPERS):
        assert preset
        assert preset.title.startswith("paper size")
        assert preset.source.split()[0] in ("HVK", "INF", "DCT", "DVP")


# --- small twins ---------------------------------------------------------------------------------


def test_every_paper_recipe_has_a_twin_and_nothing_else_has() -> None:
    assert list(TWINS) == [preset.name for preset in PRESETS.values() if preset.paper]
    assert sorted(TWINS) == sorted(PAPERS)
    for paper, twin in TWINS.items():
        assert twin.name == f"{paper}-small"
        assert get_preset(twin.name) is twin
        assert twin.source.startswith(PRESETS[paper].source)


@pytest.mark.parametrize("name", PAPERS)
def test_twins_keep_what_their_paper_compares(name: str) -> None:
    """All but widths, blocks, folded pixels and the length of the run."""
    twin, paper = TWINS[name], PRESETS[name]
    small, large = asdict(twin.model), asdict(paper.model)
    free = {"channels", "hidden", "blocks", "encoder_blocks", "stem", "latents", "scales"}
    for top in ("context", "pseudo"):
        for side in (small, large):
            if side.get(top):
                side[top]["denoiser"] |= {"channels": 0, "blocks": 0}
    assert {key: small[key] for key in small.keys() - free} == {
        key: large[key] for key in large.keys() - free
    }
    if isinstance(paper.model, DeepConfig):
        assert isinstance(twin.model, DeepConfig)
        assert [(s.layers, s.dim) for s in twin.model.scales] == [
            (s.layers, s.dim) for s in paper.model.scales
        ]
        assert twin.model.blocks == paper.model.blocks
    run = {
        "epochs", "epoch_images", "batch_size", "learning_rate", "final_learning_rate", "ema",
        "warmup_epochs", "free_bits_constant", "free_bits_annealed",
    }  # fmt: skip
    short, long = asdict(twin.train), asdict(paper.train)
    assert {k: short[k] for k in short.keys() - run} == {k: long[k] for k in long.keys() - run}
    for schedule in ("warmup_epochs", "free_bits_constant", "free_bits_annealed"):
        share = long[schedule] / long["epochs"]
        assert short[schedule] / short["epochs"] == pytest.approx(share)
    assert twin.world == paper.world
    assert twin.train.epochs * twin.train.epoch_images <= 140_000
    assert weights(twin.model) < 4


@pytest.mark.parametrize("name", PAPERS)
def test_twins_keep_the_shapes_of_latents_unless_they_say_so(name: str) -> None:
    small, large = TWINS[name].model, PRESETS[name].model
    if "half the side" not in TWINS[name].source:
        assert small.latent_shapes == large.latent_shapes
        return
    assert isinstance(small, DeepConfig)
    assert isinstance(large, DeepConfig)
    assert small.image_shape[0] == 3
    assert small.sizes == tuple((-(-h // 2), -(-w // 2)) for h, w in large.sizes)


def test_no_twin_is_another_recipe_by_a_second_name() -> None:
    made = [(preset.model, replace(preset.train, seed=0)) for preset in PRESETS.values()]
    assert all(made.count((twin.model, twin.train)) == 1 for twin in TWINS.values())


@pytest.mark.parametrize("name", ["hvk-fashionmnist-hvae3", "vdvae-dct-grey8", "dvp-mnist"])
def test_a_twin_learns(name: str) -> None:
    """By its own optimiser, rate and clipping; no step is left out."""
    twin = TWINS[name]
    images = tiny_set(8, twin.model.image_shape)
    config = replace(twin.train, batch_size=8, epoch_images=8, epochs=4, ema=0.0)
    history = train(twin.model, config, images, validation=images.take(4)).history
    assert history["skipped"] == [0] * 4
    assert history["train_elbo"][-1] > history["train_elbo"][0]


def test_an_unknown_preset_is_answered_with_the_nearest() -> None:
    with pytest.raises(ConfigError, match="did you mean .*hvk-fashionmnist-hvae3-small"):
        get_preset("hvk-fashionmnist-hvae3-smal")
