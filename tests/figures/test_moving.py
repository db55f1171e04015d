"""Charts as SVG say what the arrays say: one line a layer, where the numbers are."""

from __future__ import annotations

from dataclasses import replace
from xml.etree import ElementTree

import numpy as np

from hvae_core.figures import LIGHT, Progress, moving_lines, moving_marks, moving_posteriors
from hvae_core.figures.moving import MARK_ROWS

SPACE = "{http://www.w3.org/2000/svg}"


def test_a_line_stands_where_its_numbers_are() -> None:
    kl = np.array([[0.0, 2.0], [1.0, 0.5], [2.0, 0.0]])
    runs = [
        Progress("A & co", [0, 50, 100], kl, ("z1", "z2"), marks=[(50, "free bits < 1")]),
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


def test_what_was_turned_is_said_without_overprint() -> None:
    marks = [(step, f"free bits {step / 4:g}") for step in (1, 50, 52, 54, 56, 58, 60, 61)]
    run = Progress("A", [0, 100], np.zeros((2, 1)), ["z1"], marks=marks)
    svg = ElementTree.fromstring(moving_lines([run], LIGHT))
    lines = [path for path in svg.iter(f"{SPACE}path") if path.find(f"{SPACE}title") is not None]
    assert [line.findtext(f"{SPACE}title") for line in lines] == [words for _, words in marks]
    said = {text.text: text.attrib for text in svg.iter(f"{SPACE}text")}
    labels = {words: said[words] for _, words in marks if words in said}
    # The latest stand there, each in a row of its own; what is early stands right of its line.
    assert list(labels)[-1] == marks[-1][1] and len(labels) == MARK_ROWS + 1
    near = [float(labels[words]["y"]) for words in labels if words != marks[0][1]]
    assert len(set(near)) == len(near)
    assert float(labels[marks[0][1]]["x"]) > float(lines[0].attrib["d"][1:].split()[0])
    # What is drawn begins below them.
    high = ElementTree.fromstring(moving_lines([replace(run, kl=[[9.0], [9.0]])], LIGHT))
    (line,) = high.iter(f"{SPACE}polyline")
    assert min(float(point.split(",")[1]) for point in line.attrib["points"].split()) > max(near)


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
