"""Structure of the charts: traces, axis titles with units, hover, dtypes."""

from __future__ import annotations

import math
from dataclasses import replace
from itertools import combinations
from typing import Any

import numpy as np
import plotly.graph_objects as go
import pytest

from hvae_core.figures import (
    LIGHT,
    Curve,
    MapData,
    active_units,
    attack_curve,
    bits_by_k,
    information_by_k,
    kl_bars,
    kl_history,
    latent_map,
    layer_band,
    metric_heat,
    pixel_map,
    precision_recall,
    rate_distortion,
    roc,
    unit_curves,
    unit_heatmap,
)
from hvae_core.figures.curves import thinned
from hvae_core.figures.inks import contrast
from hvae_core.figures.layer_axis import Seats, thinned_layers
from hvae_core.figures.layers import FLOOR, log_axis, spread
from hvae_core.figures.theme import DARK, layer_label, swatched
from hvae_core.figures.units import COLUMNS

PLAIN = ("plain", [64.1, 9.7, 0.003], [784, 64, 8])
INFORMATIVE = ("informative", [52.0, 14.1, 9.2], [784, 64, 8])


def drawn(fig: go.Figure, kind: Any) -> list[Any]:
    """The traces of one kind that carry data, not the legend's."""
    return [t for t in fig.data if isinstance(t, kind) and t.x is not None and t.x[0] is not None]


def test_roc_names_the_area_with_its_interval() -> None:
    x = np.linspace(0, 1, 20001)
    curves = [
        Curve("MNIST", x, x**0.1, area=0.964, low=0.958, high=0.969, set_index=0),
        Curve("KMNIST", x, x**0.5, area=0.667, set_index=1),
    ]
    fig = roc(curves, LIGHT)
    chance, mnist, kmnist, *marks = fig.data
    assert [mark.name for mark in marks] == [mnist.name, kmnist.name]
    assert not mnist.showlegend and marks[0].line.dash == mnist.line.dash
    assert chance.showlegend is False
    assert mnist.name == "MNIST  0.964 [0.958, 0.969]"
    assert kmnist.name == "KMNIST  0.667"
    assert len(mnist.x) <= 402
    assert mnist.x.dtype == np.float32
    assert mnist.line.dash != kmnist.line.dash
    assert "%" in fig.layout.xaxis.title.text
    assert "%" in fig.layout.yaxis.title.text


def test_precision_recall_draws_chance_once() -> None:
    curves = [
        Curve(n, [0, 1], [1, 0.5], area=0.8, set_index=i, chance=0.5) for i, n in enumerate("ab")
    ]
    fig = precision_recall(curves, DARK)
    assert [t.name for t in fig.data[:3]] == ["chance", "a  0.800", "b  0.800"]
    np.testing.assert_allclose(fig.data[0].y, 0.5)


def test_thinning_keeps_the_ends_and_the_area() -> None:
    x = np.sort(np.random.default_rng(0).random(20000))
    x[0], x[-1] = 0, 1
    y = x**0.05
    thin_x, thin_y = thinned(x, y)
    assert (thin_x[0], thin_x[-1]) == (0, 1)
    assert len(thin_x) <= 402
    assert np.trapezoid(thin_y, thin_x) == pytest.approx(np.trapezoid(y, x), abs=1e-3)


