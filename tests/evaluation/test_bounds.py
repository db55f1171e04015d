"""Bounds: hand-worked samples, an exact linear-Gaussian case, chunked sums, the table's shapes."""

from __future__ import annotations

import itertools
from dataclasses import dataclass

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from hvae_core.common.errors import ScoreError
from hvae_core.evaluation.bounds import (
    BoundAccumulator,
    Bounds,
    BoundTable,
    bound,
    iw_bound,
    log_weights,
    nll,
)


@dataclass(frozen=True)
class FakeTrace:
    """A trace with the fields that bounds read."""

    k: int
    log_px: Tensor
    log_q: Tensor
    log_p: Tensor
    kl: Tensor

    @property
    def skip(self) -> int:
        return self.k

    def chunk(self, rows: slice) -> FakeTrace:
        return FakeTrace(
            self.k, self.log_px[rows], self.log_q[:, rows], self.log_p[:, rows], self.kl[:, rows]
        )


def random_trace(k: int = 0, layers: int = 3, samples: int = 5, images: int = 4) -> FakeTrace:
    generator = torch.Generator().manual_seed(samples + 10 * k)
    log_q = torch.randn(layers, samples, images, generator=generator)
    log_p = torch.randn(layers, samples, images, generator=generator)
    log_px = -300 + 20 * torch.randn(samples, images, generator=generator)
    # what a model leaves in skipped rows must not reach any bound
    for values in (log_q, log_p):
        values[:k] = float("nan")
    return FakeTrace(k, log_px, log_q, log_p, log_q - log_p)


def test_hand_worked_case() -> None:
    trace = FakeTrace(
        k=1,
        log_px=torch.tensor([[-10.0], [-12.0]]),
        log_q=torch.tensor([[[9.0], [9.0]], [[-1.0], [-2.0]]]),
        log_p=torch.tensor([[[7.0], [7.0]], [[-3.0], [-3.0]]]),
        kl=torch.tensor([[[2.0], [2.0]], [[2.5], [0.5]]]),  # closed form, unlike log_q - log_p
    )
    assert log_weights(trace).tolist() == [[-12.0], [-13.0]]
    assert bound(trace).tolist() == [-12.5]
    assert nll(trace).tolist() == [11.0]
    assert iw_bound(trace).item() == pytest.approx(np.log((np.exp(-12) + np.exp(-13)) / 2))


def test_skipped_layers_are_never_read() -> None:
    trace = random_trace(k=2)
    for values in (log_weights(trace), bound(trace), iw_bound(trace), nll(trace)):
        assert torch.isfinite(values).all()


def test_one_sample_has_one_bound() -> None:
    trace = random_trace(samples=1)
    torch.testing.assert_close(bound(trace), iw_bound(trace))
    torch.testing.assert_close(bound(trace), log_weights(trace)[0])


def test_linear_gaussian_bounds_lie_below_the_truth_and_close_in() -> None:
    # z ~ N(0, 1), x|z ~ N(z, 1): p(x) = N(0, 2); q is wider than the posterior N(x/2, 1/2)
    x = torch.tensor([-1.0, 0.3, 2.0], dtype=torch.float64)
    truth = torch.distributions.Normal(0.0, 2**0.5).log_prob(x)
    q = torch.distributions.Normal(x / 2, torch.tensor(0.9, dtype=torch.float64))
    prior = torch.distributions.Normal(torch.zeros(3, dtype=torch.float64), 1.0)
    torch.manual_seed(0)
    z = q.sample((40_000,))
    trace = FakeTrace(
        k=0,
        log_px=torch.distributions.Normal(z, 1.0).log_prob(x),
        log_q=q.log_prob(z)[None],
        log_p=prior.log_prob(z)[None],
        kl=torch.distributions.kl_divergence(q, prior).expand(40_000, 3)[None],
    )
    posterior = torch.distributions.Normal(x / 2, 0.5**0.5)
    gap = torch.distributions.kl_divergence(q, posterior)
    torch.testing.assert_close(bound(trace), truth - gap, atol=0.03, rtol=0)
    torch.testing.assert_close(log_weights(trace).mean(0), truth - gap, atol=0.03, rtol=0)
    torch.testing.assert_close(iw_bound(trace), truth, atol=0.01, rtol=0)
    # mean over repeats of L^S for S = 1, 4, 16 rises to the truth
    weights = log_weights(trace)
    means = [
        (weights.reshape(-1, s, 3).logsumexp(1) - np.log(s)).mean(0).mean().item()
        for s in (1, 4, 16)
    ]
    assert means[0] < means[1] < means[2] < truth.mean().item() + 0.01


