"""Traces against a hierarchy whose likelihood and bounds are known, and what is the HVAE's own.

What every family must do is in ``test_families``.
"""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest
import torch
from scipy.stats import norm
from torch import Tensor

from hvae_core.common.noise import ImageNoise
from hvae_core.evaluation.bounds import bound, iw_bound, log_weights
from hvae_core.models.distributions import DiscretisedLogistic, Gaussian
from hvae_core.models.families.lvae import precision_weighted
from tests.linear_gaussian import Chain, LinearGaussian, TopDownGaussian
from tests.small import (
    CONV,
    DENSE,
    HALF,
    as_family,
    prepared,
    stream,
    tiny_config,
    tiny_model,
    tiny_set,
)

WAYS = list(itertools.product(("sample", "mean"), ("mean", "sample")))


def noise_of(x: Tensor, seed: int = 0, first: int = 0) -> ImageNoise:
    return ImageNoise(range(len(x)), seed, first)


# --- the linear-Gaussian hierarchy ---------------------------------------------------------------

TWINS = pytest.mark.parametrize("twin", [LinearGaussian, TopDownGaussian])


@TWINS
@pytest.mark.parametrize("layers", [2, 3, 5])
def test_exact_inference_makes_every_weight_the_evidence(twin: type[Chain], layers: int) -> None:
    model = twin(layers)
    x = model.images(6)
    trace = model.trace(x, noise=stream(), samples=7)
    evidence = torch.from_numpy(model.log_evidence(x.numpy()))
    torch.testing.assert_close(log_weights(trace), evidence.expand(7, 6), rtol=0, atol=1e-9)
    torch.testing.assert_close(iw_bound(trace), evidence, rtol=0, atol=1e-9)


def test_evidence_of_the_test_is_that_of_the_images() -> None:
    """The truth itself is checked: mean and covariance of draws are those of log_evidence."""
    model = LinearGaussian(3)
    x = model.images(200_000).flatten(1).numpy()
    mean, variance = model.marginals()
    cov = model.C * variance[0] @ model.C.T + model.s0**2 * np.eye(6)
    np.testing.assert_allclose(x.mean(0), model.C @ mean[0] + model.c, atol=0.03)
    np.testing.assert_allclose(np.cov(x.T), cov, atol=0.08)


@TWINS
@pytest.mark.parametrize("off", [0.0, 0.7])
@pytest.mark.parametrize(("skipped", "up"), WAYS)
def test_bounds_have_the_expectation_that_moments_give(
    twin: type[Chain], skipped: str, up: str, off: float
) -> None:
    model = twin(4, off=off)
    x, samples = model.images(3), 20_000
    ways: Any = {"skipped": skipped, "up": up}
    traces = model.traces(x, range(4), noise=stream(3), samples=samples, **ways)
    for k, trace in enumerate(traces):
        weights = log_weights(trace)
        expected = torch.from_numpy(model.expected_bound(x.numpy(), k, up=up, skipped=skipped))
        error = weights.std(0) / samples**0.5 + 1e-9
        assert ((weights.mean(0) - expected).abs() < 5 * error).all(), k
        # the closed form of the top term changes the variance, not the expectation
        spread = (trace.log_px - trace.kl[k:].sum(0)).std(0) / samples**0.5 + 1e-9
        assert ((bound(trace) - expected).abs() < 5 * spread).all(), k


@TWINS
@pytest.mark.parametrize("up", ["mean", "sample"])
@pytest.mark.parametrize("off", [0.0, 0.5])
def test_no_bound_exceeds_the_evidence(twin: type[Chain], up: str, off: float) -> None:
    model = twin(4, off=off)
    x = model.images(50).numpy()
    evidence = model.log_evidence(x)
    for k in range(4):
        assert (model.expected_bound(x, k, up=up) <= evidence + 1e-9).all()
    if not off:
        np.testing.assert_allclose(model.expected_bound(x, 0, up=up), evidence, atol=1e-9)


@TWINS
@pytest.mark.parametrize("k", [0, 1, 2])
@pytest.mark.parametrize("up", ["mean", "sample"])
def test_importance_weighting_rises_to_the_evidence(twin: type[Chain], up: Any, k: int) -> None:
    model = twin(3, units=1, off=0.6)
    x = model.images(20)
    evidence = torch.from_numpy(model.log_evidence(x.numpy()))
    trace = model.trace(x, noise=stream(5), samples=20_000, k=k, up=up)
    weights = log_weights(trace)
    gaps = []
    for size in (1, 10, 100, 1000, 20_000):
        groups = weights.unflatten(0, (-1, size))
        value = groups.logsumexp(1) - np.log(size)
        gaps.append(float((evidence - value.mean(0)).mean()))
    assert gaps == sorted(gaps, reverse=True)
    assert gaps[0] > 0.3
    assert abs(gaps[-1]) < 0.03


