"""From raw numbers to p(x | z): what goes where, extremes, dequantisation, parameters of a head."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any, get_args

import numpy as np
import pytest
import torch
from scipy import stats
from torch import Tensor

from hvae_core.checkpoint import load_checkpoint, save_checkpoint
from hvae_core.config import LikelihoodName, ModelCard
from hvae_core.models.distributions import GaussianPixels
from hvae_core.models.pixels import COMPONENTS, FIXED_STD, PixelHead, dequantise, prepare_pixels
from tests.small import prepared, stream, tiny_config, tiny_model, tiny_set

KINDS: tuple[LikelihoodName, ...] = get_args(LikelihoodName)


def softplus(raw: np.ndarray) -> np.ndarray:
    return np.logaddexp(0, math.log(2) * raw) / math.log(2)


def level_mass(x: float, location: float, scale: float) -> float:
    upper = np.inf if x == 1 else x + 0.5 / 255
    lower = -np.inf if x == 0 else x - 0.5 / 255
    tail = stats.logistic.cdf if x < location else stats.logistic.sf  # the one that is not near 1
    return abs(float(np.diff(tail([lower, upper], location, scale))[0]))


def normal(x: np.ndarray, location: np.ndarray, std: float | np.ndarray) -> float:
    """The density of 256 x, of which a grey level is an interval of width 1."""
    return float(stats.norm.logpdf(256 * x, 256 * location, 256 * np.asarray(std)).sum())


def pixel_twin(kind: str, raw: np.ndarray, x: np.ndarray) -> float:
    """log p of the C channels of one pixel from its raw numbers, by the head's docstrings."""
    n = len(x)
    location = 0.5 + 0.25 * raw[:n]
    if kind == "bernoulli":
        return float(stats.bernoulli.logpmf(x, 1 / (1 + np.exp(-raw))).sum())
    if kind == "gaussian_fixed":
        return normal(x, location, FIXED_STD)
    if kind == "oversmooth":
        return normal(x, location, 0.101)
    if kind == "gaussian":
        return normal(x, location, 0.1 * softplus(raw[n:]) + 1e-3)
    if kind == "discretised_logistic":
        scale = 0.1 * softplus(raw[n:]) + 4e-4
        return sum(math.log(level_mass(*args)) for args in zip(x, location, scale, strict=True))
    weight = np.exp(raw[:COMPONENTS])
    mass = weight / weight.sum()
    pairs = n * (n - 1) // 2
    m, s, a = np.split(raw[COMPONENTS:], [COMPONENTS * n, 2 * COMPONENTS * n])
    for k in range(COMPONENTS):
        slopes = iter(np.tanh(a[k * pairs : (k + 1) * pairs]))
        for c in range(n):
            mean = 0.5 + 0.25 * m[k * n + c] + sum(next(slopes) * (x[j] - 0.5) for j in range(c))
            mass[k] *= level_mass(x[c], mean, 0.1 * softplus(s[k * n + c]) + 4e-4)
    return math.log(mass.sum())