def test_exact_posterior_makes_the_bound_tight() -> None:
    x = torch.tensor([1.2], dtype=torch.float64)
    q = torch.distributions.Normal(x / 2, torch.tensor(0.5**0.5, dtype=torch.float64))
    z = q.sample((7,))
    log_p = torch.distributions.Normal(0.0, 1.0).log_prob(z)
    trace = FakeTrace(
        0,
        torch.distributions.Normal(z, 1.0).log_prob(x),
        q.log_prob(z)[None],
        log_p[None],
        (q.log_prob(z) - log_p)[None],
    )
    truth = torch.distributions.Normal(0.0, 2**0.5).log_prob(x)
    torch.testing.assert_close(bound(trace), truth)
    torch.testing.assert_close(iw_bound(trace), truth)


def test_bounds_pass_gradients() -> None:
    trace = random_trace()
    trace.log_px.requires_grad_()
    (bound(trace) + iw_bound(trace)).sum().backward()
    assert trace.log_px.grad is not None
    assert torch.isfinite(trace.log_px.grad).all()


@settings(max_examples=30)
@given(cuts=st.sets(st.integers(1, 10)), k=st.integers(0, 2))
def test_accumulator_equals_one_shot_for_any_cut(cuts: set[int], k: int) -> None:
    trace = random_trace(k=k, samples=11)
    accumulator = BoundAccumulator()
    edges = [0, *sorted(cuts), 11]
    for low, high in itertools.pairwise(edges):
        accumulator.add(trace.chunk(slice(low, high)))
    result = accumulator.result()
    assert (result.k, result.samples) == (k, 11)
    np.testing.assert_allclose(result.bound, bound(trace), rtol=1e-6)
    np.testing.assert_allclose(result.iw, iw_bound(trace), rtol=1e-6)
    np.testing.assert_allclose(result.nll, nll(trace), rtol=1e-6)
    np.testing.assert_allclose(result.kl[k:], trace.kl[k:].mean(1), rtol=1e-5, atol=1e-5)
    assert (result.kl[:k] == 0).all()


def test_accumulator_survives_weights_that_underflow() -> None:
    # exp(-2000) is zero in float64: only the logarithm keeps these apart
    trace = random_trace()
    low = FakeTrace(0, trace.log_px - 2000, trace.log_q, trace.log_p, trace.kl)
    accumulator = BoundAccumulator()
    accumulator.add(low)
    np.testing.assert_allclose(accumulator.result().iw, iw_bound(trace).numpy() - 2000, rtol=1e-6)


def test_accumulator_refuses_other_traces_and_emptiness() -> None:
    accumulator = BoundAccumulator()
    with pytest.raises(ScoreError, match="at least one trace"):
        accumulator.result()
    accumulator.add(random_trace(k=0))
    with pytest.raises(ScoreError, match="k = 0 and 1"):
        accumulator.add(random_trace(k=1))
    with pytest.raises(ScoreError, match="one accumulator"):
        accumulator.add(random_trace(k=0, images=5))


def batch_bounds(samples: int = 2) -> list[Bounds]:
    results = []
    for k in range(3):
        accumulator = BoundAccumulator()
        accumulator.add(random_trace(k=k, samples=samples))
        results.append(accumulator.result())
    return results


def test_table_from_bounds() -> None:
    table = BoundTable.from_bounds(batch_bounds(), dims=784)
    assert (len(table), table.n_layers, table.dims, table.samples) == (4, 3, 784, 2)
    assert table.bound.dtype == np.float64
    np.testing.assert_allclose(table.bound[:, 0], -table.nll[:, 0] - table.kl.sum(1), rtol=1e-6)
    np.testing.assert_allclose(table.bound[:, 2], bound(random_trace(k=2, samples=2)), rtol=1e-6)


