"""Priors over u with a known density, against scipy; the choice of a prior by configuration."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from scipy.special import logsumexp
from scipy.stats import norm

from hvae_core.config.context import ContextConfig, DenoiserConfig, PseudoConfig
from hvae_core.models.priors import prior_from_config
from hvae_core.models.priors.closed_form import MixturePrior, NormalPrior
from hvae_core.models.priors.diffusion_discrete import DiscreteDiffusion
from hvae_core.models.priors.diffusion_gaussian import VDM
from tests.small import stream, tiny_deep, tiny_model

SHAPE = (2, 2, 2)


def test_normal_prior_is_the_standard_normal() -> None:
    prior = NormalPrior(SHAPE)
    u = 2 * torch.randn(3, 5, *SHAPE, generator=torch.Generator().manual_seed(0))
    expected = norm.logpdf(u.numpy()).reshape(3, 5, -1).sum(-1)
    np.testing.assert_allclose(prior.log_prob(u, stream()).numpy(), expected, rtol=1e-5)
    drawn = prior.sample(5000, stream(), temperature=0.5)
    assert drawn.shape == (1, 5000, *SHAPE)
    assert float(drawn.mean()) == pytest.approx(0, abs=0.02)
    assert float(drawn.std()) == pytest.approx(0.5, abs=0.02)


def test_mixture_has_the_density_of_its_components() -> None:
    torch.manual_seed(0)
    prior = MixturePrior(SHAPE, 4)
    with torch.no_grad():
        prior.logits.copy_(torch.tensor([0.0, 1.0, -2.0, 0.5]))
        prior.raw_scale.copy_(torch.randn(4, *SHAPE))
    u = torch.randn(3, 5, *SHAPE, generator=torch.Generator().manual_seed(0))
    std = np.log1p(np.exp(np.log(2) * prior.raw_scale.detach().numpy())) / np.log(2) + 0.01
    each = norm.logpdf(u.numpy()[:, :, None], prior.mean.detach().numpy(), std)
    weights = prior.logits.detach().numpy()
    each = each.reshape(3, 5, 4, -1).sum(-1) + weights - logsumexp(weights)
    found = prior.log_prob(u, stream()).detach().numpy()
    np.testing.assert_allclose(found, logsumexp(each, -1), rtol=1e-5)


def test_draws_of_a_mixture_come_from_its_components() -> None:
    torch.manual_seed(0)
    prior = MixturePrior((1, 1, 1), 3)
    with torch.no_grad():
        prior.mean.copy_(torch.tensor([-4.0, 0.0, 4.0]).view(3, 1, 1, 1))
        prior.logits.copy_(torch.tensor([0.2, 0.3, 0.5]).log() + 7)
        prior.raw_scale.fill_(-1.0)
    spread = float(np.log1p(0.5) / np.log(2)) + 0.01
    with torch.no_grad():
        drawn = prior.sample(20_000, stream()).flatten().numpy()
        cold = prior.sample(1000, stream(), temperature=0.0).flatten()
    for mean, weight in ((-4, 0.2), (0, 0.3), (4, 0.5)):
        near = drawn[np.abs(drawn - mean) < 2]
        assert len(near) / 20_000 == pytest.approx(weight, abs=0.015)
        assert near.std() == pytest.approx(spread, rel=0.05)
    assert sorted(cold.unique().tolist()) == [-4, 0, 4]


def test_a_mixture_learns_where_the_data_are() -> None:
    torch.manual_seed(1)
    prior = MixturePrior((1, 1, 1), 6)
    generator = torch.Generator().manual_seed(0)
    side = torch.randint(0, 2, (400,), generator=generator) * 2.0 - 1
    u = (0.5 * side + 0.1 * torch.randn(400, generator=generator)).view(1, -1, 1, 1, 1)
    optimizer = torch.optim.Adam(prior.parameters(), 0.05)
    for _ in range(150):
        loss = -prior.log_prob(u, stream()).mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    entropy = 0.5 * np.log(2 * np.pi * np.e * 0.01) + np.log(2)
    assert float(loss.detach()) == pytest.approx(entropy, abs=0.1)


@pytest.mark.parametrize(
    ("config", "kind"),
    [
        (PseudoConfig(2), VDM),
        (PseudoConfig(2, prior="mixture", components=7), MixturePrior),
        (PseudoConfig(2, prior="normal"), NormalPrior),
    ],
)
def test_configuration_names_the_prior(config: Any, kind: type) -> None:
    torch.manual_seed(0)
    prior = prior_from_config(config, SHAPE)
    assert type(prior) is kind
    assert prior.sample(3, stream()).shape == (1, 3, *SHAPE)
    u = torch.zeros(2, 3, *SHAPE)
    assert prior.eval().log_prob(u, stream()).shape == (2, 3)
    with torch.device("meta"):  # nothing is made that the gate could not fill
        empty = prior_from_config(config, SHAPE)
    assert {n: v.shape for n, v in empty.state_dict().items()} == {
        n: v.shape for n, v in prior.state_dict().items()
    }


def test_steps_and_network_come_from_the_configuration() -> None:
    small = DenoiserConfig("mlp", channels=6, blocks=2)
    vdm = prior_from_config(PseudoConfig(2, steps=25, gamma_min=-4.0, denoiser=small), SHAPE)
    assert isinstance(vdm, VDM)
    assert (vdm.n, vdm.ends) == (25, (-4.0, 7.0))
    context = ContextConfig(2, steps=40, bins=9, denoiser=small)
    discrete = tiny_model(tiny_deep("dct-vae", context=context)).u_prior
    assert isinstance(discrete, DiscreteDiffusion)
    assert (discrete.n, discrete.bins) == (39, 9)