@pytest.mark.parametrize("layers", [2, 4])
def test_way_up_passes_means_or_draws(layers: int) -> None:
    model = LinearGaussian(layers)
    x = model.images(4)
    k = layers - 1
    by_mean = model.trace(x, noise=noise_of(x), k=k, up="mean", samples=3)
    by_draw = model.trace(x, noise=noise_of(x), k=k, up="sample", samples=3)
    means = model.posterior_means(x, noise=noise_of(x))
    top_mean, top_draw = by_mean.z[-1], by_draw.z[-1]
    assert top_mean is not None
    assert top_draw is not None
    torch.testing.assert_close(top_mean[0], means[-1])
    assert top_draw.shape[0] == 3  # each draw below gives a posterior of its own
    assert top_draw.std(0).min() > 0
    # For a linear model the mean of the chain is the chain of means.
    many = model.posterior_means(x, noise=stream(), samples=20_000, up="sample")
    for one, other in zip(means, many, strict=True):
        torch.testing.assert_close(one, other, rtol=0, atol=0.04)


@TWINS
def test_posterior_means_of_exact_inference_are_those_of_bayes(twin: type[Chain]) -> None:
    model = twin(3)
    x = model.images(4)
    # E[z_L | x] by conditioning the joint Gaussian of (z_L, x) directly.
    mean, variance = model.marginals()
    slope = np.prod(model.a, axis=0)
    cross = slope * model.C  # cov(x, z_L), (D, n)
    cov = model.C * variance[0] @ model.C.T + model.s0**2 * np.eye(len(model.c))
    d = x.flatten(1).numpy() - model.C @ mean[0] - model.c
    expected = d @ np.linalg.inv(cov) @ cross
    found = model.posterior_means(x, noise=noise_of(x))[-1]
    np.testing.assert_allclose(found.numpy(), expected, atol=1e-9)


@TWINS
def test_skipped_mean_passes_the_mean_of_the_prior(twin: type[Chain]) -> None:
    model = twin(3)
    x = model.images(2)
    trace = model.trace(x, noise=noise_of(x), k=2, skipped="mean", samples=5)
    cold = model.trace(x, noise=noise_of(x), k=2, temperature=0.0, samples=5)
    torch.testing.assert_close(trace.log_px, cold.log_px)
    top = trace.z[2]
    assert top is not None
    z3 = top.numpy() + noise_of(x).normal("q3", 5, 2, (3,)).numpy() * model.steps[2].std
    z1 = model.a[0] * (model.a[1] * z3 + model.b[1]) + model.b[0]
    image = (z1 @ model.C.T + model.c).reshape(5, 2, *model.image_shape)
    np.testing.assert_allclose(trace.likelihood.mean.numpy(), image, atol=1e-9)


@TWINS
def test_temperature_scales_the_spread_of_skipped_layers_alone(twin: type[Chain]) -> None:
    model = twin(3)
    x = model.images(1)

    def spread(temperature: float, k: int) -> float:
        trace = model.trace(
            x, noise=stream(), k=k, samples=4000, temperature=temperature, skipped="sample"
        )
        return float(trace.likelihood.mean.var(0).sum())

    assert spread(0.5, 0) == spread(1.0, 0)
    assert spread(0.0, 2) < spread(0.5, 2) < spread(1.0, 2) < spread(2.0, 2)


@TWINS
def test_closed_forms_are_the_means_of_their_samples(twin: type[Chain]) -> None:
    model = twin(3, off=0.5)
    trace = model.trace(model.images(3), noise=stream(2), samples=20_000)
    sampled = trace.log_q - trace.log_p
    closed = [2] if twin is LinearGaussian else [0, 1, 2]  # HVK App. F
    for i in range(3):
        if i not in closed:
            torch.testing.assert_close(trace.kl[i], sampled[i])
            continue
        gap = sampled[i] - trace.kl[i]
        assert (gap.mean(0).abs() < 5 * gap.std(0) / 20_000**0.5).all()
        assert gap.std(0).min() > 0.1
        assert (trace.kl[i] >= 0).all()


