"""A study as one HTML file: opens offline, in the reader's light or dark theme, loads nothing."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from hvae_core.figures.document import chart_of, document
from hvae_core.figures.theme import DARK, LIGHT
from hvae_core.studies.charts import chart
from hvae_core.studies.spec import StudySpec
from hvae_core.studies.table import Table, cells, header


def page(study: StudySpec, tables: Sequence[Table]) -> str:
    """The whole document: each table with its chart, remarks, and what it was made with."""
    charts = {f"chart-{t.key}": both for t in tables if (both := _both_themes(t)) is not None}
    return document(
        Path(__file__).with_name("page.html"),
        charts,
        study=study,
        tables=tables,
        summary=summary(tables),
        header=header,
        cells=cells,
        made_with=_made_with,
    )


def summary(tables: Sequence[Table]) -> str:
    """How many figures there are, how many of them have a printed twin, how many lie far off."""
    rows = [row for table in tables for row in table.rows]
    twins = sum(len(row.printed.keys() & row.figures.keys()) for row in rows)
    far = sum(len(table.remarks) for table in tables)
    empty = sum(not row.figures and bool(row.reason) for row in rows)
    said = [f"{len(tables)} table{'s' if len(tables) > 1 else ''}"]
    if twins:
        said.append(f"{twins} figures stand beside a printed one, {far} of them lie far from it")
    if empty:
        said.append(f"{empty} rows are empty and say why")
    return "; ".join(said) + "."


def _made_with(table: Table) -> dict[str, str]:
    """What a table was made with, its checkpoints among it."""
    about = dict(table.about)
    digests = {d[:12]: row.labels.get("model", "") for row in table.rows for d in row.checkpoints}
    if digests:
        about["checkpoints"] = ", ".join(f"{name} {d}".strip() for d, name in digests.items())
    return about


def _both_themes(table: Table) -> dict[str, object] | None:
    """Plotly's plain values of a table's chart in either theme."""
    light, dark = chart(table, LIGHT), chart(table, DARK)
    return None if light is None or dark is None else chart_of(table.key, light=light, dark=dark)
