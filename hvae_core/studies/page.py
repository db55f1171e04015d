"""A study as one HTML file: opens offline, in the reader's light or dark theme, loads nothing."""

from __future__ import annotations

import base64
import json
from collections.abc import Sequence
from html import escape

from hvae_core.data import ASSETS
from hvae_core.studies.charts import chart
from hvae_core.studies.spec import StudySpec
from hvae_core.studies.table import Row, Table, cells, header

_STYLE = """\
@font-face { font-family: "Source Sans"; src: url(%(regular)s) format("woff2"); }
@font-face { font-family: "Source Sans"; font-weight: 600;
  src: url(%(semibold)s) format("woff2"); }
:root { color-scheme: light dark; %(light)s }
@media (prefers-color-scheme: dark) { :root { %(dark)s } }
* { box-sizing: border-box; }
body { margin: 0 auto; padding: 2rem 1.25rem 4rem; max-width: 68rem; color: var(--text);
  background: var(--background); line-height: 1.5;
  font: 1rem/1.5 "Source Sans", "Segoe UI", sans-serif; }
h1 { font-size: 2rem; line-height: 1.2; margin: 0 0 .5rem; font-weight: 600; }
h2 { font-size: 1.35rem; line-height: 1.25; margin: 3rem 0 .5rem; font-weight: 600; }
p, ul { max-width: 46rem; }
.muted, footer { color: var(--muted); font-size: .9rem; }
.scroll { overflow-x: auto; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; font-size: .95rem; }
th, td { padding: .25rem .75rem; text-align: right; white-space: nowrap;
  border-bottom: 1px solid var(--grid); }
th, strong { font-weight: 600; }
th { border-bottom-color: var(--muted); vertical-align: bottom; }
.label { text-align: left; padding-left: 0; }
.printed { color: var(--muted); }
.other td { color: var(--muted); }
.chart { margin: 1rem 0; min-height: 8rem; }
code { font-size: .9em; overflow-wrap: anywhere; }
dl { display: grid; grid-template-columns: max-content 1fr; gap: .1rem 1rem; margin: 1rem 0; }
dt { color: var(--muted); } dd { margin: 0; overflow-wrap: anywhere; }
@media (max-width: 40rem) { dl { grid-template-columns: 1fr; } dd { margin-bottom: .5rem; } }
"""
_SCRIPT = """\
const charts = JSON.parse(document.getElementById("charts").textContent);
const dark = matchMedia("(prefers-color-scheme: dark)");
function draw() {
  for (const [id, themes] of Object.entries(charts)) {
    const figure = themes[dark.matches ? "dark" : "light"];
    Plotly.react(id, figure.data, figure.layout, themes.config);
  }
}
dark.addEventListener("change", draw);
draw();
"""


