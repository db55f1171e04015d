"""Tables of detection metrics: by model, set and score, and sets by scores."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from hvae_core.common.errors import ScoreError
from hvae_core.common.words import symbol_text
from hvae_core.config import MAX_LAYERS
from hvae_core.scores import Score, get_score
from hvae_core.studies.members import Subject
from hvae_core.studies.rows import (
    MODEL,
    SET,
    TOP,
    Made,
    because,
    filled,
    reason_of,
    result_of,
    row_of,
    shown_sets,
)
from hvae_core.studies.spec import TableSpec
from hvae_core.studies.table import Column, Figure

_METRICS = {"auroc": "AUROC", "auprc": "AUPRC", "fpr80": "FPR80", "fpr95": "FPR95"}


def detection_columns(spec: TableSpec) -> list[Column]:
    """Metrics of detection, as shares or percentages."""
    digits, factor = (1, 100.0) if spec.percent else (3, 1.0)
    unit = " (%)" if spec.percent else ""
    return [Column(key, title + unit, digits, factor=factor) for key, title in _METRICS.items()]


def detection(spec: TableSpec, subjects: Sequence[Subject]) -> Made:
    """AUROC, AUPRC, FPR80 by model, set and score (HVK Tables 2, 7; INF Tables 5-7, 10-12)."""
    heads = MODEL | SET | {"score": "score"}
    columns = detection_columns(spec)
    if not spec.columns:
        columns = columns[:3]
    rows = []
    for subject in subjects:
        for name, title in shown_sets(subject, spec, inside=False):
            for key, symbol in _scores(subject, spec):
                row = row_of(
                    subject, reason_of(subject, name), set=(name, title), score=(key, symbol)
                )
                figures, why = _detected(subject, name, key, intervals=True)
                rows.append(filled(row, figures) if figures else because(row, why))
    return heads, columns, rows


def _scores(subject: Subject, spec: TableSpec) -> list[tuple[str, str]]:
    """Keys and symbols of the scores that a table shows of a model."""
    first = next((m.report for m in subject.members if m.report is not None), None)
    shown = {} if first is None else {s.key: _shown(s) for s in first.scores}
    if first is not None and not spec.scores:
        had = {key for result in first.outside for key in result.detections}
        return [(key, symbol) for key, symbol in shown.items() if key in had]
    symbols = []
    for key in spec.scores:
        stem, _, last = key.rpartition("_")
        symbol = shown.get(key) or _of_any_model(key)
        if last == TOP and stem in ("llr", "bound"):
            symbol = {"llr": "LLR>L−1", "bound": "−L>L−1"}[stem]
        symbols.append((key, symbol))
    return symbols


def _shown(score: Score) -> str:
    """The symbol of a score of the bounds, the name of another."""
    return score.name if score.needs or score.measures else symbol_text(score.symbol)


def _of_any_model(key: str) -> str:
    """The symbol of a score of a model that is not here; the key where that depends on it."""
    try:
        return _shown(get_score(key, MAX_LAYERS))
    except ScoreError:
        return key


def _detected(
    subject: Subject, set_name: str, score: str, *, intervals: bool = False
) -> tuple[dict[str, Figure], str]:
    """Metrics of one score on one set over the seeds, or why there are none.

    The bootstrap takes a while: only a single seed's figures have intervals, where asked for.
    """
    detections, why = [], ""
    asked = score
    single = intervals and len(subject.members) == 1
    for member in subject.members:
        result = result_of(member, set_name)
        if result is None:
            continue
        score = numbered(asked, len(result.bound_bits))
        detection = result.detections.get(score)
        if detection is None:
            why = result.unavailable.get(score, "")
        else:
            detections.append(member.with_intervals(set_name, score) if single else detection)
    if not detections:
        return {}, why
    return {
        key: Figure.of([d.interval(key)[0] for d in detections], detections[0].interval(key)[1:])
        for key in _METRICS
    }, ""


def numbered(score: str, levels: int) -> str:
    """The key of a score that a model of so many levels knows: k = L - 1 for ``top``."""
    stem, _, last = score.rpartition("_")
    return f"{stem}_{levels - 1}" if last == TOP else score


def _metric(spec: TableSpec) -> str:
    """The metric of a grid."""
    return spec.columns[0] if spec.columns and spec.columns[0] in _METRICS else "auroc"


def better(spec: TableSpec) -> Callable[[Iterable[float]], float]:
    """What picks the best score of a grid's row: few false alarms, else large areas."""
    return min if _metric(spec).startswith("fpr") else max


def grid(spec: TableSpec, subjects: Sequence[Subject]) -> Made:
    """Sets by scores: one metric, AUROC unless told otherwise."""
    metric = _metric(spec)
    of = next(column for column in detection_columns(spec) if column.key == metric)
    columns: dict[str, Column] = {}
    rows = []
    for subject in subjects:
        scores = _scores(subject, spec)
        for key, symbol in scores:
            columns.setdefault(key, Column(key, symbol, of.digits, factor=of.factor))
        for name, title in shown_sets(subject, spec, inside=False):
            figures = {}
            for key, _ in scores:
                found = _detected(subject, name, key)[0].get(metric)
                if found is not None:  # an interval in every cell is more than a grid can hold
                    figures[key] = Figure(found.mean, found.deviation)
            row = row_of(subject, reason_of(subject, name), set=(name, title))
            rows.append(filled(row, figures) if figures else row)
    return MODEL | SET, list(columns.values()), rows
