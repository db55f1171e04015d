"""Densities and mixtures of pixels against scipy, brute-force sums, and their own draws."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
import torch
from scipy import stats
from torch import Tensor

from hvae_core.models.distributions import (
    Bernoulli,
    DiscretisedLogistic,
    GaussianPixels,
    Likelihood,
    MixtureLogistic,
)
from hvae_core.models.distributions.mixture import numbers_a_pixel

K = 3
LEVELS = torch.arange(256, dtype=torch.float64) / 255


def randn(*shape: int, seed: int = 0) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(*shape, generator=generator, dtype=torch.float64)


def uniform(*shape: int, seed: int = 0) -> Tensor:
    return torch.rand(*shape, generator=torch.Generator().manual_seed(seed))


def mixture(colours: int, kind: str = "wide", seed: int = 0, size: int = 1) -> MixtureLogistic:
    """A mixture of K components (1, 1, ..., size, size) from random raw numbers of a kind."""
    raw = randn(1, 1, numbers_a_pixel(K, colours), size, size, seed=seed)
    begin, end = K * (1 + colours), K * (1 + 2 * colours)  # of the scales
    if kind == "narrow":
        raw[:, :, begin:end] -= 8
    elif kind == "extreme":
        raw = 50 * raw.sign()
    elif kind == "dark":  # most of the mass is in the open end
        raw[:, :, K:begin] -= 3
    return MixtureLogistic.from_raw(raw, K, colours)


def first_channels(m: MixtureLogistic, n: int) -> MixtureLogistic:
    """The marginal of channels 1..n: what follows them does not reach back."""
    slopes = m.slopes[:, :, :, : n * (n - 1) // 2]
    return MixtureLogistic(m.logits, m.location[:, :, :, :n], m.scale[:, :, :, :n], slopes)


def table(m: MixtureLogistic, before: Tensor) -> Tensor:
    """log P(before, x) of one pixel for every level x of the channel after ``before`` (256,)."""
    x = torch.cat([before.expand(256, -1), LEVELS[:, None]], 1)
    return first_channels(m, before.numel() + 1).log_prob(x[:, :, None, None])[0]


# --- sums, and the same numbers written out ------------------------------------------------------


@pytest.mark.parametrize("kind", ["wide", "narrow", "dark", "extreme"])
@pytest.mark.parametrize("colours", [1, 2, 3, 4])
def test_levels_of_each_channel_sum_to_one_given_those_before(colours: int, kind: str) -> None:
    for seed in range(4):
        m = mixture(colours, kind, seed)
        rng = np.random.default_rng(seed)
        before, log_before = torch.empty(0, dtype=torch.float64), 0.0
        for _ in range(colours):
            log_joint = table(m, before)
            assert float((log_joint - log_before).exp().sum()) == pytest.approx(1, abs=1e-9)
            ends = [0, 255, int(log_joint.argmax()), int(rng.integers(256))]
            chosen = ends[int(rng.integers(4))]
            before = torch.cat([before, LEVELS[chosen : chosen + 1]])
            log_before = float(log_joint[chosen])


def test_all_pairs_of_levels_of_two_channels_sum_to_one() -> None:
    pairs = torch.cartesian_prod(LEVELS, LEVELS)[:, :, None, None]
    for kind in ("wide", "narrow", "dark"):
        log_p = mixture(2, kind).log_prob(pairs)
        assert float(log_p.exp().sum()) == pytest.approx(1, abs=1e-9)


@pytest.mark.parametrize("colours", [1, 2, 3, 4])
def test_mixture_is_the_one_written_out(colours: int) -> None:
    """Salimans et al. 2017 with loops and scipy's logistic, for pixels that differ."""
    m = mixture(colours, size=2)
    x = (uniform(1, colours, 2, 2, seed=3) * 255).round().double() / 255
    x[0, 0, 0, 0], x[0, -1, 1, 1] = 0.0, 1.0
    total = 0.0
    for row, column in itertools.product(range(2), range(2)):
        weight = np.exp(m.logits[0, 0, :, row, column].numpy())
        weight /= weight.sum()
        pixel, mass = x[0, :, row, column].numpy(), np.zeros(K)
        for k in range(K):
            mass[k] = weight[k]
            slopes = iter(m.slopes[0, 0, k, :, row, column].tolist())
            for c in range(colours):
                location = float(m.location[0, 0, k, c, row, column])
                location += sum(next(slopes) * (pixel[j] - 0.5) for j in range(c))
                scale = float(m.scale[0, 0, k, c, row, column])
                upper = np.inf if pixel[c] == 1 else pixel[c] + 0.5 / 255
                lower = -np.inf if pixel[c] == 0 else pixel[c] - 0.5 / 255
                ends = stats.logistic.cdf([lower, upper], location, scale)
                mass[k] *= ends[1] - ends[0]
        total += np.log(mass.sum())
    assert float(m.log_prob(x)) == pytest.approx(total, rel=1e-9)


