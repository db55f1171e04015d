"""Diffusion priors against closed forms, quadrature and brute force."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from scipy.stats import norm
from torch import Tensor, nn

from hvae_core.common.noise import ImageNoise, StreamNoise
from hvae_core.config.context import ContextConfig, DenoiserConfig, PseudoConfig
from hvae_core.models import Sampler
from hvae_core.models.priors.denoiser import Denoiser
from hvae_core.models.priors.diffusion import DiffusionPrior, Levels
from hvae_core.models.priors.diffusion_discrete import DiscreteDiffusion, linear_betas, log_bins
from hvae_core.models.priors.diffusion_gaussian import VDM
from tests.small import stream

SMALL = DenoiserConfig("mlp", channels=16, blocks=1)
ONE = (1, 1, 1)


class Known(nn.Module):
    """A denoiser that is a formula of y and t; v as the network gives it, plus the other parts."""

    def __init__(self, v: Callable[[Tensor, Tensor], Tensor], share: float | None = None) -> None:
        super().__init__()
        self.v, self.share = v, share
        self.weight = nn.Parameter(torch.zeros((), dtype=torch.float64))

    def forward(self, y: Tensor, t: Tensor) -> tuple[Tensor, ...]:
        v = self.v(y, t.view(-1, 1, 1, 1))
        return (v,) if self.share is None else (v, torch.full_like(v, self.share))


def vdm(steps: int = 5, shape: Any = ONE, **changes: Any) -> VDM:
    prior = VDM(shape, PseudoConfig(1, steps=steps, denoiser=SMALL, **changes))
    return prior.double().eval()


def gaussian_vdm(mean: float, std: float, steps: int, **changes: Any) -> VDM:
    """With the exact denoiser of u ~ N(mean, std^2): E[v | y] = alpha E[e | y] - sigma E[u | y]."""
    prior = vdm(steps, **changes)

    def v(y: Tensor, t: Tensor) -> Tensor:
        gamma = prior.gamma(t)
        alpha, sigma = torch.sigmoid(-gamma).sqrt(), torch.sigmoid(gamma).sqrt()
        gain = alpha * std**2 / (alpha**2 * std**2 + sigma**2)
        u = mean + gain * (y - alpha * mean)
        return (alpha * y - u) / sigma

    prior.denoiser = Known(v)  # type: ignore[assignment]
    return prior


def randomised(prior: DiffusionPrior, seed: int = 0, size: float = 0.1) -> DiffusionPrior:
    """An untrained network whose last layer is not zero; ``size`` is that of its answers."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for p in prior.parameters():
            p.copy_(0.5 * torch.randn(p.shape, generator=generator, dtype=p.dtype))
        prior.denoiser.net.outward.weight.mul_(size)
    return prior


# --- noise levels ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "prior",
    [vdm(6), DiscreteDiffusion(ONE, ContextConfig(1, steps=7, denoiser=SMALL)).double()],
    ids=["vdm", "discrete"],
)
def test_levels_are_those_of_bayes(prior: DiffusionPrior) -> None:
    """Eq. 26-28 (DVP), Eq. 12 (DCT): q(y_s | y_t, u) from q(y_s | u) and the step q(y_t | y_s)."""
    levels = prior.levels(torch.zeros((), dtype=torch.float64))
    a, s = levels.alpha.numpy(), levels.sigma.numpy()
    np.testing.assert_allclose(a**2 + s**2, 1, atol=1e-12)
    assert (np.diff(a) < 0).all()
    for i in range(1, prior.n + 1):
        step = a[i] / a[i - 1]
        noise = s[i] ** 2 - step**2 * s[i - 1] ** 2  # variance of y_t given y_s
        precision = 1 / s[i - 1] ** 2 + step**2 / noise
        np.testing.assert_allclose(float(levels.std[i]) ** 2, 1 / precision, rtol=1e-9)
        np.testing.assert_allclose(float(levels.keep[i]), step / noise / precision, rtol=1e-9)
        pull = a[i - 1] / s[i - 1] ** 2 / precision
        np.testing.assert_allclose(float(levels.pull[i]), pull, rtol=1e-9)
        np.testing.assert_allclose(math.exp(float(levels.widest[i])), noise, rtol=1e-9)


