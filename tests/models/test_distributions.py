"""Distributions against torch.distributions and scipy, and at inputs where naive formulas fail."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from scipy import stats
from torch import Tensor, distributions

from hvae_core.models.distributions import Bernoulli, DiscretisedLogistic, Gaussian, positive

EXTREMES = (-1e4, -100.0, -20.0, 0.0, 20.0, 100.0, 1e4)


def randn(*shape: int, seed: int = 0) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(*shape, generator=generator, dtype=torch.float64)


def test_scale_of_a_zero_is_one() -> None:
    assert float(positive(torch.zeros(()))) == pytest.approx(1, abs=1e-7)
    raw = torch.linspace(-60, 60, 200, dtype=torch.float64)
    expected = np.log1p(np.exp(math.log(2) * raw.numpy())) / math.log(2)
    np.testing.assert_allclose(positive(raw).numpy(), expected, rtol=1e-6)


@pytest.mark.parametrize("shape", [(4,), (2, 3, 3)])
def test_gaussian_is_that_of_torch(shape: tuple[int, ...]) -> None:
    mean, other_mean, z = (randn(2, 3, *shape, seed=i) for i in range(3))
    std, other_std = randn(2, 3, *shape, seed=3).exp(), randn(2, 3, *shape, seed=4).exp()
    q, p = Gaussian(mean, std), Gaussian(other_mean, other_std)
    torch_q = distributions.Normal(mean, std)
    torch_p = distributions.Normal(other_mean, other_std)
    torch.testing.assert_close(q.log_prob(z), torch_q.log_prob(z).flatten(2).sum(-1))
    kl = distributions.kl_divergence(torch_q, torch_p).flatten(2).sum(-1)
    torch.testing.assert_close(q.kl(p), kl)
    torch.testing.assert_close(q.kl(q), torch.zeros(2, 3, dtype=torch.float64))
    assert q.log_prob(z).shape == (2, 3)


def test_gaussian_draws_and_standard() -> None:
    q = Gaussian(torch.full((1, 2, 3), 5.0), torch.full((1, 2, 3), 2.0))
    noise = torch.ones(4, 2, 3)
    assert torch.equal(q.sample(noise), torch.full((4, 2, 3), 7.0))
    assert torch.equal(q.sample(noise, temperature=0.5), torch.full((4, 2, 3), 6.0))
    standard = Gaussian.standard_like(noise)
    assert not standard.mean.any()
    assert (standard.std == 1).all()


def test_gaussian_from_raw_splits_channels() -> None:
    raw = torch.stack([torch.full((2,), 3.0), torch.zeros(2)]).view(1, 1, 4)
    q = Gaussian.from_raw(raw, dim=2)
    assert torch.equal(q.mean, torch.full((1, 1, 2), 3.0))
    torch.testing.assert_close(q.std, torch.full((1, 1, 2), 1.001))


@pytest.mark.parametrize("value", EXTREMES)
def test_gaussian_is_finite_at_extreme_outputs(value: float) -> None:
    raw = torch.full((1, 1, 6), value, requires_grad=True)
    q = Gaussian.from_raw(raw, dim=2)
    terms = q.log_prob(torch.ones(1, 1, 3)) + q.kl(Gaussian.standard_like(q.mean))
    terms.sum().backward()
    assert torch.isfinite(terms).all()
    assert raw.grad is not None
    assert torch.isfinite(raw.grad).all()


def test_bernoulli_is_that_of_torch() -> None:
    logits, x = 5 * randn(2, 3, 1, 4, 4), (randn(3, 1, 4, 4, seed=1) > 0).double()
    likelihood = Bernoulli(logits)
    truth = distributions.Bernoulli(logits=logits)
    torch.testing.assert_close(
        likelihood.log_prob(x), truth.log_prob(x.expand_as(logits)).flatten(2).sum(-1)
    )
    torch.testing.assert_close(likelihood.mean, truth.mean)


@pytest.mark.parametrize("value", EXTREMES)
def test_bernoulli_is_finite_at_extreme_logits(value: float) -> None:
    logits = torch.full((1, 2, 1, 2, 2), value, requires_grad=True)
    x = torch.tensor([0.0, 1.0]).view(2, 1, 1, 1).expand(2, 1, 2, 2)
    log_p = Bernoulli(logits).log_prob(x)
    log_p.sum().backward()
    # the unlikely of the two costs |logit| a pixel, the likely one nothing
    assert float(log_p.detach().min()) == pytest.approx(-4 * max(abs(value), math.log(2)), rel=1e-5)
    assert logits.grad is not None
    assert torch.isfinite(logits.grad).all()


def test_bernoulli_draws_have_its_mean() -> None:
    likelihood = Bernoulli(torch.full((1, 1, 1, 200, 200), math.log(0.3 / 0.7)))
    noise = torch.rand(1, 1, 1, 200, 200, generator=torch.Generator().manual_seed(0))
    drawn = likelihood.sample(noise)
    assert set(drawn.unique().tolist()) == {0.0, 1.0}
    assert float(drawn.mean()) == pytest.approx(0.3, abs=0.01)


def levels() -> Tensor:
    """Every grey level as an image of one pixel, (256, 1, 1, 1)."""
    return (torch.arange(256, dtype=torch.float64) / 255).view(256, 1, 1, 1)


def log_masses(location: float, scale: float, dtype: torch.dtype = torch.float64) -> Tensor:
    like = torch.ones(1, 256, 1, 1, 1, dtype=dtype)
    likelihood = DiscretisedLogistic(location * like, scale * like)
    return likelihood.log_prob(levels().to(dtype))[0]


@pytest.mark.parametrize("location", [-0.5, 0.0, 0.00196, 0.3, 0.5, 1.0, 1.7])
@pytest.mark.parametrize("scale", [4e-4, 0.004, 0.1, 1.0, 50.0])
def test_grey_levels_sum_to_one(location: float, scale: float) -> None:
    assert float(log_masses(location, scale).exp().sum()) == pytest.approx(1, abs=1e-9)
    single = log_masses(location, scale, torch.float32)
    assert float(single.double().exp().sum()) == pytest.approx(1, abs=2e-4)


@pytest.mark.parametrize("scale", [0.01, 0.1, 1.0])
def test_grey_levels_have_the_mass_that_scipy_gives(scale: float) -> None:
    edges = (np.arange(257) - 0.5) / 255
    edges[0], edges[-1] = -np.inf, np.inf
    expected = np.diff(stats.logistic.cdf(edges, loc=0.4, scale=scale))
    found = log_masses(0.4, scale).exp().numpy()
    np.testing.assert_allclose(found, expected, rtol=1e-6, atol=1e-15)


@pytest.mark.parametrize("location", EXTREMES)
@pytest.mark.parametrize("scale", EXTREMES)
def test_grey_levels_are_finite_at_extreme_outputs(location: float, scale: float) -> None:
    raw = torch.stack([torch.full((256,), location), torch.full((256,), scale)], 1)
    raw = raw.view(1, 256, 2, 1, 1).requires_grad_()
    log_p = DiscretisedLogistic.from_raw(raw).log_prob(levels().float())
    log_p.sum().backward()
    assert torch.isfinite(log_p).all()
    assert (log_p <= 0).all()
    assert raw.grad is not None
    assert torch.isfinite(raw.grad).all()


def test_grey_level_parameters_start_in_the_middle() -> None:
    start = DiscretisedLogistic.from_raw(torch.zeros(1, 1, 6, 2, 2))
    torch.testing.assert_close(start.location, torch.full((1, 1, 3, 2, 2), 0.5))
    torch.testing.assert_close(start.scale, torch.full((1, 1, 3, 2, 2), 0.1004))
    outside = DiscretisedLogistic(torch.tensor([-0.2, 0.4, 1.3]), torch.ones(3))
    torch.testing.assert_close(outside.mean, torch.tensor([0.0, 0.4, 1.0]))


def test_grey_level_draws_have_their_masses() -> None:
    like = torch.ones(1, 1, 1, 400, 500)
    likelihood = DiscretisedLogistic(0.1 * like, 0.05 * like)
    drawn = likelihood.sample(torch.rand(like.shape, generator=torch.Generator().manual_seed(1)))
    counts = np.bincount((drawn * 255).round().long().flatten().numpy(), minlength=256)
    expected = log_masses(0.1, 0.05).exp().numpy() * drawn.numel()
    many = expected > 20
    deviation = (counts - expected)[many] / np.sqrt(expected[many])
    assert np.abs(deviation).max() < 5
    assert expected[0] > 1000  # the open end is among them
