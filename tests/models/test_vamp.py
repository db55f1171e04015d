"""The VampPrior: densities against scipy, draws against moments, and what reaches pseudoinputs."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from scipy.special import logsumexp
from scipy.stats import multivariate_normal
from torch import Tensor

from hvae_core.common.noise import ImageNoise
from hvae_core.models.distributions import Gaussian
from hvae_core.models.priors import vamp
from hvae_core.models.priors.vamp import GaussianMixture, Pseudoinputs
from hvae_core.training.objectives import elbo
from tests.small import prepared, stream, tiny_config, tiny_model, tiny_set

HOSTS = ["hvae", "lvae", "biva"]


def mixture(components: int, shape: tuple[int, ...], seed: int = 0) -> GaussianMixture:
    rng = np.random.default_rng(seed)
    mean = torch.from_numpy(rng.normal(0, 2, (components, *shape)))
    return GaussianMixture(mean, torch.from_numpy(rng.uniform(0.3, 1.5, mean.shape)))


def host(family: str, **changes: Any) -> Any:
    return tiny_model(tiny_config(family=family, **changes)).requires_grad_(False)


# --- the mixture ---------------------------------------------------------------------------------


@pytest.mark.parametrize("chunk", [vamp._CHUNK, 50])
def test_density_is_that_of_scipy(chunk: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(vamp, "_CHUNK", chunk)  # in one table, or a few draws at a time
    p = mixture(7, (2, 3))
    z = torch.from_numpy(np.random.default_rng(1).normal(0, 2, (4, 5, 2, 3)))
    parts = [
        multivariate_normal(m.flatten().numpy(), np.diag(s.flatten().numpy() ** 2))
        for m, s in zip(p.mean, p.std, strict=True)
    ]
    expected = logsumexp([part.logpdf(z.flatten(2).numpy()) for part in parts], 0) - np.log(7)
    np.testing.assert_allclose(p.log_prob(z).numpy(), expected, rtol=1e-12)


def test_density_integrates_to_one() -> None:
    grid = torch.linspace(-30, 30, 100_001, dtype=torch.float64)
    density = mixture(5, (1,)).log_prob(grid.view(-1, 1, 1)).exp()[:, 0]
    assert float(torch.trapezoid(density, grid)) == pytest.approx(1, abs=1e-9)


def test_one_component_is_a_gaussian() -> None:
    p = mixture(1, (3,))
    z = torch.from_numpy(np.random.default_rng(1).normal(size=(2, 4, 3)))
    torch.testing.assert_close(p.log_prob(z), Gaussian(p.mean, p.std).log_prob(z))


def test_density_is_finite_far_away() -> None:
    p = mixture(4, (3,))
    z = torch.full((1, 1, 3), 1e4, dtype=torch.float64).requires_grad_()
    value = p.log_prob(z)
    value.sum().backward()
    assert torch.isfinite(value).all()
    assert z.grad is not None and torch.isfinite(z.grad).all()


def test_every_component_is_picked_as_often() -> None:
    p = mixture(4, (2,))
    u = torch.tensor([[0.0, 0.2499, 0.25, 0.5, 0.75, 1 - 2**-24]])
    torch.testing.assert_close(p.component(u).mean[0], p.mean[[0, 0, 1, 2, 3, 3]])
    torch.testing.assert_close(p.component(u).std[0], p.std[[0, 0, 1, 2, 3, 3]])


# --- in a model ----------------------------------------------------------------------------------


@pytest.mark.parametrize("family", HOSTS)
def test_components_are_posteriors_of_the_pseudoinputs(family: str) -> None:
    model = host(family, pseudoinputs=4)
    p = model.top_prior(9)
    u = torch.sigmoid(model.pseudoinputs.logits)
    expected = model.posterior_means(u, noise=ImageNoise(range(4)), up="mean")[-1]
    torch.testing.assert_close(p.mean, expected)
    assert isinstance(host(family).top_prior(9), Gaussian)


@pytest.mark.parametrize("family", HOSTS)
def test_one_pseudoinput_has_a_divergence_in_closed_form(
    family: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The sampled term of z_L has, with K = 1, the mean KL(q(z_L|x) || q(z_L|u))."""
    seen: list[tuple[Gaussian, GaussianMixture]] = []

    def spy(q: Gaussian, p: Any, log_ratio: Tensor) -> Tensor:
        if isinstance(p, GaussianMixture):
            seen.append((q, p))
        return vamp.divergence(q, p, log_ratio)

    model = host(family, pseudoinputs=1)
    monkeypatch.setattr(model, "divergence", spy)
    trace = model.trace(prepared(model, tiny_set(2)), noise=stream(1), samples=6000)
    ((q, p),) = seen
    gap = trace.kl[-1] - q.kl(Gaussian(p.mean[None], p.std[None]))
    assert (gap.mean(0).abs() < 5 * gap.std(0) / 6000**0.5).all()
    torch.testing.assert_close(trace.kl[-1], (trace.log_q - trace.log_p)[-1])


