"""The error of half precision, on tables whose differences are known."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from hvae_core.common.errors import ConfigError, ScoreError
from hvae_core.detection.half_precision import precision_error
from hvae_core.evaluation.compute import evaluate
from hvae_core.evaluation.evaluation import EvalSettings, Evaluation
from tests.small import tiny_model, tiny_set

INSIDE, OUTSIDE = tiny_set(4), tiny_set(4, seed=1)


@pytest.fixture(scope="module")
def exact() -> list[Evaluation]:
    """Bounds set by hand: -L of the two sets does not overlap, so its AUROC is 1."""
    model, settings = tiny_model(), EvalSettings(1, 1)
    found = [evaluate(model, "a", images, settings=settings) for images in (INSIDE, OUTSIDE)]
    values = (np.arange(4.0), np.arange(4.0) - 10)
    return [with_bounds(e, np.tile(v[:, None], 3)) for e, v in zip(found, values, strict=True)]


def with_bounds(evaluation: Evaluation, bound: np.ndarray) -> Evaluation:
    return replace(evaluation, table=replace(evaluation.table, bound=bound, iw=bound))


def test_differences_are_those_of_bounds_and_aurocs(exact: list[Evaluation]) -> None:
    moved = exact[1].table.bound.copy()
    moved[0] += 20  # from below all of the others to above them: 4 of 16 pairs change sides
    error = precision_error([exact[0], with_bounds(exact[1], moved)], exact)
    assert error.images == 8
    assert error.largest == pytest.approx(20)
    assert error.mean == pytest.approx(20 * 3 / 24)
    assert error.auroc == pytest.approx(0.25)
    assert "20 at most" in str(error)
    none = precision_error(exact, exact)
    assert (none.mean, none.largest, none.auroc) == (0, 0, 0)


def test_other_images_are_refused(exact: list[Evaluation]) -> None:
    with pytest.raises(ScoreError, match="same images"):
        precision_error(exact, exact[::-1])
    with pytest.raises(ConfigError, match="float32 or bfloat16"):
        EvalSettings(precision="half")  # type: ignore[arg-type]