def test_kl_bars_hatch_the_collapsed_layer() -> None:
    fig = kl_bars([PLAIN, INFORMATIVE], LIGHT)
    plain, informative = drawn(fig, go.Bar)
    assert list(plain.marker.pattern.shape) == ["", "", "/"]
    assert list(informative.marker.pattern.shape) == ["", "", ""]
    assert plain.marker.color[2] == LIGHT.collapsed
    assert tuple(plain.marker.color[:2]) == LIGHT.layers(3)[:2]
    assert list(plain.text) == ["64.1", "9.70", "3.00<br>×10⁻³"]  # of two models, it is narrow
    assert plain.customdata[2] == "z<sub>3</sub>: 0.00300 nats<br>8 units"
    assert fig.layout.yaxis.title.text == "KL (nats)"
    assert fig.layout.yaxis.type == "log"
    assert 10 ** fig.layout.yaxis.range[0] < 0.003
    assert {"plain", "informative", "collapsed"} <= {t.name for t in fig.data}
    speaks = kl_bars([PLAIN, INFORMATIVE], LIGHT, thin=[(1, 3), (1,)])  # z1 is over the threshold
    assert list(drawn(speaks, go.Bar)[0].marker.pattern.shape) == ["", "", "."]
    assert "thin" in {t.name for t in speaks.data} and "thin" not in {t.name for t in fig.data}
    limit = drawn(fig, go.Scatter)[0]
    assert limit.name == "0.01 nats a unit"
    np.testing.assert_allclose(np.unique(limit.y[~np.isnan(limit.y)]), [0.08, 0.64, 7.84])


def test_kl_bars_per_unit_and_an_exact_zero() -> None:
    fig = kl_bars([("plain", [64.0, 0.0], [64, 8])], DARK, per_dim=True)
    (bars,) = drawn(fig, go.Bar)
    np.testing.assert_allclose(bars.y, [1.0, FLOOR], rtol=1e-6)
    assert list(bars.text) == ["1.00", "0"]
    assert fig.layout.yaxis.title.text == "KL (nats a unit)"
    np.testing.assert_allclose(np.nanmax(drawn(fig, go.Scatter)[0].y), 0.01)


def test_active_units_are_shares_with_counts() -> None:
    fig = active_units([("plain", [412, 31, 0], [1568, 64, 8])], LIGHT)
    (bars,) = drawn(fig, go.Bar)
    assert list(bars.text) == ["412<br>of 1568", "31<br>of 64", "0<br>of 8"]
    assert bars.y[1] == pytest.approx(100 * 31 / 64)
    assert bars.marker.pattern.shape[2] == "/"
    assert fig.layout.yaxis.title.text == "active units (%)"


def test_kl_history_is_one_line_a_layer() -> None:
    epochs = np.arange(1, 9)
    kl = np.stack([60 - 50 / epochs, 9 + 0 * epochs, 0.0 * epochs], axis=1)
    fig = kl_history([("plain", epochs, kl), ("informative", epochs, kl + 1)], LIGHT)
    lines = drawn(fig, go.Scatter)
    assert [line.line.dash for line in lines] == ["solid"] * 3 + ["dash"] * 3
    assert tuple(line.line.color for line in lines[:3]) == LIGHT.layers(3)
    assert float(lines[2].y.min()) == pytest.approx(FLOOR)
    ends = [note.text.partition("</span> ")[2] for note in fig.layout.annotations]
    assert ends[:2] == ["z<sub>1</sub> A", "z<sub>2</sub> A"]
    assert "nats" in lines[0].hovertemplate
    assert fig.layout.xaxis.title.text == "epoch"
    alone = kl_history([("plain", epochs, kl)], LIGHT)
    assert alone.layout.annotations[0].text == swatched("z<sub>1</sub>", LIGHT.layers(3)[0])
    assert kl_history([("new", [], np.empty((0, 3)))], LIGHT).layout.annotations == ()


MANY = [*(f"z{i}" for i in range(1, 46)), "u"]


def test_pairs_and_other_names_are_labels_too() -> None:
    assert layer_label("z12") == "z<sub>12</sub>"
    assert layer_label("z1bu") == "z<sub>1</sub><sup>BU</sup>"
    assert layer_label("context") == "context"
    assert layer_label("a<b") == "a&lt;b"


@pytest.mark.parametrize("count", [1, 2, 15, 16, 31, 45, 46, 64])
def test_thinned_layers_keep_both_ends_apart(count: int) -> None:
    picks = thinned_layers(count)
    assert picks[0] == 0 and picks[-1] == count - 1
    assert len(picks) <= 16
    gaps = np.diff(picks)
    assert count <= 15 or gaps.min() > gaps.max() / 4