def test_one_component_without_slopes_is_the_discretised_logistic() -> None:
    location, scale = randn(2, 3, 3, 4, 4), randn(2, 3, 3, 4, 4, seed=1).exp() * 0.1
    m = MixtureLogistic(
        torch.zeros(2, 3, 1, 4, 4, dtype=torch.float64),
        location.unsqueeze(2),
        scale.unsqueeze(2),
        torch.zeros(2, 3, 1, 3, 4, 4, dtype=torch.float64),
    )
    x = (uniform(3, 3, 4, 4) * 255).round().double() / 255
    plain = DiscretisedLogistic(location, scale)
    torch.testing.assert_close(m.log_prob(x), plain.log_prob(x))
    torch.testing.assert_close(m.mean, plain.mean)
    torch.testing.assert_close(m.mode, plain.mode)
    noise = uniform(2, 3, 3, 4, 4, seed=2).double()
    torch.testing.assert_close(m.sample(noise), plain.sample(noise))


@pytest.mark.parametrize("shape", [(1,), (1, 1, 1, 1, 1), (2, 3, 2, 4, 4)])
def test_gaussian_pixels_are_those_of_scipy(shape: tuple[int, ...]) -> None:
    location, x = randn(2, 3, 2, 4, 4), uniform(3, 2, 4, 4).double()
    std = randn(*shape, seed=1).exp()
    # the density of 256 x: location and scale grow with it
    scaled = (256 * value.numpy() for value in (x, location, std))
    truth = stats.norm.logpdf(*scaled).sum((2, 3, 4))
    np.testing.assert_allclose(GaussianPixels(location, std).log_prob(x).numpy(), truth)


# --- draws ---------------------------------------------------------------------------------------


def deviations(found: np.ndarray, expected: np.ndarray) -> np.ndarray:
    """Standard deviations between counts and expectations, of those that are many enough."""
    many = expected > 20
    assert many.sum() > 5
    return np.abs(found - expected)[many] / np.sqrt(expected[many])


@pytest.mark.parametrize("kind", ["wide", "narrow", "dark"])
def test_mixture_draws_have_its_probabilities(kind: str) -> None:
    m = mixture(1, kind, seed=1)
    drawn = m.sample(uniform(400_000, 1, 1, 1, 1).double()).flatten().numpy()
    counts = np.bincount((drawn * 255).round().astype(int), minlength=256)
    expected = table(m, torch.empty(0)).exp().numpy() * len(drawn)
    assert deviations(counts, expected).max() < 5


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_pairs_of_channels_are_drawn_together(seed: int) -> None:
    m = mixture(2, seed=seed)
    drawn = m.sample(uniform(400_000, 1, 2, 1, 1).double()).flatten(1).numpy()
    blocks = (drawn * 255).round().astype(int) // 32
    counts = np.bincount(blocks[:, 0] * 8 + blocks[:, 1], minlength=64)
    pairs = torch.cartesian_prod(LEVELS, LEVELS)[:, :, None, None]
    p = m.log_prob(pairs).exp().reshape(8, 32, 8, 32).sum((1, 3)).flatten().numpy()
    assert deviations(counts, p * len(drawn)).max() < 5


@pytest.mark.parametrize("colours", [3, 4])
def test_last_channel_is_drawn_given_those_before(colours: int) -> None:
    """Its distribution function at the draws, levels spread evenly, is uniform."""
    m = mixture(colours, seed=5)
    drawn = m.sample(uniform(1500, 1, colours, 1, 1).double()).flatten(1)
    rng, values = np.random.default_rng(0), []
    for pixel in drawn:
        p = table(m, pixel[:-1]).softmax(0).numpy()
        level = int((pixel[-1] * 255).round())
        values.append(p[:level].sum() + rng.uniform() * p[level])
    assert stats.kstest(values, "uniform").pvalue > 0.01


def test_a_draw_never_takes_a_component_of_no_weight() -> None:
    m = mixture(2, size=4)
    off = torch.tensor([-1e4, 0.0, -1e4]).view(1, 1, K, 1, 1).expand_as(m.logits).double()
    alone = MixtureLogistic(off, *(t * 1 for t in (m.location, m.scale, m.slopes)))
    only = MixtureLogistic(
        off[:, :, 1:2], m.location[:, :, 1:2], m.scale[:, :, 1:2], m.slopes[:, :, 1:2]
    )
    for noise in (torch.zeros(1, 1, 2, 4, 4), torch.full((1, 1, 2, 4, 4), 1 - 2**-24)):
        assert torch.equal(alone.sample(noise), only.sample(noise))
        assert torch.isfinite(m.sample(noise)).all()


def test_gaussian_draws_have_its_distribution() -> None:
    like = torch.ones(1, 1, 1, 300, 300)
    drawn = GaussianPixels(0.4 * like, torch.tensor(0.2)).sample(uniform(*like.shape))
    inside = drawn[(drawn > 0) & (drawn < 1)].numpy()
    truth = stats.truncnorm(-2, 3, loc=0.4, scale=0.2)
    assert stats.kstest(inside, truth.cdf).pvalue > 0.01
    assert float((drawn == 0).float().mean()) == pytest.approx(stats.norm.cdf(-2), rel=0.1)
    assert float((drawn == 1).float().mean()) == pytest.approx(stats.norm.sf(3), rel=0.3)


