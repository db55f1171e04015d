"""Standard errors: by hand, by jackknife, and as the spread over repeated estimates."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from hvae_core.common.errors import ScoreError
from hvae_core.evaluation.bounds import ERRORS, BoundTable
from hvae_core.evaluation.compute import evaluate, evaluate_batch
from hvae_core.evaluation.evaluation import EvalSettings, pack, unpack
from hvae_core.evaluation.standard_errors import iw_error, iw_value, mean_error, ratio_error
from tests.small import tiny_model, tiny_set

draws = st.integers(2, 9).flatmap(
    lambda s: hnp.arrays(float, (s, 3), elements=st.floats(-30, 5, width=32))
)


def test_two_draws_by_hand() -> None:
    assert mean_error(np.array([[1.0], [3.0]])) == pytest.approx(1)  # sqrt(2) / sqrt(2)
    # weights 1 and 3: mean 2, so 1/2 and 3/2, whose deviation is sqrt(1/2)
    assert iw_error(np.log([[1.0], [3.0]])) == pytest.approx(0.5)
    # L^S rises with the same draws as the other term: 1/2 - 1, 3/2 - 2 do not vary
    assert ratio_error(np.log([[1.0], [3.0]]), np.array([[1.0], [2.0]])) == pytest.approx(0)


@given(weights=draws)
def test_delta_method_is_the_infinitesimal_jackknife(weights: np.ndarray) -> None:
    """The derivative of log(sum p_s w_s) in the mass p_s of each draw, taken numerically."""
    s, step = len(weights), 1e-6
    centre = iw_value(weights)
    slopes = []
    for i in range(s):
        mass = np.full((s, 1), (1 - step) / s)
        mass[i] += step
        moved = np.logaddexp.reduce(weights + np.log(mass), axis=0)
        slopes.append((moved - centre) / step)
    by_hand = np.sqrt((np.array(slopes) ** 2).sum(0) / (s * (s - 1)))
    np.testing.assert_allclose(iw_error(weights), by_hand, rtol=1e-3, atol=1e-4)


def test_errors_are_the_spread_of_the_estimates() -> None:
    """Log-normal weights: what 4,000 repeats scatter by is what each says of itself."""
    rng = np.random.default_rng(0)
    for n, m in ((50, 50), (50, 10), (10, 50)):
        common = rng.normal(-100, 0.5, (50, 4000))
        weights, terms = common[:n], (common + rng.normal(-3, 0.3, common.shape))[:m]
        spread = iw_value(weights).std(ddof=1)
        assert np.sqrt((iw_error(weights) ** 2).mean()) == pytest.approx(spread, rel=0.1)
        spread = terms.mean(0).std(ddof=1)
        assert np.sqrt((mean_error(terms) ** 2).mean()) == pytest.approx(spread, rel=0.05)
        spread = (iw_value(weights) - terms.mean(0)).std(ddof=1)
        assert np.sqrt((ratio_error(weights, terms) ** 2).mean()) == pytest.approx(spread, rel=0.1)


def test_one_draw_has_no_error() -> None:
    one, two = np.zeros((1, 3)), np.zeros((2, 3))
    for found in (mean_error(one), iw_error(one), ratio_error(one, two), ratio_error(two, one)):
        assert np.isnan(found).all()


def test_a_table_keeps_its_errors_on_disk_in_rows_and_joined() -> None:
    model, images = tiny_model(), tiny_set(6)
    found = evaluate(
        model, "a", images, settings=EvalSettings(samples=3, partial_samples=3), batch_size=4
    )
    bounds, _ = evaluate_batch(
        model,
        images.images,
        images.image_digests(),
        settings=EvalSettings(samples=3, partial_samples=3),
    )
    for k in range(3):
        np.testing.assert_allclose(
            found.table.errors["bound_error"][:, k], mean_error(bounds[k].terms), rtol=1e-3
        )
        np.testing.assert_allclose(
            found.table.errors["ratio_error"][:, k],
            ratio_error(bounds[0].weights, bounds[k].terms),
            rtol=1e-3,
            atol=1e-4,
        )
    table = unpack(pack(found)).table
    joined = BoundTable.concat([table.take([0, 1]), table.take(slice(2, 6))])
    for name in ERRORS:
        np.testing.assert_array_equal(joined.errors[name], found.table.errors[name])
    # results from before errors were recorded
    bare = replace(table, bound_error=None, iw_error=None, ratio_error=None)
    assert not unpack(pack(replace(found, table=bare))).table.errors
    assert not BoundTable.concat([table, bare]).errors
    with pytest.raises(ScoreError, match="standard errors bound_error"):
        replace(table, bound_error=np.zeros((6, 1)))


def test_the_first_draws_are_those_of_a_shorter_run() -> None:
    model, images = tiny_model(), tiny_set(4)
    keys = images.image_digests()
    many, _ = evaluate_batch(model, images.images, keys, settings=EvalSettings(13, 13))
    few, _ = evaluate_batch(model, images.images, keys, settings=EvalSettings(3, 3))
    for long, short in zip(many, few, strict=True):
        cut = long.first(3)
        assert cut.samples == 3
        for name in ("bound", "iw", "nll"):
            np.testing.assert_allclose(
                getattr(cut, name), getattr(short, name), rtol=1e-5, atol=1e-4
            )
    for wrong in (0, 14):
        with pytest.raises(ScoreError, match="13 samples"):
            many[0].first(wrong)