def test_models_of_the_same_layers_share_places_and_others_do_not() -> None:
    three, five = ("z1", "z2", "z3"), ("z1", "z2", "z3", "z4", "z5")
    together = Seats((three, five))
    np.testing.assert_allclose(together.middles(0) + together.width, together.middles(1)[:3])
    assert together.axis["ticktext"] == [layer_label(name) for name in five]
    pairs = ("z1bu", "z1td", "z2")
    apart = Seats((three, pairs))
    np.testing.assert_allclose(apart.middles(0), [1, 2, 3])
    np.testing.assert_allclose(apart.middles(1), [5, 6, 7])
    assert apart.axis["ticktext"] == [layer_label(name) for name in (*three, *pairs)]
    assert not Seats((three, tuple(MANY))).shared
    low, high = apart.axis["range"]
    assert low < 1 - apart.width / 2 and high > 7 + apart.width / 2


def test_many_layers_stay_readable_with_every_name_in_reach() -> None:
    kl, units = np.geomspace(20, 1e-4, 46), np.full(46, 64)
    fig = kl_bars([("deep", kl, units), ("flat", [9.0, 0.1], [64, 8])], LIGHT,
                  names=[MANY, ("z1bu", "z2")])  # fmt: skip
    deep, flat = [bar for bar in drawn(fig, go.Bar) if bar.y[0] is not None][:2]
    assert deep.text is None and len(fig.layout.xaxis.ticktext) <= 17
    assert [text.split(":")[0] for text in deep.customdata] == [layer_label(n) for n in MANY]
    assert flat.customdata[0].startswith("z<sub>1</sub><sup>BU</sup>: 9.00 nats")
    assert flat.x[0] > deep.x[-1]
    lines = kl_history([("deep", [1, 2], np.stack([kl, kl]))], LIGHT, names=[MANY])
    ends = [note.text.partition("</span> ")[2] for note in lines.layout.annotations]
    assert len(ends) <= 18 and ends[0] == "z<sub>1</sub>" and ends[-1] == "u"
    assert len(lines.data) == 46 and "u deep" in lines.data[-1].hovertemplate
    heat = unit_heatmap([np.full(4, 0.5)] * 46, LIGHT, names=MANY)
    assert heat.layout.height < 1100 and heat.layout.annotations == ()
    assert heat.layout.yaxis.ticktext[-1] == "u, 4 of 4"
    band = layer_band(np.ones((5, 46)), np.ones(46), LIGHT, names=MANY)
    assert band.data[-1].text[-1] == "u" and "%{text}" in band.data[-1].hovertemplate


def test_bits_by_k_name_the_level_from_which_they_are() -> None:
    fig = bits_by_k([("A", [0.4, 0.5], [0.1, 0.3])], LIGHT, levels=[("14x14", "u")],
                    counted="levels")  # fmt: skip
    assert list(fig.data[0].customdata) == ["14x14", "u"]
    assert fig.layout.xaxis.title.text == "k, levels skipped"


def test_labels_spread_in_order() -> None:
    moved = spread([1.0, 1.0, 5.0, 1.01], 0.5)
    assert np.diff(sorted(moved)).min() >= 0.5 - 1e-3
    assert moved[2] == 5.0
    assert moved[3] == max(moved[0], moved[1], moved[3])


def test_bits_by_k_carry_both_quantities() -> None:
    fig = bits_by_k([("A", [0.38, 0.42], [0.15, 0.31]), ("B", [0.4, 0.5], [0.2, 0.3])], LIGHT)
    lines = drawn(fig, go.Scatter)
    assert len(lines) == 4
    assert [line.line.dash for line in lines] == ["solid", "solid", "dash", "dash"]
    assert fig.layout.yaxis.title.text == "bits/dim"
    assert lines[0].x.dtype == np.int32


