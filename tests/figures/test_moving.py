"""Charts as SVG say what the arrays say: one line a layer, where the numbers are."""

from __future__ import annotations

from xml.etree import ElementTree

import numpy as np

from hvae_core.figures import LIGHT, Progress, Turn, moving_lines, moving_marks, moving_posteriors
from hvae_core.figures.moving import within
from hvae_core.figures.turned import ROWS

SPACE = "{http://www.w3.org/2000/svg}"


def test_a_line_stands_where_its_numbers_are() -> None:
    kl = np.array([[0.0, 2.0], [1.0, 0.5], [2.0, 0.0]])
    runs = [
        Progress("A & co", [0, 50, 100], kl, ("z1", "z2"), turns=[Turn(50, "free bits <", "1")]),
        Progress("B", [], np.zeros((0, 2)), ("z1", "z2")),
    ]
    svg = ElementTree.fromstring(moving_lines(runs, LIGHT))
    lines = [line.attrib["points"].split() for line in svg.iter(f"{SPACE}polyline")]
    assert [len(line) for line in lines] == [3, 3, 0, 0]
    rising = np.array([[float(n) for n in point.split(",")] for point in lines[0]])
    # Even steps, and a KL of 1 half way between 0 and 2.
    assert np.allclose(np.diff(rising, 2, axis=0), 0, atol=0.2)
    assert rising[0, 1] > rising[2, 1]  # up on the page is less
    assert "A & co: free bits < 1" in [text.text for text in svg.iter(f"{SPACE}text")]
    dead = moving_lines([Progress("A", [0, 1], [[1.0], [-7e-5]], ["z1"])], LIGHT)
    assert ">z1 ≈ 0<" in dead or ">≈ 0<" in dead


def turned(*turns: tuple[int, str, str], kl: float = 0.0) -> ElementTree.Element:
    """A run of 100 steps with knobs turned on the way."""
    run = Progress("A", [0, 100], [[kl], [kl]], ["z1"], [Turn(*turn) for turn in turns])
    return ElementTree.fromstring(moving_lines([run], LIGHT))


def said(svg: ElementTree.Element) -> dict[str, dict[str, str]]:
    """What stands there in words, with its place."""
    return {text.text or "": text.attrib for text in svg.iter(f"{SPACE}text")}


def test_turns_of_a_knob_that_lie_together_share_a_line_and_a_label() -> None:
    knob = "free bits"
    rising = [(step, knob, f"{step / 100:g}") for step in (50, 52, 54, 56)]
    svg = turned((1, knob, "2"), *rising)
    assert {f"{knob} 2", f"{knob} 0.5 to 0.56"} <= set(said(svg))
    (band,) = [one for one in svg.iter(f"{SPACE}rect") if one.find(f"{SPACE}title") is not None]
    told = "0.5 at step 50, 0.52 at step 52, 0.54 at step 54, 0.56 at step 56"
    assert band.findtext(f"{SPACE}title") == f"{knob} {told}"
    # Where the knob was turned back is said; many such places are counted.
    assert f"{knob} 0.5 to 0.56 to 0" in said(turned(*rising, (57, knob, "0")))
    back = [(50 + i, knob, str(i % 2)) for i in range(9)]
    assert f"{knob} 0 to 0, 9 turns" in said(turned(*back))
    other = turned((50, knob, "1"), (51, "beta", "2"), (52, knob, "2"))
    assert {f"{knob} 1 to 2", "beta 2"} <= set(said(other))


def test_what_was_turned_is_said_without_overprint() -> None:
    turns = [(90 + i, f"knob {i}", "1") for i in range(9)]
    svg = turned((1, "early", "1"), *turns)
    words = [f"{knob} {value}" for _, knob, value in turns]
    labels = {text: place for text, place in said(svg).items() if text in words}
    # The latest stand there, each in a row of its own; what is early stands right of its line.
    assert list(labels) == words[: -ROWS - 1 : -1]
    rows = [float(place["y"]) for place in labels.values()]
    assert len(set(rows)) == len(rows) == ROWS
    assert said(svg)["early 1"]["text-anchor"] == "start"
    # The others are short marks that say under the mouse what they are.
    marks = [one for one in svg.iter(f"{SPACE}path") if one.find(f"{SPACE}title") is not None]
    short = [one.findtext(f"{SPACE}title") for one in marks if "v-" in one.attrib["d"]]
    assert short == [f"knob {i} 1 at step {90 + i}" for i in range(9 - ROWS)]
    # What is drawn begins below the labels.
    (line,) = turned(*turns, kl=9.0).iter(f"{SPACE}polyline")
    assert min(float(point.split(",")[1]) for point in line.attrib["points"].split()) > max(rows)


def test_an_ellipse_is_a_posterior() -> None:
    means, stds = np.zeros((1, 2, 2), np.float32), np.full((1, 2, 2), 0.5, np.float32)
    stds[0, 1] = 1.0
    (picture,) = moving_posteriors(means, stds, np.ones((1, 5, 2), np.float32), LIGHT, names=["z1"])
    svg = ElementTree.fromstring(picture)
    small, large = svg.iter(f"{SPACE}ellipse")
    assert np.isclose(2 * float(small.attrib["rx"]), float(large.attrib["ry"]), atol=0.2)
    (dots,) = svg.iter(f"{SPACE}path")
    assert dots.attrib["d"].count("M") == 5
    within = np.array([True, True, False, False, False])
    (picture,) = moving_posteriors(means, stds, np.ones((1, 5, 2), np.float32), LIGHT, names=["z1"],
                                   holes=within)  # fmt: skip
    _, orange = ElementTree.fromstring(picture).iter(f"{SPACE}path")
    assert orange.attrib["d"].count("M") == 2
    assert orange.attrib["stroke"] == LIGHT.out_mark(0).color


def test_the_image_s_mark_stands_among_those_of_the_others() -> None:
    svg = ElementTree.fromstring(moving_marks(np.array([0.0, 10.0]), 5.0, LIGHT))
    others, own = (path.attrib["d"] for path in svg.iter(f"{SPACE}path"))
    left, right = (float(part.split()[0]) for part in others.split("M")[1:])
    assert np.isclose(float(own[1:].split()[0]), (left + right) / 2)


def test_names_of_lines_lie_right_of_the_plot_apart_and_off_the_axis() -> None:
    """Six dead lines and their order: nothing lies on another, nor on the ticks below."""
    names = [f"z{i}" for i in range(1, 7)]
    kl = [[1.0] * 6, [0.0, 1e-5, 2e-5, 0.5, 0.0042, 0.0]]
    short = Progress("B", [0, 40], kl, names)
    svg = ElementTree.fromstring(moving_lines([Progress("A", [0, 100], kl, names), short], LIGHT))
    words = said(svg)
    assert {"z1 A 0", "z2 A ≈ 0", "z5 B 0.0042"} <= set(words)
    ends = [at for text, at in words.items() if text.startswith("z")]
    places = sorted(float(at["y"]) for at in ends)
    assert len(ends) == 12 and np.diff(places).min() > 14.5
    lines = [line.attrib["points"].split()[-1] for line in svg.iter(f"{SPACE}polyline")]
    right = max(float(point.split(",")[0]) for point in lines)
    assert min(float(at["x"]) for at in ends) > right
    axis = max(float(point.split(",")[1]) for point in lines)
    assert places[0] > 12 and places[-1] < axis + 1
    assert within([5.0, 5.0, 5.0], 10, 0, 8) == [0, 4, 8]  # as far apart as there is room for