@pytest.mark.parametrize("family", HOSTS)
def test_components_are_made_once_for_all_traces(
    family: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = host(family, pseudoinputs=3)
    calls: list[int] = []
    inside = model.top_prior
    monkeypatch.setattr(model, "top_prior", lambda batch: calls.append(batch) or inside(batch))
    x = prepared(model, tiny_set(2))
    for up in ("mean", "sample"):
        calls.clear()
        model.traces(x, range(model.n_levels), noise=stream(), samples=4, up=up)
        assert calls == [2]


@pytest.mark.parametrize("temperature", [1.0, 0.4])
@pytest.mark.parametrize("family", HOSTS)
def test_draws_have_the_moments_of_the_mixture(
    family: str, temperature: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = host(family, pseudoinputs=3)
    with torch.no_grad():  # pseudoinputs far apart
        model.pseudoinputs.logits.mul_(8)
    drawn: dict[int, Tensor] = {}
    inside = model.draw_prior

    def spy(p: Any, index: int, **rest: Any) -> Tensor:
        drawn[index] = inside(p, index, **rest)
        return drawn[index]

    monkeypatch.setattr(model, "draw_prior", spy)
    model.sample(6000, noise=stream(2), temperature=temperature)
    z = drawn[model.n_layers][0].double().numpy()
    p = model.top_prior(1)
    mean, std = p.mean.double().numpy(), p.std.double().numpy()
    centre = mean.mean(0)
    cov = np.cov(mean.T, bias=True) + np.diag(temperature**2 * (std**2).mean(0))
    scale = np.sqrt(np.diag(cov))
    assert np.ptp(mean, axis=0).max() > 0.3  # or one component would do
    np.testing.assert_allclose((z.mean(0) - centre) / scale, 0, atol=5 / 6000**0.5)
    np.testing.assert_allclose((np.cov(z.T) - cov) / np.outer(scale, scale), 0, atol=0.1)


def test_cold_draws_are_the_means_of_components() -> None:
    model = host("lvae", pseudoinputs=3)
    p = model.top_prior(1)
    z = model.draw_prior(p, model.n_layers, n=40, noise=stream(), temperature=0.0)[0]
    nearest = (z[:, None] - p.mean).abs().sum(-1).min(1)
    torch.testing.assert_close(nearest.values, torch.zeros(40))
    assert set(nearest.indices.tolist()) == {0, 1, 2}


@pytest.mark.parametrize("family", HOSTS)
def test_every_pseudoinput_feels_the_loss(family: str) -> None:
    model = tiny_model(tiny_config(family=family, pseudoinputs=4))
    x = prepared(model, tiny_set(8))
    elbo(model, x, stream()).loss.backward()
    logits: Any = model.get_parameter("pseudoinputs.logits")
    assert (logits.grad.flatten(1).abs().sum(1) > 0).all()


def test_pseudoinputs_start_at_training_images() -> None:
    x = torch.from_numpy(np.array(tiny_set(6).images)).float() / 255
    one, same, other = (Pseudoinputs(9, (1, 8, 8)) for _ in range(3))
    for module, seed in ((one, 0), (same, 0), (other, 1)):
        module.start_from(x, seed)
    assert torch.equal(one.logits, same.logits)
    assert not torch.equal(one.logits, other.logits)
    u = one().detach()
    assert 0.049 < float(u.min()) < float(u.max()) < 0.951
    gap = (u[:, None] - x.clamp(0.05, 0.95)).abs().mean((2, 3, 4))  # (9, 6)
    assert (gap.min(1).values < 0.06).all()
    assert set(gap.argmin(1).tolist()) == set(range(6))  # each image before any comes twice
    assert len(u.unique(dim=0)) == 9