def test_a_model_looks_as_its_letter_where_another_is_left_out() -> None:
    """B is left out, or has nothing to show: C is drawn as C."""
    epochs, kl = [1, 2], np.ones((2, 2))
    levels, grid = [("z1",), ("z1",)], [0.1, 1.0]
    lines = [
        kl_history([("a", epochs, kl), ("c", epochs, kl)], LIGHT, letters="AC"),
        bits_by_k([("a", [1], [1]), ("c", [1], [1])], LIGHT, letters="AC"),
        information_by_k(
            [("a", [1], [1], 2), ("c", [1], [1], 2)], LIGHT, levels=levels, letters="AC"
        ),
        unit_curves(
            [("a", [[1, 0]]), ("c", [[1, 0]])], grid, LIGHT, names=levels, x_title="", y_title="",
            letters="AC",
        ),
        rate_distortion(
            [("a", [1], [1], ["z1"]), ("c", [1], [1], ["z1"])], [], LIGHT, letters="AC"
        ),
        attack_curve(
            [("a", [1], [1], [[0], [0]], ["z1"]), ("c", [1], [1], [[0], [0]], ["z1"])], LIGHT,
            letters="AC",
        ),
    ]  # fmt: skip
    for figure in lines:
        assert {line.line.dash for line in figure.data} == {"solid", LIGHT.model_dash("C")}
    assert any(note.text.endswith(" C") for note in lines[0].layout.annotations)
    pair = [("a", [1.0], [2]), ("c", [1.0], [2])]
    for bars in (kl_bars, active_units):
        whole = bars([pair[0], ("b", [1.0], [2]), pair[1]], LIGHT)
        part = bars(pair, LIGHT, letters="AC")
        colours = [
            {t.name: t.marker.color for t in figure.data if t.type == "bar"}
            for figure in (whole, part)
        ]
        assert colours[0]["c"] == colours[1]["c"] != colours[0]["b"]


def test_layer_band_marks_what_leaves_the_reference() -> None:
    reference = np.exp(np.random.default_rng(0).normal([4, 2], 0.2, (500, 2)))
    fig = layer_band(reference, [np.exp(4), np.exp(4)], LIGHT)
    mark = fig.data[-1]
    assert list(mark.marker.color) == [LIGHT.in_color, LIGHT.out_family[0]]
    assert mark.customdata[1] == 100
    assert fig.layout.yaxis.title.text == "KL (nats)"
    assert [t.name for t in fig.data[:3]] == ["95 % of reference", "50 % of reference", "median"]