def test_log_snr_falls_linearly_between_its_ends() -> None:
    levels = vdm(10).levels(torch.zeros((), dtype=torch.float64))
    snr = (levels.alpha / levels.sigma) ** 2
    expected = torch.linspace(6, -7, 11, dtype=torch.float64)
    torch.testing.assert_close(snr.log(), expected, rtol=0, atol=1e-9)


@pytest.mark.parametrize("steps", [7, 40, 1000])
def test_linear_betas_make_the_levels_and_end_in_noise(steps: int) -> None:
    betas = linear_betas(steps).numpy()
    np.testing.assert_allclose(np.diff(betas, 2), 0, atol=1e-12)
    assert betas.min() > 0 and betas.max() < 1
    prior = DiscreteDiffusion(ONE, ContextConfig(1, steps=steps, denoiser=SMALL))
    levels = prior.levels(torch.zeros((), dtype=torch.float64))
    np.testing.assert_allclose(levels.alpha.numpy() ** 2, np.cumprod(1 - betas), rtol=1e-9)
    assert float(levels.alpha[-1]) ** 2 < 1.1e-3
    if steps == 1000:  # Ho et al. 2020
        np.testing.assert_allclose(betas[[0, -1]], [1e-4, 0.02])


def test_paths_have_the_marginals_of_the_forward_process() -> None:
    """y_i of the walk, drawn down from y_T, is N(alpha_i u, sigma_i^2) at every level."""
    prior, seen = vdm(4), {}
    predict = prior.predict

    def spy(y: Tensor, level: Levels) -> tuple[Tensor, Tensor]:
        seen[round(float(level.time) * prior.n)] = y
        return predict(y, level)

    prior.predict = spy  # type: ignore[method-assign]
    u = torch.full((40_000, 1, 1, 1, 1), 0.7, dtype=torch.float64)
    with torch.no_grad():
        prior.terms(u, stream())
    levels = prior.levels(u)
    assert sorted(seen) == [1, 2, 3, 4]
    for i, y in seen.items():
        assert float(y.mean()) == pytest.approx(0.7 * float(levels.alpha[i]), abs=0.025)
        assert float(y.std()) == pytest.approx(float(levels.sigma[i]), rel=0.03)


# --- the three terms ------------------------------------------------------------------------------


def test_three_terms_by_hand() -> None:
    """L_0, L_1 and L_T against quadrature over y, with the KL written through the SNR."""
    prior = randomised(vdm(3, gamma_min=-2.0, gamma_max=2.0), seed=3)
    assert isinstance(prior, VDM)
    value, samples = 0.6, 100_000
    u = torch.full((samples, 1, *ONE), value, dtype=torch.float64)
    with torch.no_grad():
        found = prior.terms(u, stream(1))
    a, s = (np.sqrt(1 / (1 + np.exp(sign * np.linspace(-2, 2, 4)))) for sign in (1, -1))
    grid = np.linspace(-8, 8, 4001)
    # L_0: -E log N(u | y_0 / alpha_0, (sigma_0 / alpha_0)^2)
    weights = norm.pdf(grid, a[0] * value, s[0])
    cost = -np.trapezoid(weights * norm.logpdf(value, grid / a[0], s[0] / a[0]), grid)
    np.testing.assert_allclose(found.reconstruction.numpy(), cost, atol=1e-6)
    # L_1 = KL(N(alpha_1 u, sigma_1^2) || N(0, 1))
    weights = norm.pdf(grid, a[3] * value, s[3])
    ratio = norm.logpdf(grid, a[3] * value, s[3]) - norm.logpdf(grid)
    np.testing.assert_allclose(found.prior.numpy(), np.trapezoid(weights * ratio, grid), atol=1e-6)
    # L_T = sum over i of 1/2 (SNR(s) - SNR(t)) E |u - u^|^2 (Kingma et al. 2021, Eq. 14)
    total = 0.0
    for i in (1, 2, 3):
        y = torch.from_numpy(grid).view(-1, 1, 1, 1)
        with torch.no_grad():
            (v,) = prior.denoiser(y, torch.full((len(grid),), i / 3, dtype=torch.float64))
        guess = a[i] * grid - s[i] * v.flatten().numpy()
        snr = (a / s) ** 2
        error = (value - guess) ** 2 * norm.pdf(grid, a[i] * value, s[i])
        total += 0.5 * (snr[i - 1] - snr[i]) * np.trapezoid(error, grid)
    error = float(found.diffusion.std()) / samples**0.5
    assert float(found.diffusion.mean()) == pytest.approx(total, abs=5 * error)
    assert total > 20 * error
    torch.testing.assert_close(found.bound, -(found.reconstruction + found.prior + found.diffusion))


