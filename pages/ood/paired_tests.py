"""Is the best score better than the likelihood, and is one model better than the other?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pandas as pd
import streamlit as st
from streamlit.elements.lib.column_types import ColumnConfig

from hvae_core.common.words import MINUS, area, p_value
from hvae_core.detection.paired_tests import PairedTest, Side, between_models, between_scores
from hvae_core.figures import interval, symbol_text
from hvae_core.scores import Score
from pages.ood.models import ModelDetection
from pages.shared.kept import by_content

CERTAIN = "✓: certain, the corrected p is at most 0.05."
EMPTY = f"No entry: no score does better than {MINUS}L."


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


def table_of_pairs(
    titles: Mapping[str, str], found: Mapping[tuple[str, str], Mapping[str, PairedTest]]
) -> tuple[pd.DataFrame, dict[str, ColumnConfig]]:
    """A row a set, a column a pair of models: the difference of their areas; how they are drawn."""
    rows: dict[str, list[str]] = {"Set": list(titles.values())}
    columns = {"Set": st.column_config.Column(pinned=True)}
    for (first, second), tests in found.items():
        head = f"{first} {MINUS} {second}"
        rows[head] = [_difference(tests.get(name)) for name in titles]
        text = f"AUROC under {first} less that under {second}, with its 95 % interval. {CERTAIN}"
        columns[head] = st.column_config.Column(help=text)
    return pd.DataFrame(rows), columns


def table_of_models(
    titles: Mapping[str, str], found: Sequence[tuple[ModelDetection, Mapping[str, PairedTest]]]
) -> tuple[pd.DataFrame, dict[str, ColumnConfig]]:
    """A row a set, for each model the best score with its area, and what it gains on -L."""
    rows: dict[str, list[str]] = {"Set": list(titles.values())}
    columns = {"Set": st.column_config.Column(pinned=True)}
    for model, tests in found:
        symbols = {score.key: symbol_text(score.symbol) for score in model.report.scores}
        best, gain = f"{model.letter}, best", f"{model.letter}, gain"
        tested = [tests.get(name) for name in titles]
        rows[best] = [f"{symbols[t.first]} {area(t.result.first)}" if t else "" for t in tested]
        rows[gain] = [_difference(test) for test in tested]
        text = f"The best score of model {model.letter} on the set, and its AUROC"
        columns[best] = st.column_config.Column(help=text)
        text = f"AUROC of that score less that of {MINUS}L, with its 95 % interval. {CERTAIN}"
        columns[gain] = st.column_config.Column(help=text)
    return pd.DataFrame(rows), columns


def _difference(test: PairedTest | None) -> str:
    """A difference with its interval, and whether it is certain."""
    if test is None:
        return ""
    result = test.result
    text = interval(result.difference, result.low, result.high)
    return f"{text} ✓" if test.corrected <= 0.05 else text


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