@TWINS
def test_prior_samples_have_the_marginals_of_the_prior(twin: type[Chain]) -> None:
    model = twin(3)
    mean, variance = model.marginals()
    drawn = model.sample(50_000, noise=stream()).mean[0].flatten(1).detach().numpy()
    np.testing.assert_allclose(drawn.mean(0), model.C @ mean[0] + model.c, atol=0.05)
    np.testing.assert_allclose(np.cov(drawn.T), model.C * variance[0] @ model.C.T, atol=0.1)


@TWINS
def test_prior_samples_obey_temperature_and_given_layers(twin: type[Chain]) -> None:
    model = twin(3)
    cold = model.sample(4, noise=stream(), temperature=0).mean
    chain = model.C @ (model.a[0] * model.b[1] + model.b[0]) + model.c
    expected = np.broadcast_to(chain.reshape(1, 1, *model.image_shape), cold.shape)
    np.testing.assert_allclose(cold.detach().numpy(), expected, atol=1e-9)
    z1 = torch.randn(4, 3, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    given = model.sample(4, noise=stream(), given={1: z1}).mean
    torch.testing.assert_close(given, model._picture(z1.unsqueeze(0)).mean)
    z2 = torch.zeros(4, 3, dtype=torch.float64)
    half = model.sample(4, noise=stream(), given={2: z2}, temperature=(0.0, 1.0, 1.0)).mean
    expected = (model.C @ model.b[0] + model.c).reshape(model.image_shape)
    np.testing.assert_allclose(half[0, 2].detach().numpy(), expected, atol=1e-9)


@TWINS
@pytest.mark.parametrize("layer", [1, 2, 3])
def test_each_layer_has_its_own_temperature(twin: type[Chain], layer: int) -> None:
    model = twin(3)
    heat = [2.0 if layer == i else 0.0 for i in (1, 2, 3)]
    drawn = model.sample(50_000, noise=stream(), temperature=heat).mean[0].flatten(1)
    std = [model.s[0], model.a[0] * model.s[1], model.a[0] * model.a[1]][layer - 1]  # of z_1
    cov = model.C * (2 * std) ** 2 @ model.C.T
    np.testing.assert_allclose(np.cov(drawn.detach().numpy().T), cov, atol=0.05 * cov.max())


def test_precision_weighted_is_the_product_of_the_densities() -> None:
    rng = np.random.default_rng(0)
    for (m1, m2), (s1, s2) in zip(
        rng.normal(size=(5, 2)), rng.uniform(0.3, 2, (5, 2)), strict=True
    ):
        one, two = (
            Gaussian(torch.tensor([[[m]]]), torch.tensor([[[s]]])) for m, s in ((m1, s1), (m2, s2))
        )
        found = precision_weighted(one, two)
        grid = np.linspace(-25, 25, 200_001)
        product = norm.pdf(grid, m1, s1) * norm.pdf(grid, m2, s2)
        product /= np.trapezoid(product, grid)
        expected = norm.pdf(grid, float(found.mean), float(found.std))
        np.testing.assert_allclose(expected, product, atol=1e-9)


# --- the HVAE itself -----------------------------------------------------------------------------


def test_binarisation_is_dynamic_and_fair() -> None:
    model = tiny_model()
    grey = torch.full((2000, 1, 8, 8), 0.3)
    first, second = model.prepare(grey, stream(0)), model.prepare(grey, stream(1))
    assert set(first.unique().tolist()) == {0.0, 1.0}
    assert abs(float(first.mean()) - 0.3) < 0.01
    assert (first != second).any()
    ends = torch.tensor([0.0, 1.0]).view(2, 1, 1, 1).expand(2, 1, 8, 8)
    torch.testing.assert_close(model.prepare(ends, stream()), ends)


def test_grey_levels_are_left_as_they_are() -> None:
    model = tiny_model(tiny_config(likelihood="discretised_logistic"))
    images = tiny_set(3)
    x = prepared(model, images)
    np.testing.assert_array_equal((x * 255).round().numpy(), images.images)
    assert isinstance(model.trace(x, noise=stream()).likelihood, DiscretisedLogistic)


CONFIGS = {
    "two layers": tiny_config(latents=(CONV, DENSE)),
    "five layers": tiny_config(latents=(CONV, HALF, HALF, DENSE, DENSE), blocks=2),
    "no skips": tiny_config(skip=False),
    "stem of 2": tiny_config(stem=2),
    "stem of 4": tiny_config(stem=4, latents=(CONV, CONV, DENSE)),
    "odd sizes": tiny_config(image_shape=(1, 28, 28), latents=(HALF, HALF, HALF, HALF)),
    "not square": tiny_config(image_shape=(1, 8, 14), latents=(HALF, HALF, HALF, HALF)),
    "tall": tiny_config(image_shape=(1, 20, 6), latents=(HALF, HALF, HALF, DENSE)),
    "colour": tiny_config(image_shape=(3, 32, 32), stem=4, likelihood="discretised_logistic"),
    "grey levels": tiny_config(likelihood="discretised_logistic", stem=2),
    "all dense": tiny_config(latents=(DENSE, DENSE)),
    "all convolutional": tiny_config(latents=(CONV, CONV, HALF)),
}


@pytest.mark.parametrize("family", ["hvae", "lvae", "biva"])
@pytest.mark.parametrize("config", CONFIGS.values(), ids=CONFIGS.keys())
def test_every_architecture_runs_and_has_its_shapes(config: Any, family: Any) -> None:
    config = as_family(family, config)
    model = tiny_model(config)
    images = tiny_set(3, config.image_shape)
    traces = model.traces(prepared(model, images), range(model.n_levels), noise=stream())
    for trace in traces:
        assert trace.likelihood.mean.shape == (1, 3, *config.image_shape)
        assert torch.isfinite(trace.log_px).all()
        assert torch.isfinite(trace.kl).all()
    z = traces[0].z
    assert [tuple(m.shape[2:]) for m in z if m is not None] == list(config.latent_shapes)
    assert [spec.shape for spec in model.latents] == list(config.latent_shapes)
    drawn = model.sample(2, noise=stream(), temperature=[0.5] * model.n_layers)
    assert drawn.mean.shape == (1, 2, *config.image_shape)
    shape = (1, 2, *config.image_shape)
    assert drawn.sample(torch.rand(shape, generator=torch.Generator())).shape == shape


@pytest.mark.parametrize(
    ("changes", "up", "down"),
    [
        ({}, 2, 2),
        ({"skip": False}, 1, 1),
        ({"skips_up": "none"}, 1, 2),
        ({"skips_down": "none"}, 2, 1),
        ({"skips_up": "none", "skips_down": "deterministic"}, 1, 4),
    ],
)
def test_skips_connect_every_other_layer(changes: dict[str, Any], up: int, down: int) -> None:
    """q(z_i | z_{i-1}, z_{i-2}) and p(z_i | z_{i+1}, z_{i+2}): gradients say who feeds whom."""
    model: Any = tiny_model(tiny_config(latents=(CONV, CONV, HALF, DENSE), **changes))
    z = [
        torch.randn(1, 2, *s.shape, generator=torch.Generator().manual_seed(s.index))
        for s in model.latents
    ]
    for value in z:
        value.requires_grad_()
    x = torch.rand(1, 2, 1, 8, 8, generator=torch.Generator()).requires_grad_()
    nodes = [x, *z]

    def fed(out: Tensor, nodes: list[Tensor] = nodes) -> list[int]:
        grads = torch.autograd.grad(out.sum(), nodes, allow_unused=True)
        return [i for i, g in enumerate(grads) if g is not None and bool(g.any())]

    assert model.reach == up
    for i in range(1, 5):
        below = fed(model.posterior(i, x, z[: i - 1]).mean)
        assert below == list(range(max(0, i - up), i))
        if i < 4:
            above = fed(model.prior(i, z[i:]).mean)
            assert above == list(range(i + 1, min(4, i + down) + 1))
    assert fed(model.decode(z).mean) == list(range(1, down + 1))


def test_skips_of_features_are_what_the_prior_above_was_read_from() -> None:
    """d_i = f_i(W z_{i+1} + V relu(d_{i+1})), from the top downwards, without what is kept."""
    model: Any = tiny_model(tiny_config(skips_down="deterministic"))
    z = [torch.randn(1, 2, *s.shape, generator=stream().generator) for s in model.latents]
    d = model.down[2](model.down_in[2](z[2][0]))
    for i in (1, 0):
        mean, _ = model.to_p[i](d).chunk(2, 1)
        torch.testing.assert_close(model.prior(i + 1, z[i + 1 :]).mean[0], mean)
        d = model.down[i](model.down_in[i](z[i][0]) + model.down_skip[i](d.relu()))
    torch.testing.assert_close(model.decode(z).mean, model.picture(d[None]).mean)