@pytest.mark.parametrize("discrete", [False, True])
def test_one_level_has_the_expectation_of_all(discrete: bool) -> None:
    config = ContextConfig(1, steps=4, bins=5, denoiser=SMALL)
    prior = randomised(
        DiscreteDiffusion(ONE, config).double() if discrete else vdm(4, gamma_min=-2.0), seed=5
    )
    u = torch.full((40_000, 1, *ONE), 0.5, dtype=torch.float64)
    with torch.no_grad():
        whole = prior.eval().terms(u, stream(1))
        single = prior.train().terms(u, stream(2))
    for name in ("reconstruction", "prior", "diffusion"):
        one, many = getattr(single, name), getattr(whole, name)
        error = float(one.std() + many.std()) / len(u) ** 0.5 + 1e-9
        assert float(one.mean() - many.mean()) == pytest.approx(0, abs=5 * error), name
    assert single.diffusion.std() > 2 * whole.diffusion.std()


def test_exact_denoiser_gives_the_density_in_the_limit() -> None:
    u = torch.tensor([-1.0, 0.0, 0.5, 2.0], dtype=torch.float64).view(1, -1, 1, 1, 1)
    truth = torch.from_numpy(norm.logpdf(u.flatten().numpy(), 0.5, 0.6))
    gaps = []
    for steps in (5, 40, 400):
        prior = gaussian_vdm(0.5, 0.6, steps, gamma_min=-8.0)
        with torch.no_grad():
            value = prior.log_prob(u.expand(1000, -1, -1, -1, -1), stream(2)).mean(0)
        gaps.append(float((truth - value).mean()))
        assert (value < truth + 0.1).all()
    assert gaps[0] > gaps[1] > gaps[2] > 0
    assert gaps[1] < 1
    # The gap is of the order 1/T: ten times the steps, a tenth of it, and nothing is left over.
    assert (10 * gaps[2] - gaps[1]) / 9 == pytest.approx(0, abs=0.03)


def test_untrained_prior_is_the_standard_normal() -> None:
    """v = 0 undoes the noise of N(0, I) exactly."""
    u = torch.linspace(-2, 2, 5, dtype=torch.float64).view(1, 5, 1, 1, 1)
    prior = vdm(400, gamma_min=-8.0)
    with torch.no_grad():
        terms = prior.terms(u.expand(1000, -1, -1, -1, -1), stream())
    value = terms.weight.mean(0)
    assert (terms.weight.std(0) < 0.3 * terms.bound.std(0)).all()  # errors cancel on a path
    truth = torch.from_numpy(norm.logpdf(u.flatten().numpy()))
    torch.testing.assert_close(value, truth, rtol=0, atol=0.12)


