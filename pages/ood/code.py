"""The programs behind the panels of the detection page."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from hvae_core.common.ladders import LADDERS
from hvae_core.detection.by_degree import Change
from hvae_core.detection.conformal import threshold_at
from hvae_core.figures import symbol_html
from hvae_core.scores import Score
from pages.ood.chosen import ScoredModel
from pages.ood.models import ModelDetection
from pages.ood.threshold import Placed, PlacedThreshold
from pages.shared import program
from pages.shared.program import Code, text
from pages.shared.state import Context

METRICS = "from hvae_core.detection.metrics import "


def density(
    ctx: Context,
    scored: ScoredModel,
    at: PlacedThreshold | None,
    *,
    places: Mapping[str, int],
    height: int,
) -> Code:
    """Scores of the sets, and their densities around the threshold."""
    model, score = scored.model, scored.score
    low, high = scored.span_of(places)
    return program.code(
        ctx,
        f"Densities of {score.name}, in and out of distribution",
        *_scores(ctx, scored, list(places)),
        *_threshold(ctx, scored, at),
        f"drawn = {program.listing(map(ctx.title, places))}",
        "figure = hv.figures.densities(",
        f"    scores[{text(ctx.title(ctx.in_name))}],",
        "    [(title, scores[title]) for title in drawn],",
        f"    {program.theme()},",
        f"    symbol={text(symbol_html(score.symbol))},",
        f"    unit={text(score.unit)},",
        f"    in_name={text(ctx.title(ctx.in_name))},",
        *([] if at is None else ["    threshold=threshold,"]),
        f"    places={list(places.values())},",
        f"    span=({low!r}, {high!r}),",
        f"    height={height},",
        ")",
        command=_evaluate(model, [*places], ["--scores", score.key]),
    )


def curve(
    ctx: Context,
    scored: ScoredModel,
    at: PlacedThreshold | None,
    titles: Mapping[str, str],
    *,
    places: Mapping[str, int],
    kind: str,
    height: int = 0,
) -> Code:
    """ROC or precision-recall curves on equal numbers of images; ``height`` where one is given."""
    is_roc = kind == "ROC"
    drawn = [name for name in titles if name in scored.outs]
    inside, seed = text(ctx.title(ctx.in_name)), scored.model.report.seed
    lines = [
        *_scores(ctx, scored, list(titles)),
        *_threshold(ctx, scored, at),
        "drawn = {",
        *(f"    {text(ctx.title(name))}: {places[name]}," for name in drawn),
        "}  # and their places in the legend",
        "curves = []",
        "for title, place in drawn.items():",
        f"    sides = equal_numbers(scores[{inside}], scores[title], {seed})",
        f"    found = detect(scores[{inside}], scores[title], {seed}, intervals=False)",
        f"    points = {'roc' if is_roc else 'pr'}_curve(*sides)",
        *([] if at is None else ["    rates = rates_at(threshold, *sides)"]),
        "    curves.append(",
        "        hv.figures.Curve(",
        "            title,",
        "            points.x,",
        "            points.y,",
        "            found.auroc," if is_roc else "            found.auprc,",
        *(["            low=found.low,", "            high=found.high,"] if is_roc else []),
        "            set_index=place,",
        *([] if is_roc else ["            chance=0.5,"]),
        *([] if at is None else [f"            point={_POINT[is_roc]},"]),
        "        )",
        "    )",
    ]
    drawing = "roc" if is_roc else "precision_recall"
    tall = f", height={height}" if height else ""
    names = ["detect", "equal_numbers", "rates_at", "roc_curve" if is_roc else "pr_curve"]
    return program.code(
        ctx,
        f"{kind} curves of {scored.score.name}",
        *lines,
        "",
        f"figure = hv.figures.{drawing}(curves, {program.theme()}{tall})",
        uses=[METRICS + ", ".join(names)],
        command=_evaluate(scored.model, [*titles], ["--scores", scored.score.key]),
    )


_POINT = {True: "(rates.false_alarms, rates.detected)", False: "(rates.detected, rates.precision)"}


def rates(ctx: Context, placed: Placed, names: Mapping[str, str]) -> Code:
    """The share of every set that each model's threshold flags."""
    lines = ["rows = []"]
    for scored, at in placed:
        if at is None:
            continue
        outs = [name for name in names if name in scored.outs]
        lines += ["", *_scores(ctx, scored, outs), *_threshold(ctx, scored, at)]
        lines += [
            "for title, values in scores.items():",
            "    share = flagged(threshold, values)",
            "    percent = [100 * rate for rate in (share.value, share.low, share.high)]",
            f"    rows.append([{text(scored.model.handle.title)}, title, *percent])",
        ]
    return program.code(
        ctx,
        "What the threshold flags of every set",
        *lines,
        "",
        'table = pd.DataFrame(rows, columns=["model", "set", "flagged (%)", "low", "high"])',
        uses=["import pandas as pd", METRICS + "flagged"],
        shows="print(table)",
    )


