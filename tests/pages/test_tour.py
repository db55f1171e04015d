"""The tour: its steps name what is there, open by one parameter, and answer by the figures."""

from __future__ import annotations

import re

import pytest

from hvae_core.common.glossary import found
from hvae_core.data.worlds import worlds
from hvae_core.figures.theme import DARK, LIGHT
from hvae_core.scores import all_scores
from pages.shared import ui
from pages.tour import steps
from pages.tour.answers import ANSWERS
from tests.conftest import ROOT
from tests.pages.conftest import Start, alive, text


@pytest.mark.parametrize("step", steps.steps(), ids=lambda step: step.key)
def test_what_a_step_shows_and_hides_is_on_some_page(step: steps.Step) -> None:
    """By key, whole or begun in the page and ended by a score, set, letter or number."""
    sources = "".join(path.read_text("utf-8") for path in (ROOT / "pages").rglob("*.py"))
    whole = set(re.findall(r'"([\w-]+)"', sources))
    begun = set(re.findall(r'f"([\w-]{4,}){', sources))
    known = {score.key for score in all_scores(5)} | {step.world, *map(str, range(10))}
    ends = {"A", "B", "_next"}.union(*({one, f"{one}-A", f"{one}-B"} for one in known))
    assert len(step.seen) > 1
    for hidden in set(step.hides) - {"o_cited", "o_beyond0"}:  # a control could not be turned back
        assert hidden in step.controls or hidden.startswith("code-"), hidden
    for key in (*step.seen, *step.hides):
        name = key.removeprefix("scroll_").removeprefix("code-")
        places = [at for at in range(4, len(name)) if name[:at] in begun]
        assert name in whole or any(name[at:] in ends for at in places), key


@pytest.mark.parametrize("step", steps.steps(), ids=lambda step: step.key)
def test_a_step_names_what_is_there(step: steps.Step) -> None:
    world = worlds()[step.world]
    assert (ROOT / "pages" / step.page / "page.py").is_file()
    assert set(step.models) <= set(world.checkpoints)
    assert set(step.sets) <= {spec.name for spec in world.sets}
    assert step.answer in ANSWERS and len(set(step.choices)) > 1
    assert found(step.written) and all(map(found, step.spelled)) and "$" not in step.written
    for colors in (LIGHT, DARK):
        text = steps.coloured(step, colors)
        assert "@" not in text and text.count("{") == text.count("}")


def test_terms_have_the_colours_of_the_picture() -> None:
    step = steps.steps()[4]
    assert LIGHT.layers(step.layers)[-1] in steps.coloured(step, LIGHT)
    assert LIGHT.in_color in steps.coloured(steps.steps()[0], LIGHT)


def test_a_step_is_answered_by_the_figures_shown_and_left(start: Start) -> None:
    app = alive(start("start", tour="1", world="Glyphs"))
    step = steps.steps()[0]
    assert any(step.a in one.value.replace("\\", "") for one in app.warning)  # not among these
    ctx = app.session_state["context"]
    own, *others = (
        -ctx.evaluation(ctx.a, name).table.bound[:, 0] for name in ("test", *ctx.out_names)
    )
    areas = [(other[:, None] > own).mean() for other in others]  # no two images cost the same
    assert app.title[0].value == "What do you see?"  # and not the answer
    assert "AUROC **" not in text(app) and "left of blue" not in text(app)
    assert "in nats. Chosen" not in text(app)  # nor do the pictures have their costs
    assert [head.value for head in app.subheader][::2] == ["1 The likelihood", "3 The ratio"]
    app = alive(app.radio("tour_answer_1").set_value(step.choices[1]).run())
    (told,) = [one.value for one in (*app.success, *app.info) if "of all pairs" in one.value]
    assert any(f"{area:.3f};" in told.replace("\\", "") for area in areas)
    assert told.startswith("Right") == (min(areas) < 0.45)
    assert (app.title[0].value == "What do you see?") == told.startswith("Not")
    assert ("AUROC **" in text(app)) == (app.title[0].value != "What do you see?")
    app = alive(app.selectbox("tour_set").set_value("digits").run())  # as in the sidebar
    assert app.multiselect("out_glyphs").value == ["digits"]
    app = alive(app.button("tour_leave").click().run())
    assert "tour" not in app.query_params
    assert "tour_answer_1" not in {radio.key for radio in app.radio}
    app = start("start", tour="99")
    assert any("steps 1 to 9" in one.value for one in app.warning)


