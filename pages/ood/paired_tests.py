"""Is the best score better than the likelihood, and is one model better than the other?"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from itertools import combinations

import pandas as pd
import streamlit as st
from streamlit.elements.lib.column_types import ColumnConfig

from hvae_core.common.places import COMMAND
from hvae_core.common.words import MINUS, area, p_value
from hvae_core.detection.metrics import holm
from hvae_core.detection.paired_tests import PairedTest, Side, between_models, between_scores
from hvae_core.figures import symbol_text
from hvae_core.scores import Score
from pages.ood.models import ModelDetection
from pages.shared import panel, ui
from pages.shared.kept import by_content

HELP = (
    "Paired test of DeLong et al. 1988: both scores rate the same images, so what they have in "
    "common cancels and a small difference can be certain where two intervals overlap. p is "
    "corrected for all tests of all scores on all sets, under every model shown (Holm), because "
    "the best score is known only after all were tried. Certain: this p is at most 0.05. The same "
    f"figures as `{COMMAND} contest`, which corrects p for one model or one pair at a time."
)
CERTAIN = "✓: certain, p is at most 0.05 after the correction for all tests of this table (Holm)."
TRIED = (
    "✓: certain, p is at most 0.05 after the correction for all tests of all scores on all sets "
    "under every model (Holm)."
)
"""As ``CERTAIN``, where the table shows only the best of the scores that were tested."""
NONE, ABSENT, UNTESTED = "none", "not evaluated", "no score"
NO_BETTER = f"“{NONE}”: no score does better than {MINUS}L."
NO_TEST = (
    f"“{ABSENT}”: not under both models. “{UNTESTED}”: the score cannot be had there under both."
)
AREA, GAP = (st.column_config.NumberColumn(format=form) for form in ("%.3f", "%+.3f"))


def draw(detected: Sequence[ModelDetection], titles: Mapping[str, str]) -> None:
    """Which differences between areas are more than chance: paired tests on the same images."""
    st.subheader("Which differences are certain", anchor=False, help=HELP)
    made: list[tuple[ModelDetection, tuple[PairedTest, ...]]] = []
    for model in detected:
        with panel.view().under(model.letter), ui.in_place():
            made.append((model, against_likelihood(model)))
    found: list[tuple[ModelDetection, dict[str, PairedTest]]] = []
    corrected = together([tests for _, tests in made])
    for (model, _), tests in zip(made, corrected, strict=True):
        if by_set := best_of(tests):
            found.append((model, by_set))
            continue
        with panel.view().under(model.letter):
            panel.said(f"{model.who}No score does better than $-\\mathcal{{L}}$ on any set.")
    if found:
        told = f"{TRIED} {NO_BETTER} “{ABSENT}”: no results."
        several = f" {told}" if len(found) > 1 else ""
        whose = found[0][0].who if len(found) == 1 else ""
        st.markdown(f"{whose}The best score of each set against $-\\mathcal{{L}}$.{several}")
    if len(found) > 1:
        rows, columns = table_of_models(titles, found)
        alt = "Tests of the best score of each model against −L"
        ui.table(rows, "tests-likelihood", alt, column_config=columns)
    for model, by_set in found if len(found) == 1 else ():
        with panel.view().under(model.letter):
            heads = "AUROC", "AUROC of −L"
            rows, columns = table(titles, by_set, model.report.scores, heads=heads)
            alt = "Tests of the best score against −L"
            ui.table(rows, f"tests-{model.letter}", alt, column_config=columns)


def versus(every: Sequence[ModelDetection], score: Score, titles: Mapping[str, str]) -> None:
    """The chosen score under each model against the same under each other one."""
    made: list[tuple[ModelDetection, ModelDetection, tuple[PairedTest, ...]]] = []
    for pair in combinations(every, 2):
        with ui.in_place():
            made.append((*pair, of_models(pair, score)))
    if not made:
        return
    corrected = together([tests for *_, tests in made])
    found = [
        (a, b, {test.set_name: test for test in tests})
        for (a, b, _), tests in zip(made, corrected, strict=True)
    ]
    several = f" {CERTAIN} {NO_TEST}" if len(found) > 1 else ""
    st.markdown(
        f"${score.symbol}$ under one model against another, tested on the same images.{several}"
    )
    if several:
        rows, columns = table_of_pairs(titles, found)
        ui.table(rows, "tests-pairs", "Tests of each model against each", column_config=columns)
        return
    ((a, b, by_set),) = found
    first, second = a.letter, b.letter
    heads = f"AUROC of {first}", f"AUROC of {second}"
    rows, columns = table(titles, by_set, [score], heads=heads)
    alt = f"Tests of {first} against {second}"
    ui.table(rows, f"tests-{first}-{second}", alt, column_config=columns)


def side(model: ModelDetection) -> Side:
    """What the scores of one model read, by set."""
    return Side.of(model.inside, list(model.outs.values()), model.materials, model.report.scores)


def against_likelihood(model: ModelDetection) -> tuple[PairedTest, ...]:
    """The tests of every score against -L on every set; none where there is nothing to test."""
    keys = {score.key for score in model.report.scores}
    return _of_scores(model) if "elbo" in keys and len(keys) > 1 else ()


def best_of(tests: Iterable[PairedTest]) -> dict[str, PairedTest]:
    """The test of each set's best score against -L, by set; none where -L is the best."""
    best: dict[str, PairedTest] = {}
    for test in tests:
        before = best.get(test.set_name)
        if before is None or test.result.first > before.result.first:
            best[test.set_name] = test
    return {name: test for name, test in best.items() if test.result.difference > 0}


