"""BIVA: bounds of a linear-Gaussian twin against its evidence, terms against plain conditionals."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import pytest
import torch
from scipy.stats import multivariate_normal
from torch import Tensor, nn

from hvae_core.common.noise import ImageNoise, Noise
from hvae_core.evaluation.bounds import bound, iw_bound, log_weights
from hvae_core.models.base import LatentSpec
from hvae_core.models.distributions import Gaussian, Likelihood
from hvae_core.models.inference.both_ways import BidirectionalVAE
from tests.linear_gaussian import GaussianPixels
from tests.small import CONV, DENSE, HALF, prepared, stream, tiny_config, tiny_model, tiny_set

PIXELS = 4
ORDER = ("z1bu", "z1td", "z2bu", "z2td", "z3")


class LinearPairs(BidirectionalVAE):
    """Three levels of single numbers, every conditional linear: the evidence is a Gaussian.

    The joint of (z, x) is known, so every conditional of q is taken from it, over its own
    arguments; as z_i^TD may not see z_i^BU, this q is close to the posterior, not equal to it.
    """

    def __init__(self, widen: float = 1.2) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(()))
        rng = np.random.default_rng(3)
        self.widen = widen
        # what each quantity is made of: gains of those above, a shift, the spread of its own noise
        self.rules: dict[str, tuple[dict[str, float], float, float]] = {"z3": ({}, 0.0, 1.0)}
        for level, above in ((2, ["z3"]), (1, ["z2bu", "z2td", "z3"])):
            for part in ("bu", "td"):
                gains = {name: float(rng.normal()) for name in above}
                spread = float(rng.uniform(0.5, 1))
                self.rules[f"z{level}{part}"] = (gains, float(rng.normal()), spread)
        for i in range(PIXELS):
            gains = {name: float(rng.normal()) for name in ("z1bu", "z1td")}
            self.rules[f"x{i}"] = (gains, float(rng.normal()), 0.8)
        self.mean, self.cov = self._joint()

    def _joint(self) -> tuple[dict[str, float], Any]:
        """Means, and the covariance from what each quantity is in terms of independent noise."""
        names = list(self.rules)
        self.at = {name: i for i, name in enumerate(names)}
        mean: dict[str, float] = {}
        rows = np.zeros((len(names), len(names)))
        for name, (gains, shift, spread) in self.rules.items():
            mean[name] = shift + sum(g * mean[source] for source, g in gains.items())
            for source, g in gains.items():
                rows[self.at[name]] += g * rows[self.at[source]]
            rows[self.at[name], self.at[name]] = spread
        return mean, rows @ rows.T

    def conditional(self, name: str, given: Sequence[str], values: Tensor, wide: float) -> Gaussian:
        """N(E[name | given], wide^2 Var[name | given]) of the joint; ``values`` of the given."""
        g = [self.at[source] for source in given]
        cross = self.cov[self.at[name], g]
        gain = np.linalg.solve(self.cov[np.ix_(g, g)], cross)
        variance = self.cov[self.at[name], self.at[name]] - gain @ cross
        centre = torch.tensor([self.mean[source] for source in given], dtype=torch.float64)
        mean = self.mean[name] + (values - centre) @ torch.from_numpy(gain)
        return Gaussian(mean[..., None], torch.full_like(mean[..., None], wide * variance**0.5))

    def log_evidence(self, x: Tensor) -> Tensor:
        at = [self.at[f"x{i}"] for i in range(PIXELS)]
        normal = multivariate_normal(
            [self.mean[f"x{i}"] for i in range(PIXELS)], self.cov[at][:, at]
        )
        return torch.from_numpy(normal.logpdf(x.flatten(1).numpy()))

    # The interface. On the way up the state is (x, z_<i^BU), on the way down the latents above.

    @property
    def latents(self) -> tuple[LatentSpec, ...]:
        return tuple(
            LatentSpec(name=n, index=i, shape=(1,), group=n[:2])
            for i, n in enumerate(ORDER, start=1)
        )

    @property
    def image_shape(self) -> tuple[int, int, int]:
        return (1, 2, 2)

    def prepare(self, x: Tensor, noise: Noise) -> Tensor:
        return x

    def inference_weights(self) -> Iterable[nn.Parameter]:
        return ()

    def enter(self, x: Tensor) -> Tensor:
        return x.flatten(2)

    def features(self, level: int, state: Tensor) -> Tensor:
        return state

    def _seen(self, level: int) -> list[str]:
        return [f"x{i}" for i in range(PIXELS)] + [f"z{i}bu" for i in range(1, level)]

    def posterior_up(self, level: int, d: Tensor) -> Gaussian:
        return self.conditional(f"z{level}bu", self._seen(level), d, self.widen)

    def rise(self, level: int, d: Tensor, z: Tensor) -> Tensor:
        return torch.cat([d.expand(len(z), -1, -1), z], -1)

    def start(self, batch: int) -> Tensor:
        return torch.zeros(1, batch, 0, dtype=torch.float64)

    def priors(self, level: int, state: Tensor) -> tuple[Gaussian, Gaussian]:
        above = list(ORDER[2 * level :])
        low, high = (
            self.conditional(f"z{level}{part}", above, state, 1.0) for part in ("bu", "td")
        )
        return low, high

    def posterior_down(self, level: int, state: Tensor, d: Tensor) -> Gaussian:
        name = "z3" if level == 3 else f"z{level}td"
        samples = max(len(state), len(d))
        values = torch.cat([t.expand(samples, -1, -1) for t in (d, state)], -1)
        return self.conditional(
            name, self._seen(level) + list(ORDER[2 * level :]), values, self.widen
        )

    def absorb(self, level: int, state: Tensor, parts: Sequence[Tensor]) -> Tensor:
        samples = max(len(t) for t in (*parts, state))
        return torch.cat([t.expand(samples, -1, -1) for t in (*parts, state)], -1)

    def emit(self, state: Tensor) -> Likelihood:
        gains = [[self.rules[f"x{i}"][0][n] for i in range(PIXELS)] for n in ("z1bu", "z1td")]
        shift = [self.rules[f"x{i}"][1] for i in range(PIXELS)]
        mean = state[..., :2] @ torch.tensor(gains, dtype=torch.float64)
        mean = mean + torch.tensor(shift, dtype=torch.float64)
        return GaussianPixels(mean.unflatten(-1, self.image_shape), 0.8)


def pictures(model: LinearPairs, n: int) -> Tensor:
    """Draws from p(x), by ancestral sampling of the rules themselves."""
    rng = np.random.default_rng(8)
    drawn: dict[str, Any] = {}
    for name, (gains, shift, spread) in model.rules.items():
        drawn[name] = shift + spread * rng.normal(size=n)
        for source, g in gains.items():
            drawn[name] = drawn[name] + g * drawn[source]
    x = np.stack([drawn[f"x{i}"] for i in range(PIXELS)], -1)
    return torch.from_numpy(x.reshape(n, 1, 2, 2))


@pytest.mark.parametrize("up", ["mean", "sample"])
@pytest.mark.parametrize("k", [0, 1, 2])
def test_importance_weighting_rises_to_the_evidence(k: int, up: Any) -> None:
    """mean_s w_s is an unbiased estimate of p(x) only if every density is the one drawn from."""
    model = LinearPairs()
    x = pictures(model, 12)
    trace = model.trace(x, noise=stream(4), k=k, up=up, samples=60_000)
    evidence = model.log_evidence(x)
    weights = log_weights(trace)
    # the spread of log mean w by the delta method
    error = (weights - weights.logsumexp(0)).exp().mul(60_000).std(0) / 60_000**0.5
    gap = iw_bound(trace) - evidence
    assert (gap.abs() < 5 * error).all()
    assert float(gap.mean().abs()) < 5 * float((error**2).mean() / len(x)) ** 0.5 < 0.2
    assert (bound(trace) < evidence + 0.01).all()
    assert float((evidence - bound(trace)).mean()) > 0.05


def test_prior_samples_are_draws_of_the_joint() -> None:
    model = LinearPairs()
    mean = model.sample(100_000, noise=stream()).mean[0].flatten(1).detach().numpy()
    at = [model.at[f"x{i}"] for i in range(PIXELS)]
    cov = model.cov[at][:, at] - 0.8**2 * np.eye(PIXELS)
    np.testing.assert_allclose(np.cov(mean.T), cov, atol=0.03 * cov.max())
    np.testing.assert_allclose(
        mean.mean(0), [model.mean[f"x{i}"] for i in range(PIXELS)], atol=0.05
    )


@pytest.mark.parametrize("skip", [True, False])
def test_terms_are_those_of_plain_conditionals(skip: bool) -> None:
    """L_>k written out for three levels, one conditional after the other."""
    m: Any = tiny_model(tiny_config(family="biva", skip=skip)).requires_grad_(False)
    images = tiny_set(3)
    x, digests = prepared(m, images), images.image_digests()
    shapes = [spec.shape for spec in m.latents]

    def eps(role: str, i: int) -> Tensor:
        return ImageNoise(digests).normal(f"{role}{i}", 2, 3, shapes[i - 1])

    for k, up, skipped in itertools.product(range(3), ("mean", "sample"), ("sample", "mean")):
        ways: Any = {"up": up, "skipped": skipped}
        trace = m.trace(x, k=k, noise=ImageNoise(digests), samples=2, temperature=0.7, **ways)

        # 1. Up: z_1^BU and z_2^BU, as means where they are skipped and means go up.
        d1 = m.features(1, m.enter(x[None]))
        q1 = m.posterior_up(1, d1)
        up1 = q1.mean if k >= 1 and up == "mean" else q1.mean + q1.std * eps("q", 1)
        d2 = m.features(2, m.rise(1, d1, up1))
        q2 = m.posterior_up(2, d2)
        up2 = q2.mean if k >= 2 and up == "mean" else q2.mean + q2.std * eps("q", 3)
        d3 = m.features(3, m.rise(2, d2, up2))

        # 2. Down: z_3, then pairs from q while they are kept, both parts from p below.
        top = m.posterior_down(3, None, d3)
        z3 = top.mean + top.std * eps("q", 5)
        standard = Gaussian(torch.zeros_like(z3), torch.ones_like(z3))
        terms = {5: (top, standard, z3)}
        h = m.absorb(3, None, [z3])
        for level, d, q_up, z_up in ((2, d2, q2, up2), (1, d1, q1, up1)):
            p_up, p_down = m.priors(level, h)
            low, high = 2 * level - 1, 2 * level
            if level > k:
                q_down = m.posterior_down(level, h, d)
                z_down = q_down.mean + q_down.std * eps("q", high)
                terms[low], terms[high] = (q_up, p_up, z_up), (q_down, p_down, z_down)
            else:
                heat = 0.7 if skipped == "sample" else 0.0
                z_up = p_up.mean + heat * p_up.std * eps("p", low)
                z_down = p_down.mean + heat * p_down.std * eps("p", high)
            h = m.absorb(level, h, [z_up, z_down])

        # 3. The terms.
        close: Any = {"rtol": 1e-5, "atol": 1e-4}
        torch.testing.assert_close(trace.log_px, m.emit(h).log_prob(x), **close)
        assert sorted(terms) == list(range(2 * k + 1, 6))
        for i, (q, p, z) in terms.items():
            torch.testing.assert_close(trace.log_q[i - 1], q.log_prob(z).expand(2, 3), **close)
            torch.testing.assert_close(trace.log_p[i - 1], p.log_prob(z).expand(2, 3), **close)
            kl = q.log_prob(z) - p.log_prob(z) if i in (1, 3) else q.kl(p)
            torch.testing.assert_close(trace.kl[i - 1], kl.expand(2, 3), **close)
            mean: Any = trace.z[i - 1]
            torch.testing.assert_close(
                mean.expand(2, *mean.shape[1:]), q.mean.expand_as(z), **close
            )


@pytest.mark.parametrize("skip", [True, False])
def test_conditionals_read_what_the_paper_lets_them_read(skip: bool) -> None:
    """Gradients say who feeds whom; without the deterministic paths only neighbours do."""
    m: Any = tiny_model(tiny_config(latents=(CONV, CONV, HALF, DENSE), family="biva", skip=skip))
    generator = torch.Generator().manual_seed(0)
    z = {
        s.name: torch.randn(1, 2, *s.shape, generator=generator).requires_grad_() for s in m.latents
    }
    nodes = {"x": torch.rand(1, 2, 1, 8, 8, generator=generator).requires_grad_(), **z}

    def fed(out: Tensor) -> set[str]:
        grads = torch.autograd.grad(
            out.sum(), list(nodes.values()), allow_unused=True, retain_graph=True
        )
        return {n for n, g in zip(nodes, grads, strict=True) if g is not None and bool(g.any())}

    d = {1: m.features(1, m.enter(nodes["x"]))}
    for i in (2, 3, 4):
        d[i] = m.features(i, m.rise(i - 1, d[i - 1], z[f"z{i - 1}bu"]))
    h = {3: m.absorb(4, None, [z["z4"]])}
    for i in (3, 2, 1):
        h[i - 1] = m.absorb(i, h[i], [z[f"z{i}bu"], z[f"z{i}td"]])

    below = {1: {"x"}, 2: {"z1bu"}, 3: {"z2bu"}, 4: {"z3bu"}}
    above = {0: {"z1bu", "z1td"}, 1: {"z2bu", "z2td"}, 2: {"z3bu", "z3td"}, 3: {"z4"}}
    if skip:  # everything on that side
        below = {i: set.union(*(below[j] for j in range(1, i + 1))) for i in below}
        above = {i: set.union(*(above[j] for j in range(i, 4))) for i in above}
    for i in (1, 2, 3):
        assert fed(m.posterior_up(i, d[i]).mean) == below[i]
        assert fed(m.posterior_down(i, h[i], d[i]).mean) == below[i] | above[i]
        for p in m.priors(i, h[i]):
            assert fed(p.mean) == above[i]
    assert fed(m.posterior_down(4, None, d[4]).mean) == below[4]
    assert fed(m.emit(h[0]).mean) == above[0]


def test_pairs_are_levels() -> None:
    config = tiny_config(family="biva")
    assert config.latent_names == ("z1bu", "z1td", "z2bu", "z2td", "z3")
    assert config.levels == ("z1", "z1", "z2", "z2", "z3")
    assert config.latent_shapes == ((2, 8, 8), (2, 8, 8), (2, 4, 4), (2, 4, 4), (4,))
    assert tiny_model(config).skips == (0, 2, 4)