def test_the_answer_of_step_three_is_of_its_own_k_wherever_the_slider_stands(start: Start) -> None:
    app = alive(start("reconstructions", tour="3", world="Glyphs"))
    app = alive(app.slider("r_k").set_value(0).run())
    app = alive(app.radio("tour_answer_3").set_value(steps.steps()[2].choices[1]).run())
    (told,) = [one.value for one in (*app.success, *app.info) if "At k" in one.value]
    k = min(2, app.session_state["context"].a.n_levels - 1)
    assert k > 0 and f"At k = {k}" in told.replace("\\", "")


def test_a_question_that_cannot_be_answered_says_why_and_frees_the_title(start: Start) -> None:
    app = alive(start("ood", tour="5", world="FashionMNIST"))
    choice = steps.steps()[4].choices[0]
    app = alive(app.radio("tour_answer_5").set_value(choice).run())
    assert any("Choose at least two of the sets" in one.value for one in app.info)
    assert app.title[0].value != "What do you see?" and not app.success


def test_leaving_brings_the_view_of_before_back(start: Start) -> None:
    """From another world into the step on collapse and back, with a wrong answer on the way."""
    app = alive(start("generate", world="FashionMNIST"))
    app.multiselect("out_fashion").set_value(["mnist"]).run()
    app.query_params["tour"] = steps.link(6)["tour"]
    app.switch_page("pages/collapse/page.py")
    app = app.run()
    assert app.session_state["context"].world.key == "glyphs"
    assert any("switched from the world FashionMNIST" in one.value for one in app.caption)
    told = [
        [one.value[:3] for one in (*app.success, *app.warning) if one.value[:3] in ("Rig", "Not")]
        for choice in steps.steps()[5].choices
        if (app := app.radio("tour_answer_6").set_value(choice).run())
    ]
    assert sorted(told) == [["Not"], ["Not"], ["Rig"]]
    app = alive(app.button("tour_leave").click().run())
    ctx = app.session_state["context"]
    assert (ctx.world.key, ctx.out_names) == ("fashion", ("mnist",)) and app.session_state["g_view"]


def test_who_goes_elsewhere_stays_there_and_the_end_says_what_was_learned(start: Start) -> None:
    app = alive(start("tour", world="FashionMNIST"))
    app.query_params["tour"] = "6"
    app.switch_page("pages/collapse/page.py")
    app.run()
    app.session_state["tour_answered"][6] = "Silent are 2 of 5."
    app.switch_page("pages/lab/page.py")
    alive(app.run()).button("tour_leave").click().run()
    assert app.session_state["tour_last"] == "lab"
    assert app.session_state["context"].world.key == "fashion"
    app.query_params["tour"] = "end"
    app.switch_page("pages/tour/page.py")
    app = alive(app.run())
    assert app.title[0].value == "What the tour showed"
    said = [one.value for one in app.markdown]
    assert all(step.learned in said for step in steps.steps())
    assert any("2 of 5" in one.value for one in app.caption)


def test_a_link_of_the_apps_own_sets_what_the_session_has(start: Start) -> None:
    app = alive(start("start"))
    app.query_params["world"], app.query_params[ui.GO] = "FashionMNIST", "1"
    assert app.run().session_state["context"].world.key == "fashion"
    assert ui.GO not in app.query_params