def test_weight_of_a_path_averages_to_the_density_and_the_bound_lies_below() -> None:
    """Two levels, so p(u) is an integral over y_2, y_1, y_0, done by quadrature."""
    prior = randomised(vdm(2, gamma_min=-1.0, gamma_max=1.5), seed=8)
    values = torch.tensor([-1.2, 0.1, 0.9], dtype=torch.float64)
    truth = np.array([_density(prior, float(u)) for u in values])
    u = values.view(1, 3, 1, 1, 1).expand(40_000, -1, -1, -1, -1)
    with torch.no_grad():
        found = prior.terms(u, stream(4))
    weight = found.weight.exp()
    error = weight.std(0).numpy() / 40_000**0.5
    assert (np.abs(weight.mean(0).numpy() - truth) < 5 * error).all()
    assert (error < 0.05 * truth).all()
    assert (found.bound.mean(0).numpy() < np.log(truth)).all()
    gap = found.weight - found.bound  # of the same expectation
    assert (gap.mean(0).abs() < 5 * gap.std(0) / 40_000**0.5).all()


def _density(prior: DiffusionPrior, u: float) -> float:
    """p(u) by quadrature, from the network's answers alone."""
    grid = np.linspace(-7, 7, 1401)
    y = torch.from_numpy(grid).view(1, -1, 1, 1, 1)
    levels = prior.levels(y)
    density = norm.pdf(grid)
    for i in (2, 1):
        with torch.no_grad():
            guess, std = prior.predict(y, prior._at(levels, i, y))
        mean = (levels.keep[i] * y + levels.pull[i] * guess).flatten().numpy()
        step = norm.pdf(grid[:, None], mean[None], float(std.flatten()[0]))  # (s, t)
        density = np.trapezoid(step * density, grid, axis=1)
    a, s = float(levels.alpha[0]), float(levels.sigma[0])
    return float(np.trapezoid(density * norm.pdf(u, grid / a, s / a), grid))


# --- noise and sampling ---------------------------------------------------------------------------


