"""Tables of the detection page: sets by scores, every metric, every image."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from hvae_core.detection.by_image import image_rows
from hvae_core.detection.metrics import Detection
from hvae_core.figures import symbol_text
from hvae_core.scores import Score
from pages.ood.models import ModelDetection
from pages.shared.state import Context

METRICS = {"AUROC": "auroc", "AUPRC": "auprc", "FPR80": "fpr80", "FPR95": "fpr95"}


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
