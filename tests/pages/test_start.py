"""The start page: the paradox, the explanation and the remedy, no stronger than shown."""

from __future__ import annotations

import pytest

from pages.start import words as story
from tests.pages.conftest import Start, alive, charts

DRAWN = {"start-paradox", "start-remedy"}


def test_the_story_is_told_in_three_parts(start: Start) -> None:
    app = start()
    alive(app)
    assert "this model" in app.title[0].value
    heads = [part.value for part in app.subheader]
    assert heads[0] in ("1 The paradox", "1 The likelihood")
    assert heads[1:] in (["2 The explanation", end] for end in ("3 The remedy", "3 The ratio"))
    # A paradox is claimed in the title and in the heading, or in neither.
    assert ("look more likely" in app.title[0].value) == (heads[0] == "1 The paradox")
    assert charts(app) >= DRAWN
    assert len(app.get("image")) == 1


@pytest.mark.parametrize(
    ("area", "words", "head"),
    [
        (0.21, "Digits look more likely to this model than its own data", "1 The paradox"),
        (0.59, "Digits look nearly as likely to this model as its own data", "1 The likelihood"),
        (
            0.97,
            "This model's likelihood has the most trouble telling Digits from its own data",
            "1 The likelihood",
        ),
    ],
)
def test_the_paradox_is_no_stronger_than_shown(area: float, words: str, head: str) -> None:
    assert story.claim("Digits", area) == words
    assert story.heads(area, 0.9)[0] == head
    assert ("left of blue means" in story.look_for("A", "Clothes", area)) == (area < 0.5)


def test_a_ratio_that_helps_nothing_is_no_remedy() -> None:
    assert story.heads(0.99, 0.95)[2] == "3 The ratio"
    assert story.ratio("R", 0.99, 0.95).endswith("no better than the likelihood on this set.")
    assert story.heads(0.3, 0.95)[2] == "3 The remedy"
    assert story.ratio("R", 0.3, 0.95) == "The ratio $R$, AUROC **0.950**."


def test_without_any_other_set_the_page_says_what_to_do(start: Start) -> None:
    app = start()
    app.multiselect(key="out_glyphs").set_value([]).run()
    alive(app)
    assert app.title[0].value.startswith("A likelihood can be fooled")
