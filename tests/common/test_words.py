"""Layers in words: short lists by name, long ones by range or number."""

from __future__ import annotations

import pytest

from hvae_core.common.words import capital, layers_in_words, listed, runs, span, unbroken

DEEP = [*(f"z{i}" for i in range(1, 46)), "u"]
PAIRS = ["z1bu", "z1td", "z2bu", "z2td", "z3"]


@pytest.mark.parametrize(
    ("names", "layers", "words"),
    [
        (DEEP, [3], "z3"),
        (DEEP, [1, 2, 3], "z1, z2 and z3"),
        (DEEP, [1, 2, 3, 4, 5, 6, 7], "z1 to z7"),
        (DEEP, [*range(1, 10), 12, 46], "z1 to z9, z12 and u"),
        (DEEP, list(range(40, 47)), "z40 to u"),
        (DEEP, list(range(1, 46, 2)), "23 of 46 layers"),
        (PAIRS, [1, 2, 3, 4], "z1bu to z2td"),
        (PAIRS, [2, 5], "z1td and z3"),
    ],
)
def test_layers_in_words(names: list[str], layers: list[int], words: str) -> None:
    assert layers_in_words(names, layers) == words


def test_runs_cover_every_layer_once() -> None:
    layers = [1, 2, 5, 7, 8, 9]
    assert runs(layers) == [[1, 2], [5], [7, 8, 9]]
    assert [i for run in runs(layers) for i in run] == layers
    assert span(DEEP, [7, 8, 9]) == "z7 to z9" and span(DEEP, [46]) == "u"
    assert span(PAIRS, [4, 5]) == "z2td and z3"
    assert listed("a") == "a" and listed("abc") == "a, b and c"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("path is 3 nats.", "Path is 3 nats."),
        ("**two** layers", "**Two** layers"),
        *(
            (text, text)
            for text in (
                "z3 alone",
                "p = 0.1",
                "t-SNE",
                "log p(x)",
                "$k$ of",
                "`hv` is",
                "",
                "cat.png is",
                "llr_1 is",
                "z2top is",
            )
        ),
    ],
)
def test_a_sentence_begins_with_a_capital_or_a_symbol(text: str, said: str) -> None:
    assert capital(text) == said


@pytest.mark.parametrize("text", ["letters A-J, 0-9", "an MS-SSIM of", "t-SNE"])
def test_no_line_ends_within_a_name(text: str) -> None:
    assert "-" not in unbroken(text).replace("\N{WORD JOINER}-\N{WORD JOINER}", "")
    assert unbroken(text).replace("\N{WORD JOINER}", "") == text


@pytest.mark.parametrize("text", ["in-distribution", "KL-annealed", "5-layer", "a - b"])
def test_other_lines_end_where_they_may(text: str) -> None:
    assert unbroken(text) == text