def of_models(detected: Sequence[ModelDetection], score: Score) -> tuple[PairedTest, ...]:
    """The tests of one score under A against the same under B, one a set.

    Raises ``ScoreError`` where the two models saw different pixels.
    """
    a, b = detected
    return _of_models(a, b, score)


def together(groups: Sequence[Sequence[PairedTest]]) -> list[list[PairedTest]]:
    """The tests of several groups, each corrected for those of all groups (Holm).

    The best of many scores is known only after all were tried, so those that are not shown count.
    """
    p_values = iter(holm([test.result.p_value for tests in groups for test in tests]))
    return [[replace(test, corrected=next(p_values)) for test in tests] for tests in groups]


def table(
    titles: Mapping[str, str],
    tests: Mapping[str, PairedTest],
    scores: Sequence[Score],
    *,
    heads: tuple[str, str],
) -> tuple[pd.DataFrame, dict[str, ColumnConfig]]:
    """A row a set: the two areas under ``heads``, their difference with its interval, and p.

    The column of scores is left out where one alone was tested. With it, how columns are drawn.
    """
    symbols = {score.key: symbol_text(score.symbol) for score in scores}
    rows: list[dict[str, object]] = []
    for name, title in titles.items():
        if name not in tests:
            continue
        test, result = tests[name], tests[name].result
        row: dict[str, object] = {"Set": title}
        if len(scores) > 1:
            row["Score"] = symbols[test.first]
        row |= {heads[0]: result.first, heads[1]: result.second, "Difference": result.difference}
        row |= {"95 % interval": _span(test), "p, corrected": p_value(test.corrected)}
        rows.append({**row, "Certain": _is_certain(test)})
    columns = {heads[0]: AREA, heads[1]: AREA, "Difference": GAP}
    return pd.DataFrame(rows), columns


def table_of_pairs(
    titles: Mapping[str, str],
    found: Sequence[tuple[ModelDetection, ModelDetection, Mapping[str, PairedTest]]],
) -> tuple[pd.DataFrame, dict[str, ColumnConfig]]:
    """A row a set, columns for each pair of models: the difference of their areas; how drawn."""
    rows: dict[str, list[object]] = {"Set": list(titles.values())}
    columns = {"Set": st.column_config.Column(pinned=True)}
    for a, b, tests in found:
        text = f"AUROC under {a.letter} less that under {b.letter}"
        blanks = {
            name: UNTESTED if name in a.outs and name in b.outs else ABSENT for name in titles
        }
        _gap(rows, columns, f"{a.letter} {MINUS} {b.letter}", text, tests=tests, blanks=blanks)
    return pd.DataFrame(rows), columns


def table_of_models(
    titles: Mapping[str, str], found: Sequence[tuple[ModelDetection, Mapping[str, PairedTest]]]
) -> tuple[pd.DataFrame, dict[str, ColumnConfig]]:
    """A row a set, for each model the best score, its area, and what it gains on -L; how drawn."""
    rows: dict[str, list[object]] = {"Set": list(titles.values())}
    columns = {"Set": st.column_config.Column(pinned=True)}
    for model, tests in found:
        symbols = {score.key: symbol_text(score.symbol) for score in model.report.scores}
        best, reached = f"{model.letter}, best", f"{model.letter}, AUROC"
        blanks = {name: NONE if name in model.outs else ABSENT for name in titles}
        rows[best] = [
            symbols[tests[name].first] if name in tests else blanks[name] for name in titles
        ]
        rows[reached] = [tests[name].result.first if name in tests else None for name in titles]
        text = f"The best score of model {model.letter} on the set, where it does better than"
        columns[best] = st.column_config.Column(help=f"{text} {MINUS}L")
        columns[reached] = AREA
        text = f"AUROC of that score less that of {MINUS}L"
        _gap(rows, columns, f"{model.letter}, gain", text, tests=tests, blanks=blanks)
    return pd.DataFrame(rows), columns


def _gap(
    rows: dict[str, list[object]],
    columns: dict[str, ColumnConfig],
    head: str,
    text: str,
    *,
    tests: Mapping[str, PairedTest],
    blanks: Mapping[str, str],
) -> None:
    """Add three columns: differences, their intervals, p; ``blanks`` say why one is missing."""
    span, p = f"{head}, 95 %", f"{head}, p"
    tested = [tests.get(name) for name in blanks]
    rows[head] = [None if test is None else test.result.difference for test in tested]
    rows[span] = [
        blank if test is None else f"{_span(test)}{' ✓' if _is_certain(test) else ''}"
        for test, blank in zip(tested, blanks.values(), strict=True)
    ]
    rows[p] = ["" if test is None else p_value(test.corrected) for test in tested]
    columns[head] = st.column_config.NumberColumn(format="%+.3f", help=text)
    columns[span] = st.column_config.Column(help="95 % interval of the difference. ✓: certain")
    columns[p] = st.column_config.Column(help="p, corrected (Holm)")


def _span(test: PairedTest) -> str:
    """The interval of a difference."""
    return f"[{area(test.result.low)}, {area(test.result.high)}]"


def _is_certain(test: PairedTest) -> bool:
    return test.corrected <= 0.05


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
