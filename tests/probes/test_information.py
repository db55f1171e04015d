"""Mutual information and unit KL: closed forms, ceilings, and traces of every family."""

from __future__ import annotations

import math
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
import torch
from scipy.integrate import quad
from torch import Tensor

from hvae_core.common.errors import DataError, ScoreError
from hvae_core.common.noise import ImageNoise
from hvae_core.models.distributions import Gaussian
from hvae_core.models.distributions.delta import Delta
from hvae_core.models.priors.vamp import GaussianMixture
from hvae_core.probes import information
from hvae_core.probes.information import (
    DELTAS,
    measure_information,
    mutual_information,
    stored_information,
    unit_kl,
)
from tests.linear_gaussian import Chain, LinearGaussian, TopDownGaussian
from tests.small import FAMILIES, prepared, tiny_model, tiny_set

N = 700


def table(
    model: Any, x: Tensor, *, noise: ImageNoise | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """log q(z_>k^i | x_j) (K, j, i) and log p(z_>k^i) (K, i)."""
    with torch.inference_mode():
        found = model.aggregate(x, noise=noise or ImageNoise(range(len(x))))
        rows = [found.log_q(x[j : j + 1]).double().numpy() for j in range(len(x))]
        return np.stack(rows, axis=1), found.log_p.double().numpy()


def true_information(model: Chain, k: int) -> float:
    """I(x; z_>k) under p(x, z): that of z_{k+1} and x, unit by unit, by their correlation."""
    _, variance = model.marginals()
    seen = variance[0] + model.s0**2 / (model.C**2).sum(0)  # of C^T x as a reading of z_1
    cov = variance[k] * np.prod(model.a[:k], axis=0)
    return float(-0.5 * np.log(1 - cov**2 / (variance[k] * seen)).sum())


def test_top_down_information_is_the_closed_form() -> None:
    model = TopDownGaussian(units=2)
    log_q, _ = table(model, model.images(N))
    for k in range(3):
        values, true = mutual_information(log_q[k]), true_information(model, k)
        assert 0.1 < true < 4
        assert values.mean() == pytest.approx(true, abs=4 * values.std() / math.sqrt(N) + 0.02)


def test_bottom_up_information_is_that_of_the_channel_by_means() -> None:
    """q(z_{k+1} | d_k(x)) is a Gaussian channel whose mean is linear in x."""
    model = LinearGaussian(units=2)
    log_q, _ = table(model, model.images(N))
    _, variance = model.marginals()
    square = (model.C**2).sum(0)
    for k in range(3):
        gain = np.prod([step.gain for step in model.steps[: k + 1]], axis=0)
        signal = gain**2 * (square**2 * variance[0] + square * model.s0**2)
        true = 0.5 * np.log1p(signal / model.steps[k].std ** 2).sum()
        values = mutual_information(log_q[k])
        assert values.mean() == pytest.approx(true, abs=4 * values.std() / math.sqrt(N) + 0.02)


def test_information_splits_the_kl_term() -> None:
    """With exact inference the aggregated posterior is the prior: E KL(q || p) is information."""
    model = TopDownGaussian(units=1)
    log_q, log_p = table(model, model.images(N))
    for k in range(3):
        rate = np.diagonal(log_q[k]) - log_p[k]
        gap = rate - mutual_information(log_q[k])
        assert gap.mean() == pytest.approx(0, abs=4 * gap.std() / math.sqrt(N) + 0.02)


def test_information_by_a_sum_over_pairs() -> None:
    rng = np.random.default_rng(0)
    log_q = rng.normal(size=(6, 6)) * 3
    for i, value in enumerate(mutual_information(log_q)):
        own = math.exp(log_q[i, i])
        among = sum(math.exp(log_q[j, i]) for j in range(6)) / 6
        assert value == pytest.approx(math.log(own / among))


def test_the_ceiling_is_log_n_and_nothing_is_zero() -> None:
    apart = np.where(np.eye(50, dtype=bool), 0.0, -np.inf)
    np.testing.assert_allclose(mutual_information(apart), math.log(50))
    np.testing.assert_allclose(mutual_information(np.full((50, 50), -1e4)), 0.0)
    far = np.where(np.eye(3, dtype=bool), -3000.0, -1000.0)  # no exponential holds this
    np.testing.assert_allclose(mutual_information(far), math.log(1.5) - 2000)
    with pytest.raises(ScoreError, match="square"):
        mutual_information(np.zeros((3, 2)))


@pytest.mark.parametrize("family", FAMILIES)
def test_densities_of_pairs_are_those_of_traces(
    family: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The trace of x_j whose every draw is z^i has the same log q, by code that knows no pairs."""
    model = tiny_model(FAMILIES[family]).eval()
    images = tiny_set(4, model.image_shape)
    x, noise = prepared(model, images), ImageNoise(images.image_digests())
    drawn: list[Tensor] = []
    given: list[Tensor] = []
    plain = Gaussian.sample

    def keep(q: Gaussian, eps: Tensor, temperature: float = 1.0) -> Tensor:
        drawn.append(plain(q, eps, temperature))
        return drawn[-1]

    log_q, log_p = table(model, x, noise=noise)
    for k, skip in enumerate(model.skips):
        drawn.clear()
        with torch.inference_mode(), monkeypatch.context() as patch:
            patch.setattr(Gaussian, "sample", keep)
            own = model.trace(x, noise=noise, k=k, skipped="mean")
            patch.setattr(Gaussian, "sample", lambda *_: given.pop(0))
            for i in range(4):
                given[:] = [z[:, i : i + 1].expand_as(z) for z in drawn]
                other = model.trace(x, noise=noise, k=k, skipped="mean")
                expected = other.log_q[skip:].sum(0)[0].numpy()  # (B,): log q(z^i | x_j)
                if family.startswith("dct"):  # a trace has no other context than the image's own
                    impossible = np.isneginf(log_q[k, :, i])
                    assert impossible.sum() == 3 and not impossible[i]
                    expected = np.where(impossible, -np.inf, expected)
                np.testing.assert_allclose(log_q[k, :, i], expected, rtol=1e-4, atol=2e-3)
        own_p = own.log_p[skip:].sum(0)[0].numpy()
        np.testing.assert_allclose(log_p[k], own_p, rtol=1e-4, atol=2e-3)


def test_a_certain_latent_has_no_density_elsewhere() -> None:
    one = Delta(torch.tensor([[[1.0, 2.0]]]))
    z = torch.tensor([[[1.0, 2.0], [1.0, 2.5]]])
    assert one.log_prob(z).tolist() == [[0.0, -math.inf]]


@pytest.mark.parametrize("family", ["hvae", "lvae-vamp", "biva", "dct-vae", "dvp-vae-mixture"])
def test_measure_keeps_what_it_found(family: str, cache_folder: Any) -> None:
    model = tiny_model(FAMILIES[family]).eval()
    images = tiny_set(9, model.image_shape)
    whole = measure_information(model, "0" * 64, images)
    assert stored_information("0" * 64, images) is not None
    again = stored_information("0" * 64, images)
    assert again is not None
    np.testing.assert_array_equal(whole.mutual, again.mutual)
    assert (whole.mean <= math.log(9) + 1e-9).all() and whole.ceiling == math.log(9)
    np.testing.assert_allclose(whole.mean + whole.marginal, whole.rate.mean(1))
    units = [spec.units for spec in model.latents]
    if family.startswith(("dct", "dvp")):
        units[-1] = 0  # the prior over u has no density of single units
    assert [one.shape for one in whole.levels] == [(len(DELTAS), n) for n in units]
    assert all((one >= 0).all() for one in whole.levels)
    # neither the order nor what stands in memory at once changes a figure
    order = np.random.default_rng(1).permutation(9)
    mixed = measure_information(model, "1" * 64, images.take(order), at_once=4)
    np.testing.assert_allclose(mixed.mutual, whole.mutual[:, order], atol=2e-3)
    for one, other in zip(whole.levels, mixed.levels, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-4)


def test_measure_refuses_what_it_cannot_take(cache_folder: Any) -> None:
    model = tiny_model()
    for images in (tiny_set(1), tiny_set(4, (1, 4, 4)), tiny_set(information.MAX_IMAGES + 1)):
        with pytest.raises(DataError, match="Mutual information takes 2 to"):
            measure_information(model, "0" * 64, images)


def test_unit_kl_in_closed_form_sums_to_that_of_the_layer() -> None:
    generator = torch.Generator().manual_seed(0)
    m1, m2, s1, s2 = (torch.randn(1, 5, 3, generator=generator) for _ in range(4))
    q, p = Gaussian(m1, s1.exp()), Gaussian(m2, s2.exp())
    found = unit_kl(q, p)
    assert found is not None
    torch.testing.assert_close(found.sum(-1), q.kl(p))


def test_unit_kl_of_a_mixture_by_integration() -> None:
    """To 1e-4 where components are as wide as q, and where one is a needle inside it."""
    centres, spreads = [[-1.0, 0.1], [2.0, 3.0]], [[0.5, 0.02], [0.8, 0.5]]
    mean, std = [[0.3, 0.0], [2.0, 2.5]], [[0.7, 1.0], [0.2, 0.05]]
    q = Gaussian(torch.tensor([mean]), torch.tensor([std]))
    found = unit_kl(q, GaussianMixture(torch.tensor(centres), torch.tensor(spreads)))
    assert found is not None and found.shape == (1, 2, 2)

    def log_pdf(z: float, m: float, s: float) -> float:
        return -0.5 * ((z - m) / s) ** 2 - math.log(s * math.sqrt(2 * math.pi))

    def integrand(z: float, u: int, m: float, s: float) -> float:
        first, second = (log_pdf(z, c[u], w[u]) for c, w in zip(centres, spreads, strict=True))
        log_p = float(np.logaddexp(first, second)) - math.log(2)
        return math.exp(log_pdf(z, m, s)) * (log_pdf(z, m, s) - log_p)

    for i, u in np.ndindex(2, 2):
        m, s = mean[i][u], std[i][u]
        ends = [m - 10 * s, *sorted(c for c in (0.0, 0.1, 0.2) if abs(c - m) < 9 * s), m + 10 * s]
        exact = sum(quad(integrand, *pair, args=(u, m, s), limit=200)[0] for pair in pairwise(ends))
        assert float(found[0, i, u]) == pytest.approx(exact, abs=1e-4)