@pytest.mark.parametrize("training", [False, True])
def test_bound_of_an_image_does_not_know_its_batch(training: bool) -> None:
    config = PseudoConfig(2, steps=3, denoiser=SMALL)
    prior = randomised(VDM((1, 2, 2), config)).train(training)
    u = torch.randn(2, 6, 1, 2, 2, generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        whole = prior.log_prob(u, ImageNoise(range(6)))
        for chosen in ([0, 1], [5], [4, 2, 3]):
            part = prior.log_prob(u[:, chosen], ImageNoise(chosen))
            torch.testing.assert_close(part, whole[:, chosen])
        second = prior.log_prob(u[1:], ImageNoise(range(6), first_sample=1))
    torch.testing.assert_close(second, whole[1:])


@pytest.mark.parametrize("steps", [None, 60])
def test_ancestral_samples_have_the_law_of_the_data(steps: int | None) -> None:
    prior = gaussian_vdm(-0.4, 0.5, 200)
    with torch.no_grad():
        drawn = prior.sample(20_000, stream(), sampler=Sampler(steps)).flatten()
    assert float(drawn.mean()) == pytest.approx(-0.4, abs=0.02)
    assert float(drawn.std()) == pytest.approx(0.5, rel=0.05)


def test_few_step_sampler_is_deterministic_and_nears_the_ancestral_one() -> None:
    prior = gaussian_vdm(0.3, 0.5, 50)
    asked: list[str] = []

    class Marked(StreamNoise):
        def normal(self, name: str, samples: int, batch: int, shape: Any) -> Tensor:
            asked.append(name)
            return super().normal(name, samples, batch, shape)

    spread = {}
    with torch.no_grad():
        for steps in (1, 5, 20, 300):
            noise = Marked(torch.Generator().manual_seed(0))
            drawn = prior.sample(4000, noise, sampler=Sampler(steps, True)).flatten()
            again = prior.sample(4000, stream(), sampler=Sampler(steps, True)).flatten()
            assert torch.equal(drawn, again)
            spread[steps] = abs(float(drawn.std()) - 0.5)
            assert float(drawn.mean()) == pytest.approx(0.3, abs=0.05)
    assert spread[1] > spread[5] > spread[300]
    assert spread[300] < 0.02
    first = stream().normal("pu", 1, 4000, ONE).flatten().double()
    rank = first.argsort()  # the map from noise to u keeps the order in one dimension
    assert (drawn[rank].diff() >= 0).all()


def test_cold_samples_are_all_one() -> None:
    prior = gaussian_vdm(0.3, 0.5, 20)
    with torch.no_grad():
        drawn = prior.sample(5, stream(), temperature=0.0).flatten()
        warm = prior.sample(500, stream(), temperature=0.5).flatten()
    assert float(drawn.std()) == 0
    assert 0.1 < float(warm.std()) < 0.4


def test_a_mixture_is_learnt_in_one_dimension() -> None:
    """Two peaks: the trained bound comes near the entropy, and samples fall under the peaks."""
    torch.manual_seed(0)
    generator = torch.Generator().manual_seed(1)

    def data(n: int) -> Tensor:
        side = torch.randint(0, 4, (n, 1), generator=generator).clamp(max=1) * 2.0 - 1  # 1/4, 3/4
        return (0.6 * side + 0.15 * torch.randn(n, 1, generator=generator)).view(1, n, 1, 1, 1)

    denoiser = DenoiserConfig("mlp", channels=32, blocks=2)
    prior = VDM(ONE, PseudoConfig(1, steps=100, denoiser=denoiser))
    steps, noise = 500, StreamNoise(generator)
    optimizer = torch.optim.Adam(prior.parameters(), 3e-3)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, steps)
    for _ in range(steps):
        loss = -prior.log_prob(data(128), noise).mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
    u = data(1000)
    values = u.flatten().numpy()
    density = 0.25 * norm.pdf(values, -0.6, 0.15) + 0.75 * norm.pdf(values, 0.6, 0.15)
    with torch.no_grad():
        prior.eval()
        found = float(prior.log_prob(u, noise).mean())
        drawn = prior.sample(1000, noise).flatten()
        few = prior.sample(1000, noise, sampler=Sampler(10, True)).flatten()
    assert np.log(density).mean() - 0.25 < found < np.log(density).mean() + 0.02
    for some in (drawn, few):
        assert float((some > 0).float().mean()) == pytest.approx(0.75, abs=0.08)
        assert float(some[some > 0].median()) == pytest.approx(0.6, abs=0.08)
        assert float(some[some < 0].median()) == pytest.approx(-0.6, abs=0.1)
        assert float(((some.abs() - 0.6).abs() < 0.45).float().mean()) > 0.95


# --- the discrete prior ---------------------------------------------------------------------------


@pytest.mark.parametrize("bins", [2, 5, 256])
@pytest.mark.parametrize(("mean", "std"), [(0.0, 0.5), (0.3, 0.01), (-2.0, 0.1), (1.0, 3.0)])
def test_binned_gaussian_sums_to_one_and_is_the_mass_of_its_bins(
    bins: int, mean: float, std: float
) -> None:
    u = torch.linspace(-1, 1, bins, dtype=torch.float64)
    at = torch.tensor(mean, dtype=torch.float64)
    found = log_bins(u, at, torch.tensor(std, dtype=torch.float64), bins=bins).numpy()
    assert np.exp(found).sum() == pytest.approx(1, abs=1e-9)
    edges = np.concatenate([[-np.inf], (u[1:] + u[:-1]).numpy() / 2, [np.inf]])
    mass = np.diff(norm.cdf(edges, mean, std))
    np.testing.assert_allclose(np.exp(found), mass, atol=1e-9)
    single = log_bins(u.float(), at.float(), torch.tensor(std), bins=bins)
    assert torch.isfinite(single).all()


