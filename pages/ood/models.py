"""What the detection page reads: evaluations, the report on them, its claim and its tables."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import numpy as np

from hvae_core.common.words import listed, symbol_text
from hvae_core.detection.metrics import Detection
from hvae_core.detection.report import Report, report
from hvae_core.detection.set_values import counted_of, unseen_values, values_of
from hvae_core.scores import Score, score_list
from hvae_core.scores.measured import LEADING, is_costly
from hvae_core.scores.measures import MEASURES
from pages.shared import jobs, materials, ui
from pages.shared.kept import by_content
from pages.shared.materials import Materials
from pages.shared.state import Context
from pages.shared.store import Handle

if TYPE_CHECKING:
    from hvae_core.evaluation.evaluation import Evaluation


@dataclass(frozen=True, eq=False)
class ModelDetection:
    """One model: the in-distribution set, the sets held against it, and the reference."""

    handle: Handle
    index: int
    letter: str
    """A or B, empty where one model is alone."""
    inside: Evaluation
    outs: Mapping[str, Evaluation]
    reference: Evaluation | None
    report: Report
    materials: Materials = field(default_factory=dict)

    @property
    def who(self) -> str:
        """A sentence's start that names the model, where there are two."""
        return f"**{self.letter}:** " if self.letter else ""

    @property
    def read(self) -> tuple[Evaluation, Mapping[str, Evaluation], Materials]:
        """All that figures on this model rest on."""
        return self.inside, self.outs, self.materials

    def values(self, score: Score, evaluation: Evaluation) -> np.ndarray:
        """A score of an evaluated set; costly ones are of its first images alone."""
        return values_of(score, evaluation, self.materials)

    def unseen(self, score: Score, evaluation: Evaluation) -> np.ndarray:
        """The same of the images that count: not those that the score's density is fitted to."""
        return unseen_values(score, evaluation, self.materials)

    def counted(self, score: Score, evaluation: Evaluation) -> np.ndarray:
        """The numbers of these images in their set."""
        return np.flatnonzero(counted_of(score, evaluation, self.materials))

    def metrics(self, set_name: str) -> Mapping[str, Detection]:
        """The metrics on a set of every score that can be had there, by its key."""
        for name, result in zip(self.outs, self.report.outside, strict=True):
            if name == set_name:
                return result.detections
        return {}


def detections(ctx: Context) -> list[ModelDetection]:
    """What is evaluated of every chosen model; the rest is offered where this is called."""
    results = []
    names = [ctx.in_name, ctx.reference_name, *ctx.out_names]
    for index, (letter, handle) in enumerate(ctx.lettered):
        done = jobs.evaluations(ctx, handle, list(dict.fromkeys(names)), name_missing=not index)
        if ctx.in_name not in done:
            continue
        read, scores = materials.with_scores(ctx, handle, done)
        outs = {name: done[name] for name in ctx.out_names if name in done and name != ctx.in_name}
        results.append(
            ModelDetection(
                handle=handle,
                index=index,
                letter=letter if len(ctx.models) > 1 else "",
                inside=done[ctx.in_name],
                outs=outs,
                reference=done.get(ctx.reference_name),
                report=_report(done[ctx.in_name], outs, read, scores=scores),
                materials=read,
            )
        )
    return results


def with_intervals(detected: Sequence[ModelDetection]) -> list[ModelDetection]:
    """The same with the intervals of every metric, whose bootstrap takes a moment."""
    return [
        replace(model, report=_report(*model.read, model.report.scores, intervals=True))
        for model in detected
    ]


@by_content(64)
def _report(
    inside: Evaluation,
    outs: Mapping[str, Evaluation],
    read: Materials,
    scores: Sequence[Score],
    *,
    intervals: bool = False,
) -> Report:
    """The same figures as the command line's: its report, with the evaluation's own seed."""
    return report(
        inside,
        list(outs.values()),
        inside.settings.seed,
        intervals=intervals,
        scores=tuple(scores) or None,
        materials=read,
    )


