"""Is the best score better than the likelihood, and is one model better than the other?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pandas as pd

from hvae_core.common.words import area, p_value
from hvae_core.detection.paired_tests import PairedTest, Side, between_models, between_scores
from hvae_core.figures import interval, symbol_text
from hvae_core.scores import Score
from pages.ood.models import ModelDetection
from pages.shared.kept import by_content


def side(model: ModelDetection) -> Side:
    """What the scores of one model read, by set."""
    return Side.of(model.inside, list(model.outs.values()), model.materials, model.report.scores)


def against_likelihood(model: ModelDetection) -> dict[str, PairedTest]:
    """The test of each set's best score against -L, by set; none where -L is the best.

    The best is known only after all were tried, so the correction is for all tests of all scores.
    """
    scores = {score.key: score for score in model.report.scores}
    if "elbo" not in scores or len(scores) == 1:
        return {}
    best: dict[str, PairedTest] = {}
    for test in _of_scores(model):
        before = best.get(test.set_name)
        if before is None or test.result.first > before.result.first:
            best[test.set_name] = test
    return {name: test for name, test in best.items() if test.result.difference > 0}


def of_models(detected: Sequence[ModelDetection], score: Score) -> dict[str, PairedTest]:
    """The test of one score under A against the same under B, by set.

    Raises ``ScoreError`` where the two models saw different pixels.
    """
    a, b = detected
    return {test.set_name: test for test in _of_models(a, b, score)}


def table(
    titles: Mapping[str, str], tests: Mapping[str, PairedTest], scores: Sequence[Score]
) -> pd.DataFrame:
    """A row a set: the two areas, their difference with its interval, and the corrected p."""
    symbols = {score.key: symbol_text(score.symbol) for score in scores}
    rows = []
    for name, title in titles.items():
        if name not in tests:
            continue
        test, result = tests[name], tests[name].result
        rows.append(
            {
                "Set": title,
                "Score": symbols[test.first],
                "First": area(result.first),
                "Second": area(result.second),
                "Difference, 95 % interval": interval(result.difference, result.low, result.high),
                "p, corrected": p_value(test.corrected),
                "Certain": test.corrected <= 0.05,
            }
        )
    return pd.DataFrame(rows)


def contents(model: ModelDetection) -> tuple[object, ...]:
    """What the tests of a model rest on."""
    return (*model.read, model.report.seed, model.report.scores)


@by_content(32, {ModelDetection: contents})
def _of_scores(model: ModelDetection) -> tuple[PairedTest, ...]:
    scores = {score.key: score for score in model.report.scores}
    every, likelihood = tuple(scores.values()), scores["elbo"]
    return between_scores(side(model), every, likelihood, seed=model.report.seed)


@by_content(64, {ModelDetection: contents})
def _of_models(a: ModelDetection, b: ModelDetection, score: Score) -> tuple[PairedTest, ...]:
    return between_models(side(a), side(b), [score], seed=a.report.seed)
