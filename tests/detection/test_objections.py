"""What decides a verdict, in values, against medians made by hand."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from hvae_core.common.words import fmt
from hvae_core.detection.objections import deciding, in_numbers
from hvae_core.detection.verdict import Judgement, Reading, judge, readings
from hvae_core.evaluation.bounds import BoundTable
from hvae_core.scores import get_score

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


def test_the_values_of_what_objects_stand_beside_the_usual_ones() -> None:
    said, read = judged([-100, -101, -190, -191])
    ratio, cost = (float(np.median(values)) for values in (USUAL[:, 0] - USUAL[:, 2], -USUAL[:, 0]))
    assert in_numbers(said, read) == (
        f"LLR>2 is 90.0 nats, against {fmt(ratio, 'nats')} for the median held-out image; "
        f"−L is 100 nats, against {fmt(cost, 'nats')}."
    )
    assert [reading.score.key for reading, _ in deciding(said, read)] == ["llr_2", "llr_3", "elbo"]
    assert in_numbers(said, read[:1]) == ""


def test_a_path_that_objects_is_a_word_in_a_sentence() -> None:
    said, (elbo, *_) = judged([-100.0], levels=1)
    path = Reading(get_score("path", 1), 56.8, np.array([4.0, 16.0, 20.0]), p_value=0.01)
    found = replace(said.verdict, place=1, p_values=np.array([0.5, 0.01]))
    told = in_numbers(replace(said, verdict=found, keys=("elbo", "path")), (elbo, path))
    assert told.startswith("The path is 56.8 nats, against 16.0 nats for the median held-out image")


def test_a_likelihood_that_objects_stands_first() -> None:
    assert in_numbers(*judged([-10, -11, -12, -13])).startswith("−L is 10.0 nats, against ")


def test_where_nothing_objects_the_likelihood_is_still_shown() -> None:
    said, read = judged(list(np.median(USUAL, axis=0)))
    shown = deciding(said, read)
    assert [reading.score.key for reading, _ in shown].count("elbo") == 1 and len(shown) == 2
    assert [p for _, p in shown] == sorted(p for _, p in shown)


@pytest.mark.parametrize("bound", [[-100.0], [-300.0]])
def test_one_level_has_one_value(bound: list[float]) -> None:
    said, read = judged(bound, levels=1)
    assert in_numbers(said, read).count("against") == 1
    assert [reading.score.key for reading, _ in deciding(said, read)] == ["elbo"]
