"""Which figures of a table its chart shows, and how."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from hvae_core.studies.printed import number
from hvae_core.studies.table import Column, Row, Table

if TYPE_CHECKING:
    from plotly.graph_objects import Figure as Chart

    from hvae_core.figures.studies import Dot
    from hvae_core.figures.theme import Palette

_FIRST = {
    "samplers": "frechet",
    "families": "nll",
    "units": "share",
    "collapse": "kl",
    "remedies": "lost",
    "stability": "later",
}
"""The column that a chart shows where it is not the first one."""
_SERIES = {
    "detection": "set",
    "grid": "score",
    "collapse": "layer",
    "bits": "k",
    "layers": "k",
    "attacks": "k",
}


def chart(table: Table, colors: Palette) -> Chart | None:
    """Dots with their spread, hollow diamonds for printed figures; None where there is nothing."""
    from hvae_core.figures.studies import MOST_ROWS, dots

    if table.kind == "compression":
        return _rates(table, colors)
    columns = _columns(table)
    entries = [
        _dot(table, row, column, series=series)
        for row in table.rows
        for column, series in _entries(table, row, columns)
    ]
    if not entries or len({dot.label for dot in entries}) > MOST_ROWS:
        return None
    kind = {"set": "set", "layer": "layer", "k": "layer"}.get(_SERIES.get(table.kind, ""), "")
    title = columns[0].title if len(columns) == 1 else _quantity(table)
    log = table.kind in ("collapse", "layers") and all(dot.value > 0 for dot in entries)
    return dots(entries, colors, x_title=title, kind=kind, log=log)


def _rates(table: Table, colors: Palette) -> Chart | None:
    """MS-SSIM against bits a pixel: a curve a model, and one a codec."""
    from hvae_core.figures.rate_distortion import rate_distortion

    curves: dict[str, list[Row]] = {}
    for row in table.rows:
        if row.figures:
            curves.setdefault(row.labels["model"], []).append(row)

    def curve(name: str) -> tuple[str, list[float], list[float]]:
        bpp, like = ([r.figures[key].mean for r in curves[name]] for key in ("bpp", "ms_ssim"))
        return name, bpp, like

    own = [name for name, rows in curves.items() if rows[0].checkpoints]
    models = [(*curve(n), [r.labels["k"].removesuffix(" up") for r in curves[n]]) for n in own]
    codecs = [(*curve(n), [int(r.keys["k"]) for r in curves[n]]) for n in curves if n not in own]
    return rate_distortion(models, codecs, colors, measure="MS-SSIM", unit="") if models else None


def _quantity(table: Table) -> str:
    return {"grid": "AUROC", "bits": "bits/dim"}.get(table.kind, "")


def _columns(table: Table) -> list[Column]:
    """All columns of one quantity, or the one column that a chart is about."""
    if table.kind in ("grid", "bits"):
        return list(table.columns)
    wanted = _FIRST.get(table.kind)
    return [c for c in table.columns if c.key == wanted] or list(table.columns[:1])


def _entries(table: Table, row: Row, columns: list[Column]) -> list[tuple[Column, str]]:
    """Columns of which this row has a figure, each with the series that it belongs to."""
    by = _SERIES.get(table.kind)
    several = len(columns) > 1
    return [
        (column, column.title if several else row.labels.get(by, "") if by else "")
        for column in columns
        if column.key in row.figures
        and row.figures[column.key].mean == row.figures[column.key].mean
    ]


def _dot(table: Table, row: Row, column: Column, *, series: str) -> Dot:
    from hvae_core.figures.studies import Dot

    figure, factor = row.figures[column.key], column.factor
    low, high = figure.low, figure.high
    if figure.deviation is not None:
        low, high = figure.mean - figure.deviation, figure.mean + figure.deviation
    printed = number(row.printed.get(column.key, ""))
    return Dot(
        _label(table, row.labels, series),
        series,
        figure.mean * factor,
        low=None if low is None else low * factor,
        high=None if high is None else high * factor,
        printed=printed,
    )


def _label(table: Table, labels: Mapping[str, str], series: str) -> str:
    """What a row is called beside its axis, without what its colour says."""
    by = _SERIES.get(table.kind)
    parts = [labels.get(key, "") for key in table.shown_heads if key != by or not series]
    return ", ".join(part for part in parts if part) or labels.get(next(iter(table.heads)), "")