def page(study: StudySpec, tables: Sequence[Table]) -> str:
    """The whole document: each table with its chart, remarks, and what it was made with."""
    from plotly.offline import get_plotlyjs

    charts = {f"chart-{t.key}": both for t in tables if (both := _both_themes(t)) is not None}
    body = "\n".join(_section(table, f"chart-{table.key}" in charts) for table in tables)
    note = f"<p>{escape(study.note)}</p>" if study.note else ""
    plotly = f"<script>{get_plotlyjs()}</script>" if charts else ""
    drawn = (
        f'<script type="application/json" id="charts">{_json(charts)}</script>\n'
        f"<script>{_SCRIPT}</script>"
        if charts
        else ""
    )
    return (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{escape(study.title)}</title>\n<style>\n{_style()}</style>\n{plotly}\n</head>\n"
        f"<body>\n<h1>{escape(study.title)}</h1>\n<p>{escape(summary(tables))}</p>\n{note}\n"
        f"{body}\n{drawn}\n</body>\n</html>\n"
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


def _section(table: Table, charted: bool) -> str:
    parts = [f"<h2>{escape(table.title)}</h2>"]
    if table.note:
        parts.append(f"<p>{escape(table.note)}</p>")
    if charted:
        about = escape(f"Chart of the table below: {table.title}", quote=True)
        parts.append(f'<div class="chart" id="chart-{table.key}" role="img" aria-label="{about}">')
        parts.append("</div>")
        if any(row.printed and row.figures for row in table.rows):
            parts.append('<p class="muted">Hollow diamonds are printed figures.</p>')
    parts.append(_html_table(table))
    if table.source:
        parts.append(f'<p class="muted">Printed: {escape(table.source)}.</p>')
    if table.remarks:
        items = "".join(f"<li>{escape(text)}</li>" for text in table.remarks)
        parts.append(f"<p>Where a figure lies far from the printed one:</p><ul>{items}</ul>")
    return "<section>\n" + "\n".join(parts) + _about(table) + "\n</section>"


def _html_table(table: Table) -> str:
    labels = len(table.shown_heads)
    titles = header(table)
    heads = "".join(
        f'<th scope="col"{_class(i, labels, title)}>{escape(title)}</th>'
        for i, title in enumerate(titles)
    )
    rows = "\n".join(_html_row(table, row, titles, labels) for row in table.rows)
    return (
        f'<div class="scroll" tabindex="0"><table><thead><tr>{heads}</tr></thead>\n'
        f"<tbody>\n{rows}\n</tbody></table></div>"
    )


def _html_row(table: Table, row: Row, titles: Sequence[str], labels: int) -> str:
    found = "".join(
        f"<td{_class(i, labels, titles[i])}>{text}</td>"
        for i, text in enumerate(cells(table, row, "<strong>{}</strong>".format, escape))
    )
    return f"<tr>{found}</tr>" if row.figures else f'<tr class="other">{found}</tr>'


def _class(index: int, labels: int, title: str) -> str:
    if index < labels:
        return ' class="label"'
    return ' class="printed"' if title == "printed" else ""


def _about(table: Table) -> str:
    found = dict(table.about)
    digests = {d[:12]: row.labels.get("model", "") for row in table.rows for d in row.checkpoints}
    if digests:
        found["checkpoints"] = ", ".join(f"{name} {d}".strip() for d, name in digests.items())
    items = "".join(f"<dt>{escape(k)}</dt><dd>{_value(k, v)}</dd>" for k, v in found.items())
    return f'\n<footer><dl class="muted">{items}</dl></footer>' if items else ""


def _value(name: str, text: str) -> str:
    return f"<code>{escape(text)}</code>" if name == "command" else escape(text)


def _both_themes(table: Table) -> dict[str, object] | None:
    """Plotly's plain values of a table's chart in either theme."""
    from hvae_core.figures.theme import DARK, LIGHT, figure_config

    found: dict[str, object] = {}
    for name, colors in (("light", LIGHT), ("dark", DARK)):
        drawn = chart(table, colors)
        if drawn is None:
            return None
        found[name] = json.loads(drawn.to_json())
    found["config"] = figure_config(table.key) | {"responsive": True}
    return found


def _json(value: object) -> str:
    """JSON that can stand in a script element."""
    return json.dumps(value, ensure_ascii=False).replace("</", "<\\/").replace("<!--", "<\\!--")


def _style() -> str:
    from hvae_core.figures.theme import DARK, LIGHT, Palette

    def variables(colors: Palette) -> str:
        names = ("background", "text", "muted", "grid")
        return " ".join(f"--{name}: {getattr(colors, name)};" for name in names)

    fonts = {
        kind.lower(): _data_url(f"SourceSans3-{kind}.woff2") for kind in ("Regular", "Semibold")
    }
    return _STYLE % (fonts | {"light": variables(LIGHT), "dark": variables(DARK)})


def _data_url(name: str) -> str:
    data = (ASSETS / "fonts" / name).read_bytes()
    return "data:font/woff2;base64," + base64.b64encode(data).decode()
