"""The report of a view: one file that needs nothing, and tells nothing of the reader's machine."""

from __future__ import annotations

import re

import pandas as pd
import plotly.graph_objects as go
import pytest
import streamlit as st
from PIL import Image

from hvae_core.common.words import fmt, unbroken
from hvae_core.figures import LIGHT
from hvae_core.figures.data import figure_table
from pages.shared import panel
from pages.shared.panel import Panel, View
from pages.shared.program import Code
from pages.shared.report import Facts, heading, made, nameless, plain

FACTS = Facts((("World", "Glyphs & more"),), ("world",), LIGHT)


def test_a_report_holds_every_panel_escaped_and_loads_nothing() -> None:
    view = View(title=r"Layer z1 \(of **A**\)", texts=("", ":gray[Look for $-L$.]"))
    view.url, view.query = (
        "http://here/many",
        [("m_folder", "/home/me/scored"), ("m_score", "elbo")],
    )
    code = Code("import hvae_core as hv  # <b>", "strata evaluate x")
    view.add(Panel("bars", "Bars <script>", go.Figure(go.Bar(x=["a"], y=[1.0])), code))
    view.add(Panel("rows", "Rows", pd.DataFrame({"File": ["/home/me/cat.png"], "p": [0.25]})))
    view.add(Panel("strip", "A strip", Image.new("RGB", (4, 4))))
    view.add(Panel("", "Layers in words", "*Tiny*\n\n- **z1** <empty>"))
    view.add(Panel("drawn", "Layers drawn", Image.new("RGB", (4, 4)), follows=True))
    text = made(view, FACTS).decode()
    assert "<h1>Layer z1 (of A)</h1>" in text and "<p>Look for −L.</p>" in text
    assert "Bars &lt;script&gt;" in text and "# &lt;b&gt;" in text and "Glyphs &amp; more" in text
    assert "<h2>Layers in words</h2>" in text and '<p class="item">z1 &lt;empty&gt;</p>' in text
    assert "<h2>Layers drawn" not in text and 'alt="Layers drawn"' in text
    assert "<td>cat.png</td>" in text and '<td class="number">0.25' in text
    assert "<dt>Score</dt><dd>elbo</dd>" in text and "/home/me" not in text
    assert 'href="http://here/many?m_score=elbo"' in text
    assert '"type":"bar"' in text.replace(" ", "") and "data:image/png;base64," in text
    assert not re.findall(r'<(?:script|link|img)[^>]+(?:src|href)="(?!data:)', text)


def test_numbers_of_a_table_stand_as_on_the_page(monkeypatch: pytest.MonkeyPatch) -> None:
    view = View()
    monkeypatch.setattr(panel, "view", lambda: view)
    rows = pd.DataFrame({"Set": ["a", "b"], "Flagged": [4.6, float("nan")], "KL": [0.25, 0.5]})
    columns = {
        "Set": st.column_config.TextColumn(width=72),
        "Flagged": st.column_config.ProgressColumn(format="%.1f %%", max_value=100),
        "KL": st.column_config.NumberColumn(width=72),
    }
    panel.shown("flagged", "Share flagged", rows, columns=columns)
    text = made(view, FACTS).decode()
    cells = [plain(cell) for cell in re.findall(r'<td class="number">([^<]*)', text)]
    assert cells == [unbroken("4.6 %"), fmt(0.25), "", fmt(0.5)]


def test_a_chart_with_many_columns_of_numbers_scrolls() -> None:
    view = View()
    view.add(Panel("areas", "Areas", go.Figure(go.Heatmap(z=[[0.5] * 30], texttemplate="%{z}"))))
    view.add(Panel("units", "Units", go.Figure(go.Heatmap(z=[[0.5] * 900]))))
    widths = re.findall(r'id="chart-\d"[^>]*min-width: (\d+)rem', made(view, FACTS).decode())
    assert widths == ["100", "0"]


def test_paths_and_marks() -> None:
    for path in ("/home/me/a.png", r"C:\me\a.png", "~/x/a.png", "file:///x/a.png"):
        assert nameless(path) == "a.png"
    assert nameless("Cutouts, 3 / 5 layers") == "Cutouts, 3 / 5 layers"
    assert plain(r"*Why?* \[a\]") == "Why? [a]"


def test_panels_of_two_models_are_told_apart() -> None:
    view = View()

    def draw(*alts: str) -> None:
        for alt in alts:
            view.add(Panel("", alt, "text"))

    draw("Both")
    for letter, alts in (("A", ("From z3 up",)), ("B", ("From z3 up", "From *z5* up", ""))):
        with view.under(letter):
            draw(*alts)
    draw("Table")
    told = [heading(panel) for _, panel in view.panels]
    assert told == ["Both", "A: From z3 up", "B: From z3 up", "B: From z5 up", "", "Table"]


def test_what_a_part_drew_before_is_replaced_where_it_stood() -> None:
    view = View()

    def draw(*names: str) -> None:
        for name in names:
            view.add(Panel(name, name, pd.DataFrame()))

    draw("head")
    with view.redrawn("body"):
        draw("a")
        with view.redrawn("inner"):
            draw("b", "c")
    draw("end")
    with view.redrawn("inner"):
        draw("d")
    assert [panel.name for _, panel in view.panels] == ["head", "a", "d", "end"]
    with view.redrawn("body"):
        draw("e")
    assert [panel.name for _, panel in view.panels] == ["head", "e", "end"]


def test_the_data_of_a_chart_has_a_row_a_point() -> None:
    figure = go.Figure(
        [go.Scatter(x=[1, 2], y=[3.0, 4.0], name="<b>a</b>"), go.Bar(x=["u"], y=[5])]
    )
    figure.add_heatmap(z=[[1.0, 2.0]], x=["p", "q"], y=["r"], name="map")
    figure.update_layout(xaxis_title_text="k", yaxis_title_text="KL<br>(nats)")
    rows = figure_table(figure)
    assert list(rows.columns) == ["series", "k", "KL (nats)", "value"]
    assert rows["series"].tolist() == ["a", "a", "trace 2", "map", "map"]
    assert rows["value"].tolist()[-2:] == [1.0, 2.0]
