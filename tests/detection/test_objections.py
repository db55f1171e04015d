"""The sentences on what objects to an image, against counts made by hand."""

from __future__ import annotations

import numpy as np
import pytest

from hvae_core.detection.objections import deciding, objections
from hvae_core.detection.verdict import Judgement, Reading, judge, readings
from hvae_core.evaluation.bounds import BoundTable

RNG = np.random.default_rng(0)
USUAL = -100 + 5 * RNG.normal(size=(99, 1)) - np.abs(RNG.normal(size=(99, 4))).cumsum(axis=1)


def table(bound: np.ndarray) -> BoundTable:
    rows = np.atleast_2d(bound)
    return BoundTable(rows, rows, -rows, kl=np.full((len(rows), rows.shape[1]), 3.0),
                      dims=64, samples=1)  # fmt: skip


def judged(bound: list[float], levels: int = 4) -> tuple[Judgement, tuple[Reading, ...]]:
    image, known = table(np.array(bound[:levels])), table(USUAL[:, :levels])
    names = [f"z{i + 1}" for i in range(levels)]
    return judge(image, known, [8] * levels, levels=names, alpha=0.05), readings(image, known)


def test_the_level_that_objects_is_named_with_its_place() -> None:
    said, read = judged([-100, -101, -190, -191])
    first, second = objections(said, read)
    assert first.startswith(
        "Level 2 is the most unusual, equal with level 3: LLR>2 is 90.0 nats, higher than for 99 "
    )
    assert second.startswith("The likelihood is not unusual: ")
    below = int((-USUAL[:, 0] < 100).sum())
    above = int((-USUAL[:, 0] > 100).sum())
    assert f" than for {max(below, above)} of 99 held-out images" in second
    assert [reading.score.key for reading, _ in deciding(said, read)] == ["llr_2", "llr_3", "elbo"]


def test_a_likelihood_that_is_too_high_objects() -> None:
    first, second = objections(*judged([-10, -11, -12, -13]))
    assert first.startswith("The likelihood is the most unusual: ")
    assert "is 10.0 nats, lower than for 99 of 99 held-out images" in first
    assert second.startswith("Level ") and "is not unusual" in second


def test_where_nothing_objects_the_closest_is_named() -> None:
    said, read = judged(list(np.median(USUAL, axis=0)))
    first, _ = objections(said, read)
    assert first.startswith("Nothing is unusual; ") and "comes closest" in first
    shown = deciding(said, read)
    assert [reading.score.key for reading, _ in shown].count("elbo") == 1 and len(shown) == 2
    assert [p for _, p in shown] == sorted(p for _, p in shown)


@pytest.mark.parametrize("bound", [[-100.0], [-300.0]])
def test_one_level_has_one_sentence(bound: list[float]) -> None:
    said, read = judged(bound, levels=1)
    assert len(objections(said, read)) == 1
    assert [reading.score.key for reading, _ in deciding(said, read)] == ["elbo"]
