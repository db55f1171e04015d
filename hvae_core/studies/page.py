"""A study as one HTML file: opens offline, in the reader's light or dark theme, loads nothing."""

from __future__ import annotations

import base64
import json
from collections.abc import Sequence
from pathlib import Path

from hvae_core.common.places import ASSETS
from hvae_core.studies.charts import chart
from hvae_core.studies.spec import StudySpec
from hvae_core.studies.table import Table, cells, header


def page(study: StudySpec, tables: Sequence[Table]) -> str:
    """The whole document: each table with its chart, remarks, and what it was made with."""
    from jinja2 import Environment, FileSystemLoader, StrictUndefined
    from plotly.offline import get_plotlyjs

    from hvae_core.figures.theme import DARK, LIGHT

    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        keep_trailing_newline=True,
    )
    charts = {f"chart-{t.key}": both for t in tables if (both := _both_themes(t)) is not None}
    return environment.get_template("page.html").render(
        study=study,
        tables=tables,
        summary=summary(tables),
        charts=charts,
        plotly=get_plotlyjs() if charts else "",
        fonts={400: _data_url("Regular"), 600: _data_url("Semibold")},
        themes={"light": LIGHT, "dark": DARK},
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
    from hvae_core.figures.theme import DARK, LIGHT, figure_config

    themes: dict[str, object] = {}
    for name, colors in (("light", LIGHT), ("dark", DARK)):
        drawn = chart(table, colors)
        if drawn is None:
            return None
        themes[name] = json.loads(drawn.to_json())
    themes["config"] = figure_config(table.key) | {"responsive": True}
    return themes


def _data_url(weight: str) -> str:
    data = (ASSETS / "fonts" / f"SourceSans3-{weight}.woff2").read_bytes()
    return "data:font/woff2;base64," + base64.b64encode(data).decode()