@pytest.mark.parametrize("stem", [1, 2, 4])
@pytest.mark.parametrize("colours", [1, 2, 3, 4])
@pytest.mark.parametrize("kind", KINDS)
def test_every_number_goes_to_its_pixel(kind: LikelihoodName, colours: int, stem: int) -> None:
    """Number n of pixel (y, x) is in channel n s^2 + (y mod s) s + (x mod s), at (y/s, x/s)."""
    head = PixelHead(kind, colours, stem)
    rng = np.random.default_rng(0)
    raw = rng.normal(size=(head.raw_channels, 1, 2))
    x = rng.integers(0, 2 if kind == "bernoulli" else 256, (colours, stem, 2 * stem))
    x = x / (1 if kind == "bernoulli" else 255)
    total = 0.0
    for row in range(stem):
        for column in range(2 * stem):
            inner = row % stem * stem + column % stem
            mine = raw[inner :: stem**2, row // stem, column // stem]
            total += pixel_twin(kind, mine, x[:, row, column])
    found = head(torch.from_numpy(raw)[None, None]).log_prob(torch.from_numpy(x)[None])
    assert float(found.detach()) == pytest.approx(total, rel=1e-6)


@pytest.mark.parametrize("kind", KINDS)
def test_all_that_a_likelihood_offers_has_the_shape_of_images(kind: LikelihoodName) -> None:
    head = PixelHead(kind, 3, 2)
    likelihood = head(torch.randn(2, 5, head.raw_channels, 3, 4))
    noise = torch.rand(2, 5, 3, 6, 8)
    assert likelihood.log_prob(torch.zeros(5, 3, 6, 8)).shape == (2, 5)
    for image in (likelihood.mean, likelihood.mode, likelihood.sample(noise)):
        assert image.shape == (2, 5, 3, 6, 8)
        assert image.min() >= 0 and image.max() <= 1


def extreme_raws(channels: int) -> list[Tensor]:
    sign = torch.randn(1, 3, channels, 4, 4, generator=torch.Generator().manual_seed(0)).sign()
    return [torch.full_like(sign, 50.0), torch.full_like(sign, -50.0), 50 * sign, 0 * sign]


@pytest.mark.parametrize("colours", [1, 3])
@pytest.mark.parametrize("kind", KINDS)
def test_values_and_gradients_are_finite_at_extremes(kind: LikelihoodName, colours: int) -> None:
    head = PixelHead(kind, colours)
    x = torch.zeros(3, colours, 4, 4)  # all black, all white, one white pixel
    x[1], x[2, :, 1, 2] = 1, 1
    for raw in extreme_raws(head.raw_channels):
        for sigma in (-50.0, 0.0, 50.0) if kind == "oversmooth" else (None,):
            if sigma is not None:
                head.raw_sigma.data.fill_(sigma)
                head.raw_sigma.grad = None
            leaf = raw.clone().requires_grad_()
            likelihood = head(leaf)
            log_p = likelihood.log_prob(x)
            log_p.sum().backward()
            assert torch.isfinite(log_p).all()
            assert leaf.grad is not None and torch.isfinite(leaf.grad).all()
            for weight in head.parameters():
                assert weight.grad is not None and torch.isfinite(weight.grad).all()
            drawn = likelihood.sample(torch.rand(1, *x.shape))
            for image in (likelihood.mean, likelihood.mode, drawn):
                assert torch.isfinite(image).all()


# --- what the likelihood sees --------------------------------------------------------------------


def test_dequantised_levels_fill_their_intervals_and_nothing_else() -> None:
    levels = torch.arange(256.0).view(256, 1, 1, 1).expand(256, 1, 20, 20)
    x = dequantise(levels / 255, stream())
    assert torch.equal((x * 256).floor(), levels)
    inside = (x * 256 - levels).flatten().numpy()
    assert stats.kstest(inside, "uniform").pvalue > 0.01
    assert not torch.equal(x, dequantise(levels / 255, stream(1)))


@pytest.mark.parametrize("std", [0.003, 0.02, 0.3])
def test_density_of_dequantised_levels_bounds_their_probability(std: float) -> None:
    """E_u[log p(256 x)] <= log P(level), the mass of its interval (Theis et al. 2016)."""
    like = torch.ones(1, 256, 1, 1, 1, dtype=torch.float64)
    likelihood = GaussianPixels(0.45 * like, std * like)
    levels = torch.arange(256.0, dtype=torch.float64).view(256, 1, 1, 1) / 255
    noise = stream()
    draws = [likelihood.log_prob(dequantise(levels, noise))[0] for _ in range(400)]
    values = torch.stack(draws)
    error = values.std(0) / 20
    lower, upper = (stats.norm.logcdf((np.arange(256) + i) / 256, 0.45, std) for i in (0, 1))
    with np.errstate(divide="ignore"):
        log_p = upper + np.log1p(-np.exp(lower - upper))
    gap = torch.from_numpy(log_p) - values.mean(0)
    near = np.isfinite(log_p) & (np.abs(np.arange(256) / 256 - 0.45) < 3 * std)
    assert near.sum() > 3
    assert (gap[near] > -4 * error[near] - 1e-9).all()
    if std > 0.1:  # a density that is even within the interval loses nothing
        assert gap[near].abs().max() < 0.01


@pytest.mark.parametrize("kind", KINDS)
def test_each_likelihood_sees_the_pixels_it_needs(kind: LikelihoodName) -> None:
    grey = (torch.arange(256.0).view(4, 1, 8, 8)) / 255
    x = prepare_pixels(kind, grey, stream())
    assert torch.equal(prepare_pixels(kind, grey, stream()), x)  # of the noise alone
    if kind == "bernoulli":
        assert set(x.unique().tolist()) == {0.0, 1.0}
    elif kind in ("discretised_logistic", "mixture_logistic"):
        assert torch.equal(x, grey)
    else:
        assert torch.equal((x * 256).floor(), (grey * 255).round())
        assert not torch.equal(x, grey)
        assert torch.equal(tiny_model(tiny_config(likelihood=kind)).prepare(grey, stream()), x)


# --- what a head keeps ---------------------------------------------------------------------------


@pytest.mark.parametrize("kind", KINDS)
def test_only_oversmooth_has_a_parameter(kind: LikelihoodName) -> None:
    names = list(PixelHead(kind, 3, 2).state_dict())
    assert names == (["raw_sigma"] if kind == "oversmooth" else [])


def test_best_sigma_is_the_error_of_the_mean() -> None:
    """sigma_x^2 = mean squared error maximises the likelihood (Takida et al. 2022)."""
    head = PixelHead("oversmooth", 1)
    x = torch.rand(50, 1, 4, 4, generator=torch.Generator().manual_seed(0))
    raw = torch.zeros(1, 50, 1, 4, 4)
    optimizer = torch.optim.Adam(head.parameters(), 0.05)
    for _ in range(400):
        optimizer.zero_grad()
        (-head(raw).log_prob(x).mean()).backward()
        optimizer.step()
    likelihood: Any = head(raw)
    assert float(likelihood.std.detach()) ** 2 == pytest.approx(
        float(((x - 0.5) ** 2).mean()), rel=5e-3
    )


@pytest.mark.parametrize("family", ["hvae", "lvae"])
@pytest.mark.parametrize("kind", KINDS)
def test_models_of_every_likelihood_come_back_from_a_file(
    tmp_path: Path, kind: LikelihoodName, family: str
) -> None:
    images = tiny_set(4, (3, 8, 8))
    model = tiny_model(
        tiny_config(image_shape=(3, 8, 8), stem=2, likelihood=kind, family=family)
    ).eval()
    if kind == "oversmooth":
        model.get_parameter("pixels.raw_sigma").data.fill_(-1.5)
    save_checkpoint(tmp_path / "m.safetensors", model, card=ModelCard("m"), history={})
    loaded = load_checkpoint(tmp_path / "m.safetensors").model
    x = prepared(model, images)
    with torch.no_grad():
        saved, read = (
            m.traces(x, range(m.n_levels), noise=stream(), samples=2) for m in (model, loaded)
        )
    for one, other in zip(saved, read, strict=True):
        assert torch.isfinite(one.log_px).all()
        assert torch.equal(one.log_px, other.log_px)
        assert torch.equal(one.likelihood.mean, other.likelihood.mean)


def test_a_likelihood_that_no_head_makes_is_refused() -> None:
    with pytest.raises(ValueError, match="likelihood"):
        tiny_config(image_shape=(3, 8, 8), likelihood="colour_mixture")
