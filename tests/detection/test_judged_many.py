"""Many images at once get the verdicts that each gets alone."""

from __future__ import annotations

import numpy as np
import pytest

from hvae_core.detection.combine import Correction
from hvae_core.detection.judged_many import judge_many
from hvae_core.detection.verdict import judge
from hvae_core.evaluation.bounds import BoundTable

RNG = np.random.default_rng(3)


def table(n: int, far: float) -> BoundTable:
    bound = -50 - np.abs(RNG.normal(0, far, (n, 3))).cumsum(axis=1)
    return BoundTable(bound, bound, -bound, kl=np.ones((n, 3)), dims=16, samples=1)


@pytest.mark.parametrize("correction", ["calibrated", "bonferroni"])
def test_each_image_gets_the_verdict_that_it_gets_alone(correction: Correction) -> None:
    images, known = table(12, 9), table(60, 3)
    many = judge_many(images, known, 0.1, correction=correction)
    for i in range(12):
        row = {name: getattr(images, name)[i : i + 1] for name in ("bound", "iw", "nll", "kl")}
        alone = judge(
            BoundTable(**row, dims=16, samples=1), known, [4] * 3,
            levels=["z1", "z2", "z3"], alpha=0.1, correction=correction,
        )  # fmt: skip
        assert many.p[i] == alone.verdict.p_value
        assert many.flagged(0.1)[i] == alone.verdict.out
        assert np.array_equal(many.p_values[i], alone.verdict.p_values)
    assert many.flagged(0.1).any()


def test_images_of_one_p_are_told_apart_by_their_distance() -> None:
    known = table(60, 3)
    images = table(3, 9)
    for i, beyond in enumerate((400.0, 900.0, 600.0)):  # all above every held-out image, by -L
        images.bound[i] = -beyond
    many = judge_many(images, known, 0.1)
    assert len({*many.p}) == 1 and np.argsort(-many.apart).tolist() == [1, 2, 0]
    losses = -known.bound[:, 0]
    low, middle, high = np.percentile(losses, [25, 50, 75])
    assert many.apart[1] == pytest.approx((900 - middle) / (high - low))


def test_an_image_without_finite_numbers_has_no_verdict() -> None:
    images = table(4, 9)
    images.bound[1] = np.nan
    many = judge_many(images, table(60, 3), 0.1)
    assert np.isnan(many.p).tolist() == [False, True, False, False]
    assert not many.flagged(0.999)[1]
