"""Controls that no other test turns, each with what it does to the page."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from PIL import Image
from streamlit.proto.WidgetStates_pb2 import WidgetState
from streamlit.runtime.media_file_manager import MediaFileManager
from streamlit.testing.v1 import AppTest

from hvae_core.checkpoint import own_checkpoints, save_checkpoint
from hvae_core.config import ModelCard
from hvae_core.config.lab import lab_presets
from hvae_core.data import custom_set
from hvae_core.data.worlds import download_set
from hvae_core.detection.leaderboard.rows import Board, Worst
from hvae_core.detection.many.summarise import summarised
from hvae_core.probes.embedding import UMAPParams
from pages.compression import attacks
from pages.image import bands, subject
from pages.lab import runs
from pages.latents import points
from pages.ood import degrees
from pages.shared import jobs
from pages.tour import steps
from tests.detection.many import scored_folder
from tests.pages.conftest import CONFIG, LIMIT, Start, alive, charts, text
from tests.pages.test_current import shown
from tests.pages.test_lab import Table
from tests.pages.test_ood import by_degree
from tests.small import FAMILIES, tiny_model, tiny_set

B = {"b_glyphs": "glyphs-hvae3-informative"}
Offered = dict[str, Callable[[], bytes]]


def sent(app: AppTest, key: str, **value: Any) -> AppTest:
    """Run the app as when the browser tells what was done to an element that AppTest cannot turn.

    ``value`` is a field of Streamlit's message, and what it holds: ``bool_value`` of a panel that
    is unfolded, ``string_value`` of rows that are ticked and boxes on charts, as JSON.
    """
    states = app._tree.get_widget_states()
    name = app._session_state._state.get_widget_id_from_key(key)
    states.widgets.append(WidgetState(id=name, **value))
    return app._run(states)


def rows(*numbers: int) -> str:
    """What the browser tells of ticked rows of a table."""
    return json.dumps({"selection": {"rows": numbers, "columns": [], "cells": []}})


def group(app: AppTest, key: str) -> Any:
    """The buttons side by side of a key."""
    return next(one for one in app.button_group if one.key == key)


def button(app: AppTest, words: str) -> Any:
    """The button with these words, of those that have no key."""
    return next(one for one in app.button if one.label == words)


@pytest.fixture
def offered(monkeypatch: pytest.MonkeyPatch) -> Offered:
    """By name the files that the page offers; each is made when it is called, as by a click."""
    found: Offered = {}
    add = MediaFileManager.add_deferred

    def noted(self: MediaFileManager, make: Any, *args: Any, **more: Any) -> str:
        found[more["file_name"]] = make
        return add(self, make, *args, **more)

    monkeypatch.setattr(MediaFileManager, "add_deferred", noted)
    return found


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """The jobs that are asked for, which never run."""
    calls: list[Any] = []
    monkeypatch.setattr(jobs, "submit", lambda *call: calls.append(call))
    return calls


# ---------------------------------------------------------------------------------- the sidebar


def test_the_ways_from_image_to_image(start: Start) -> None:
    picks = [("digits", 2), ("digits", 7)]
    app = alive(start("many", {"selection": picks, "image": ("digits", 2)}))
    alive(app.button("now_-1").click().run())
    assert shown(app) == "**Digits 7**"  # round and round
    alive(app.button("now_random").click().run())
    assert shown(app) == "**Digits 2**"  # the only other of the subset
    alive(app.button("now_pin").click().run())
    assert shown(app, "Pinned") == "**Digits 2**"
    alive(app.button("now_unpin").click().run())
    assert not shown(app, "Pinned")


def test_a_subset_is_undone_redone_and_two_are_saved(start: Start) -> None:
    app = alive(start("many"))
    alive(app.selectbox("subset_set").set_value("digits").run())
    alive(app.button("subset_take").click().run())
    whole = [("digits", row) for row in range(LIMIT)]
    assert app.session_state["selection"] == whole
    alive(app.button("subset_undo").click().run())
    assert app.session_state["selection"] == []
    app = alive(app.button("subset_redo").click().run())
    assert app.session_state["selection"] == whole
    app.text_input("subset_name").set_value("all")
    alive(app.button("subset_save").click().run())
    alive(app.selectbox("subset_class_digits").set_value(3).run())
    alive(app.button("subset_take").click().run())
    app.text_input("subset_name").set_value("threes")
    app = alive(app.button("subset_save").click().run())
    alive(app.selectbox("subset_saved").set_value("all").run())
    alive(app.button("subset_open").click().run())
    assert app.session_state["selection"] == whole
    app = alive(app.button("subset_remove").click().run())
    assert app.selectbox("subset_saved").options[0].startswith("threes")


def test_a_view_is_presented_by_its_button(start: Start) -> None:
    app = alive(start("many"))
    alive(app.button("present_begin").click().run())
    assert app.query_params["present"] == "1" and app.button("present_leave")


def test_a_checkpoint_by_its_path_is_kept_on_this_machine(start: Start, tmp_path: Path) -> None:
    for seed, name in enumerate(("one-a", "two-a")):
        path = tmp_path / f"{name}.safetensors"
        save_checkpoint(path, tiny_model(CONFIG, seed + 7), card=ModelCard(name), history={})
    app = alive(start("many"))
    app.text_input("checkpoint_given").set_value("{no JSON")
    app.text_input("checkpoint_path").set_value(str(tmp_path / "one-a.safetensors")).run()
    assert len(app.error) == 1 and "JSON" in app.error[0].value
    app.text_input("checkpoint_given").set_value("")
    app = alive(app.run())
    assert app.selectbox("a_glyphs").value.startswith("one-a") and not own_checkpoints()
    alive(app.button("checkpoint_stay").click().run())
    assert [name.partition(".")[0] for name in own_checkpoints()] == ["one-a"]
    app.checkbox("checkpoint_keep").set_value(True)
    app.text_input("checkpoint_path").set_value(str(tmp_path / "two-a.safetensors"))
    app = alive(app.run())
    assert sorted(name.partition(".")[0] for name in own_checkpoints()) == ["one-a", "two-a"]
    two = next(path.stem for path in own_checkpoints().values() if path.stem.startswith("two-a"))
    alive(app.selectbox("checkpoint_opened").set_value(two).run())
    alive(app.button("checkpoint_remove").click().run())
    assert [name.partition(".")[0] for name in own_checkpoints()] == ["one-a"]


def test_an_opened_set_is_trained_on_at_the_chosen_size(start: Start, asked: list[Any]) -> None:
    few = tiny_set(12, (1, 28, 28))
    app = alive(start("many", {"own_sets": {"own-few": (custom_set(few, "in", title="Few"), few)}}))
    alive(app.selectbox("own_train_set").set_value("own-few").run())
    app.select_slider("own_train_side").set_value(16)
    app.button("own_train").click().run()
    assert [(call[0], call[3:]) for call in asked] == [("train-own", (few, 16))]


@pytest.mark.parametrize(
    "button", ["download-fashion-mnist-sidebar", "download-fashion-mnist-page"]
)
def test_an_absent_set_is_downloaded_alone(start: Start, asked: list[Any], button: str) -> None:
    app = alive(start("many", world="FashionMNIST"))
    app.button(button).click().run()
    ((name, _, fetch, world, which),) = asked
    assert (name, fetch, which) == ("download-fashion-mnist", download_set, "mnist")
    assert [spec.name for spec in world.sets] == ["mnist"]


# ------------------------------------------------------------------------------------ the pages


def test_from_where_on_a_unit_is_active(start: Start) -> None:
    app = alive(start("collapse"))
    chart = next(one for one in app.get("plotly_chart") if "collapse-active" in one.proto.id)
    before = chart.proto.spec
    app = alive(app.number_input("c_active").set_value(10.0).run())
    chart = next(one for one in app.get("plotly_chart") if "collapse-active" in one.proto.id)
    assert chart.proto.spec != before


def test_an_attack_is_asked_for_as_its_controls_say(
    start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    wanted: list[Any] = []
    monkeypatch.setattr(attacks, "attacks_on", lambda *given: wanted.append(given))
    app = alive(start("compression", c_view="Attacks"))
    app.select_slider("a_radius").set_value(0.05)
    group(app, "a_count").set_value(16)
    alive(app.run())
    _, images, settings = wanted[-1]
    assert (settings.radius, len(images)) == (0.05, 16)


def test_what_a_model_draws_follows_its_controls(start: Start, offered: Offered) -> None:
    def picture(**turned: Any) -> bytes:
        for key, value in turned.items():
            kinds = {"g_b_set": app.selectbox, "g_each": app.toggle}
            numbers = dict.fromkeys(("g_draw", "g_b_number"), app.number_input)
            (kinds | numbers).get(key, app.slider)(key).set_value(value)
        alive(app.run())
        return bytes(app.image[0].proto.SerializeToString())

    app = alive(start("generate"))
    assert_made(offered)
    seen = [picture(), picture(g_draw=4)]
    group(app, "g_n").set_value(16)
    picture(g_each=True)
    assert app.title[0].value.startswith("16 pictures")
    seen += [picture(g_temp_z2=0.0)]
    seen.append(picture(g_temp_z1=0.0))
    app = alive(start("generate", g_view="Redrawn"))
    seen += [picture(), picture(g_warm=0.0)]
    app = alive(start("generate", g_view="Traversal"))
    seen += [picture(), picture(g_reach=1.0)]
    app = alive(start("generate", g_view="Interpolation"))
    seen += [picture(), picture(g_b_number=9), picture(g_b_set="digits")]
    assert len(set(seen)) == len(seen)


def test_further_learned_pictures_are_shown(start: Start, tiny_app: Path) -> None:
    config = replace(FAMILIES["lvae-vamp"], image_shape=(1, 28, 28), pseudoinputs=9)
    path = tiny_app / "checkpoints" / "glyphs-vamp-small.safetensors"
    save_checkpoint(path, tiny_model(config), card=ModelCard("Learned"), history={})
    app = alive(start("generate", a_glyphs="glyphs-vamp-small", g_view="Pseudoinput"))
    before = app.image[0].proto.SerializeToString()
    app = alive(app.number_input("g_u_A").set_value(4).run())
    assert app.image[0].proto.SerializeToString() != before


def test_every_way_to_change_a_picture_is_turned(
    start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bands, "draw", lambda *_, **__: None)
    app = alive(start("image"))
    by = {"rotation": 5, "blur": 1, "contrast": 0.5, "noise": 8, "box": 0.2, "across": 0, "down": 1}
    for name, value in by.items():
        app.slider(f"i_by_{name}").set_value(float(value))
    app.slider("i_keep_across").set_value((10, 100))
    app.slider("i_keep_down").set_value((0, 90))
    group(app, "i_prepare").set_value(["invert"])
    said = next(one.value for one in alive(app.run()).markdown if "the changed image" in one.value)
    for words in ("10 to 100 % across", "0 to 90 % down", "inverted", "turned by 5"):
        assert words in said.replace("\\", ""), said
    for words in ("blur", "contrast", "noise", "box"):
        assert words in said, said
    assert not [one for one in app.button if one.label == "Compute"]
    app = sent(app, "i_more", bool_value=True)
    assert button(app, "Compute")


def test_a_photograph_is_prepared_as_its_hint_says(start: Start) -> None:
    file = io.BytesIO()
    Image.fromarray(np.arange(600).astype(np.uint8).reshape(20, 30)).save(file, "JPEG")
    app = alive(start("image", i_from="camera"))
    app.camera_input("i_photo").set_value(("photo.jpg", file.getvalue(), "image/jpeg"))
    app = alive(app.run())
    assert app.title[0].value != "Which image?"
    before = app.image[0].proto.SerializeToString()
    app = alive(app.button("i_do_pad").click().run())
    assert group(app, "i_prepare").value == ["pad"]
    assert app.image[0].proto.SerializeToString() != before


def test_a_row_of_the_judged_is_ticked_and_opened(start: Start, offered: Offered) -> None:
    app = alive(start("image", i_view=subject.VIEWS[1], i_batch="Digits", i_rate="10 %"))
    assert_made(offered)
    number = int(app.dataframe[0].value["Number"][2])
    app = alive(sent(app, "i_table_digits", string_value=rows(2)))
    assert app.session_state["image"] == ("digits", number)
    app = alive(app.button("i_open").click().run())
    assert group(app, "i_view").value == subject.VIEWS[0] and shown(app) == f"**Digits {number}**"


def test_every_knob_of_the_lab_reaches_its_run(
    start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    table = Table()
    monkeypatch.setattr(runs, "_table", lambda: table)
    monkeypatch.setattr(runs, "visitor", lambda: "c" * 32)

    def now(slot: str = "a") -> Any:
        run = runs.find(slot)
        assert run is not None
        return run.control

    app = alive(start("lab", preset="top-dies"))
    for key, value in {"lab_a_beta": 2.0, "lab_a_warmup": 100, "lab_a_std": 0.5}.items():
        alive(app.slider(key).set_value(value).run())
        assert getattr(now().knobs, key.removeprefix("lab_a_")) == value
    alive(app.select_slider("lab_a_learning_rate").set_value(1e-3).run())
    alive(app.toggle("lab_a_skip").set_value(True).run())
    alive(app.number_input("lab_a_seed").set_value(7).run())
    keys = ("lab_a_objective", "lab_a_likelihood", "lab_a_data")
    for key, chosen in zip(keys, ("informative", "bernoulli", "digits"), strict=True):
        alive(group(app, key).set_value(chosen).run())
        assert getattr(now().knobs, key.removeprefix("lab_a_")) == chosen
    assert (now().knobs.learning_rate, now().knobs.skip, now().knobs.seed) == (1e-3, True, 7)
    alive(app.slider("lab_column").set_value(1.5).run())
    assert now().dot[1] == 1.5
    alive(app.selectbox("lab_pace").set_value(10).run())
    assert now().pace == 10
    alive(app.toggle("lab_two").set_value(True).run())
    app = alive(group(app, "lab_slot").set_value("b").run())
    alive(app.slider("lab_b_depth").set_value(2).run())
    assert (now("b").knobs.depth, now().knobs.depth) == (2, lab_presets()["top-dies"].knobs.depth)
    alive(app.selectbox("lab_preset").set_value("holes").run())
    assert now().preset == "holes"


def test_a_map_by_umap_is_asked_for_as_its_form_says(
    start: Start, asked: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    gathered: list[int] = []
    gather = points.gather
    monkeypatch.setattr(
        points,
        "gather",
        lambda *at, **more: (gathered.append(more["count"]), gather(*at, **more))[1],
    )
    app = alive(start("latents", l_method="UMAP", l_by="score"))
    app.number_input("l_count").set_value(200)
    app.selectbox("l_score").set_value("adaptive likelihood ratio")
    app.number_input("l_neighbours").set_value(5)
    app.number_input("l_distance").set_value(0.5)
    app.selectbox("l_metric").set_value("cosine")
    button(app, "Compute UMAP").click().run()
    assert gathered[-1] == 200
    assert asked[0][4] == UMAPParams(5, 0.5, "cosine", seed=0)
    assert app.selectbox("l_score").value == "adaptive likelihood ratio"


def test_a_row_of_the_leaderboard_is_chosen_and_leads_on(
    start: Start, offered: Offered, monkeypatch: pytest.MonkeyPatch
) -> None:
    from pages.leaderboard import boards  # once the tests' own limit stands in the app

    ranked = boards.ranked

    def first_is_worse(*asked: Any) -> Board:
        """The board as if its first row were certainly worse than -L on the set."""
        board = ranked(*asked)
        first, *others = board.standings
        worst = Worst(-0.1, -0.2, -0.05, "signs", worse_on=("signs",), sets=1)
        return replace(board, standings=(replace(first, worst=worst), *others))

    monkeypatch.setattr(boards, "ranked", first_is_worse)
    app = alive(start("leaderboard", lb_suite="far"))
    assert_made(offered)
    every = len(app.dataframe[0].value)
    first = app.subheader[1].value
    app = alive(sent(app, "lb_rows_far", string_value=rows(1)))
    assert app.subheader[1].value != first
    app = alive(app.toggle("lb_never").set_value(True).run())
    left = app.dataframe[0].value
    assert len(left) == every - 1
    assert f"AUROC {left['AUROC'].iloc[0]}" in app.title[0].value.replace("\\", "")
    assert "the first of all rows, is left out" in text(app)
    monkeypatch.setattr(boards, "ranked", ranked)
    one = app.selectbox("lb_checkpoint").options.index("Tiny, informative")
    app = alive(app.selectbox("lb_checkpoint").select_index(one).run())
    assert len(app.dataframe[0].value) < every
    app = alive(app.button("lb_on_signs").click().run())
    assert group(app, "o_sets").value == ["signs"]


def test_folders_of_scores_are_named_in_their_fields(start: Start, tmp_path: Path) -> None:
    source, out, other = tmp_path / "source.npz", str(tmp_path / "out"), str(tmp_path / "other")
    np.savez(source, images=np.arange(8 * 16, dtype=np.uint8).reshape(8, 4, 4))
    for place in (out, other):
        folder, _ = scored_folder(8, part=8, out=place, source=str(source))
        summarised(folder)
    app = alive(start("many"))
    app = alive(app.text_input("m_folder").set_value(out).run())
    assert "8 images are scored" in app.title[0].value
    app = app.text_input("m_reference").set_value(other).run()
    assert "needs more than the 8 images" in app.error[0].value
    app = alive(app.select_slider("m_alarm").set_value(20.0).run())
    assert charts(app) >= {"many-density"}
    app = sent(app, f"m_unusual_{app.selectbox('m_score').value}", string_value=rows(0))
    assert shown(alive(app)) == "**3\\.png**"


def test_a_threshold_and_a_box_make_the_subset(start: Start, offered: Offered) -> None:
    app = alive(start("ood", **B))
    assert_made(offered)
    for words in ("flagged outsiders", "missed outsiders", "false alarms"):
        for letter in "AB":
            take = app.button(f"o_take_{words}_{letter}")
            count = int(take.label.rpartition("(")[2].rstrip(")"))
            if count:
                app = alive(take.click().run())
                assert len(app.session_state["selection"]) == count
    app = alive(group(app, "o_sets").set_value(["digits"]).run())
    whole = {"xref": "x", "yref": "y", "x": [-1e9, 1e9], "y": [0, 1]}
    box = {"selection": {"points": [], "point_indices": [], "lasso": [], "box": [whole]}}
    app = alive(sent(app, "o_density0", string_value=json.dumps(box)))
    taken = app.session_state["selection"]
    assert len(taken) == 2 * LIMIT and {name for name, _ in taken} == {"test", "digits"}
    tables = len(app.dataframe)
    app = alive(sent(app, "o_numbers", bool_value=True))
    assert len(app.dataframe) == tables + 1
    app = alive(sent(app, "o_more", bool_value=True))
    assert button(app, "Compute for A")


def test_which_images_are_rebuilt(start: Start, offered: Offered) -> None:
    def pictures() -> list[bytes]:
        return [part.proto.SerializeToString() for part in app.main.get("bidi_component")]

    app = alive(start("reconstructions", r_k="1", r_skipped="sample"))
    assert_made(offered)
    chosen = app.multiselect("r_rows_glyphs")
    first = chosen.value
    app = alive(chosen.set_value(["digits 3", "test 1"]).run())
    rebuilt = pictures()
    assert app.dataframe or rebuilt
    app = alive(app.number_input("r_draw").set_value(3).run())
    assert pictures() != rebuilt
    rebuilt = pictures()
    group(app, "r_n").set_value(8)
    group(app, "r_size").set_value("2×")
    app = alive(app.selectbox("r_of").set_value("test 1").run())
    assert pictures() != rebuilt and button(app, "First")
    panels = [panel.alt for _, panel in app.session_state["panels"].panels]
    assert any(alt.startswith("8 draws of Capital letters") for alt in panels), panels
    app = alive(button(app, "First").click().run())
    assert app.multiselect("r_rows_glyphs").value == first


def test_a_picture_of_a_set_is_compressed(start: Start, offered: Offered) -> None:
    app = alive(start("compression"))
    assert_made(offered)
    before = [picture.proto.SerializeToString() for picture in app.image]
    app.selectbox("c_set_glyphs").set_value("digits")
    app = alive(app.number_input("c_id").set_value(3).run())
    assert [picture.proto.SerializeToString() for picture in app.image] != before
    assert shown(app) == "**Digits 3**"


def test_another_change_by_degrees_is_drawn(start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    areas = {"elbo": (0.5, 0.6, 0.7)}
    monkeypatch.setattr(degrees, "shipped", lambda _name, digest: by_degree(digest, areas))
    app = alive(start("ood"))
    assert "o_degree_auroc0" in charts(app)
    app = alive(group(app, "o_change").set_value("Blur").run())
    assert "o_degree_auroc0" not in charts(app)  # of rotation alone there are results


def test_two_of_three_models_are_compared(start: Start, tiny_app: Path, offered: Offered) -> None:
    path = tiny_app / "checkpoints" / "glyphs-hvae3-freebits.safetensors"
    save_checkpoint(path, tiny_model(CONFIG, 5), card=ModelCard("Third"), history={})
    models = {"b_glyphs": "glyphs-hvae3-freebits", "c_glyphs": "glyphs-hvae3-informative"}
    app = alive(group(alive(start("two", **models)), "t_pair").set_value("A and C").run())
    lines = [line.partition(": ")[0] for line in text(app).splitlines()]
    told = [line for line in lines if line[:5] in ("**A**", "**B**", "**C**")]
    assert told == ["**A** Tiny, plain", "**B** Third", "**C** Tiny, informative"]
    assert "A − C is" in text(app)
    assert "A, “Tiny, plain”, is drawn solid; C, “Tiny, informative”, dotted." in text(app)
    chart = next(one for one in app.get("plotly_chart") if "two-scores-elbo" in one.proto.id)
    axes = json.loads(chart.proto.spec)["layout"]
    assert "under A" in axes["xaxis"]["title"]["text"]
    assert "under C" in axes["yaxis"]["title"]["text"]
    assert {"elbo_a", "elbo_c", "a_minus_c"} <= {*pd.read_csv(io.BytesIO(offered["scores.csv"]()))}


def test_classes_of_another_set_colour_the_map(start: Start) -> None:
    app = alive(start("latents", l_by="class"))
    (before,) = [one.proto.spec for one in app.get("plotly_chart")]
    app = alive(app.selectbox("l_of").set_value("digits").run())
    assert [one.proto.spec for one in app.get("plotly_chart")] != [before]


def test_the_tour_shows_its_answer_to_who_was_wrong(start: Start) -> None:
    app = alive(start("collapse", tour="6", world="Glyphs"))
    for choice in steps.steps()[5].choices[:2]:  # one of them is wrong
        app = alive(app.radio("tour_answer_6").set_value(choice).run())
        if any(one.value.startswith("Not right") for one in app.warning):
            break
    app = alive(app.button("tour_show_6").click().run())
    assert any(one.value.startswith("The answer: **") for one in app.info)


# ------------------------------------------------------------------------------------ the files

KINDS: dict[str, Callable[[bytes], bool]] = {
    "csv": lambda data: len(pd.read_csv(io.BytesIO(data)).columns) > 1,
    "json": lambda data: bool(json.loads(data)),
    "png": lambda data: min(Image.open(io.BytesIO(data)).size) > 8,
    "zip": lambda data: bool(zipfile.ZipFile(io.BytesIO(data)).namelist()),
    "npz": lambda data: bool(np.load(io.BytesIO(data)).files),
    "html": lambda data: data.startswith(b"<!DOCTYPE html>") and b"<h1>" in data,
}
FILES: dict[str, dict[str, str]] = {
    "start": {}, "two": {}, "image": {}, "latents": {"selection": "digits.BQ"},
}  # fmt: skip
"""Pages by their controls; those of other pages are made where a test here opens them anyway."""


def assert_made(offered: Offered) -> None:
    """Every file that the page offers is one of its kind, a report among them."""
    assert any(name.endswith(".html") for name in offered)
    for name, make in offered.items():
        assert KINDS[name.rpartition(".")[2]](make()), name


@pytest.mark.parametrize("page", FILES)
def test_every_file_that_a_page_offers_is_made(page: str, start: Start, offered: Offered) -> None:
    alive(start(page, **FILES[page], **B))
    assert_made(offered)


def test_a_panel_offers_its_data_and_code(start: Start, offered: Offered) -> None:
    app = alive(start("collapse"))
    assert_made(offered)
    app = alive(sent(app, "code-collapse-kl", bool_value=True))
    assert any("load_checkpoint" in code.value for code in app.code)
    data = pd.read_csv(io.BytesIO(offered["collapse-kl.csv"]()))
    assert list(data["series"][:3]) == ["Tiny, plain"] * 3 and (data["KL (nats)"][:3] > 0).all()
