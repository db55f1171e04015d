"""L_<l: the ELBO where nothing is from the prior, the linear-Gaussian truth elsewhere."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from hvae_core.common.noise import ImageNoise
from hvae_core.evaluation.bounds import bound
from hvae_core.models.distributions import LOG_2PI
from tests.linear_gaussian import Array, Chain, LinearGaussian, TopDownGaussian
from tests.models.test_biva import LinearPairs, pictures
from tests.small import FAMILIES, prepared, stream, tiny_model, tiny_set


@pytest.mark.parametrize("family", FAMILIES)
def test_it_becomes_the_elbo_in_every_family(family: str) -> None:
    model = tiny_model(FAMILIES[family])
    images = tiny_set(5, model.image_shape)
    x, noise = prepared(model, images), ImageNoise(images.image_digests())
    top = model.n_levels + 1
    with torch.no_grad():
        every = model.lower(x, range(1, top + 1), noise=noise)
        elbo = bound(model.trace(x, noise=noise))
        alone = [model.lower(x, [level], noise=noise)[0] for level in range(1, top + 1)]
    torch.testing.assert_close(every[-1], elbo)
    assert len(every) == top
    torch.testing.assert_close(torch.stack(every), torch.stack(alone), rtol=1e-4, atol=1e-4)
    assert torch.isfinite(torch.stack(every)).all()


def test_batches_do_not_matter() -> None:
    model, images = tiny_model(), tiny_set(6)
    x, digests = prepared(model, images), images.image_digests()
    with torch.no_grad():
        whole = torch.stack(model.lower(x, range(1, 5), noise=ImageNoise(digests)))
        parts = [
            torch.stack(model.lower(x[[i]], range(1, 5), noise=ImageNoise([digests[i]])))
            for i in range(6)
        ]
    torch.testing.assert_close(torch.cat(parts, 1), whole, rtol=1e-4, atol=1e-3)


def truth(model: Chain, x: Array, read: int) -> Array:
    """L_<l by moments: z_i of the lowest ``read`` layers from q, the rest from p, independent.

    Under top-down inference the lowest layers depend on the first drawn above them.
    """
    prior_mean, prior_variance = model.marginals()
    units, top = model.shape[2], len(model.a)
    shape = (len(x), units)
    mean = [np.broadcast_to(m, shape) for m in prior_mean]
    var = list(prior_variance)
    cov = [model.a[i] * prior_variance[i + 1] for i in range(top)]  # Cov(z_i, z_{i+1})
    if isinstance(model, LinearGaussian):
        means, variances, both = model._moments(x, 0, "sample")
        for i in range(read):
            mean[i], var[i] = means[i], variances[i]
            cov[i : i + 1] = [both[i] if i + 1 < read else np.zeros(units)] if i < top else []
    else:
        pixels = x.reshape(len(x), -1) @ model.C
        for i in range(read - 1, -1, -1):
            step = model.steps[i]
            above_mean = mean[i + 1] if i < top else np.zeros(shape)
            above_var = var[i + 1] if i < top else np.zeros(units)
            mean[i] = step.gain * above_mean + step.pixels * pixels + step.shift
            var[i] = step.gain**2 * above_var + step.std**2
            if i < top:
                cov[i] = step.gain * above_var
    total = np.zeros(len(x))
    for i in range(read):
        entropy = 0.5 * (1 + LOG_2PI) + np.log(model.steps[i].std)
        if i == top:
            square, s = mean[i] ** 2 + var[i], np.ones(units)
        else:
            d = mean[i] - model.a[i] * mean[i + 1] - model.b[i]
            square = d**2 + var[i] - 2 * model.a[i] * cov[i] + model.a[i] ** 2 * var[i + 1]
            s = model.s[i]
        total += (entropy - 0.5 * LOG_2PI - np.log(s) - 0.5 * square / s**2).sum(-1)
    d = x.reshape(len(x), -1) - mean[0] @ model.C.T - model.c
    square = (d**2).sum(1) + (var[0] * (model.C**2).sum(0)).sum(-1)
    return total - 0.5 * square / model.s0**2 - len(model.c) * (math.log(model.s0) + 0.5 * LOG_2PI)


@pytest.mark.parametrize("kind", [LinearGaussian, TopDownGaussian])
@pytest.mark.parametrize("off", [0.0, 1.0])
def test_the_mean_over_draws_is_that_of_the_linear_gaussian_truth(kind: type, off: float) -> None:
    model = kind(layers=3, off=off)
    images = model.images(3)
    many = 4000
    x = images.repeat_interleave(many, 0)
    with torch.no_grad():
        found = torch.stack(model.lower(x, range(1, 5), noise=stream())).unflatten(1, (3, many))
    mean, error = found.mean(2), found.std(2) / math.sqrt(many)
    for read in range(4):
        expected = truth(model, images.numpy(), read)
        gap = np.abs(mean[read].numpy() - expected)
        assert (gap < 4.5 * error[read].numpy() + 1e-6).all(), (read, gap, error[read])
    if not off:  # exact inference: the last is log p(x)
        np.testing.assert_allclose(mean[3], model.log_evidence(images.numpy()), atol=0.2)


@pytest.mark.parametrize("family", FAMILIES)
def test_with_everything_from_the_prior_it_is_the_likelihood_of_samples(family: str) -> None:
    """L_<1 = E_p(z) log p(x|z), which knows no inference: by ``sample``, in every family."""
    model, many = tiny_model(FAMILIES[family]).eval(), 600
    image = prepared(model, tiny_set(1, model.image_shape))
    x = image.expand(many, *model.image_shape)
    with torch.no_grad():
        found = model.lower(x, [1], noise=stream(1))[0].double()
        likelihood = model.sample(many, noise=stream(2))
        expected = likelihood.log_prob(x)[0].double()
    error = math.sqrt(float(found.var() + expected.var()) / many)
    assert float(found.std()) > 0
    assert abs(float(found.mean() - expected.mean())) < 4.5 * error


@pytest.mark.parametrize("level", [1, 2, 3, 4])
def test_weights_of_pairs_average_to_the_evidence(
    level: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """E[p(x|z) p(z_<l|z_>=l) / q(z_<l|x)] = p(x) for every l, z_>=l being the prior's own.

    So it is only where each density is the one that was drawn from, bottom-up and top-down.
    """
    monkeypatch.setattr(LinearPairs, "divergence", lambda _, q, p, log_ratio: log_ratio)
    model, many = LinearPairs(), 60_000
    images = pictures(model, 4)
    x = images.repeat_interleave(many, 0)
    with torch.no_grad():
        weights = model.lower(x, [level], noise=stream(4))[0].unflatten(0, (4, many))
    evidence = model.log_evidence(images)
    ratio = (weights - evidence[:, None]).exp()
    error = ratio.std(1) / many**0.5
    assert ((ratio.mean(1) - 1).abs() < 5 * error).all()
    assert float(error.max()) < 0.2


def test_a_level_that_does_not_exist_is_refused() -> None:
    model, images = tiny_model(), tiny_set(2)
    with pytest.raises(ValueError, match=r"1\.\.4"):
        model.lower(prepared(model, images), [5], noise=stream())
