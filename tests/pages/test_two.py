"""The page of two models: offers, likeness, matrices, scores, and what is absent."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from hvae_core.checkpoint import load_checkpoint
from hvae_core.data.worlds import worlds
from hvae_core.detection.verdict import judge
from hvae_core.detection.verdict_words import in_words
from hvae_core.evaluation.compute import evaluate
from hvae_core.evaluation.evaluation import EvalSettings
from hvae_core.probes.information import information_of
from hvae_core.probes.layer_likeness import Likeness, likeness_of_sets
from pages.shared import jobs, shown, whole
from pages.shared.store import handle_of
from pages.two import here, layers, scores
from tests.pages.conftest import LIMIT, Start, alive, charts, clickables, run_codes, text
from tests.small import tiny_set

B = {"b_glyphs": "glyphs-hvae3-informative"}
SCORES = {"two-scores-elbo", "two-bits-test", "two-bits-lower"}


@pytest.fixture
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Jobs run where they are submitted, so that a page's button has its result at once."""

    def submit(name: str, digest: str, function: Callable[..., Any], *args: Any) -> None:
        function(*args)

    monkeypatch.setattr(jobs, "submit", submit)


def test_one_model_alone_is_told_what_to_choose(start: Start) -> None:
    app = alive(start("two", b_glyphs="glyphs-hvae3-elbo"))
    assert "Choose model B" in app.title[0].value
    assert any("Model B is model A" in one.value for one in app.sidebar.caption)
    assert not charts(app)
    app = alive(app.selectbox("t_second").set_value("glyphs-hvae3-informative").run())
    assert app.selectbox("b_glyphs").value == "glyphs-hvae3-informative"
    assert charts(app)


def test_the_pair_of_a_world_is_one_click_away(start: Start) -> None:
    """The plain model is offered the informative one, whose comparison ships."""
    app = alive(start("two"))
    (button,) = [one for one in app.button if one.key == "t_ready"]
    assert button.label == "Compare with Tiny, informative"
    app = alive(button.click().run())
    assert app.selectbox("b_glyphs").value == "glyphs-hvae3-informative"
    assert charts(app) >= SCORES and not [one for one in app.button if one.key == "t_ready"]


