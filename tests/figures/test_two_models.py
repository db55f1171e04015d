"""Charts of two models and of information: lines, marks, cells and what is left out."""

from __future__ import annotations

import numpy as np
import pytest

from hvae_core.figures import (
    LIGHT,
    SetLine,
    information_by_k,
    layer_matrix,
    likeness_by_layer,
    score_pairs,
    unit_curves,
)
from hvae_core.figures.theme import DARK


def test_a_line_a_set_and_the_level_of_chance() -> None:
    lines = [
        SetLine("Letters", [0.9, 0.5], [0.1, 0.2]),
        SetLine("Digits", [0.8, 0.4], [0.3, 0.2], place=1),
    ]
    fig = likeness_by_layer(lines, [("z1", "z1"), ("z2", "z3td")], LIGHT, title="mean |r|")
    inside, out, chance = fig.data
    assert inside.line.color == LIGHT.in_color and out.line.color == LIGHT.out_mark(1).color
    assert out.marker.symbol == LIGHT.out_mark(1).symbol
    np.testing.assert_allclose(chance.y, [0.2, 0.2])
    assert fig.layout.xaxis.ticktext == (
        "z<sub>1</sub>",
        "z<sub>2</sub> | z<sub>3</sub><sup>TD</sup>",
    )
    assert fig.layout.yaxis.title.text == "mean |r|"


@pytest.mark.parametrize("colors", [LIGHT, DARK])
def test_cells_say_their_value_unless_there_are_many(colors: object) -> None:
    table = np.array([[0.914, -0.02], [np.nan, 1.0]])
    fig = layer_matrix(table, ("z1", "z2"), ("z1", "u"), colors=colors, title="CKA")  # type: ignore[arg-type]
    cells = fig.data[0].text
    assert "0.91" in cells[0][0] and "\N{MINUS SIGN}0.02" in cells[0][1] and "–" in cells[1][0]
    assert fig.data[0].z.min() >= 0 or np.isnan(fig.data[0].z).any()
    assert "A z<sub>1</sub>, B u" in fig.data[0].customdata[0][1]
    many = layer_matrix(np.eye(45), [f"z{i}" for i in range(45)], [f"z{i}" for i in range(45)],
                        colors=colors, title="CKA")  # type: ignore[arg-type]  # fmt: skip
    assert many.data[0].text is None and len(many.layout.xaxis.tickvals) <= 16


def test_scores_of_both_models_share_their_axes() -> None:
    rng = np.random.default_rng(0)
    a, b = rng.normal(size=(2, 40))
    sets = [("In", a, b, None), ("Out", a + 9, b, 0)]
    fig = score_pairs(sets, LIGHT, symbol="−L", unit="nats", letters="BD")
    inside, out, line = fig.data
    assert inside.marker.color == LIGHT.in_color and out.marker.color == LIGHT.out_mark(0).color
    np.testing.assert_allclose(line.x, line.y)
    assert fig.layout.xaxis.range == fig.layout.yaxis.range
    assert fig.layout.xaxis.title.text == "−L under B (nats)"
    assert fig.layout.yaxis.title.text == "−L under D (nats)"


def test_information_stands_under_its_ceiling() -> None:
    models = [("A", [5.3, 2.0], [0.0, 0.1], 5.3), ("B", [5.0], [0.05], 5.3)]
    fig = information_by_k(models, LIGHT, levels=[("z1", "z2"), ("z1",)])
    a, b = fig.data[:2]
    assert (a.line.dash, b.line.dash) == ("solid", "dash")
    np.testing.assert_allclose(a.error_y.array, [0.0, 0.2])
    assert "from z<sub>2</sub> up" in a.customdata[1]
    assert len(fig.layout.shapes) == 1 and fig.layout.shapes[0].y0 == 5.3
    assert "5.30 nats" in fig.layout.annotations[0].text


def test_a_curve_a_layer_that_has_one() -> None:
    grid = [0.01, 0.1, 1.0]
    models = [("A", [[1.0, 0.5, 0.0], None]), ("B", [[1.0, 1.0, 1.0], [0.0, 0.0, 0.5]])]
    fig = unit_curves(models, grid, LIGHT, names=[("z1", "u"), ("z1", "u")], x_title="eps",
                      y_title="units (%)", chosen=0.05)  # fmt: skip
    drawn = [trace for trace in fig.data if trace.x[0] is not None]
    assert [trace.name for trace in drawn] == ["z<sub>1</sub>", "z<sub>1</sub>", "u"]
    np.testing.assert_allclose(drawn[0].y, [100, 50, 0])
    assert [trace.line.dash for trace in drawn] == ["solid", "dash", "dash"]
    assert fig.layout.xaxis.type == "log" and fig.layout.shapes[0].x0 == 0.05
