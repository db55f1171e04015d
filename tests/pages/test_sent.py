"""What the browser is sent is the figure, in a form that Plotly knows again."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import plotly.graph_objects as go
import plotly.io
import pytest

from hvae_core.figures import densities
from hvae_core.figures.theme import DARK, base_layout
from pages.shared import remembered, sent
from pages.shared.room import HALF, with_room
from pages.shared.sent import Sent


def chart(seed: int = 0) -> go.Figure:
    values = np.random.default_rng(seed).normal(size=(3, 50))
    sets = [("one", values[1]), ("two", values[2])]
    return densities(values[0], sets, DARK, symbol="s", threshold=0.5)


def spec(figure: Any) -> dict[str, Any]:
    told: dict[str, Any] = json.loads(plotly.io.to_json(figure.to_dict(), validate=False))
    return told


def test_numbers_are_lists_and_the_look_is_written_out() -> None:
    figure = chart()
    told = spec(Sent(figure))
    for one, trace in zip(told["data"], figure.data, strict=True):
        np.testing.assert_allclose(one["x"], trace.x, rtol=1e-6)
        np.testing.assert_allclose(one["y"], trace.y, rtol=1e-6)
        assert one["line"]["color"] == trace.line.color
    layout, look = told["layout"], figure.layout.template.layout
    assert "template" not in layout
    assert layout["xaxis"]["title"]["text"] == figure.layout.xaxis.title.text  # the figure's own
    assert layout["xaxis"]["title"]["standoff"] == look.xaxis.title.standoff  # the template's
    assert layout["yaxis"]["gridcolor"] == look.yaxis.gridcolor
    assert layout["font"]["color"] == DARK.text
    assert layout["shapes"][1]["x0"] == 0.5
    # What plotly makes of both is one layout.
    whole = go.Figure(told)
    assert whole.layout.legend.yref == look.legend.yref


def test_every_axis_of_a_kind_has_the_look() -> None:
    figure = base_layout(go.Figure(), DARK, x_title="a", y_title="b")
    figure.update_layout(xaxis2={"title": {"text": "c"}, "ticklen": 9})
    second = spec(Sent(figure))["layout"]["xaxis2"]
    assert second["linecolor"] == DARK.muted
    assert (second["ticklen"], second["title"]["text"]) == (9, "c")


def test_other_data_have_another_mark_and_the_same_have_the_same() -> None:
    def mark(figure: go.Figure) -> str:
        found: str = spec(Sent(figure))["layout"]["datarevision"]
        return found

    moved = chart()
    moved.layout.shapes[1].x0 = 0.7  # no data: Plotly sees it as it is
    assert mark(chart()) == mark(chart()) == mark(moved)
    assert mark(chart(1)) != mark(chart())
    words = [np.array([f"word {i}" for i in range(2000)], dtype=object) for _ in range(2)]
    words[1][1000] = "another"
    first, other = (go.Figure(go.Scatter(x=[0], y=[0], customdata=one)) for one in words)
    assert mark(first) != mark(other)


@pytest.mark.parametrize("box", [True, False])
def test_a_box_is_taken_from_the_start_where_one_may_be(box: bool) -> None:
    layout = spec(Sent(chart(), box=box))["layout"]
    assert layout.get("dragmode") == ("select" if box else None)


def test_tables_gaps_and_large_charts() -> None:
    table = np.array([[1, np.nan], [3, 4]], np.float32)
    told = spec(Sent(go.Figure(go.Heatmap(z=table))))
    assert told["data"][0]["z"] == [[1, None], [3, 4]]
    large = go.Figure(go.Scatter(y=np.zeros(sent.MOST + 1, np.float32)))
    assert spec(Sent(large))["data"] == spec(large)["data"]  # packed as it was


def test_what_a_remembered_chart_says_is_written_once() -> None:
    figure, other = remembered.remembered(chart, 5), chart(5)

    def data(figure: go.Figure) -> Any:
        return Sent(figure).to_dict()["data"]

    assert data(figure) is data(figure)
    assert data(other) is not data(other)
    assert spec(Sent(figure)) == spec(Sent(other))
    box = Sent(figure, box=True).to_dict()["layout"]
    assert box["dragmode"] == "select" and "dragmode" not in Sent(figure).to_dict()["layout"]


def test_labels_and_legend_have_room_so_that_a_chart_is_drawn_once() -> None:
    def margin(figure: go.Figure, **layout: Any) -> dict[str, int]:
        base_layout(figure, DARK, x_title="a", y_title="b")
        figure.update_layout(layout)
        found: dict[str, int] = spec(Sent(figure))["layout"]["margin"]
        return found

    line, other = ({"x": [0, 1], "y": [0, 1], "name": name} for name in ("one", "other"))
    alone, both = margin(go.Figure(line), showlegend=False), margin(go.Figure([line, other]))
    assert alone["l"] > 50 and alone["b"] > 50 and alone["r"] > 20
    assert both["b"] > alone["b"] + 25  # a row of the legend
    assert margin(go.Figure([line, other]), legend={"yref": "paper"})["b"] == alone["b"]
    assert margin(go.Figure(line), margin={"l": 200, "b": 300})["l"] == 200
    # Names are as long as they are; what is not drawn takes no room, nor does an axis elsewhere.
    assert margin(go.Figure({"x": [1], "y": ["a name"]}))["l"] < 10
    hidden = margin(go.Figure(line), xaxis={"visible": False}, yaxis={"side": "right"})
    assert (hidden["l"], hidden["b"], hidden["r"]) == (8, 8, 12)
    assert margin(go.Figure(line), xaxis2={"title": {"text": "c"}})["l"] == 8


def test_a_legend_has_as_many_rows_as_plotly_gives_it() -> None:
    """Groups are packed; entries without have one row, or columns of one width."""

    def rows(names: list[str], *, width: int, **trace: Any) -> int:
        lines = [{"x": [0], "y": [0], "name": name, **trace} for name in names]
        if "legendgroup" in trace:
            lines = [{**line, "legendgroup": line["name"]} for line in lines]
        legend = {"yref": "container", "y": 0}
        layout = {"margin": {}, "xaxis": {}, "yaxis": {}, "legend": legend}
        bare = {**layout, "showlegend": False}
        both = (with_room(one, lines, width=width)["margin"]["b"] for one in (layout, bare))
        found, rest = divmod(next(both) - next(both), 20)
        assert rest == 12
        return found

    names = ["a", "as long a name as forty signs can make up", "b", "c"]
    assert rows(["one", "other"], width=HALF) == 1
    assert rows(names, width=HALF) == 4 and rows(names, width=2000) == 1
    assert rows([names[1], "b", names[1]], width=640) == 2  # columns as wide as the long name
    assert rows(names, width=HALF, legendgroup="its own") == 2  # the short ones beside each other
    # A name that two lines share stands once.
    assert rows(["a"] * 40, width=HALF, legendgroup="a") == 1


def test_an_axis_at_which_nothing_is_written_asks_for_no_room() -> None:
    bare, titled = {"showticklabels": False}, {"showticklabels": False, "title": {"text": "t"}}
    for axis, asks in ((bare, False), (titled, None), ({}, None)):
        layout = {"margin": {}, "xaxis": {}, "yaxis": axis}
        assert with_room(layout, [])["yaxis"].get("automargin") is asks


def test_a_scale_of_colours_below_the_plot_has_room() -> None:
    def below(bar: dict[str, Any]) -> int:
        layout = {"margin": {}, "xaxis": {"showticklabels": False}, "yaxis": {}}
        found: int = with_room(layout, [{"colorbar": bar}])["margin"]["b"]
        return found

    assert below({"orientation": "v"}) == 0 < below({"orientation": "h"})
    two = {"orientation": "h", "title": {"text": "one line<br>and another"}}
    assert below(two) > below({"orientation": "h"}) + 30