def test_parameters_of_one_sample_serve_many_draws() -> None:
    noise = uniform(4, 2, 3, 2, 2).double()
    m = MixtureLogistic.from_raw(randn(1, 2, numbers_a_pixel(K, 3), 2, 2), K, 3)
    drawn = m.sample(noise)
    assert drawn.shape == (4, 2, 3, 2, 2)
    for s in range(4):
        assert torch.equal(drawn[s], m.sample(noise[s : s + 1])[0])


# --- means and modes -----------------------------------------------------------------------------


@pytest.mark.parametrize("colours", [1, 3])
def test_mixture_mean_is_that_of_its_draws(colours: int) -> None:
    """Narrow components inside the grey range, where nothing is cut off."""
    raw = 0.4 * randn(1, 1, numbers_a_pixel(K, colours), 2, 2)
    raw[:, :, K * (1 + colours) : K * (1 + 2 * colours)] -= 3
    m = MixtureLogistic.from_raw(raw, K, colours)
    assert float(m.location.min()) > 0.15 and float(m.location.max()) < 0.85
    drawn = m.sample(uniform(100_000, 1, colours, 2, 2).double())
    torch.testing.assert_close(drawn.mean(0, keepdim=True), m.mean, rtol=0, atol=3e-3)


@pytest.mark.parametrize("kind", ["wide", "narrow", "dark", "extreme"])
@pytest.mark.parametrize("colours", [1, 2, 3, 4])
def test_mixture_mode_is_the_largest_of_each_channel(colours: int, kind: str) -> None:
    for seed in range(2):
        m = mixture(colours, kind, seed)
        mode = m.mode.flatten()
        for c in range(colours):
            log_joint = table(m, mode[:c])
            value = log_joint[int((mode[c] * 255).round())]
            assert float(value) == pytest.approx(float(log_joint.max()), abs=1e-9)


def test_mode_between_two_components_is_found() -> None:
    """Their sum has its one peak in the middle, where neither has its own."""
    near = torch.tensor([0.46, 0.54], dtype=torch.float64).view(1, 1, 2, 1, 1, 1)
    m = MixtureLogistic(
        torch.zeros(1, 1, 2, 1, 1), near, torch.full_like(near, 0.04), near[:, :, :, :0]
    )
    assert abs(float(m.mode) - 0.5) < 1 / 255


def grid(likelihood: Likelihood, values: Tensor) -> Tensor:
    """log p of every value for each of n pixels (n, values); likelihood of (1, 1, 1, 1, n)."""
    return torch.stack([single(likelihood, i).log_prob(values)[0] for i in range(PIXELS)])


PIXELS = 40


def single(likelihood: Likelihood, i: int) -> Likelihood:
    parts = (t[..., i : i + 1] for t in vars(likelihood).values())
    return type(likelihood)(*parts)


MODES = {
    "bernoulli": (Bernoulli(3 * randn(1, 1, 1, 1, PIXELS)), torch.tensor([0.0, 1.0])),
    "logistic": (
        DiscretisedLogistic(
            0.5 + 0.7 * randn(1, 1, 1, 1, PIXELS), (2 * randn(1, 1, 1, 1, PIXELS, seed=1) - 3).exp()
        ),
        LEVELS,
    ),
    "gaussian": (
        GaussianPixels(
            0.5 + 0.7 * randn(1, 1, 1, 1, PIXELS), randn(1, 1, 1, 1, PIXELS, seed=1).exp()
        ),
        torch.linspace(0, 1, 1001, dtype=torch.float64),
    ),
}


@pytest.mark.parametrize("name", MODES)
def test_mode_is_the_largest_on_a_grid(name: str) -> None:
    likelihood, values = MODES[name]
    log_p = grid(likelihood, values.double().view(-1, 1, 1, 1))
    mode = likelihood.mode.flatten()
    step = float(values[1] - values[0])
    assert (mode[:, None] - values).abs().min(1).values.max() <= (
        step / 2 if step < 0.002 else 1e-9
    )
    at_mode = torch.stack(
        [single(likelihood, i).log_prob(mode[i].view(1, 1, 1, 1))[0, 0] for i in range(PIXELS)]
    )
    assert (at_mode >= log_p.max(1).values - 1e-9).all()
    assert len(mode.unique()) > (1 if name == "bernoulli" else 3)


def test_a_wide_logistic_is_likeliest_at_its_open_ends() -> None:
    like = torch.ones(1, 1, 1, 1, 1)
    assert float(DiscretisedLogistic(0.2 * like, 1.0 * like).mode) == 0
    assert float(DiscretisedLogistic(0.8 * like, 1.0 * like).mode) == 1
    assert float(DiscretisedLogistic(0.2 * like, 0.01 * like).mode) == pytest.approx(51 / 255)
