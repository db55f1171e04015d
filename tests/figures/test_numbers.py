"""Numbers as text."""

from __future__ import annotations

import math

import pytest

from hvae_core.common.words import fmt, interval, percent, symbol_html, symbol_text


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (85.04, "85.0"), (103.4, "103"), (1234.6, "1235"), (0.04127, "0.0413"), (0, "0"),
        (9.9999, "10.0"), (-4.126, "−4.13"), (0.0004, "0.000400"), (4.2e-7, "4.20×10⁻⁷"),
        (-4.2e-7, "−4.20×10⁻⁷"), (123456.0, "123000"), (math.nan, "–"), (math.inf, "∞"),
        (-math.inf, "−∞"),
    ],
)  # fmt: skip
def test_three_significant_digits(value: float, text: str) -> None:
    assert fmt(value) == text


def test_units_follow() -> None:
    assert fmt(141.2, "nats") == "141 nats"
    assert fmt(math.nan, "nats") == "–"


def test_intervals_share_their_decimals() -> None:
    assert interval(0.9641, 0.9579, 0.9694) == "0.964 [0.958, 0.969]"
    assert interval(1.0, 0.9984, 1.0) == "1.000 [0.998, 1.000]"
    assert interval(0.05, 0.0412, 0.0601) == "0.050 [0.041, 0.060]"
    assert interval(85.2, 84.91, 85.5, unit="nats") == "85.2 [84.9, 85.5] nats"
    assert interval(100, 99.62, 100, unit="%") == "100.0 [99.6, 100.0] %"
    assert interval(100, 100, 100, unit="%") == "100 [100, 100] %"
    assert interval(0.9, math.nan, math.nan) == "0.900"
    assert interval(math.nan, 0, 1) == "–"


def test_percentages() -> None:
    assert percent(0.0512) == "5.1 %"
    assert percent(0.05) == "5 %"
    assert percent(1.0) == "100 %"
    assert percent(0.9999) == "100 %"
    assert percent(math.nan) == "–"


@pytest.mark.parametrize(
    ("latex", "html"),
    [
        (r"-\mathcal{L}", "−<i>L</i>"),
        (r"\mathrm{LLR}_{>1}", "LLR<sub>&gt;1</sub>"),
        (r"$\mathrm{LLR}_{>k}^{S}$", "LLR<sub>&gt;k</sub><sup>S</sup>"),
        (r"\mathrm{LLR}_{\mathrm{ada}}", "LLR<sub>ada</sub>"),
        (r"-\mathcal{L}_{>2}", "−<i>L</i><sub>&gt;2</sub>"),
        (r"-\log p(x \mid z_1)", "−log p(x | z<sub>1</sub>)"),
    ],
)
def test_symbols_of_scores(latex: str, html: str) -> None:
    assert symbol_html(latex) == html


@pytest.mark.parametrize(
    ("latex", "text"),
    [
        (r"\mathrm{LLR}_{>1}", "LLR>1"), (r"-\mathcal{L}", "−L"), (r"-\mathcal{L}_{>2}", "−L>2"),
        (r"\mathrm{LLR}_{\mathrm{ada}}", "LLRada"), (r"\mathrm{LLR}_{\mathrm{opt}\,k}", "LLRopt k"),
    ],
)  # fmt: skip
def test_symbols_as_plain_text(latex: str, text: str) -> None:
    assert symbol_text(latex) == text