def test_table_from_bounds_needs_every_k_of_the_same_images() -> None:
    full = batch_bounds()
    with pytest.raises(ScoreError, match="every k"):
        BoundTable.from_bounds([full[0], full[2]], dims=784)
    with pytest.raises(ScoreError, match="every k"):
        BoundTable.from_bounds([], dims=784)
    fewer = BoundTable.from_bounds([full[0], *batch_bounds(samples=1)[1:]], dims=784)
    assert fewer.samples == 2  # those of k = 0, whatever stands behind the others
    accumulator = BoundAccumulator()
    accumulator.add(random_trace(k=2, samples=2, images=5))
    with pytest.raises(ScoreError, match="same images"):
        BoundTable.from_bounds([*full[:2], accumulator.result()], dims=784)


def small_table(n: int = 5, layers: int = 2, **changes: int) -> BoundTable:
    values = np.arange(float(n * layers)).reshape(n, layers)
    settings_ = {"dims": 784, "samples": 1} | changes
    return BoundTable(-values, -values, values + 1, kl=values, **settings_)


def test_take_and_concat_undo_each_other() -> None:
    table = small_table()
    joined = BoundTable.concat([table.take(slice(0, 2)), table.take([2, 3]), table.take([4])])
    for name in ("bound", "iw", "nll", "kl"):
        np.testing.assert_array_equal(getattr(joined, name), getattr(table, name))
    mask = np.array([True, False, True, False, False])
    np.testing.assert_array_equal(table.take(mask).bound, table.bound[[0, 2]])
    assert len(table.take([])) == 0
    assert table.take([]).n_layers == 2


def test_tables_that_differ_cannot_be_joined() -> None:
    for other in (small_table(layers=3), small_table(dims=100), small_table(samples=9)):
        with pytest.raises(ScoreError, match="agree"):
            BoundTable.concat([small_table(), other])
    with pytest.raises(ScoreError, match="agree"):
        BoundTable.concat([])


@pytest.mark.parametrize("shape", [(5, 3), (4, 2), (5,), (5, 2, 1)])
def test_table_refuses_shapes_that_do_not_fit(shape: tuple[int, ...]) -> None:
    good = np.zeros((5, 2))
    with pytest.raises(ScoreError, match="needs arrays"):
        BoundTable(good, good, np.zeros(shape), kl=good, dims=784, samples=1)


@pytest.mark.parametrize("layers", [0, 1])
def test_table_needs_a_layer_a_level(layers: int) -> None:
    levels = np.zeros((5, 2))
    with pytest.raises(ScoreError, match="needs arrays"):
        BoundTable(levels, levels, levels, kl=np.zeros((5, layers)), dims=784, samples=1)


@dataclass(frozen=True)
class GroupedTrace(FakeTrace):
    """Levels of two layers each."""

    @property
    def skip(self) -> int:
        return 2 * self.k


def test_levels_of_several_layers() -> None:
    flat = random_trace(k=2, layers=6)
    grouped = GroupedTrace(1, flat.log_px, flat.log_q, flat.log_p, flat.kl)
    assert torch.equal(log_weights(grouped), log_weights(flat))
    assert torch.equal(bound(grouped), bound(flat))
    parts = []
    for k in range(3):
        trace = random_trace(k=2 * k, layers=6)
        gathered = BoundAccumulator()
        gathered.add(GroupedTrace(k, trace.log_px, trace.log_q, trace.log_p, trace.kl))
        parts.append(gathered.result())
        assert (parts[-1].kl[: 2 * k] == 0).all()
    table = BoundTable.from_bounds(parts, dims=784)
    assert (table.n_levels, table.n_layers) == (3, 6)


def test_table_computes_in_float64() -> None:
    values = {name: np.zeros((5, 2), dtype=np.float32) for name in ("bound", "iw", "nll", "kl")}
    table = BoundTable(**values, dims=784, samples=1)  # type: ignore[arg-type]
    assert {table.bound.dtype, table.kl.dtype} == {np.dtype(np.float64)}


@pytest.mark.parametrize("changes", [{"dims": 0}, {"samples": 0}])
def test_table_refuses_impossible_settings(changes: dict[str, int]) -> None:
    with pytest.raises(ScoreError, match="positive dims and samples"):
        small_table(**changes)
