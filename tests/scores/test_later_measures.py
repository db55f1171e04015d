"""Gradients, whitened noise and narrow posteriors, where a linear-Gaussian model knows them."""

from __future__ import annotations

import mpmath
import numpy as np
import torch
from scipy.stats import chi2, kstest, norm
from torch import Tensor, nn

from hvae_core.common.noise import Noise
from hvae_core.models.distributions import Likelihood
from hvae_core.scores.measures.gradients import gradient_norms
from hvae_core.scores.measures.latent_draws import (
    latent_noise,
    narrow_posteriors,
    smirnov_surprise,
    square_surprise,
)
from hvae_core.scores.measures.settings import DrawSettings, GradientSettings
from tests.linear_gaussian import GaussianPixels, TopDownGaussian

N = 200
DIGESTS = [*range(100, 100 + N)]
NUMBERED = np.zeros((N, 1, 2, 3), dtype=np.uint8)
NUMBERED[:, 0, 0, 0] = np.arange(N)


class Known(TopDownGaussian):
    """Exact inference on draws from itself, which are known by number, and a weight with effect."""

    def __init__(self, scale: float = 1.0) -> None:
        super().__init__(layers=3, units=3)
        self.real = scale * self.images(N)
        self.head = nn.Linear(1, 6, bias=False).double()
        nn.init.zeros_(self.head.weight)

    def prepare(self, x: Tensor, noise: Noise) -> Tensor:
        return self.real[(255 * x[:, 0, 0, 0]).round().long()]

    def _picture(self, z1: Tensor) -> Likelihood:
        plain = super()._picture(z1)
        assert isinstance(plain, GaussianPixels)
        return GaussianPixels(plain.location + self.head.weight.view(self.shape), plain.std)


def test_gradient_of_a_shift_of_the_pixels_in_closed_form() -> None:
    model, few = Known(), slice(4)
    settings = GradientSettings(samples=3000)
    found = gradient_norms(model, NUMBERED[few], DIGESTS[few], settings).reshape(4, 4, 2)
    np.testing.assert_array_equal(found[:, 0], [[1, 6]] * 4)  # the weight without effect, the head
    assert (found[:, 1:, 0] == 0).all()
    x = model.real[few].numpy()
    for k in range(3):
        z = model._moments(x, k, "mean")[0][k]
        for i in range(k - 1, -1, -1):  # skipped layers pass their means down
            z = model.a[i] * z + model.b[i]
        slope = (x.reshape(4, -1) - z @ model.C.T - model.c) / model.s0**2
        np.testing.assert_allclose(found[:, 1 + k, 1], (slope**2).sum(1), rtol=0.1)


def test_gradients_of_an_image_do_not_depend_on_the_others() -> None:
    model, settings = Known(), GradientSettings()
    together = gradient_norms(model, NUMBERED[:3], DIGESTS[:3], settings)
    alone = gradient_norms(model, NUMBERED[2:3], DIGESTS[2:3], settings)
    np.testing.assert_allclose(alone[0], together[2], rtol=1e-12)
    assert all(p.grad is None for p in model.parameters())


def test_noise_is_white_for_images_of_the_model_itself() -> None:
    """Exact inference on draws of p(x): z is a draw of p(z), so every test's p is uniform."""
    once = DrawSettings(samples=1)
    found = latent_noise(Known(), NUMBERED, DIGESTS, once)
    assert found.shape == (N, 6)
    for surprise in found.T:
        assert kstest(np.exp(-surprise), "uniform").pvalue > 1e-3
    both = 2 * found[:, :3].sum(1)  # layers are independent: Fisher's method holds
    assert kstest(both, chi2(6).cdf).pvalue > 1e-3
    far = latent_noise(Known(scale=4.0), NUMBERED, DIGESTS, once)
    assert (far.mean(0) > 1.3 * found.mean(0)).all() and (far[:, 3:].mean(0) > 4).all()
    turned = latent_noise(Known(), NUMBERED[::-1], DIGESTS[::-1], once)[::-1]
    np.testing.assert_allclose(turned, found, rtol=1e-9)


def test_tests_of_noise_are_those_of_scipy() -> None:
    e = np.random.default_rng(0).normal(0.2, 1.3, (6, 40))
    expected = [-np.log(kstest(row, "norm", method="exact").pvalue) for row in e]
    np.testing.assert_allclose(smirnov_surprise(e), expected, rtol=1e-6)
    total = (e**2).sum(1)
    ends = 2 * np.minimum(chi2(40).sf(total), chi2(40).cdf(total))
    np.testing.assert_allclose(square_surprise(e), -np.log(np.minimum(1, ends)), rtol=1e-9)
    far = np.full((1, 5000), 9.0)  # p is below what a number can hold
    assert np.isfinite(smirnov_surprise(far)).all()
    # ln p of chi^2(5000) at 405,000 and at 0.005, from tables of the incomplete gamma function
    ends = square_surprise(np.vstack([far, np.full((1, 5000), 1e-3)]))
    exact = [-float(mpmath.log(mpmath.gammainc(2500, 202_500, regularized=True))),
             -float(mpmath.log(mpmath.gammainc(2500, 0, 0.0025, regularized=True)))]  # fmt: skip
    np.testing.assert_allclose(ends, np.array(exact) - np.log(2), rtol=1e-6)


def test_noise_that_is_no_number_says_nothing_of_the_other_images() -> None:
    e = np.random.default_rng(0).normal(size=(3, 40))
    e[1, 7] = np.nan
    for surprise in (smirnov_surprise, square_surprise):
        found = surprise(e)
        assert np.isnan(found[1])
        np.testing.assert_array_equal(found[[0, 2]], surprise(e[[0, 2]]))


def test_noise_that_is_farther_off_is_more_surprising_beyond_what_a_number_can_hold() -> None:
    n, shifts = 392, np.arange(0.8, 3.3, 0.1)
    found = smirnov_surprise(np.tile(shifts[:, None], n))
    assert found[0] < 709 < found[-1] and (np.diff(found) > 0).all()
    # D > 1 - 1/n where all n numbers lie in the last 1 - D of one end: p = 2 (1 - D)^n
    np.testing.assert_allclose(found[-1], -np.log(2) - n * norm.logsf(shifts[-1]), rtol=1e-9)


def test_narrow_posteriors_are_those_of_the_model() -> None:
    model = Known()
    found = narrow_posteriors(model, NUMBERED[:5], DIGESTS[:5], DrawSettings(samples=1))
    assert found.shape == (5, 3 + 3 * 2 * 3)
    np.testing.assert_array_equal(found[:, :3], 3)
    top = found[:, 3 + 12 :]
    means = model._moments(model.real[:5].numpy(), 0, "mean")[0]
    np.testing.assert_allclose(top[:, :3], means[2], rtol=1e-6)
    np.testing.assert_allclose(top[:, 3:], np.tile(model.steps[2].std, (5, 1)), rtol=1e-6)
    assert torch.is_grad_enabled()
