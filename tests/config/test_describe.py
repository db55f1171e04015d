"""Checkpoints in words: network, training, card."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace
from typing import Any, get_args

import pytest

from hvae_core.config import (
    HVAEConfig,
    LatentConfig,
    LikelihoodName,
    ModelCard,
    ModelConfig,
    ScaleConfig,
    TrainConfig,
    VDVAEConfig,
)
from hvae_core.config.describe import (
    card_rows,
    duration,
    latent_in_words,
    latent_rows,
    shapes_in_words,
    training_in_words,
)
from hvae_core.config.presets import get_preset
from hvae_core.models.pixels import CONTINUOUS
from tests.small import as_family

CONFIG = HVAEConfig(
    image_shape=(1, 28, 28),
    latents=(
        LatentConfig(8, "conv"),
        LatentConfig(16, "dense", stride=2),
        LatentConfig(1, "dense"),
    ),
    channels=32,
    blocks=1,
    stem=2,
)


def rows_of(
    card: ModelCard, train: TrainConfig | None = None, config: ModelConfig = CONFIG
) -> dict[str, str]:
    told = SimpleNamespace(
        card=card, config=config, train=train, parameters=541_544, digest="ab" * 32
    )
    return dict(card_rows(told))


def test_network_and_latents() -> None:
    words = CONFIG.in_words()
    assert words == (
        "3 latent layers, 32 channels, 1 residual block a stage, pixels folded 2×2 into channels "
        "first, skip connections, inference bottom-up (HVAE)"
    )
    latents = [latent_in_words(shape) for shape in CONFIG.latent_shapes]
    assert latents == ["8×14×14 = 1,568 units, convolutional", "16 units, dense", "1 unit, dense"]


def test_family_and_prior_of_the_top_are_told() -> None:
    assert (
        as_family("lvae", CONFIG, pseudoinputs=1)
        .in_words()
        .endswith("inference top-down (LVAE), VampPrior of 1 pseudoinput over the top layer")
    )
    pairs = as_family("biva", CONFIG, pseudoinputs=500)
    words = pairs.in_words()
    assert words.startswith("5 latent layers, ")
    assert words.endswith("latents (BIVA), VampPrior of 500 pseudoinputs over the top layer")
    assert latent_rows(pairs) == [
        ("z1bu to z1td", "2 layers of 8×14×14 = 1,568 units, convolutional"),
        ("z2bu to z2td", "2 layers of 16 units, dense"),
        ("z3", "1 unit, dense"),
    ]


def test_deep_networks_are_told_by_scale() -> None:
    scales = (ScaleConfig(3, 2, stride=2), ScaleConfig(1, 2))
    config = VDVAEConfig((1, 28, 28), scales, channels=16, hidden=8, encoder_blocks=1)
    assert config.in_words() == (
        "4 latent layers, 16 channels, 8 inside a block, 1 residual block a scale on the way up "
        "and 1 a layer on the way down, encoder and decoder features side by side, image made "
        "from the decoder's features"
    )
    summed = replace(config, combine="sum", aggregation=True, blocks=3, stem=2)
    words = summed.in_words()
    assert "3 a layer on the way down, encoder and decoder features added up" in words
    assert "image made from the sum of all latents, pixels folded 2×2" in words
    assert "priors give no features" in replace(config, features_from_prior=False).in_words()
    assert latent_rows(config) == [
        ("z1 to z3", "3 layers of 2×14×14 = 392 units, convolutional"),
        ("z4", "2×7×7 = 98 units, convolutional"),
    ]
    assert latent_rows(CONFIG)[1:] == [("z2", "16 units, dense"), ("z3", "1 unit, dense")]
    assert shapes_in_words(config) == "3 of 2x14x14, 2x7x7"


def test_what_stands_above_the_layers_is_not_counted_among_them() -> None:
    """DCT Table 6, OMNIGLOT: the context of 7 x 7 has the size of the layers below it."""
    config = get_preset("dct-omniglot").model
    words = shapes_in_words(config)
    assert words == "4 of 1x14x14, 3 of 1x7x7, context 1x7x7"
    config = get_preset("dvp-mnist").model
    words = shapes_in_words(config)
    assert words == "4 of 1x14x14, 4 of 1x7x7, u 1x7x7"


def test_training() -> None:
    plain = training_in_words(TrainConfig("glyphs", ema=0))
    assert plain == "ELBO, learning rate 0.0003, batches of 128"
    free = training_in_words(
        TrainConfig(
            "glyphs", warmup_epochs=5, free_bits=2.0, free_bits_constant=3, free_bits_annealed=4,
            final_learning_rate=1e-4,
        )
    )  # fmt: skip
    assert "warm-up over 5 epochs" in free
    assert "free bits of 2 nats a layer, held for 3 epochs and annealed over 4" in free
    by_element = TrainConfig(
        "glyphs", free_bits=2.0, free_bits_constant=3, free_bits_scope="element"
    )
    assert "free for each element of each image" in training_in_words(by_element)
    assert "falling to 0.0001" in free and "decay 0.999" in free
    assert training_in_words(TrainConfig("glyphs", objective="informative")).startswith("informat")
    weighted = training_in_words(
        TrainConfig(
            "glyphs", objective="iwae", samples=5, optimizer="adamax", beta2=0.9,
            weight_decay=0.01, skip_norm=400, ema=0,
        )
    )  # fmt: skip
    assert weighted == (
        "importance-weighted ELBO of 5 samples, Adamax, moments with decays 0.9 and 0.9, weight "
        "decay 0.01, steps with a gradient above 400 skipped, learning rate 0.0003, batches of 128"
    )


@pytest.mark.parametrize("likelihood", get_args(LikelihoodName))
def test_every_likelihood_has_its_words(likelihood: Any) -> None:
    words = rows_of(ModelCard("t"), config=replace(CONFIG, likelihood=likelihood))["Likelihood"]
    assert len(words) > 20
    assert ("dequantised" in words) == (likelihood in CONTINUOUS)


def test_card_says_what_is_not_recorded_and_counts_for_itself() -> None:
    rows = rows_of(ModelCard("t", parameters=7))
    assert rows["Parameters"] == "541,544"
    for field in ("Data", "Training images", "Epochs", "Objective", "Hardware", "Training time"):
        assert rows[field] == "not recorded"
    assert not {"Note", "Preset", "Made on"} & set(rows)
    card = ModelCard("t", data="glyphs", train_images=11_340, seconds=600.0, seed=1, note="small")
    rows = rows_of(card, TrainConfig("glyphs", seed=3))
    assert rows["Training images"] == "11,340" and rows["Training time"] == "10 min"
    assert rows["Seed"] == "3" and rows["Note"] == "small"
    assert rows_of(card)["Seed"] == "1"


@pytest.mark.parametrize(
    ("seconds", "text"), [(48.2, "48 s"), (90, "2 min"), (1500, "25 min"), (12_000, "3 h 20 min")]
)
def test_duration(seconds: float, text: str) -> None:
    assert duration(seconds) == text
