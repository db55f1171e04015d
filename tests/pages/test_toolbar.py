"""The tools over every page: a view is presented by its link, and left."""

from __future__ import annotations

import plotly.graph_objects as go

from hvae_core.figures.theme import LIGHT, base_layout, larger
from tests.pages.conftest import Start, alive


def test_a_view_is_presented_by_its_link_and_left(start: Start) -> None:
    app = alive(start("collapse", present="1"))
    assert app.query_params["present"] == "1"
    app = alive(app.button("present_leave").click().run())
    assert "present" not in app.query_params and app.button("present_begin")


def test_a_larger_figure_is_a_copy() -> None:
    figure = base_layout(go.Figure(), LIGHT, x_title="a", y_title="b", height=300)
    grown = larger(figure, 1.5)
    assert (grown.layout.height, figure.layout.height) == (450, 300)
    assert grown.layout.font.size == 21 and figure.layout.font.size is None
    assert larger(figure, 1.5, taller=False).layout.height == 300