def heat(
    ctx: Context,
    detected: Sequence[ModelDetection],
    titles: Mapping[str, str],
    scores: Sequence[Score],
    *,
    metric: str,
) -> Code:
    """One metric of every score on every set."""
    keys = [score.key for score in scores]
    names = [name for name in titles if any(name in model.outs for model in detected)]
    seed = detected[0].report.seed
    several = len(detected) > 1
    listed = [model.handle for model in detected]
    letters = {model.handle.title: model.letter for model in detected}
    beside, others = _unseen(scores), []
    if any("ensemble" in score.needs for score in scores):
        others = ["        others = [other for _, other in models if other is not model]"]
        beside += ", beside=others"
    return program.code(
        ctx,
        f"{metric} of every score on every set",
        program.named(listed),
        "sets = [",
        *(f"    ({text(titles[name])}, {program.images(ctx, name)})," for name in names),
        "]",
        f"inside = {program.images(ctx, ctx.in_name)}",
        f"keys = {program.listing(keys)}",
        "rows, cells = [], []",
        "for name, images in sets:",
        "    for title, model in models:",
        *others,
        f"        own = hv.score_images(model, inside, *keys{beside})",
        f"        other = hv.score_images(model, images, *keys{beside})",
        f"        found = [detect(own[key], other[key], {seed}) for key in keys]",
        f"        rows.append({'name + ' + _by_title(letters) if several else 'name'})",
        f'        cells.append([each.interval("{metric.lower()}") for each in found])',
        "values, lows, highs = np.moveaxis(np.array(cells), -1, 0)",
        "figure = hv.figures.metric_heat(",
        "    values,",
        "    rows,",
        f"    {program.listing((symbol_html(score.symbol) for score in scores), 4)},",
        f"    colors={program.theme()},",
        f"    metric={text(metric)},",
        "    lows=lows,",
        "    highs=highs,",
        f"    higher_is_better={not metric.startswith('FPR')},",
        ")",
        uses=["import numpy as np", METRICS + "detect"],
        command=_evaluate(detected[0], names, _wanted(scores)),
    )


def by_degree(
    ctx: Context, model: ModelDetection, change: Change, command: str, *, areas: bool, alpha: float
) -> Code:
    """Areas or flagged shares of one change by its degrees, from the curves that ship."""
    ladder = LADDERS[change.name]
    which, title = ("areas", "AREA") if areas else ("shares", "SHARE")
    return program.code(
        ctx,
        f"{ladder.title} by degrees: {which} of every score, {model.handle.title}",
        f"model = {program.load(model.handle)}",
        "stored = shipped(model.name, model.digest)  # the command below computes them anew",
        f"change = next(one for one in stored.changes if one.name == {text(change.name)})",
        "figure = degree_curves(",
        "    change.degrees,",
        f"    change.{which},",
        f"    {program.theme()},",
        f"    x_title={text(ladder.axis)},",
        f"    y_title={title},",
        f"    chance={0.5 if areas else 100 * alpha},",
        ")",
        uses=[
            "from hvae_core.detection.by_degree import shipped",
            f"from hvae_core.figures.by_degree import {title}, degree_curves",
        ],
        command=command,
    )


def _by_title(letters: Mapping[str, str]) -> str:
    pairs = ", ".join(f"{text(title)}: {text('  ' + one)}" for title, one in letters.items())
    return f"{{{pairs}}}[title]"


def _wanted(scores: Sequence[Score]) -> list[str]:
    """The option that asks for scores which are not those of the bounds alone."""
    more = any(score.needs or score.measures for score in scores)
    return [word for s in scores for word in ("--scores", s.key)] if more else []


def _evaluate(model: ModelDetection, names: Sequence[str], words: Sequence[str]) -> str:
    outs = [word for name in names for word in ("--out", name)]
    return program.command("evaluate", program.name_of(model.handle), *outs, *words)


def _scores(ctx: Context, scored: ScoredModel, outs: Sequence[str]) -> list[str]:
    """Lines that make ``scores``: the chosen one of every image, by the title of the set."""
    key, model = scored.score.key, scored.model
    beside = _beside(ctx, model, [scored.score]) + _unseen([scored.score])
    return [
        f"model = {program.load(model.handle)}",
        "sets = {",
        f"    {text(ctx.title(ctx.in_name))}: {program.images(ctx, ctx.in_name)},",
        *(
            f"    {text(ctx.title(name))}: {program.images(ctx, name)},"
            for name in outs
            if name in scored.outs
        ),
        "}",
        "scores = {",
        f"    title: hv.score_images(model, images, {text(key)}{beside})[{text(key)}]",
        "    for title, images in sets.items()",
        "}",
    ]


def _unseen(scores: Sequence[Score]) -> str:
    """Leave out images that a density is fitted to, where a score has one."""
    return ", unseen=True" if any("held_out" in score.needs for score in scores) else ""


def _beside(ctx: Context, model: ModelDetection, scores: Sequence[Score]) -> str:
    """The other models of the view, where a score reads them."""
    if not any("ensemble" in score.needs for score in scores):
        return ""
    others = [program.name_of(h) for h in ctx.models if h.digest != model.handle.digest]
    return f", beside={program.listing(others)}"


def _threshold(ctx: Context, scored: ScoredModel, at: PlacedThreshold | None) -> list[str]:
    """A line that places the threshold by the held-out images."""
    if at is None:
        return []
    if at.value != threshold_at(at.alarm, scored.reference):  # chosen in units of the score
        return [f"threshold = {at.value!r}"]
    key = text(scored.score.key)
    beside = _beside(ctx, scored.model, [scored.score]) + _unseen([scored.score])
    return [
        f"held_out = {program.images(ctx, ctx.reference_name)}",
        f"held_out = hv.score_images(model, held_out, {key}{beside})[{key}]",
        f"threshold = hv.threshold_at({at.alarm!r}, held_out)",
    ]
