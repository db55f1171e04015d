"""The decoder's variance against the data's: where a linear VAE's exact posterior is known."""

from __future__ import annotations

import numpy as np
import pytest

from hvae_core.config import HVAEConfig, LatentConfig
from hvae_core.config.families.dense import DenseConfig
from hvae_core.evaluation.linear import (
    Spread,
    data_eigenvalues,
    linear_nats,
    spread_in_words,
)
from tests.linear_gaussian import LinearGaussian


def test_a_unit_says_what_the_exact_posterior_says() -> None:
    """E_x KL(q(z|x) || p(z)) of the exact posterior is -ln(std), as its means have 1 - std^2."""
    model = LinearGaussian(layers=1, units=3)
    covariance = model.C @ model.C.T + model.s0**2 * np.eye(len(model.c))
    eigenvalues = np.linalg.eigvalsh(covariance)[::-1]
    nats = linear_nats(eigenvalues, model.s0)
    np.testing.assert_allclose(nats[:3], np.sort(-np.log(model.steps[0].std))[::-1], atol=1e-12)
    np.testing.assert_allclose(nats[3:], 0, atol=1e-12)  # sigma squared is their eigenvalue


@pytest.mark.parametrize("number", [5, 40])
def test_eigenvalues_are_those_of_the_covariance(number: int) -> None:
    """Of fewer images than pixels, and of more; dequantised grey levels are fractions."""
    images = np.random.default_rng(0).integers(0, 256, (number, 1, 4, 4), dtype=np.uint8)
    expected = np.linalg.eigvalsh(np.cov(images.reshape(number, -1).T / 256.0))[::-1]
    np.testing.assert_allclose(data_eigenvalues(images), expected, atol=1e-9)


def test_the_sentence_counts_the_units_that_live_or_says_why_it_does_not_apply() -> None:
    images = np.zeros((50, 1, 8, 8), np.uint8)
    images[::2, :, :4] = 255  # one direction: 32 pixels of the same variance
    dense = DenseConfig((1, 8, 8), (2, 2), likelihood="gaussian_fixed", std=0.5)
    spread = Spread.of(dense, images)
    assert spread is not None and spread.units == 1
    eigenvalue = 32 * 0.25 * (255 / 256) ** 2 * 50 / 49
    assert spread.nats == pytest.approx(0.5 * np.log(eigenvalue / 0.25))
    assert "would use 1 of 4 units" in spread_in_words(dense, spread)
    wide = DenseConfig((1, 8, 8), (2, 2), likelihood="gaussian_fixed", std=5.0)
    assert "silences every unit" in spread_in_words(wide, Spread.of(wide, images))
    binary = HVAEConfig((1, 8, 8), (LatentConfig(2), LatentConfig(2, "dense")))
    assert Spread.of(binary, images) is None
    assert "does not apply" in spread_in_words(binary, None)
