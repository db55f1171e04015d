"""The binned density against scipy's, and the score charts' structure."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import gaussian_kde

from hvae_core.figures import LIGHT, ScoreRow, densities, reference_density, score_bands
from hvae_core.figures.density import smooth_density
from hvae_core.figures.score_axis import bandwidth, score_range
from hvae_core.figures.score_bands import END, place_in_band


@pytest.mark.parametrize("shape", ["normal", "two humps", "skewed"])
def test_binned_density_equals_the_kernel_density(shape: str) -> None:
    rng = np.random.default_rng(0)
    x = {
        "normal": rng.normal(90, 12, 3000),
        "two humps": np.concatenate([rng.normal(60, 5, 1000), rng.normal(90, 8, 2000)]),
        "skewed": rng.gamma(3, 20, 3000),
    }[shape]
    width = bandwidth(x)
    grid, density = smooth_density(x, x.min() - 20, x.max() + 20)
    exact = gaussian_kde(x, bw_method=width / x.std(ddof=1))(grid)
    assert np.abs(density - exact).max() < 2e-3 * exact.max()
    assert np.trapezoid(density, grid) == pytest.approx(1, abs=1e-3)


def test_scores_outside_the_range_still_count() -> None:
    x = np.concatenate([np.random.default_rng(1).normal(0, 1, 900), np.full(100, 1e6)])
    grid, density = smooth_density(x, -6, 6)
    assert np.trapezoid(density, grid) == pytest.approx(0.9, abs=5e-3)


@pytest.mark.parametrize("x", [[], [3.0], [2.0] * 50, [np.nan, np.inf, 1.0]])
def test_degenerate_scores_have_a_density(x: list[float]) -> None:
    grid, density = smooth_density(x, 0, 5)
    assert np.isfinite(density).all()
    assert np.trapezoid(density, grid) == pytest.approx(float(bool(x)), abs=1e-2)


def test_range_covers_sets_but_no_far_outlier_squeezes_it() -> None:
    rng = np.random.default_rng(2)
    ins, near, far = (rng.normal(m, 10, 2000) for m in (100, 160, 5000))
    low, high = score_range(ins, [far, near])
    assert low < 75
    assert 180 < high < 260
    assert score_range([], []) == (0.0, 1.0)


def test_long_tails_do_not_squeeze_the_curves() -> None:
    """Scores as of LLR_ada: most lie close together, some a hundred times as far."""
    rng = np.random.default_rng(5)
    ins, out = rng.normal(20, 10, 2000), rng.lognormal(4, 1.5, 2000)
    low, high = score_range(ins, [out])
    assert np.percentile(out, 90) < high < np.percentile(out, 98)
    assert low < np.percentile(ins, 2.5) and np.percentile(ins, 97.5) < high
    even = rng.normal(60, 10, 2000)
    assert score_range(ins, [even])[1] > np.percentile(even, 99.5)
    fig = densities(ins, [("tail", out)], LIGHT, symbol="s")
    (said,) = [one.text for one in fig.layout.annotations if "→" in one.text]
    assert said == f"{(out > high).sum()} beyond →"


def test_densities_draw_blue_filled_and_orange_lines() -> None:
    rng = np.random.default_rng(3)
    ins, out = rng.normal(100, 10, 500), rng.normal(70, 8, 500)
    fig = densities(ins, [("MNIST", out), ("empty", []), ("noise", out + 9e3)], LIGHT,
                    symbol="LLR<sub>&gt;1</sub>", in_name="test", threshold=115,
                    marks=[("this image", 120.0)])  # fmt: skip
    test, mnist, noise, mark = fig.data  # what lies beyond the scale has no place for a marker
    assert mark.marker.symbol == LIGHT.out_mark(0).symbol and mark.line.dash == mnist.line.dash
    assert mark.y[0] == mnist.y[list(mnist.x).index(mark.x[0])] and not mnist.showlegend
    assert (test.name, mnist.name) == ("test", "MNIST")
    assert noise.name == "noise (off the scale, median 9070)"
    assert test.line.color == LIGHT.in_color
    assert test.fill == "tozeroy"
    assert mnist.line.color in LIGHT.out_family
    assert mnist.fill is None
    assert test.x.dtype == test.y.dtype == np.float32
    assert "nats" in test.hovertemplate
    assert fig.layout.xaxis.title.text == "LLR<sub>&gt;1</sub> (nats)"
    assert fig.layout.yaxis.title.text == "density (per nat)"
    texts = [note.text for note in fig.layout.annotations]
    within = np.concatenate([ins, out])
    low, high = fig.layout.xaxis.range
    before, after = (within < low).sum(), 500 + (within > high).sum()
    assert texts == ["flagged →", "this image", *[f"← {before} beyond"] * bool(before),
                     f"{after} beyond the axis →"]  # fmt: skip
    assert {shape.x0 for shape in fig.layout.shapes} == {115, 120.0}
    count = fig.layout.annotations[-1]
    assert (count.x, count.xanchor) == (115, "right") and count.xshift < 0  # clear of both lines


@pytest.mark.parametrize(("place", "clear"), [(0.2, True), (0.9, False)])
def test_the_count_of_images_beyond_is_clear_of_the_image(place: float, clear: bool) -> None:
    scores = np.random.default_rng(6).standard_cauchy(2000)
    low, high = score_range(scores, [])
    value = low + place * (high - low)
    *_, count = reference_density(scores, value, 0.3, colors=LIGHT, symbol="s").layout.annotations
    assert count.x == (high if clear else value)
    assert count.text.endswith("beyond →" if clear else "beyond the axis →")  # not the line


@pytest.mark.parametrize("value", [8.0, 19.2, 4000.0])
def test_reference_density_shows_the_image_however_far(value: float) -> None:
    scores = np.random.default_rng(4).normal(8, 3, 800)
    fig = reference_density(scores, value, 0.00123, colors=LIGHT, symbol="LLR")
    low, high = fig.layout.xaxis.range
    assert low < value < high
    assert "0.00123" in fig.layout.annotations[0].text
    assert "nats" in fig.layout.annotations[0].text


def test_a_p_of_both_ends_has_both_tails() -> None:
    scores = np.arange(100.0)
    for value in (20.0, 79.0):  # a fifth of the scores lies beyond on its side
        _, low, high = reference_density(
            scores, value, 0.4, colors=LIGHT, symbol="s", both=True
        ).data[:3]
        assert (max(low.x), min(high.x)) == (pytest.approx(20, abs=1), pytest.approx(79, abs=1))
    text = reference_density(scores, 20, 0.4, colors=LIGHT, symbol="s", both=True).layout
    assert any("at both ends" in note.text for note in text.annotations)
    one = reference_density(scores, 79, 0.2, colors=LIGHT, symbol="s")
    assert min(one.data[1].x) >= 79 and not any("ends" in n.text for n in one.layout.annotations)


def test_sets_keep_their_colour_and_dash_when_others_are_left_out() -> None:
    rng = np.random.default_rng(0)
    sets = [("a", rng.normal(3, 1, 50)), ("b", rng.normal(5, 1, 50))]
    inside = rng.normal(0, 1, 50)
    whole = densities(inside, sets, LIGHT, symbol="s")
    part = densities(inside, sets[1:], LIGHT, symbol="s", places=[1], span=(-5, 9))
    assert part.data[1].line.color == whole.data[2].line.color
    assert part.data[1].line.dash == whole.data[2].line.dash
    assert tuple(part.layout.xaxis.range) == (-5, 9)
    assert part.data[-1].marker.symbol == LIGHT.out_mark(1).symbol  # as on every other page


@pytest.mark.parametrize("inside", [[], [np.nan, np.nan]])
def test_a_curve_that_is_alone_has_no_marker(inside: list[float]) -> None:
    alone = densities(inside, [("a", [1, 2, 3]), ("b", [])], LIGHT, symbol="s")
    assert [curve.name for curve in alone.data] == ["a"]
    none = densities(inside, [("a", []), ("b", [])], LIGHT, symbol="s")
    assert not none.data
    two = densities(inside, [("a", [1, 2, 3]), ("b", [3, 4])], LIGHT, symbol="s")
    assert [curve.mode for curve in two.data] == ["lines"] * 2 + [two.data[-1].mode] * 2
    assert "markers" in two.data[-1].mode


def test_a_place_in_the_band_is_straight_between_the_percentiles() -> None:
    reference = np.arange(1001.0)  # 2.5 %: 25, median 500, 97.5 %: 975
    places = place_in_band([25, 262.5, 500, 737.5, 975, 1450], reference)
    assert places == pytest.approx([-1, -0.5, 0, 0.5, 1, 2])
    rows = [ScoreRow("s", "nats", reference, before=500, now=5000, p=0.001)]
    now = score_bands(rows, LIGHT).data[1]
    assert now.x[0] == END and now.marker.symbol[0] == "triangle-right"
    assert now.marker.color[0] == LIGHT.out_family[0]


def test_a_curve_that_is_cut_off_at_one_end_stands_only_where_there_are_images() -> None:
    rng = np.random.default_rng(0)
    inside, far = rng.normal(10, 1, 500), 9 + rng.exponential(5000, 500)
    for values in (inside, far):
        figure = densities(inside, [("far", far)], LIGHT, symbol="s")
        x, y = (np.asarray(getattr(figure.data[int(values is far)], axis)) for axis in "xy")
        assert x.max() < 20 and y[0] < 0.02 * y.max()
    few = densities(inside, [("none within", far + 1e5)], LIGHT, symbol="s")
    assert max(few.data[1].y) < 1e-6


def test_equal_scores_stand_beside_a_set_with_a_spread() -> None:
    """The range is that of the equal scores, next to which any other spread is endless."""
    far = np.random.default_rng(0).normal(300, 60, 200)
    figure = densities(np.full(20, 105.3), [("far", far)], LIGHT, symbol="s")
    assert np.argmax(figure.data[0].y) == pytest.approx(256, abs=1)
    assert max(figure.data[1].y) < 1e-6 * max(figure.data[0].y)
    _, density = smooth_density(far, 300, 301)
    exact = gaussian_kde(far, bandwidth(far) / far.std(ddof=1))(np.linspace(300, 301, 512))
    np.testing.assert_allclose(density, exact, rtol=1e-6)
