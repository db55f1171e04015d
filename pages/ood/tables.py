"""Tables of the detection page: sets by scores, every metric, every image."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
import streamlit as st

from hvae_core.common.places import COMMAND
from hvae_core.detection.by_image import image_rows
from hvae_core.detection.metrics import Detection
from hvae_core.figures import metric_heat, symbol_html, symbol_text
from hvae_core.scores import Score
from pages.ood import code, models
from pages.ood.models import ModelDetection
from pages.shared import panel, saving, ui
from pages.shared.controls import one_of
from pages.shared.remembered import remembered
from pages.shared.state import Context, colors

HELP = (
    "Each score on equal numbers of in- and out-of-distribution images (Havtorn et al. 2021, "
    "section 5), the larger set thinned by seed. OOD is the positive class. AUROC has its DeLong "
    "95 % interval. AUPRC is the average precision, FPR80 and FPR95 are the false alarms at which "
    "80 % and 95 % of the OOD images are caught; these have bootstrap intervals. The same figures "
    f"as `{COMMAND} evaluate`."
)
METRICS = {"AUROC": "auroc", "AUPRC": "auprc", "FPR80": "fpr80", "FPR95": "fpr95"}


@ui.fragment
def draw(ctx: Context, detected: Sequence[ModelDetection], titles: Mapping[str, str]) -> None:
    """Sets by scores, one metric at a time as a heat map, all of them as numbers."""
    st.subheader("All scores on all sets", anchor=False, help=HELP)
    metric = one_of("Metric", list(METRICS), "AUROC", key="o_metric", label_visibility="collapsed")
    scores = list(models.scores_of(detected).values())
    if metric != "AUROC":
        detected = models.with_intervals(detected)
    rows, values, lows, highs = heat(detected, titles, scores, metric=metric)
    symbols = [symbol_html(score.symbol) for score in scores]
    figure = remembered(
        metric_heat, values, rows, symbols, colors=colors(), metric=metric, lows=lows, highs=highs,
        higher_is_better=not metric.startswith("FPR"),
    )  # fmt: skip
    with ui.columns_of_numbers("o_heat_place", len(scores)):
        alt = f"{metric} of every score on every set"
        made = code.heat(ctx, detected, titles, scores, metric=metric)
        ui.chart(figure, f"table-{metric}", alt, key="o_heat", code=made)
    named = {ctx.in_name: ctx.title(ctx.in_name), **titles}
    panel.said(models.equal_numbers_note(detected, named), note=True)
    for letters, score, reason in models.unavailable(detected):
        under = f" under {letters}" if letters else ""
        st.caption(f"${score.symbol}$ is not available{under}: {ui.plain(reason)}")

    def every_metric() -> pd.DataFrame:
        return numbers(models.with_intervals(detected), titles)

    with st.expander("All numbers", key="o_numbers", on_change="rerun") as box:
        if box.open:
            told = every_metric().round(3)
            three = st.column_config.NumberColumn(format="%.3f")
            columns = {str(name): three for name in told.select_dtypes("float")}
            st.dataframe(told, hide_index=True, column_config=columns)
    with st.container(horizontal=True):
        saving.csv_button(every_metric, "detection", "Table (CSV)")
        saving.csv_button(lambda: images_table(detected, ctx), "scores", "Every image (CSV)")


def heat(
    detected: Sequence[ModelDetection],
    titles: Mapping[str, str],
    scores: Sequence[Score],
    metric: str,
) -> tuple[list[str], np.ndarray, np.ndarray, np.ndarray]:
    """Row names and the metric with its interval, each (sets x models, scores); NaN for none."""
    names, rows = [], []
    for name, title in titles.items():
        for model in detected:
            if name in model.outs:
                names.append(f"{title}  {model.letter}".rstrip())
                rows.append([_cell(model.metrics(name).get(s.key), metric) for s in scores])
    table = np.array(rows, dtype=np.float64).reshape(len(rows), len(scores), 3)
    return names, table[..., 0], table[..., 1], table[..., 2]


def _cell(detection: Detection | None, metric: str) -> tuple[float, float, float]:
    if detection is None:
        return (np.nan, np.nan, np.nan)
    return detection.interval(METRICS[metric])


def numbers(detected: Sequence[ModelDetection], titles: Mapping[str, str]) -> pd.DataFrame:
    """Every metric of every score on every set, a row each, as the command line writes them."""
    frames = []
    for model in detected:
        rows = pd.DataFrame(model.report.rows())
        if rows.empty:
            continue
        rows.insert(0, "model", model.handle.title)
        names = {s.key: symbol_text(s.symbol) for s in model.report.scores}
        rows["symbol"] = rows["score"].map(names)
        rows["title"] = rows["set"].map(titles)
        frames.append(rows)
    if not frames:
        return pd.DataFrame()
    ends = [f"{metric}_{end}" for metric in ("auprc", "fpr80", "fpr95") for end in ("low", "high")]
    columns = ["model", "title", "symbol", "auroc", "low", "high", "auprc", "fpr80", "fpr95", *ends]
    return pd.concat(frames, ignore_index=True)[[*columns, "n_in", "n_out", "set", "score"]]


def images_table(detected: Sequence[ModelDetection], ctx: Context) -> pd.DataFrame:
    """Every score of every image, a row an image and model, as the command line writes them."""
    frames = []
    for model in detected:
        sets = [model.inside, *model.outs.values()]
        rows = pd.DataFrame(image_rows(sets, model.report.scores, model.materials))
        rows.insert(0, "model", model.handle.title)
        frames.append(rows)
    return pd.concat(frames, ignore_index=True)