def test_layers_are_offered_then_compared(
    start: Start, at_once: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    app = alive(start("two", **B, t_set="digits"))
    assert app.title[0].value == "What do “Tiny, plain” and “Tiny, informative” have in common?"
    assert "Not compared yet" in text(app)
    assert charts(app) >= SCORES and "two-likeness" not in charts(app)
    button = next(b for b in app.button if b.label.startswith("Compare layers on"))
    app = alive(button.click().run())
    assert not any(b.label.startswith("Compare") for b in app.button)
    assert "ot compared yet" not in text(app)
    matrices = {"two-correlation-test", "two-correlation-lower"}
    assert charts(app) >= SCORES | matrices | {"two-likeness"}
    assert "?" not in app.title[0].value and "Tiny, plain" in app.title[0].value
    assert "Mean over the layers" in text(app) and "A − B is" in text(app)
    assert "twoA_test" in clickables(app)  # where they differ most
    app.segmented_control(key="t_measure").set_value("CKA").run()
    matrices = {"two-cka-test", "two-cka-lower"}
    assert charts(alive(app)) >= SCORES | matrices | {"two-likeness"}
    assert set(run_codes(app, monkeypatch)) >= matrices | {"two-likeness", "two-bits-test"}


def test_another_score_and_set(start: Start) -> None:
    app = alive(start("two", **B))
    app.selectbox(key="t_score").set_value("llr_1").run()
    app.selectbox(key="t_set").set_value("digits").run()
    assert "Digits" in text(alive(app))


def test_the_current_image_stands_under_every_model(start: Start) -> None:
    app = alive(start("two", **B, image="lower 1"))
    said = [one for one in text(app).splitlines() if "−L = " in one]
    assert "Lower-case letters 1" in text(app)
    assert len(said) == 2 and all("false-alarm rate" in one or "Out of" in one for one in said)
    assert here.ABSENT not in text(app)


def test_a_drawing_is_judged_at_the_rate_of_the_page_one_image(start: Start) -> None:
    pixels = np.tile(np.arange(28, dtype=np.uint8) * 9, (1, 28, 1))
    link = {"image": f"{shown.name_of(pixels, 'Mine')} 0", "rate": "10 %"}
    app = alive(start("two", **B, **link, shown=whole.named_to_text(pixels, "Mine")))
    assert "**Mine**, at 10 % false alarms" in text(app)
    said = [one for one in text(app).splitlines() if "−L = " in one]
    ctx = app.session_state["context"]
    for handle, line in zip(ctx.models, said, strict=True):
        held_out = ctx.evaluation(handle, ctx.reference_name).table
        model = load_checkpoint(Path(handle.path))
        drawing = replace(tiny_set(1), images=pixels[None])
        found = evaluate(model.model, model.digest, drawing, settings=EvalSettings())
        judged = judge(found.table, held_out, handle.units, levels=handle.levels, alpha=0.1)
        assert in_words(judged)[0] in line.replace("\\", "")
    app.query_params["i_view"] = "many images"
    app.switch_page("pages/image/page.py").run()
    assert app.selectbox("i_rate").value == "10 %"


def test_without_images_the_scores_remain(start: Start, tiny_app: Any) -> None:
    """FashionMNIST has stored results and no images; its only checkpoint has no partner."""
    app = alive(start("two", world="FashionMNIST"))
    assert "Choose model B" in app.title[0].value
    assert any("is the only model" in info.value for info in app.info)


def test_information_is_offered_then_drawn(start: Start, at_once: None) -> None:
    app = alive(start("collapse"))
    assert "collapse-information" not in charts(app)
    button = next(b for b in app.button if b.label.startswith("Measure"))
    app = alive(button.click().run())
    assert "collapse-information" in charts(app)
    assert "z3 alone tells" in text(app)
    app.segmented_control(key="c_curve").set_value("collapsed").run()
    assert charts(alive(app)) >= {"collapse-information", "collapse-collapsed-curve"}
    assert app.selectbox(key="c_delta").value == 0.1


def _context(tiny_app: Any) -> Any:
    from pages.shared.state import Context

    paths = sorted((tiny_app / "checkpoints").glob("glyphs-hvae3-*"))
    handles = tuple(handle_of(path) for path in paths)
    return Context(worlds()["glyphs"], handles, ("digits", "lower"), seed=0, data_root=None)


def test_claims_follow_the_layers(tiny_app: Any) -> None:
    ctx = _context(tiny_app)
    chance = np.full((3, 3), 0.1)

    def claim(*diagonal: float) -> str:
        table = np.full((3, 3), 0.2)
        np.fill_diagonal(table, diagonal)
        return layers.headline(ctx, {ctx.in_name: Likeness(table, chance, table)})[0]

    assert claim(0.9, 0.8, 0.85).endswith("alike in every layer")
    assert "share hardly a unit" in claim(0.2, 0.15, 0.1)
    assert claim(0.9, 0.5, 0.3).endswith("agree most in z1 and least in z3")
    # what chance gives is no likeness
    level = Likeness(chance + 0.5, chance + 0.5, chance)
    assert "share hardly a unit" in layers.headline(ctx, {ctx.in_name: level})[0]


def test_the_strangest_images_lie_beyond_the_usual_difference() -> None:
    a = np.array([5.0, 6.0, 7.0, 20.0, 6.0])
    inside = scores.ScoredPair("test", "Test", a, b=np.array([4.0, 5.0, 6.0, 7.0, 9.0]), place=None)
    outside = scores.ScoredPair("digits", "Digits", a + 1, b=a, place=0)
    (letter, of_a), (other, of_b) = scores.strangest([inside, outside], "AC")
    assert (letter, other) == ("A", "C")
    assert of_a[0][1].tolist() == [3] and of_b[0][1].tolist() == [4]
    assert not of_a[1][1].size and not of_b[1][1].size  # the usual difference is 1
    assert scores.strangest([outside], "AC") == []


def test_tables_hold_every_pair(tiny_app: Any) -> None:
    ctx = _context(tiny_app)
    ctx = replace(ctx, models=ctx.models)
    images = ctx.images("digits")
    assert len(images) == LIMIT
    found = likeness_of_sets(ctx.a.path, ctx.models[1].path, [images], seed=layers.SEED)
    table = layers.likeness_table(ctx, {"digits": found[0]})
    assert len(table) == 9
    row = table[(table.layer_a == "z2") & (table.layer_b == "z3")].iloc[0]
    assert row.matched_correlation == found[0].correlation[1, 2]
    info = information_of(ctx.a.path, images, 0)
    assert len(info) == LIMIT


def test_the_set_that_is_compared_is_the_one_spoken_of(tiny_app: Any) -> None:
    ctx = _context(tiny_app)
    table = np.full((3, 3), 0.2)
    np.fill_diagonal(table, 0.9)
    claim, _ = layers.headline(ctx, {"digits": Likeness(table, np.full((3, 3), 0.1), table)})
    assert claim.endswith("represent Digits alike in every layer")
