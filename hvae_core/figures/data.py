"""What a chart draws, as a table."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import numpy as np

from hvae_core.figures.traces import MARKED

if TYPE_CHECKING:
    import pandas as pd
    import plotly.graph_objects as go


def figure_table(figure: go.Figure) -> pd.DataFrame:
    """The numbers of a chart, a row a point: the trace it belongs to, x, y and, of maps, the value.

    Columns are called as the axes are. Bars of an error have columns ``up`` and ``down``. Traces
    without points, as those that stand in a legend alone, are left out, and markers on a line.
    """
    import pandas as pd

    x, y = _title(figure.layout.xaxis, "x"), _title(figure.layout.yaxis, "y")
    rows: list[dict[str, Any]] = []
    for number, trace in enumerate(figure.data, start=1):
        if trace.meta == MARKED:
            continue
        name = _plain(trace.name or f"trace {number}")
        rows += _cells(trace, name, x, y) if trace.type == "heatmap" else _points(trace, name, x, y)
    return pd.DataFrame(rows)


def _points(trace: Any, name: str, x: str, y: str) -> list[dict[str, Any]]:
    across, up = _values(trace.x), _values(trace.y)
    found: list[dict[str, Any]] = []
    error = getattr(trace, "error_y", None)
    above = _values(error.array) if error is not None else []
    below = _values(error.arrayminus) if error is not None else []
    for i, (one, other) in enumerate(zip(across, up, strict=False)):
        if one is None or other is None:
            continue
        row = {"series": name, x: one, y: other}
        if i < len(above):
            row["up"], row["down"] = above[i], below[i] if i < len(below) else above[i]
        found.append(row)
    return found


def _cells(trace: Any, name: str, x: str, y: str) -> list[dict[str, Any]]:
    values = np.asarray(trace.z, dtype=np.float64)
    across = _values(trace.x) or list(range(values.shape[1]))
    up = _values(trace.y) or list(range(values.shape[0]))
    return [
        {"series": name, x: one, y: other, "value": values[row, column]}
        for row, other in enumerate(up)
        for column, one in enumerate(across)
    ]


def _values(values: Any) -> list[Any]:
    """Numbers and words of one side, words without the tags that plotly draws by."""
    if values is None:
        return []
    plain = values.tolist() if isinstance(values, np.ndarray) else list(values)
    return [_plain(value) if isinstance(value, str) else value for value in plain]


def _title(axis: Any, otherwise: str) -> str:
    return _plain(axis.title.text or "") or otherwise


def _plain(text: str) -> str:
    return re.sub(r"<[^>]+>", "", text.replace("<br>", " ")).strip()