def scores_of(detected: Sequence[ModelDetection]) -> dict[str, Score]:
    """Every score that one of the models has, by its label in lists."""
    deepest = max(model.handle.n_levels for model in detected)
    scores = {score.key: score for score in score_list(deepest)}
    scores |= {score.key: score for model in detected for score in model.report.scores}
    return {label(score): score for score in scores.values()}


def label(score: Score) -> str:
    """A score in a list: its symbol, then its name without the symbol."""
    symbol = symbol_text(score.symbol)
    name = re.sub(r"\s*\S*[<>]\d+$", "", score.name)
    return f"{symbol} · {name}"


def remedy(model: ModelDetection, set_name: str) -> Score | None:
    """The likelihood ratio with the largest AUROC on a set."""
    metrics = model.metrics(set_name)
    ratios = [s for s in model.report.scores if s.family == "ratio" and s.key in metrics]
    return max(ratios, key=lambda score: metrics[score.key].auroc, default=None)


def hardest(model: ModelDetection) -> str | None:
    """The set on which the likelihood does worst."""
    areas = {n: m["elbo"].auroc for n in model.outs if "elbo" in (m := model.metrics(n))}
    return min(areas, key=areas.__getitem__) if areas else None


def equal_numbers_note(detected: Sequence[ModelDetection], titles: Mapping[str, str]) -> str:
    """On how many images of either side the figures rest, set by set where they differ.

    ``titles`` are those of all sets by name, the in-distribution one's too.
    """
    counted = [model.report.counted(titles) for model in detected]
    if len({*counted}) > 1:  # else one sentence holds for all models
        told = [f"{m.letter}: {one}" for m, one in zip(detected, counted, strict=True) if one]
    else:
        told = list(filter(None, counted[:1]))
    sides = _sides(detected, titles, but=bool(told))
    return " ".join([sides + _fewer(detected), *map(ui.plain, told)])


def _fewer(detected: Sequence[ModelDetection]) -> str:
    """A remark on costly scores, which are of the first images of each set."""
    costly = {
        symbol_text(score.symbol)
        for model in detected
        for score in model.report.scores
        if any(is_costly(MEASURES[name]) for name in score.measures)
    }
    if not costly:
        return ""
    return f" {', '.join(sorted(costly))}: the first {LEADING} images of each set only."


def _sides(detected: Sequence[ModelDetection], titles: Mapping[str, str], *, but: bool) -> str:
    """Of the scores that are of all images; ``but`` others are of fewer, as is said further on."""
    sizes: dict[int, list[str]] = {}
    for name, title in titles.items():
        numbers = [d.n_out for model in detected for d in model.metrics(name).values()]
        if numbers:
            sizes.setdefault(max(numbers), []).append(title)
    fewer = ", but for scores that fit a density" if but else ""
    if len(sizes) == 1:
        n = next(iter(sizes))
        return f"{n:,} in-distribution images against {n:,} of each set{fewer}. Best score in bold."
    parts = [f"{n:,} ({ui.plain(', '.join(names))})" for n, names in sorted(sizes.items())]
    return f"Equal numbers of images on both sides{fewer}: {'; '.join(parts)}. Best score in bold."


def unavailable(detected: Sequence[ModelDetection]) -> list[tuple[str, Score, str]]:
    """Scores that cannot be had on some set, each with its first reason, and under which models.

    These are told by their letters, "" where it is so under every model.
    """
    found: dict[tuple[str, str], tuple[Score, list[str]]] = {}
    for model in detected:
        by_key = {score.key: score for score in model.report.scores}
        reasons: dict[str, str] = {}
        for result in model.report.outside:
            reasons = {**result.unavailable, **reasons}
        for key, reason in reasons.items():
            found.setdefault((key, reason), (by_key[key], []))[1].append(model.letter)
    return [
        ("" if len(letters) == len(detected) else listed(letters), score, reason)
        for (_, reason), (score, letters) in found.items()
    ]