def brute(prior: DiscreteDiffusion) -> np.ndarray[Any, np.dtype[np.float64]]:
    """p(u) of every bin by quadrature over y_3, y_2, y_1."""
    grid = np.linspace(-7, 7, 1751)
    y = torch.from_numpy(grid).view(1, -1, 1, 1, 1)
    levels = prior.levels(y)
    density = norm.pdf(grid)
    for i in range(prior.n, 0, -1):
        with torch.no_grad():
            guess, std = prior.predict(y, prior._at(levels, i, y))
        mean = (levels.keep[i] * y + levels.pull[i] * guess).flatten().numpy()
        step = norm.pdf(grid[:, None], mean[None], std.flatten().numpy()[None])
        density = np.trapezoid(step * density, grid, axis=1)
    with torch.no_grad():
        mean_t, std_t = prior.predict(y, prior._at(levels, 0, y))
    edges = np.linspace(-1, 1, prior.bins) + 1 / (prior.bins - 1)
    edges = np.concatenate([[-np.inf], edges[:-1], [np.inf]])
    cdf = norm.cdf(edges[:, None], mean_t.flatten().numpy(), std_t.flatten().numpy())
    return np.trapezoid(np.diff(cdf, axis=0) * density, grid, axis=1)


def test_discrete_prior_of_one_pixel_by_brute_force() -> None:
    config = ContextConfig(1, steps=3, bins=3, denoiser=SMALL)
    prior = randomised(DiscreteDiffusion(ONE, config).double().eval(), seed=6, size=0.05)
    assert isinstance(prior, DiscreteDiffusion)
    with torch.no_grad():  # near the variance of q, where weights have few outliers
        prior.denoiser.net.outward.bias[1] = -3.0
        prior.denoiser.net.outward.weight[1].mul_(0.2)
    truth = brute(prior)
    assert truth.sum() == pytest.approx(1, abs=1e-5)
    assert truth.min() > 0.02
    u = torch.linspace(-1, 1, 3, dtype=torch.float64).view(1, 3, 1, 1, 1)
    with torch.no_grad():
        found = prior.terms(u.expand(40_000, -1, -1, -1, -1), stream(3))
        drawn = prior.sample(50_000, stream()).flatten().numpy()
    weight = found.weight.exp()
    error = weight.std(0).numpy() / 40_000**0.5
    assert (np.abs(weight.mean(0).numpy() - truth) < 5 * error).all()
    assert (error < 0.05 * truth).all()
    assert (found.bound.mean(0).numpy() < np.log(truth)).all()
    frequency = [(np.abs(drawn - value) < 1e-6).mean() for value in (-1, 0, 1)]
    assert sum(frequency) == pytest.approx(1)
    np.testing.assert_allclose(frequency, truth, atol=0.015)