def test_unit_heatmap_stretches_every_layer_to_one_width() -> None:
    wide = np.geomspace(1, 1e-4, 1568)
    fig = unit_heatmap([wide, [0.5, 0.0, 0.2, 1e-3]], LIGHT)
    (heat,) = fig.data
    assert heat.z.shape == (2, COLUMNS)
    assert heat.z.dtype == np.float32
    assert (np.diff(heat.z, axis=1) <= 1e-6).all()
    # Four units fill a quarter of the row each, by falling variance.
    np.testing.assert_allclose(heat.z[1, :: COLUMNS // 4], np.log10([0.5, 0.2, 1e-3, 1e-5]),
                               atol=1e-5)  # fmt: skip
    assert heat.z[0, 0] == pytest.approx(0, abs=0.02)
    assert [n.text for n in fig.layout.annotations] == ["784 of 1568 active", "2 of 4 active"]
    assert [s.x0 for s in fig.layout.shapes] == [50, 50]
    assert heat.text[1][-1] == "z<sub>2</sub>, unit 4 of 4<br>variance 0"


def points(n: int) -> MapData:
    rng = np.random.default_rng(0)
    sets = np.arange(n) % 2
    return MapData(rng.normal(size=(n, 2)), np.arange(n) + 7, sets, set_names=["test", "MNIST"])


def test_a_browser_without_webgl_gets_a_map_that_needs_none() -> None:
    fig = latent_map(points(1500), None, LIGHT, color_by="set", webgl=False)
    assert {trace.type for trace in fig.data} == {"scatter"}
    assert sum(len(trace.x) for trace in fig.data if not trace.showlegend) >= 1500


@pytest.mark.parametrize(("n", "kind"), [(50, go.Scatter), (1500, go.Scattergl)])
def test_maps_use_webgl_for_many_points(n: int, kind: type) -> None:
    fig = latent_map(points(n), None, LIGHT, color_by="set")
    traces = [t for t in fig.data if t.x[0] is not None]
    assert all(type(t) is kind for t in traces)
    assert [t.name for t in traces] == ["test", "MNIST"]
    assert [t.marker.color for t in traces] == [LIGHT.in_color, LIGHT.out_family[0]]
    ids = np.concatenate([t.customdata for t in traces])
    assert sorted(ids) == list(range(7, n + 7))
    assert ids.dtype == np.int32
    assert fig.layout.dragmode == "lasso"
    assert traces[0].unselected.marker.opacity < 0.2


def test_map_by_class_keeps_a_marker_for_each_set() -> None:
    data = points(30)
    classes = np.arange(30) % 3 - 1
    fig = latent_map(data, classes, LIGHT, color_by="class", class_names=["Bag", "Coat"])
    traces = [t for t in fig.data if t.x[0] is not None]
    assert [t.name for t in traces] == ["no class", "Bag", "Coat"]
    assert traces[0].marker.color == LIGHT.collapsed
    assert set(traces[1].marker.symbol) == {"circle", LIGHT.out_mark(0).symbol}
    legend = [t.name for t in fig.data if t.x[0] is None]
    assert legend == ["no class", "Bag", "Coat", "test", "MNIST"]
    elsewhere = latent_map(replace(data, places=[None, 4]), classes, LIGHT, color_by="class")
    marks = [t.marker.symbol for t in elsewhere.data if t.x[0] is None][-2:]
    assert marks == ["circle", LIGHT.out_mark(4).symbol]


def test_map_by_score_has_a_scale_with_its_unit() -> None:
    scores = np.arange(30.0)
    scores[3] = np.nan
    fig = latent_map(points(30), scores, DARK, color_by="score", value_name="LLR", unit="nats",
                     axes=("PC 1 (31 %)", "PC 2 (12 %)"))  # fmt: skip
    assert fig.data[0].marker.colorbar.title.text == "LLR (nats)"
    assert fig.data[0].marker.color.dtype == np.float32
    assert np.isfinite([fig.data[0].marker.cmin, fig.data[0].marker.cmax]).all()
    assert fig.layout.xaxis.title.text == "PC 1 (31 %)"


@pytest.mark.parametrize("colors", [LIGHT, DARK], ids=["light", "dark"])
def test_metric_heat_bolds_the_best_and_stays_readable(colors: object) -> None:
    values = np.array([[0.157, 0.8, 0.97], [np.nan, np.nan, np.nan], [0.7, 0.5, 0.7]])
    fig = metric_heat(values, ["MNIST", "KMNIST", "Omniglot"], ["−L", "LLR1", "ada"], colors=colors,  # type: ignore[arg-type]
                      lows=values - 0.01, highs=values + 0.01)  # fmt: skip
    (heat,) = fig.data
    bold = np.array([["<b>" in cell for cell in row] for row in heat.text])
    np.testing.assert_array_equal(bold, [[0, 0, 1], [0, 0, 0], [1, 0, 1]])
    assert "–" in heat.text[1][0]
    assert heat.customdata[0][2] == "0.970 [0.960, 0.980]"


def test_a_long_head_of_the_heat_map_stands_in_two_lines() -> None:
    short = metric_heat([[0.9, 0.1]], ["MNIST"], ["−L", "LLR<sub>opt k</sub>"], colors=LIGHT)
    long = metric_heat(
        [[0.9, 0.1]], ["MNIST"], ["−L", "−log<sub>2</sub> p − bits(x)"], colors=LIGHT
    )
    assert list(short.data[0].x) == ["−L", "LLR<sub>opt k</sub>"]
    assert list(long.data[0].x) == ["−L", "−log<sub>2</sub> p<br>− bits(x)"]
    assert long.layout.height > short.layout.height


def test_metric_heat_where_less_is_better() -> None:
    fig = metric_heat([[0.9, 0.1]], ["MNIST"], ["a", "b"], colors=LIGHT, metric="FPR95",
                      higher_is_better=False)  # fmt: skip
    (heat,) = fig.data
    assert "<b>" in heat.text[0][1]
    assert heat.colorscale[0][1] == LIGHT.diverging[-1]
    assert "FPR95" in heat.hovertemplate


def test_cell_ink_has_contrast_over_the_whole_scale() -> None:
    from plotly.colors import sample_colorscale

    from hvae_core.figures.inks import hex_color

    for colors in (LIGHT, DARK):
        for color in sample_colorscale(colors.scale("diverging"), list(np.linspace(0, 1, 41))):
            ground = hex_color(color)
            assert max(contrast("#000000", ground), contrast("#FFFFFF", ground)) >= 4.5


def test_a_threshold_is_a_ring_on_its_curve() -> None:
    curve = Curve("A", [0, 1], [0, 1], area=0.5, set_index=2, point=(0.25, 0.5))
    for made in (roc, precision_recall):
        (ring,) = [trace for trace in made([curve], LIGHT).data if trace.marker.symbol]
        assert (ring.x[0], ring.y[0], ring.marker.symbol) == (0.25, 0.5, "circle")
        assert ring.marker.line.color == LIGHT.out_mark(2).color
        *_, ring, mark = made([curve, Curve("B", [], [], area=0)], LIGHT).data
        assert mark.marker.symbol == LIGHT.out_mark(2).symbol and not ring.showlegend
        assert math.dist((mark.x[0], mark.y[0]), (0.25, 0.5)) > 0.07


def test_markers_of_curves_that_meet_at_the_threshold_are_told_apart() -> None:
    x = np.linspace(0, 1, 500)
    curves = [
        Curve(str(i), x, x ** (0.3 + bend), area=0.8, set_index=i, point=(0.02, 0.3))
        for i, bend in enumerate((0, 0, 0.001, 0.3))
    ]
    marks = [t for t in roc(curves, LIGHT).data if t.mode == "lines+markers"]
    places = [(mark.x[0], mark.y[0]) for mark in marks]
    assert [mark.marker.symbol for mark in marks] == [LIGHT.out_mark(i).symbol for i in range(4)]
    for one, other in combinations([*places, (0.02, 0.3)], 2):
        assert math.dist(one, other) > 0.06
    for (across, up), curve in zip(places, curves, strict=True):
        assert up == pytest.approx(np.interp(across, curve.x, curve.y), abs=0.01)


def test_a_term_far_below_zero_is_no_collapse() -> None:
    first, *_ = drawn(kl_bars([("odd", [-50.0, -0.004], [8, 8])], LIGHT), go.Bar)
    assert list(first.marker.pattern.shape) == ["", "/"]


@pytest.mark.parametrize(
    ("values", "shown"),
    [
        ([4.0, 30.0], ["5", "10", "20"]),
        ([0.02, 0.3], ["0.02", "0.05", "0.1", "0.2"]),
        ([0.001, 5000.0], ["0.001", "0.01", "0.1", "1", "10", "100", "1000"]),
        ([7.0], ["5", "10"]),
        ([], ["0.1", "1", "10"]),
    ],
)
def test_a_log_axis_has_enough_ticks_to_read(values: list[float], shown: list[str]) -> None:
    axis = log_axis([values])
    assert set(shown) <= set(axis["ticktext"])
    assert axis["tickvals"] == sorted(axis["tickvals"])
    assert [float(text) for text in axis["ticktext"]] == pytest.approx(axis["tickvals"])


def test_a_threshold_does_not_strike_a_label_through() -> None:
    fig = kl_bars([("A", [10.4, 7.0, 8.5], [1568, 16, 8])], LIGHT)
    assert list(fig.data[0].text) == ["10.4<br> ", "7.00", "8.50"]
    far = kl_bars([("A", [0.4, 7.0, 8.5], [1568, 16, 8])], LIGHT)
    assert list(far.data[0].text) == ["0.400", "7.00", "8.50"]


@pytest.mark.parametrize("models", [1, 2, 4])
@pytest.mark.parametrize("per_dim", [True, False])
def test_labels_of_bars_keep_their_size_and_have_room(models: int, per_dim: bool) -> None:
    dead = [("m", [3e-6, 0.08, 2e-4, 12.9][: 12 // models], [1568, 16, 8, 8][: 12 // models])]
    units = [("m", [1568, 0, 8], [1568, 16, 8])] * models
    charts = [active_units(units, LIGHT)]
    if models < 4:
        charts.append(kl_bars(dead * models, LIGHT, per_dim=per_dim))
    for fig in charts:
        bars = drawn(fig, go.Bar)
        each = 250 * bars[0].width / 0.92 / np.ptp(fig.layout.xaxis.range)  # pixels on a phone
        if models == 1:
            each /= 0.78  # beside a bar that is alone in its group there is nothing
        for bar in bars:
            assert bar.constraintext == "none" and bar.textfont.size >= 11
            for line in [line for text in bar.text or () for line in text.split("<br>")]:
                assert 5.5 * len(line.rstrip("⁻⁰¹²³⁴⁵⁶⁷⁸⁹")) <= each
        upright = fig.layout.annotations
        assert len(upright) == (0 if bars[0].text else sum(len(bar.x) for bar in bars))
        assert all(note.textangle == -90 and note.font.size >= 11 for note in upright)
        assert not upright or each >= 14


def test_many_bars_have_no_labels_and_keep_no_room_for_them() -> None:
    few, many = ([("m", [3.0] * layers, [8] * layers)] for layers in (12, 13))
    for draw in (kl_bars, active_units):
        assert any(draw(few, LIGHT).data[0].text or draw(few, LIGHT).layout.annotations)
        fig = draw(many, LIGHT)
        assert not fig.layout.annotations and not any(fig.data[0].text or ())
        assert fig.layout.height == 360
    assert active_units(many, LIGHT).layout.yaxis.range == (0, 100)
    kl = kl_bars(many, LIGHT).layout.yaxis.range[1]
    assert kl == pytest.approx(np.log10(3) + 0.4)


def test_an_upright_label_stands_on_its_bar_over_the_threshold() -> None:
    fig = kl_bars([("m", [0.06, 1e-4, 2e-4, 5.0, 3.0], [8] * 5)] * 2, LIGHT, per_dim=True)
    first = fig.layout.annotations[0]
    assert (first.text, first.bgcolor) == ("0.00750", LIGHT.background)
    assert [first.x, first.y] == pytest.approx([drawn(fig, go.Bar)[0].x[0], np.log10(0.0075)])


def test_a_term_below_zero_stands_at_the_foot_and_is_told() -> None:
    """One negative term, as bottom-up inference may have, must not stretch the axis by decades."""
    bars = kl_bars([("A", [0.03, -0.34, 12.9], [1568, 16, 8])], LIGHT)
    assert bars.data[0].y == pytest.approx([0.03, 0.01, 12.9])
    assert bars.data[0].text[1] == "\N{MINUS SIGN}0.340"
    lines = kl_history([("A", [1, 2], [[3.0, 0.3], [2.0, -0.3]])], LIGHT)
    assert lines.data[1].y == pytest.approx([0.3, 0.1])
    assert lines.data[1].customdata == pytest.approx([0.3, -0.3])
    assert [note.text.endswith("&lt; 0") for note in lines.layout.annotations] == [False, True]


def test_the_scale_of_a_map_says_which_colour_is_lost() -> None:
    figure = pixel_map([[-1.0, 1.0]], 1.0, LIGHT, ends=("lost", "gained"))
    title = figure.data[0].colorbar.title.text
    assert title.index("← lost") < title.index("gained →") < title.index("nats a pixel")
    assert pixel_map([[-1.0, 1.0]], 1.0, LIGHT).data[0].colorbar.title.text == "nats a pixel"
    shared = pixel_map([[-1.0, 1.0]], 1.0, LIGHT, models=("A", "B"))
    assert shared.data[0].colorbar.title.text == "nats a pixel, one scale for A and B"
