"""Is the best score better than the likelihood, and is one model better than the other?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pandas as pd
import streamlit as st

from hvae_core.detection.paired_tests import PairedTest, Side, between_models, between_scores
from hvae_core.figures import fmt, interval, symbol_text
from hvae_core.scores import Score
from pages.ood import models
from pages.ood.models import ModelDetection


def side(model: ModelDetection) -> Side:
    """What the scores of one model read, by set."""
    sets = {"": model.inside, **model.outs}
    digests = {name: found.set_digest for name, found in sets.items()}
    return Side(lambda s, name: model.values(s, sets[name]), tuple(model.outs), digests)


def against_likelihood(model: ModelDetection) -> dict[str, PairedTest]:
    """The test of each set's best score against -L, by set; none where -L is the best.

    The best is known only after all were tried, so the correction is for all tests of all scores.
    """
    scores = {score.key: score for score in model.report.scores}
    if "elbo" not in scores or len(scores) == 1:
        return {}
    key = (*_key(model), *scores)
    found = _scores(key, model, tuple(scores.values()), scores["elbo"])
    best: dict[str, PairedTest] = {}
    for entry in found:
        known = best.get(entry.set_name)
        if known is None or entry.result.first > known.result.first:
            best[entry.set_name] = entry
    return {name: entry for name, entry in best.items() if entry.result.difference > 0}


def of_models(detected: Sequence[ModelDetection], score: Score) -> dict[str, PairedTest]:
    """The test of one score under A against the same under B, by set.

    Raises ``ScoreError`` where the two models saw different pixels.
    """
    one, other = detected
    found = _models((_key(one), _key(other), score.key), one, other, score)
    return {entry.set_name: entry for entry in found}


def table(
    titles: Mapping[str, str], entries: Mapping[str, PairedTest], scores: Sequence[Score]
) -> pd.DataFrame:
    """A row a set: the two areas, their difference with its interval, and the corrected p."""
    symbols = {score.key: symbol_text(score.symbol) for score in scores}
    rows = []
    for name, title in titles.items():
        if name not in entries:
            continue
        entry = entries[name]
        found = entry.result
        rows.append(
            {
                "Set": title,
                "Score": symbols[entry.first],
                "First": found.first,
                "Second": found.second,
                "Difference, 95 % interval": interval(found.difference, found.low, found.high),
                "p, corrected": "< 0.0001" if entry.corrected < 1e-4 else fmt(entry.corrected),
                "Certain at 5 %": entry.corrected <= 0.05,
            }
        )
    return pd.DataFrame(rows)


def _key(model: ModelDetection) -> tuple[object, ...]:
    sets = tuple((name, found.set_digest) for name, found in model.outs.items())
    inside = model.inside
    read = models.beside(model.materials, (inside.set_name, *model.outs))
    return inside.checkpoint, inside.set_digest, str(inside.settings), model.report.seed, sets, read


@st.cache_resource(max_entries=32, show_spinner=False)
def _scores(
    key: tuple[object, ...], _study: ModelDetection, _scores: tuple[Score, ...], _against: Score
) -> tuple[PairedTest, ...]:
    return between_scores(side(_study), _scores, _against, _study.report.seed)


@st.cache_resource(max_entries=64, show_spinner=False)
def _models(
    key: tuple[object, ...], _one: ModelDetection, _other: ModelDetection, _score: Score
) -> tuple[PairedTest, ...]:
    return between_models(side(_one), side(_other), [_score], _one.report.seed)