def test_terms_of_the_discrete_bound_by_hand() -> None:
    """DCT Eq. 13: E log p(y_0|y_1) - KL(q(y_T)||p) - sum_t E KL(q(y_{t-1}|y_t,y_0)||p)."""
    config = ContextConfig(1, steps=3, bins=3, denoiser=SMALL)
    prior = randomised(DiscreteDiffusion(ONE, config).double().eval(), seed=3)
    value, samples = 1.0, 100_000
    with torch.no_grad():
        found = prior.terms(torch.full((samples, 1, *ONE), value, dtype=torch.float64), stream(1))
    betas = np.linspace(0.1 / 3, 0.95, 3)
    bar = np.cumprod(1 - betas)
    grid = np.linspace(-8, 8, 8001)
    y = torch.from_numpy(grid).view(-1, 1, 1, 1)
    time = torch.full((len(grid),), 1.0, dtype=torch.float64)
    diffusion = 0.0
    for t in (3, 2, 1):
        a, a_before = bar[t - 1], bar[t - 2] if t > 1 else 1.0
        with torch.no_grad():
            v, raw = (part.flatten().numpy() for part in prior.denoiser(y, time * (t - 1) / 2))
        guess = math.sqrt(a) * grid - math.sqrt(1 - a) * v
        share, beta = 1 / (1 + np.exp(-raw)), betas[t - 1]
        weights = norm.pdf(grid, math.sqrt(a) * value, math.sqrt(1 - a))
        if t == 1:
            std = np.exp(0.5 * (np.log(beta / 100) + share * np.log(100)))
            cost = -norm.logsf(0.5, guess, std)
            reconstruction = np.trapezoid(weights * cost, grid)
            continue
        tilde = (1 - a_before) / (1 - a) * beta
        pull, keep = math.sqrt(a_before) * beta, math.sqrt(1 - beta) * (1 - a_before)
        gap = pull / (1 - a) * (value - guess)
        assert keep > 0
        p_var = np.exp(share * np.log(beta) + (1 - share) * np.log(tilde))
        kl = 0.5 * (tilde / p_var + gap**2 / p_var - 1 - np.log(tilde / p_var))
        diffusion += np.trapezoid(weights * kl, grid)
    for part, truth in ((found.reconstruction, reconstruction), (found.diffusion, diffusion)):
        error = float(part.std()) / samples**0.5
        assert float(part.mean()) == pytest.approx(truth, abs=5 * error)
        assert truth > 10 * error
    prior_cost = 0.5 * (1 - bar[2] + bar[2] * value**2 - 1 - np.log(1 - bar[2]))
    np.testing.assert_allclose(found.prior.numpy(), prior_cost, rtol=1e-6)


# --- the network ----------------------------------------------------------------------------------

NETWORKS = [
    (DenoiserConfig(kind, channels=8, blocks=blocks, scales=scales), parts)
    for (kind, scales), blocks, parts in itertools.product(
        [("mlp", 1), ("unet", 1), ("unet", 2)], (1, 2), (1, 2)
    )
]


@pytest.mark.parametrize(("config", "parts"), NETWORKS)
def test_denoiser_starts_at_zero_and_learns_from_y_and_time(
    config: DenoiserConfig, parts: int
) -> None:
    torch.manual_seed(0)
    net = Denoiser((3, 6, 6), config, parts)
    y = torch.randn(4, 3, 6, 6, generator=torch.Generator().manual_seed(0))
    t = torch.tensor([0.0, 0.3, 0.6, 1.0])
    assert all(not part.any() and part.shape == y.shape for part in net(y, t))
    with torch.no_grad():
        for p in net.parameters():
            p.add_(0.1 * torch.randn(p.shape, generator=torch.Generator().manual_seed(1)))
    y.requires_grad_()
    out = torch.cat(net(y, t), 1)
    out.square().sum().backward()
    assert y.grad is not None and y.grad.abs().min() > 0
    for name, p in net.named_parameters():
        assert p.grad is not None and p.grad.abs().max() > 0, name
    other = torch.cat(net(y, t.flip(0)), 1)
    assert (out - other).abs().max() > 1e-3
    torch.testing.assert_close(torch.cat(net(y[1:2], t[1:2]), 1), out[1:2])


def test_denoiser_of_the_paper_has_the_size_it_should() -> None:
    """DCT Table 6, MNIST: one scale of three blocks, 32 channels."""
    net = Denoiser((1, 6, 6), DenoiserConfig(), 2)
    block = 2 * (32 * 32 * 9 + 32) + 2 * 32 + (32 * 32 + 32)
    rest = 32 * 36 + (32 * 9 + 32) + (2 * 32 * 32 + 32) + (32 * 2 * 9 + 2)
    time = (32 * 32 + 32) * 2
    assert sum(p.numel() for p in net.parameters()) == 7 * block + rest + time
