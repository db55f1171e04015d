"""Objectives against their equations, written out with traces of the same noise."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, get_args

import numpy as np
import pytest
import torch
from scipy.stats import norm
from torch import Tensor

from hvae_core.common.errors import ConfigError
from hvae_core.common.noise import ImageNoise
from hvae_core.config import LikelihoodName, TrainConfig
from hvae_core.evaluation.bounds import bound
from hvae_core.evaluation.replay import WARM
from hvae_core.models import HierarchicalVAE, model_from_config
from hvae_core.training.objectives import (
    Objective,
    elbo,
    free_bits_lambda,
    informative,
    iwae,
    warmup_beta,
)
from hvae_core.training.step import Batch
from tests.linear_gaussian import LinearGaussian
from tests.small import (
    FAMILIES,
    FromTheHost,
    prepared,
    stream,
    tiny_config,
    tiny_model,
    tiny_set,
)


@pytest.fixture
def model() -> HierarchicalVAE:
    return tiny_model()


def numpy(*values: Tensor) -> list[np.ndarray]:
    return [value.detach().double().numpy() for value in values]


def noise() -> ImageNoise:
    return ImageNoise(tiny_set(8).image_digests())


def test_warmup_rises_linearly_and_stays() -> None:
    found = [warmup_beta(epoch, 4) for epoch in (0, 1, 2.5, 4, 9)]
    assert found == [0, 0.25, 0.625, 1, 1]
    assert warmup_beta(0, 0) == 1


def test_free_bits_are_held_and_then_fall_to_nothing() -> None:
    config = TrainConfig("bars", free_bits=2.0, free_bits_constant=10, free_bits_annealed=20)
    epochs = (0, 9.9, 10, 15, 20, 29, 30, 100)
    found = [free_bits_lambda(epoch, config) for epoch in epochs]
    assert found == pytest.approx([2, 2, 2, 1.5, 1, 0.1, 0, 0])
    held = TrainConfig("bars", free_bits=2.0, free_bits_constant=10)
    assert [free_bits_lambda(epoch, held) for epoch in (9, 10, 11)] == [2, 0, 0]
    assert free_bits_lambda(0, TrainConfig("bars")) == 0


def test_elbo_is_minus_the_bound(model: HierarchicalVAE) -> None:
    x = prepared(model, tiny_set(8))
    terms = elbo(model, x, noise())
    expected = bound(model.trace(x, noise=noise())).mean()
    torch.testing.assert_close(terms.loss, -expected)
    torch.testing.assert_close(terms.elbo, expected)
    torch.testing.assert_close(terms.log_px - terms.kl.sum(), expected)


def test_elbo_of_exact_inference_is_the_evidence() -> None:
    model = LinearGaussian(3)
    x = model.images(4000)
    evidence = model.log_evidence(x.numpy()).mean()
    # the top term in closed form: equal in expectation, not image by image
    assert float(elbo(model, x, stream()).elbo.detach()) == pytest.approx(evidence, abs=0.1)


def test_beta_weighs_the_kl_alone(model: HierarchicalVAE) -> None:
    x = prepared(model, tiny_set(8))
    terms = elbo(model, x, noise(), beta=0.3)
    torch.testing.assert_close(terms.loss, 0.3 * terms.kl.sum() - terms.log_px)
    torch.testing.assert_close(terms.elbo, elbo(model, x, noise()).elbo)


def test_free_bits_are_the_larger_of_lambda_and_the_kl(model: HierarchicalVAE) -> None:
    x = prepared(model, tiny_set(8))
    plain = elbo(model, x, noise())
    level = float(plain.kl.detach().sort().values[1])  # between the smallest and the largest
    terms = elbo(model, x, noise(), free_bits=level)
    held = torch.tensor([max(level, value) for value in plain.kl.tolist()])
    assert int((held == level).sum()) == 2  # the smallest is lifted, the second is itself
    torch.testing.assert_close(terms.loss.detach(), held.sum() - plain.log_px.detach())
    torch.testing.assert_close(terms.kl, plain.kl)  # reported as they are
    torch.testing.assert_close(terms.elbo, plain.elbo)


@pytest.mark.parametrize("beta", [1.0, 0.3])
def test_free_bits_of_elements_are_a_floor_of_each_in_every_image(
    model: HierarchicalVAE, beta: float
) -> None:
    """max(lambda / C, .) of every unit, from scipy's densities; the top's in closed form."""
    x = prepared(model, tiny_set(8))
    host: Any = model
    z: list[Tensor] = []
    q: list[Any] = []
    for spec in model.latents:
        q.append(host.posterior(spec.index, x[None], z))
        z.append(q[-1].sample(noise().normal(f"q{spec.index}", 1, 8, spec.shape)).detach())
    p = [host.prior(i, z[i:]) for i in range(1, model.n_layers)]
    units = [
        norm(*numpy(a.mean, a.std)).logpdf(draw) - norm(*numpy(b.mean, b.std)).logpdf(draw)
        for a, b, draw in zip(q, p, z, strict=False)
    ]
    mean, std = numpy(q[-1].mean, q[-1].std)
    units.append((mean**2 + std**2 - 1) / 2 - np.log(std))
    channels = [spec.shape[0] for spec in model.latents]
    held = [np.maximum(0.8 / c, kl).sum() / 8 for kl, c in zip(units, channels, strict=True)]
    lifted = [(kl < 0.8 / c).mean() for kl, c in zip(units, channels, strict=True)]
    assert all(0.05 < share < 1 for share in lifted)
    terms = elbo(model, x, noise(), beta=beta, free_bits=0.8, scope="element")
    assert float((terms.loss + terms.log_px).detach()) == pytest.approx(beta * sum(held), rel=1e-5)
    torch.testing.assert_close(terms.elbo, elbo(model, x, noise()).elbo)


def test_free_bits_of_elements_need_gaussians() -> None:
    model = tiny_model(tiny_config(pseudoinputs=2))
    x = prepared(model, tiny_set(8))
    with pytest.raises(ConfigError, match='set free_bits_scope to "layer"'):
        elbo(model, x, noise(), free_bits=1.0, scope="element")


def test_beta_weighs_what_free_bits_hold(model: HierarchicalVAE) -> None:
    x = prepared(model, tiny_set(8))
    plain = elbo(model, x, noise())
    level = float(plain.kl.detach().sort().values[1])
    terms = elbo(model, x, noise(), beta=0.3, free_bits=level)
    held = 0.3 * sum(max(level, value) for value in plain.kl.tolist())
    assert float((terms.loss + plain.log_px).detach()) == pytest.approx(held, rel=1e-5)


def test_a_layer_within_its_free_bits_feels_no_kl(model: HierarchicalVAE) -> None:
    x = prepared(model, tiny_set(8))
    terms = elbo(model, x, noise(), free_bits=1e6)
    (terms.loss + terms.log_px).backward()
    grads = [p.grad for p in model.parameters() if p.grad is not None]
    assert all(not grad.any() for grad in grads)


def test_informative_loss_is_its_equation(model: HierarchicalVAE) -> None:
    """INF Eq. 10 with one trace for each k: (1/L) sum_k E[log p(x|z_>k)] - sum_i KL_i."""
    x = prepared(model, tiny_set(8))
    traces = [model.trace(x, k=k, up="sample", noise=noise()) for k in range(model.n_layers)]
    reconstruction = sum(trace.log_px.mean() for trace in traces) / model.n_layers
    kl = traces[0].kl.sum(0).mean()
    terms = informative(model, x, noise())
    torch.testing.assert_close(terms.loss, kl - reconstruction)
    torch.testing.assert_close(terms.elbo, bound(traces[0]).mean())
    torch.testing.assert_close(terms.kl.sum(), kl)


@pytest.mark.parametrize("family", ["hvae", "lvae"])
def test_iwae_is_the_log_of_the_mean_weight(family: Any) -> None:
    """HVK Eq. 9 written out for every image: log of the mean of p(x, z) / q(z | x)."""
    model = tiny_model(tiny_config(family=family))
    x = prepared(model, tiny_set(8))
    trace = model.trace(x, noise=noise(), samples=5)
    log_w = (trace.log_px + trace.log_p.sum(0) - trace.log_q.sum(0)).detach().double().numpy()
    top = log_w.max(0)
    by_hand = np.log(np.exp(log_w - top).sum(0) / 5) + top
    terms = iwae(model, x, noise(), samples=5)
    assert float(terms.loss.detach()) == pytest.approx(-by_hand.mean(), rel=1e-6)
    assert log_w.std(0).min() > 0.01  # the weights differ, so the mean of logs is another number
    assert -float(terms.loss.detach()) > log_w.mean() + 0.01
    torch.testing.assert_close(terms.elbo, bound(trace).mean())
    torch.testing.assert_close(terms.log_px - terms.kl.sum(), terms.elbo)


@pytest.mark.parametrize("family", ["hvae", "lvae"])
def test_iwae_of_one_sample_is_the_sampled_elbo(family: Any) -> None:
    model = tiny_model(tiny_config(family=family))
    x = prepared(model, tiny_set(8))
    trace = model.trace(x, noise=noise())
    sampled = trace.log_px - (trace.log_q - trace.log_p).sum(0)
    terms = iwae(model, x, noise(), samples=1)
    torch.testing.assert_close(terms.loss, -sampled.mean())
    plain = elbo(model, x, noise())
    for mine, other in zip(terms[1:], plain[1:], strict=True):
        torch.testing.assert_close(mine, other)


def test_iwae_rises_to_the_evidence_with_its_samples() -> None:
    model = LinearGaussian(3, units=1, off=0.6)
    x = model.images(2000)
    evidence = model.log_evidence(x.numpy()).mean()
    gaps = [
        evidence + float(iwae(model, x, stream(s), samples=s).loss.detach())
        for s in (1, 5, 50, 500)
    ]
    assert gaps == sorted(gaps, reverse=True)
    assert gaps[0] > 0.3
    assert abs(gaps[-1]) < 0.05


@pytest.mark.parametrize("objective", ["elbo", "informative", "iwae"])
@pytest.mark.parametrize("likelihood", get_args(LikelihoodName))
def test_gradients_reach_every_parameter_of_every_likelihood(
    objective: Any, likelihood: LikelihoodName
) -> None:
    shape = (3, 8, 8) if likelihood == "mixture_logistic" else (1, 8, 8)
    model = tiny_model(tiny_config(likelihood=likelihood, blocks=2, image_shape=shape))
    module = Objective(model, TrainConfig("bars", objective=objective))
    images = torch.from_numpy(tiny_set(16, shape).images.copy()).float() / 255
    module(images, stream()).loss.backward()
    for name, value in model.named_parameters():
        assert value.grad is not None, name
        assert torch.isfinite(value.grad).all(), name
        assert value.grad.any(), name


def test_objective_module_follows_its_schedule(model: HierarchicalVAE) -> None:
    config = TrainConfig(
        "bars", warmup_epochs=10, free_bits=50.0, free_bits_constant=2, free_bits_annealed=4
    )
    images = tiny_set(8)
    x = torch.from_numpy(images.images.copy()).float() / 255
    at = {"beta": warmup_beta(4.0, 10), "free_bits": free_bits_lambda(4.0, config)}
    # As numbers, and as the tensors that a recorded step reads.
    terms = Objective(model, config)(x, noise(), **at)
    again = Objective(model, config)(x, noise(), **{k: torch.tensor(v) for k, v in at.items()})
    torch.testing.assert_close(again.loss, terms.loss)
    expected = elbo(model, prepared(model, images), noise(), beta=0.4, free_bits=25.0)
    torch.testing.assert_close(terms.loss, expected.loss)
    by_element = Objective(model, replace(config, free_bits_scope="element"))(x, noise(), **at)
    expected = elbo(
        model, prepared(model, images), noise(), beta=0.4, free_bits=25.0, scope="element"
    )
    torch.testing.assert_close(by_element.loss, expected.loss)
    chosen = Objective(model, TrainConfig("bars", objective="informative"))(x, noise())
    torch.testing.assert_close(
        chosen.loss, informative(model, prepared(model, images), noise()).loss
    )
    weighted = Objective(model, TrainConfig("bars", objective="iwae", samples=3))(x, noise())
    torch.testing.assert_close(
        weighted.loss, iwae(model, prepared(model, images), noise(), samples=3).loss
    )


@pytest.mark.parametrize("family", ["dct-vae", "dvp-vae"])
def test_iwae_is_refused_where_the_prior_is_a_noisy_estimate(family: str) -> None:
    model = tiny_model(FAMILIES[family])
    with pytest.raises(ConfigError, match="cannot train a diffusion prior"):
        Objective(model, TrainConfig("bars", objective="iwae", samples=2))
    Objective(model, TrainConfig("bars"))


@pytest.mark.parametrize("family", ["hvae", "biva-vamp", "dct-vae", "dvp-vae"])
def test_a_step_waits_for_no_copy_from_the_host(family: str) -> None:
    """Else a graphics card cannot record it. The first calls warm up.

    These differ in the prior, whose terms training has in another form than scoring, where every
    family is asked.
    """
    with torch.device("meta"):
        model = model_from_config(FAMILIES[family])
    held = {"free_bits": 1.0, "free_bits_constant": 1, "free_bits_scope": "element"}
    given: dict[str, Any] = {"beside": "moved", "consistency": 0.1} if family == "hvae" else {}
    given |= held if family == "hvae" else {}
    batch = Batch(Objective(model, TrainConfig("bars", mutation=0.1, **given))).to("meta")
    pixels = torch.empty(2, *model.image_shape, dtype=torch.uint8, device="meta")
    keys = torch.empty(2, 2, dtype=torch.int64, device="meta")
    for _ in range(WARM):
        batch(pixels, keys)
    with FromTheHost() as copies:
        batch(pixels, keys).loss.backward()
    assert copies.found == []
