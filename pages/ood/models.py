"""What the detection page reads: evaluations, the report on them, its claim and its tables."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import numpy as np
import streamlit as st

from hvae_core.common import cache
from hvae_core.detection.metrics import Detection
from hvae_core.detection.report import Report, report
from hvae_core.figures import symbol_text
from hvae_core.scores import Material, Score, richest, score_list
from hvae_core.scores.assemble import LEADING, is_costly
from hvae_core.scores.measures import MEASURES
from pages.shared import jobs, ui
from pages.shared import materials as scoring
from pages.shared.state import Context
from pages.shared.store import Handle

if TYPE_CHECKING:
    from hvae_core.evaluation.evaluation import Evaluation


@dataclass(frozen=True, eq=False)
class Study:
    """One model: the in-distribution set, the sets held against it, and the reference."""

    handle: Handle
    index: int
    letter: str
    """A or B, empty where one model is alone."""
    inside: Evaluation
    outs: Mapping[str, Evaluation]
    reference: Evaluation | None
    report: Report
    materials: scoring.Materials = field(default_factory=dict)

    def values(self, score: Score, evaluation: Evaluation) -> np.ndarray:
        """A score of an evaluated set; costly ones are of its first images alone."""
        known = self.materials.get(evaluation.set_name, (Material.of(evaluation),))
        return score(richest(score, known))

    def metrics(self, set_name: str) -> Mapping[str, Detection]:
        """The metrics on a set of every score that can be had there, by its key."""
        for name, result in zip(self.outs, self.report.outside, strict=True):
            if name == set_name:
                return result.detections
        return {}


def reference_name(ctx: Context) -> str | None:
    """The set whose scores place the threshold: never the one that is judged."""
    held_out = [spec.name for spec in ctx.world.with_role("validation")]
    return held_out[0] if held_out else None


def studies(ctx: Context) -> list[Study]:
    """What is evaluated of every chosen model; the rest is offered where this is called."""
    found = []
    reference = reference_name(ctx)
    names = [ctx.in_name, *filter(None, [reference]), *ctx.out_names]
    for index, handle in enumerate(ctx.models):
        done = jobs.evaluations(ctx, handle, list(dict.fromkeys(names)), name_missing=not index)
        if ctx.in_name not in done:
            continue
        inside = done[ctx.in_name]
        outs = {n: done[n] for n in ctx.out_names if n in done and n != ctx.in_name}
        known = done.get(reference) if reference else None
        letter = "AB"[index] if len(ctx.models) > 1 else ""
        materials = scoring.materials(ctx, handle, done)
        made = _report(handle, inside, outs, materials)
        found.append(Study(handle, index, letter, inside, outs, known, made, materials))
    return found


def with_intervals(studied: Sequence[Study]) -> list[Study]:
    """The same with the intervals of every metric, whose bootstrap takes a moment."""
    return [
        replace(
            study,
            report=_report(study.handle, study.inside, study.outs, study.materials, intervals=True),
        )
        for study in studied
    ]


def _report(
    handle: Handle,
    inside: Evaluation,
    outs: Mapping[str, Evaluation],
    materials: scoring.Materials,
    *,
    intervals: bool = False,
) -> Report:
    """The same figures as the command line's: its report, with the evaluation's own seed."""
    sets = tuple((name, found.set_digest) for name, found in outs.items())
    names = (inside.set_name, *outs)
    scores = scoring.available(handle, materials, list(materials)) if materials else ()
    keys = tuple(score.key for score in scores)
    key = (
        inside.checkpoint,
        inside.set_digest,
        str(inside.settings),
        sets,
        keys,
        beside(materials, names),
    )
    return _made(key, intervals, inside, outs, scores, materials)


def beside(materials: scoring.Materials, names: Iterable[str]) -> tuple[object, ...]:
    """What scores read beside the model's own bounds, for the key of what rests on them.

    Measures are told by their being there; tables of other models and the training reference may
    change while it all looks the same.
    """
    return tuple(
        (
            name,
            tuple(cache.digest(table.bound) for table in (*m.ensemble, m.background) if table),
            None if m.reference is None else m.reference.mean,
        )
        for name in names
        for m in materials.get(name, ())
    )


@st.cache_resource(max_entries=64, show_spinner=False)
def _made(
    key: tuple[object, ...],
    intervals: bool,
    _inside: Evaluation,
    _outs: Mapping[str, Evaluation],
    _scores: tuple[Score, ...],
    _materials: scoring.Materials,
) -> Report:
    return report(
        _inside,
        list(_outs.values()),
        _inside.settings.seed,
        intervals=intervals,
        scores=_scores or None,
        materials=_materials,
    )


def scores_of(studied: Sequence[Study]) -> dict[str, Score]:
    """Every score that one of the models has, by its label in lists."""
    deepest = max(study.handle.n_levels for study in studied)
    known = {score.key: score for score in score_list(deepest)}
    known |= {score.key: score for study in studied for score in study.report.scores}
    return {label(score): score for score in known.values()}


def label(score: Score) -> str:
    """A score in a list: its symbol, then its name without the symbol."""
    symbol = symbol_text(score.symbol)
    name = re.sub(r"\s*\S*[<>]\d+$", "", score.name)
    return f"{symbol} · {name}"


def remedy(study: Study, set_name: str) -> Score | None:
    """The likelihood ratio with the largest AUROC on a set."""
    known = study.metrics(set_name)
    ratios = [s for s in study.report.scores if s.family == "ratio" and s.key in known]
    return max(ratios, key=lambda score: known[score.key].auroc, default=None)


def hardest(study: Study) -> str | None:
    """The set on which the likelihood does worst."""
    areas = {n: m["elbo"].auroc for n in study.outs if "elbo" in (m := study.metrics(n))}
    return min(areas, key=areas.__getitem__) if areas else None


def headline(ctx: Context, studied: Sequence[Study]) -> tuple[str, str]:
    """The claim about model A, and what to look for."""
    if not studied:
        return (
            "No score has been computed yet",
            f"Evaluate {ui.plain(ctx.title(ctx.in_name))} and the sets held against it once, and "
            "their densities appear here.",
        )
    name = hardest(studied[0])
    if name is None:
        return (
            "There is nothing yet to tell apart",
            "Choose out-of-distribution sets in the sidebar; each is held against the blue curve.",
        )
    return (
        ui.plain(claim(studied[0], ctx.title(name), name)),
        f"{studied[0].handle.title} against sets it was not trained on. Look for orange left of "
        "blue: images that a score finds more familiar than the model's own. What lies right of "
        "the threshold is flagged.",
    )


def claim(study: Study, title: str, name: str) -> str:
    """The title: what the likelihood makes of its worst set, and what a ratio does there."""
    known, best = study.metrics(name), remedy(study, name)
    plain = known["elbo"]
    if plain.high < 0.5:
        text = f"The likelihood ranks {title} below chance (AUROC {plain.auroc:.2f})"
    elif plain.low <= 0.5:
        text = f"The likelihood sees {title} by chance (AUROC {plain.auroc:.2f})"
    else:
        text = f"The likelihood is worst on {title} (AUROC {plain.auroc:.2f})"
    if best is None:
        return text
    area = known[best.key].auroc
    if area <= plain.auroc:
        return f"{text}, and no likelihood ratio does better"
    return f"{text}; {symbol_text(best.symbol)} reaches {area:.2f}"


def equal_numbers_note(studied: Sequence[Study], titles: Mapping[str, str]) -> str:
    """On how many images of either side the figures rest, set by set where they differ."""
    return _sides(studied, titles) + _fewer(studied)


def _fewer(studied: Sequence[Study]) -> str:
    """A remark on costly scores, which are of the first images of each set."""
    costly = {
        symbol_text(score.symbol)
        for study in studied
        for score in study.report.scores
        if any(is_costly(MEASURES[name]) for name in score.measures)
    }
    if not costly:
        return ""
    return f" {', '.join(sorted(costly))} on the first {LEADING} images alone."


def _sides(studied: Sequence[Study], titles: Mapping[str, str]) -> str:
    sizes: dict[int, list[str]] = {}
    for name, title in titles.items():
        numbers = [d.n_out for s in studied for d in s.metrics(name).values()]
        if numbers:
            sizes.setdefault(numbers[0], []).append(title)
    if len(sizes) == 1:
        return f"{next(iter(sizes)):,} images of either side in every row; best score in bold."
    parts = [f"{n:,} ({ui.plain(', '.join(names))})" for n, names in sorted(sizes.items())]
    return f"Equal numbers of images of either side: {'; '.join(parts)}. Best score in bold."


def unavailable(studied: Sequence[Study]) -> list[tuple[Score, str]]:
    """Scores that cannot be had on some set, each with its first reason."""
    reasons: dict[str, tuple[Score, str]] = {}
    for study in studied:
        by_key = {score.key: score for score in study.report.scores}
        for result in study.report.outside:
            for key, reason in result.unavailable.items():
                reasons.setdefault(key, (by_key[key], reason))
    return list(reasons.values())
