"""The start page: the paradox, the explanation and the remedy, no stronger than shown."""

from __future__ import annotations

from pathlib import Path

import pytest

from hvae_core.checkpoint import library, save_checkpoint
from hvae_core.config import ModelCard, ScaleConfig, VDVAEConfig
from hvae_core.data import worlds
from hvae_core.evaluation.compute import evaluate
from hvae_core.evaluation.evaluation import EvalSettings
from pages.start import words as story
from tests.pages.conftest import LIMIT, Start, alive, charts, run_codes
from tests.small import tiny_model

DRAWN = {"start-paradox", "start-remedy"}


def test_the_story_is_told_in_three_parts(start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
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
    assert set(run_codes(app, monkeypatch)) == DRAWN | {"start-story"}


@pytest.mark.parametrize(
    ("area", "words", "head"),
    [
        (0.21, "Digits look more likely to this model than its own data", "1 The paradox"),
        (0.59, "Digits look nearly as likely to this model as its own data", "1 The likelihood"),
        (
            0.97,
            "Of the sets chosen Digits come closest to this model's own data",
            "1 The likelihood",
        ),
    ],
)
def test_the_paradox_is_no_stronger_than_shown(area: float, words: str, head: str) -> None:
    assert story.claim("Digits", area) == words
    assert story.heads(area, 0.9)[0] == head
    told = story.look_for("A", "Clothes", "Digits", area)
    assert ("left of blue: the model" in told) == (area < 0.5)


def test_a_ratio_that_helps_nothing_is_no_remedy() -> None:
    assert story.heads(0.99, 0.95)[2] == "3 The ratio"
    assert story.ratio("R", 0.99, 0.95).endswith("no better than the likelihood on this set.")
    assert story.heads(0.3, 0.95)[2] == "3 The remedy"
    assert story.ratio("R", 0.3, 0.95) == (
        "$R$ compares all layers with the upper ones alone: AUROC **0.950**."
    )


def test_without_any_other_set_the_page_says_what_to_do(start: Start) -> None:
    app = start()
    app.multiselect(key="out_glyphs").set_value([]).run()
    alive(app)
    assert app.title[0].value.startswith("A likelihood can be fooled")


@pytest.fixture
def one_level(start: Start, tmp_path: Path) -> str:
    """The digest of an opened model whose two layers are one level; some sets are evaluated."""
    config = VDVAEConfig((1, 28, 28), (ScaleConfig(2, 2),), channels=4, hidden=4, stem=2)
    path = tmp_path / "one-level.safetensors"
    save_checkpoint(path, tiny_model(config), card=ModelCard("One level"), history={})
    checkpoint = library.add_checkpoint(path.read_bytes(), path.name)
    for name in ("test", "lower"):
        images = worlds()["glyphs"].load(name, limit=LIMIT)
        evaluate(checkpoint.model, checkpoint.digest, images, settings=EvalSettings())
    return checkpoint.digest


def test_a_model_of_one_level_has_no_remedy(start: Start, one_level: str) -> None:
    app = start(a_glyphs=one_level[:16])
    alive(app)
    assert [part.value for part in app.info] == [story.ONE_LEVEL]
    assert charts(app) == {"start-paradox"}
